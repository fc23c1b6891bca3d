"""Learning from the sample how each column is to be encoded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import numpy as np

from adlib.arrays import Column, Floats, NumberColumn, TextColumn, VectorColumn
from adlib.encoding.category_columns import CategoryEncoding, HashedEncoding
from adlib.encoding.columns import ColumnEncoding
from adlib.encoding.features import EncodingSettings, Feature, Kind, Scale
from adlib.encoding.number_columns import BooleanEncoding, CycleEncoding, NumberEncoding
from adlib.encoding.wide_columns import TextEncoding, VectorEncoding
from adlib.encoding.wording import decimals_of
from adlib.encoding.words import hashed_bucket, vocabulary_form
from adlib.errors import InputError

_KNOTS = 201
_NORMAL_QUARTILES = 1.349
"""Interquartile range of a normal distribution, in standard deviations."""
_LARGEST_NUMBER = 1e150
"""Larger numbers of the sample count as this much, so that their squares stay finite."""


def fit_column(feature: Feature, column: Column, settings: EncodingSettings) -> ColumnEncoding:
    """Learn one column's encoding from the sample.

    Raises:
        InputError: if the column does not hold what its kind says.
    """
    if isinstance(column, NumberColumn) and feature.kind is Kind.CYCLE:
        return CycleEncoding(feature)
    if isinstance(column, NumberColumn) and feature.kind is Kind.BOOLEAN:
        return _fit_boolean(feature, column)
    if isinstance(column, NumberColumn) and feature.kind is Kind.NUMBER:
        return _fit_number(feature, column, settings.scale)
    if isinstance(column, TextColumn) and feature.kind is Kind.CATEGORY:
        return _fit_category(feature, column, settings)
    if isinstance(column, TextColumn) and feature.kind is Kind.TEXT:
        return TextEncoding(feature, settings.text_buckets)
    if isinstance(column, VectorColumn) and feature.kind is Kind.VECTOR:
        return _fit_vector(feature, column)
    found = type(column).__name__.removesuffix("Column").lower()
    message = (
        f"Column {feature.name!r} is to be {feature.kind.value} but holds {found} values. "
        "List it under another kind of features, or correct its type in the source."
    )
    raise InputError(message)


def _fit_number(feature: Feature, column: NumberColumn, scale: Scale) -> NumberEncoding:
    values = column.values.astype(np.float64)
    missing = np.isnan(values)
    present = np.clip(values[~missing], -_LARGEST_NUMBER, _LARGEST_NUMBER)
    if len(present) == 0:
        present = np.zeros(1)
    centre, size = _location(present, scale)
    knots = np.quantile(present, np.linspace(0.0, 1.0, _KNOTS)) if scale is Scale.QUANTILE else ()
    return NumberEncoding(
        feature=feature,
        fill_value=float(np.median(present)),
        centre=centre,
        scale=size,
        squash=scale is Scale.ASINH,
        knots=tuple(float(knot) for knot in knots),
        marks_missing=bool(missing.any()),
        least=float(present.min()),
        most=float(present.max()),
        decimals=0 if feature.integral else decimals_of(column.values),
    )


def _location(present: Floats, scale: Scale) -> tuple[float, float]:
    """Return the centre and the size that bring numbers to one scale; a size is never 0."""
    if scale is Scale.MINMAX:
        centre, size = float(present.min()), float(np.ptp(present))
    elif scale in {Scale.ASINH, Scale.ROBUST, Scale.QUANTILE}:
        low, centre, high = (float(part) for part in np.quantile(present, [0.25, 0.5, 0.75]))
        size = (high - low) / (_NORMAL_QUARTILES if scale is Scale.ASINH else 1.0)
    else:
        centre, size = float(present.mean()), float(present.std())
    size = size or float(present.std())
    return centre, size if size > abs(centre) * 1e-12 else 1.0


def _fit_boolean(feature: Feature, column: NumberColumn) -> BooleanEncoding:
    missing = np.isnan(column.values)
    present = column.values[~missing] != 0.0
    commoner = bool(present.mean() >= 0.5) if len(present) else False  # noqa: PLR2004 - a half
    return BooleanEncoding(feature, float(commoner), marks_missing=bool(missing.any()))


def _fit_category(
    feature: Feature, column: TextColumn, settings: EncodingSettings
) -> CategoryEncoding | HashedEncoding:
    codes = column.codes[column.codes >= 0]
    counts = np.bincount(codes, minlength=len(column.values))
    seen: Counter[str] = Counter()
    for value, count in zip(column.values, counts, strict=True):
        if count:
            seen[vocabulary_form(value)] += int(count)
    if len(seen) > settings.vocabulary:
        return _fit_hashed(feature, seen, settings.hash_buckets)
    ranked = sorted(seen, key=lambda value: (-seen[value], value))
    kept = tuple(value for value in ranked if seen[value] > 1) or tuple(ranked)
    return CategoryEncoding(feature, kept, tuple(ranked[len(kept) :]))


def _fit_hashed(feature: Feature, seen: Mapping[str, int], buckets: int) -> HashedEncoding:
    commonest = [""] * buckets
    for value in sorted(seen, key=lambda value: (seen[value], value)):
        commonest[hashed_bucket(value, buckets)] = value
    return HashedEncoding(feature, buckets, tuple(commonest))


def _fit_vector(feature: Feature, column: VectorColumn) -> VectorEncoding:
    if column.values.shape[1] == 0:
        message = (
            f"Column {feature.name!r} is to be a vector but holds no number in any row. "
            "Take it out of features, or correct it in the source."
        )
        raise InputError(message)
    present = column.values[np.isfinite(column.values).all(axis=1)].astype(np.float64)
    present = np.clip(present, -_LARGEST_NUMBER, _LARGEST_NUMBER)
    if len(present) == 0:
        present = np.zeros((1, column.values.shape[1]))
    spread = present.std(axis=0)
    scale = np.where(spread > 0.0, spread, 1.0)
    return VectorEncoding(feature, tuple(present.mean(axis=0).tolist()), tuple(scale.tolist()))
