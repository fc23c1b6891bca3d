"""Why a row is strange: the source columns that make up its score, each with a word on it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from adlib.arrays import Column, Columns, Flags, Floats, Layout, NumberColumn
from adlib.detectors import Judgement
from adlib.detectors.network import matrix_product
from adlib.encoding import ColumnEncoding, Encoder, Kind
from adlib.encoding.columns import NOTHING
from adlib.encoding.wording import duration_text, number_text

MOST_REASONS = 3
_SHARE_DIGITS = 6
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


class Finding(NamedTuple):
    """What one column of the feature table says: the material of a reason."""

    actual: str | None
    expected: str
    direction: str
    sentence: str


def explain(
    encoder: Encoder, judged: Judgement, columns: Columns, top: int
) -> list[tuple[Reason, ...]]:
    """Return the reasons of every row, the largest share first; only columns that contribute.

    `judged` is about the same rows as `columns`, in float64.
    """
    shares = _shares(source_losses(judged.losses, encoder.layout))
    ranked = np.argsort(-shares, axis=1, kind="stable")[:, :top]
    teller = _Teller.of(encoder, columns, judged)
    return [
        tuple(
            teller.reason(row, place, share)
            for place, share in zip(places, row_shares, strict=True)
            if share > 0.0
        )
        for row, (places, row_shares) in enumerate(
            zip(ranked.tolist(), np.take_along_axis(shares, ranked, axis=1).tolist(), strict=True)
        )
    ]


def source_losses(losses: Floats, layout: Layout) -> Floats:
    """Add up what a source's blocks add to the score: shape (rows, layout.sources)."""
    return matrix_product(losses, layout.membership.astype(losses.dtype))


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
        names = [block.column for block in encoder.layout.blocks]
        membership = np.equal.outer(encoder.names, names).astype(np.float64)
        losses = matrix_product(judged.losses.astype(np.float64), membership)
        return cls(encoder, columns, judged.expected, losses.tolist(), encoder.unseen(columns))

    def reason(self, row: int, place: int, share: float) -> Reason:
        """Say a word on one of the layout's sources."""
        source, index = self.encoder.layout.sources[place], self._most_telling(row, place)
        actual, expected, direction, sentence = self._finding(row, index)
        return Reason(source, actual, expected, round(share, _SHARE_DIGITS), direction, sentence)

    def _most_telling(self, row: int, place: int) -> int:
        """Return which of a source's encodings adds most to the row's score."""
        own = self.encoder.encodings_of_source[place]
        return own[0] if len(own) == 1 else max(own, key=self.losses[row].__getitem__)

    def _finding(self, row: int, index: int) -> Finding:
        encoding, span = self.encoder.encodings[index], self.encoder.spans[index]
        feature, expected = encoding.feature, self.expected[row, span]
        if feature.entity is not None:
            return _window_finding(encoding, self.encoder, self.columns, row, expected)
        column = self.columns[feature.name]
        actual, usual = encoding.text_at(column, row), encoding.decode(expected)
        if actual is None:
            sentence = f"{feature.source} is missing where {usual} is expected"
            if usual == NOTHING:
                sentence = f"{feature.source} is missing, which is unusual here"
            return Finding(None, usual, "missing", sentence)
        if feature.source in self.unseen and self.unseen[feature.source][row]:
            sentence = f"{feature.source} is {actual}, not seen before"
            return Finding(actual, usual, "unseen", sentence)
        return _plain_finding(encoding, column, row, expected, (actual, usual))


def _plain_finding(
    encoding: ColumnEncoding, column: Column, row: int, expected: Floats, said: tuple[str, str]
) -> Finding:
    """Compare a value with the one expected, in words and, of a number, as high or low."""
    feature, (actual, usual) = encoding.feature, said
    direction, about = "unusual", ""
    if feature.kind is Kind.NUMBER:
        direction = _direction(encoding.number_at(column, row), encoding.expected_number(expected))
        about = "about "
    sentence = f"{feature.source} is {actual} where {about}{usual} is expected"
    if actual == usual:  # the likeliest value, and yet not likely enough
        sentence = f"{feature.source} is {actual}, which is unusual here"
    return Finding(actual, usual, direction, sentence)


def _window_finding(
    encoding: ColumnEncoding, encoder: Encoder, columns: Columns, row: int, expected: Floats
) -> Finding:
    """Say what is usual for this entity: its own mean of a ratio, else what the model expects."""
    feature = encoding.feature
    value = encoding.number_at(columns[feature.name], row)
    if math.isnan(value):
        usual = encoding.decode(expected)
        sentence = f"{feature.source} has no earlier value for this {feature.entity}"
        return Finding(None, usual, "missing", sentence)
    has_number = isinstance(columns.get(feature.source), NumberColumn)
    if feature.take == "ratio" and value != 0.0 and has_number and feature.source in encoder.names:
        return _ratio_finding(encoding, encoder, columns, row, value)
    usual_value = encoding.expected_number(expected)
    actual, usual = _said(value, feature.take), _said(usual_value, feature.take)
    what = f"{feature.take} over {feature.over}"
    if feature.source != feature.entity:
        what = f"{what} of {feature.source}"
    sentence = f"{what} for this {feature.entity} is {actual} where about {usual} is usual"
    return Finding(actual, usual, _direction(value, usual_value), sentence)


def _said(value: float, take: str | None) -> str:
    """Print what a window took of the past."""
    return duration_text(value) if take == "gap" else number_text(value, integral=False)


def _ratio_finding(
    encoding: ColumnEncoding, encoder: Encoder, columns: Columns, row: int, ratio: float
) -> Finding:
    feature = encoding.feature
    plain = encoder.encodings[encoder.names.index(feature.source)]
    amount = plain.number_at(columns[feature.source], row)
    actual = plain.text_at(columns[feature.source], row)
    usual = number_text(amount / ratio, integral=False)
    said = f"{feature.source} is {actual} where about {usual} is usual"
    sentence = f"{said} for this {feature.entity}"
    return Finding(actual, usual, _direction(ratio, 1.0), sentence)


def _direction(actual: float, expected: float) -> str:
    if actual > expected:
        return "high"
    return "low" if actual < expected else "unusual"


def sentence_of(reasons: tuple[Reason, ...]) -> str:
    """Join the reasons that matter into one sentence for a person."""
    if not reasons:
        return "No single column stands out."
    telling = [reason.sentence for reason in reasons if reason.share >= _TELLING_SHARE]
    return f"{'; '.join(telling or [reasons[0].sentence])}."
