"""Why a row is strange: the source columns that make up its score, each with a word on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from adlib.arrays import Columns, Flags, Floats, Layout
from adlib.detectors import Judgement
from adlib.detectors.network import matrix_product
from adlib.encoding import Encoder
from adlib.findings import Finding, finding

MOST_REASONS = 3
_SHARE_DIGITS = 6
_LEAST_SHARE = 0.01
"""What adds less to the score is no reason, unless nothing adds more."""
_TELLING_SHARE = 0.05
"""What adds less to the score is no part of the sentence."""


class Reason(NamedTuple):
    """One source column's part in a row's score."""

    column: str
    actual: str | None
    expected: str
    share: float
    """Of the score, 0 to 1."""
    direction: str
    """high, low, unusual, unseen or missing."""
    sentence: str


def explain(
    encoder: Encoder, judged: Judgement, columns: Columns, top: int
) -> list[tuple[Reason, ...]]:
    """Return the reasons of every row, the largest share first; only columns that count.

    `judged` is about the same rows as `columns`, in float64.
    """
    shares = _shares(source_losses(judged.losses, encoder.layout))
    ranked = np.argsort(-shares, axis=1, kind="stable")[:, :top]
    teller = _Teller.of(encoder, columns, judged)
    return [
        tuple(
            teller.reason(row, place, share)
            for place, share in zip(places, row_shares, strict=True)
            if share >= min(_LEAST_SHARE, row_shares[0]) > 0.0
        )
        for row, (places, row_shares) in enumerate(
            zip(ranked.tolist(), np.take_along_axis(shares, ranked, axis=1).tolist(), strict=True)
        )
    ]


class Whole(NamedTuple):
    """All that columns say of one row, the largest share of the score first."""

    sources: tuple[Reason, ...]
    """Of every column of the source that the model reads."""
    derived: tuple[Reason, ...]
    """Of every window and calendar column, named as in the feature table: parts of the above."""


def explain_whole(encoder: Encoder, judged: Judgement, columns: Columns) -> Whole:
    """Say of every column of one row what it holds and what was expected there.

    `judged` and `columns` are of the one row, in float64.
    """
    by_source = _shares(source_losses(judged.losses, encoder.layout))[0].tolist()
    by_encoding = _shares(encoding_losses(judged.losses, encoder))[0].tolist()
    teller = _Teller.of(encoder, columns, judged)
    sources = [teller.reason(0, place, share) for place, share in enumerate(by_source)]
    derived = [
        teller.part(0, index, share, of_source=False)
        for index, share in enumerate(by_encoding)
        if encoder.encodings[index].feature.name != encoder.encodings[index].feature.source
    ]
    return Whole(_ranked(sources), _ranked(derived))


def _ranked(reasons: list[Reason]) -> tuple[Reason, ...]:
    return tuple(sorted(reasons, key=lambda reason: -reason.share))


def source_losses(losses: Floats, layout: Layout) -> Floats:
    """Add up what a source's blocks add to the score: shape (rows, layout.sources)."""
    return matrix_product(losses, layout.membership.astype(losses.dtype))


def encoding_losses(losses: Floats, encoder: Encoder) -> Floats:
    """Add up what an encoding's blocks add to the score: shape (rows, encodings)."""
    names = [block.column for block in encoder.layout.blocks]
    membership = np.equal.outer(encoder.names, names).astype(np.float64)
    return matrix_product(losses.astype(np.float64), membership)


def _shares(contributions: Floats) -> Floats:
    """Divide each row's contributions by their sum; a row of zeros keeps zeros."""
    positive = np.maximum(contributions, 0.0)
    total = positive.sum(axis=1, keepdims=True)
    shares: Floats = positive / np.where(total > 0.0, total, 1.0)
    return shares


@dataclass(frozen=True)
class _Teller:
    """What is needed to say why a row is strange."""

    encoder: Encoder
    columns: Columns
    expected: Floats
    losses: list[list[float]]
    """By row and encoding."""
    unseen: Mapping[str, Flags]

    @classmethod
    def of(cls, encoder: Encoder, columns: Columns, judged: Judgement) -> _Teller:
        losses = encoding_losses(judged.losses, encoder)
        return cls(encoder, columns, judged.expected, losses.tolist(), encoder.unseen(columns))

    def reason(self, row: int, place: int, share: float) -> Reason:
        """Say a word on one of the layout's sources."""
        source, index = self.encoder.layout.sources[place], self._most_telling(row, place)
        return self.part(row, index, share, of_source=True)._replace(column=source)

    def part(self, row: int, index: int, share: float, *, of_source: bool) -> Reason:
        """Say a word on one column of the feature table, or on the source that it is made of."""
        actual, expected, direction, sentence = self.finding(row, index, of_source=of_source)
        name = self.encoder.names[index]
        return Reason(name, actual, expected, round(share, _SHARE_DIGITS), direction, sentence)

    def _most_telling(self, row: int, place: int) -> int:
        """Return which of a source's encodings adds most to the row's score."""
        own = self.encoder.encodings_of_source[place]
        return own[0] if len(own) == 1 else max(own, key=self.losses[row].__getitem__)

    def finding(self, row: int, index: int, *, of_source: bool) -> Finding:
        """Say what one encoding's column holds and what was expected there."""
        source = self.encoder.encodings[index].feature.source
        unseen = source in self.unseen and bool(self.unseen[source][row])
        expected = self.expected[row, self.encoder.spans[index]]
        return finding(
            self.encoder, index, self.columns, row, expected, unseen=unseen, of_source=of_source
        )


def sentence_of(reasons: tuple[Reason, ...]) -> str:
    """Join the reasons that matter into one sentence for a person."""
    if not reasons:
        return "No single column stands out."
    telling = [reason.sentence for reason in reasons if reason.share >= _TELLING_SHARE]
    return f"{'; '.join(telling or [reasons[0].sentence])}."
