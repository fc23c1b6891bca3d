"""Why a row is strange: the source columns that make up its score, each with a word on it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from adlib.arrays import Columns, FeatureMatrix, Floats, NumberColumn
from adlib.detectors import Detector
from adlib.encoding import ColumnEncoding, Encoder, Kind
from adlib.encoding.columns import NOTHING
from adlib.encoding.wording import duration_text, number_text

MOST_REASONS = 3
_SHARE_DIGITS = 6
_TELLING_SHARE = 0.05
"""What adds less to the score is no part of the sentence."""


@dataclass(frozen=True)
class Reason:
    """One source column's part in a row's score."""

    column: str
    actual: str | None
    expected: str
    share: float
    """Of the score, 0 to 1."""
    direction: str
    """high, low, unusual, unseen or missing."""
    sentence: str


@dataclass(frozen=True)
class Finding:
    """What one column of the feature table says: the material of a reason."""

    actual: str | None
    expected: str
    direction: str
    sentence: str


def explain(
    encoder: Encoder, detector: Detector, columns: Columns, features: FeatureMatrix, top: int
) -> list[tuple[Reason, ...]]:
    """Return the reasons of every row, the largest share first; only columns that contribute.

    `features` holds the same rows as `columns`, in float64.
    """
    losses = detector.block_losses(features)
    shares = _shares(detector.contributions(features))
    expected = detector.reconstruct(features)
    return [
        _row_reasons(encoder, columns, _Judged(row, losses[row], shares[row], expected[row]), top)
        for row in range(len(features))
    ]


@dataclass(frozen=True)
class _Judged:
    """What the detector says about one row."""

    row: int
    """Where in the batch it stands."""
    losses: Floats
    shares: Floats
    expected: Floats


def _shares(contributions: Floats) -> Floats:
    """Divide each row's contributions by their sum; a row of zeros keeps zeros."""
    positive = np.maximum(contributions, 0.0)
    total = positive.sum(axis=1, keepdims=True)
    shares: Floats = positive / np.where(total > 0.0, total, 1.0)
    return shares


def _row_reasons(
    encoder: Encoder, columns: Columns, judged: _Judged, top: int
) -> tuple[Reason, ...]:
    sources, shares = encoder.layout.sources, judged.shares
    ranked = sorted(range(len(sources)), key=lambda place: (-shares[place], place))
    reasons = []
    for place in ranked[:top]:
        if shares[place] <= 0.0:
            break
        index = _most_telling(encoder, sources[place], judged.losses)
        encoding, span = encoder.encodings[index], encoder.spans[index]
        finding = _finding(encoding, encoder, columns, judged.row, judged.expected[span])
        reasons.append(
            Reason(
                sources[place],
                finding.actual,
                finding.expected,
                round(float(shares[place]), _SHARE_DIGITS),
                finding.direction,
                finding.sentence,
            )
        )
    return tuple(reasons)


def _most_telling(encoder: Encoder, source: str, losses: Floats) -> int:
    """Return which of a source's encodings adds most to the row's score."""
    added: dict[str, float] = {}
    for block, loss in zip(encoder.layout.blocks, losses, strict=True):
        if block.source == source:
            added[block.column] = added.get(block.column, 0.0) + float(loss)
    return encoder.names.index(max(added, key=lambda name: added[name]))


def _finding(
    encoding: ColumnEncoding, encoder: Encoder, columns: Columns, row: int, expected: Floats
) -> Finding:
    feature, column = encoding.feature, columns[encoding.feature.name]
    if feature.entity is not None:
        return _window_finding(encoding, encoder, columns, row, expected)
    actual, usual = encoding.text_at(column, row), encoding.decode(expected)
    if actual is None:
        sentence = f"{feature.source} is missing where {usual} is expected"
        if usual == NOTHING:
            sentence = f"{feature.source} is missing, which is unusual here"
        return Finding(None, usual, "missing", sentence)
    if bool(encoding.is_unseen(column.take(np.asarray([row])))[0]):
        sentence = f"{feature.source} is {actual}, not seen before"
        return Finding(actual, usual, "unseen", sentence)
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
    if np.isnan(value):
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
