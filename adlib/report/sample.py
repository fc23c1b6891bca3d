"""Looking at a bounded sample of the scored rows with the model that scored them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from adlib.arrays import (
    Column,
    Columns,
    Flags,
    Floats,
    NumberColumn,
    TextColumn,
    row_count,
    take_rows,
)
from adlib.drift import Movement, Reference, movement
from adlib.encoding import ColumnEncoding, Kind
from adlib.encoding.category_columns import CategoryEncoding
from adlib.model import BLOCK_ROWS, Model
from adlib.report.values import Axis, DrivenColumn, Health, SampleFigures

_MOST_LABELS = 9
_LARGEST_DRAWN = 1e100
"""A number beyond is drawn there: a scale of more powers of ten overflows."""
"""Values of a category that a scatter plot tells apart; the others share a place."""
_OTHERS = "others"
_DIMENSIONS = 2
_PLOTTED = {Kind.NUMBER, Kind.BOOLEAN, Kind.CATEGORY, Kind.CYCLE}
_RANK = {"shifted": 0, "moved": 1, "steady": 2}


@dataclass(frozen=True)
class SampledRows:
    """A sample of scored rows, and the lowest score that is flagged of each."""

    columns: Columns
    cuts: Floats
    """Shape (rows,); infinity where no row of the date is flagged."""
    of_rows: int


def look_at(sample: SampledRows, model: Model, driven: Sequence[DrivenColumn]) -> SampleFigures:
    """Score a sample and say how it lies, which columns moved, and where the flagged rows are."""
    scores = model.exact_scores(sample.columns)
    flagged = scores >= sample.cuts
    codes, of_codes = _codes(model, sample.columns)
    latent, explained = _two_dimensions(codes, flagged)
    return SampleFigures(
        of_rows=sample.of_rows,
        scores=scores,
        flagged=flagged,
        health=_health(model, sample.columns),
        latent=latent,
        explained=explained,
        of_codes=of_codes,
        scatter=_scatter(model, sample.columns, flagged, [column.name for column in driven]),
    )


def _codes(model: Model, columns: Columns) -> tuple[Floats, bool]:
    """Return the network's hidden codes, else the encoded numbers: shape (rows, units)."""
    parts, of_codes = [], True
    for start in range(0, row_count(columns), BLOCK_ROWS):
        block = take_rows(columns, slice(start, start + BLOCK_ROWS))
        features = model.encoder.transform(block, np.float32)
        codes = model.detector.codes(features)
        of_codes = codes is not None
        parts.append(features.numbers.T.copy() if codes is None else codes)
    return (np.concatenate(parts) if parts else np.zeros((0, 0))), of_codes


def _two_dimensions(
    codes: Floats, flagged: Flags
) -> tuple[Floats | None, tuple[float, float] | None]:
    """Project codes on the two directions in which unflagged rows vary most (PCA)."""
    from sklearn.decomposition import PCA

    ordinary = codes[~flagged].astype(np.float64)
    varying = np.flatnonzero(ordinary.std(axis=0) > 0.0) if len(ordinary) else np.zeros(0, int)
    if len(varying) < _DIMENSIONS or len(ordinary) < _DIMENSIONS + 1:
        return None, None
    centre, size = ordinary[:, varying].mean(axis=0), ordinary[:, varying].std(axis=0)
    fitted = PCA(_DIMENSIONS, svd_solver="full").fit((ordinary[:, varying] - centre) / size)
    shares = fitted.explained_variance_ratio_
    return fitted.transform((codes[:, varying] - centre) / size), (
        float(shares[0]),
        float(shares[1]),
    )


def _health(model: Model, columns: Columns) -> tuple[Health, ...]:
    """Compare every column with its reference, those that moved most first."""
    plain = model.provenance.get("reference")
    reference = Reference.from_json(plain) if plain else Reference(0, {})
    unseen = model.encoder.unseen(columns)
    found = []
    for encoding in model.encoder.encodings:
        feature, column = encoding.feature, columns[encoding.feature.name]
        before = reference.columns.get(feature.name)
        moved = movement(reference, encoding, column)
        found.append(
            Health(
                name=feature.name,
                kind=feature.kind.value if feature.entity is None else "window",
                missing_then=None if before is None else before.missing,
                missing=_share(encoding.is_missing(column)),
                unseen_then=before.unseen if before and _is_learned(encoding) else None,
                unseen=_share(unseen[feature.source]) if _is_learned(encoding) else None,
                index=None if moved is None else moved.index,
                by_chance=None if moved is None else moved.by_chance,
                verdict=_verdict(moved),
                median_then=None if before is None else before.median,
                median=_median(column),
            )
        )
    return tuple(
        sorted(found, key=lambda entry: (_RANK.get(entry.verdict, 3), -(entry.index or 0)))
    )


def _is_learned(encoding: ColumnEncoding) -> bool:
    """Tell whether a column's values were learned one by one, so that one can be unseen."""
    return isinstance(encoding, CategoryEncoding)


def _verdict(moved: Movement | None) -> str:
    return "not compared" if moved is None else moved.verdict


def _median(column: Column) -> float | None:
    if not isinstance(column, NumberColumn):
        return None
    present = column.values[np.isfinite(column.values)]
    return float(np.median(present)) if len(present) else None


def _share(flags: Flags) -> float:
    return float(flags.mean()) if len(flags) else 0.0


def _scatter(
    model: Model, columns: Columns, flagged: Flags, driven: Sequence[str]
) -> tuple[Axis, Axis] | None:
    """Return the two columns that tell most of the flags, None where fewer can be drawn."""
    axes = list(_axes(model, columns, flagged, driven))
    if len(axes) < _DIMENSIONS:
        return None
    return axes[0], axes[1]


def _axes(model: Model, columns: Columns, flagged: Flags, driven: Sequence[str]) -> Iterator[Axis]:
    plain: dict[str, ColumnEncoding] = {}
    for encoding in model.encoder.encodings:
        if encoding.feature.entity is None and encoding.feature.kind in _PLOTTED:
            plain.setdefault(encoding.feature.source, encoding)
    for name in driven:
        column = columns[plain[name].feature.name] if name in plain else None
        if isinstance(column, NumberColumn | TextColumn):
            yield _axis(plain[name], column, flagged)


def _axis(encoding: ColumnEncoding, column: NumberColumn | TextColumn, flagged: Flags) -> Axis:
    name = encoding.feature.name
    if isinstance(column, TextColumn):
        return _category_axis(name, column, flagged)
    values = np.asarray(column.values, dtype=np.float64)
    drawable = np.clip(values, -_LARGEST_DRAWN, _LARGEST_DRAWN)
    return Axis(name, np.where(np.isfinite(values), drawable, np.nan))


def _category_axis(name: str, column: TextColumn, flagged: Flags) -> Axis:
    """Give the commonest values, among flagged rows and among all, a place each."""
    codes = column.codes
    size = len(column.values)
    ranks = [
        np.bincount(codes[rows & (codes >= 0)], minlength=size) for rows in (flagged, codes >= 0)
    ]
    weight = ranks[0] / max(1, ranks[0].sum()) + ranks[1] / max(1, ranks[1].sum())
    order = [place for place in np.argsort(-weight, kind="stable") if weight[place] > 0]
    shown = order[:_MOST_LABELS]
    place_of = np.full(size + 1, float(len(shown)))
    place_of[shown] = np.arange(len(shown))
    place_of[size] = np.nan  # what is missing has the code -1
    labels = [str(column.values[place]) for place in shown]
    return Axis(name, place_of[codes], (*labels, *([_OTHERS] if len(order) > len(shown) else [])))
