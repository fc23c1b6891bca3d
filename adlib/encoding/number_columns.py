"""Encodings of what comes as numbers: measures, yes or no, and units of the calendar."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from adlib.arrays import Column, Flags, Floats, Loss, NumberColumn
from adlib.encoding.columns import LARGEST_ENCODED, ColumnEncoding, wrong_column
from adlib.encoding.features import Feature
from adlib.encoding.wording import calendar_text, exact_text, number_text

ANOTHER_TIME = "another time"
"""What is expected where no time of the day or the week is likelier than others."""

_LARGEST_FINITE = 1e300
_LEAST_CERTAINTY = 0.2
"""Length of an expected sine and cosine below which they point nowhere."""


@dataclass(frozen=True)
class NumberEncoding(ColumnEncoding):
    """A number: missing ones imputed with the median, scaled, optionally squashed.

    A second column says "missing" where the sample had missing values.
    """

    fill_value: float
    centre: float
    scale: float
    squash: bool
    knots: tuple[float, ...]
    """Quantiles of the sample, evenly spaced in rank; empty unless scaled by quantile."""
    marks_missing: bool
    least: float = -_LARGEST_FINITE
    """The sample's; nothing less is expected."""
    most: float = _LARGEST_FINITE
    decimals: int | None = None
    """After which every number of the sample ends; None: they do not."""
    type_name: ClassVar[str] = "number"

    def block_shapes(self) -> tuple[tuple[int, Loss], ...]:  # noqa: D102 - said on the base
        value = (1, Loss.SQUARED)
        return (value, (1, Loss.BINARY)) if self.marks_missing else (value,)

    def fill(self, column: Column, out: NDArray[Any]) -> None:  # noqa: D102
        if self.knots:
            values = _numbers(self.feature, column)
            out[0] = self._ranked(np.where(np.isnan(values), self.fill_value, values))
        else:
            standardise([column], [self], out[:1])
        if self.marks_missing:
            out[1] = self.is_missing(column)

    @cached_property
    def standard_fill(self) -> float:
        """What a missing number becomes, standardised."""
        with np.errstate(over="ignore"):
            return float((np.float64(self.fill_value) - self.centre) / self.scale)

    def _ranked(self, values: Floats) -> Floats:
        """Interpolate between the sample's quantiles; beyond them go on in a straight line."""
        knots = np.asarray(self.knots)
        ranks = np.linspace(-1.0, 1.0, len(knots))
        finite = np.clip(values.astype(np.float64), -_LARGEST_FINITE, _LARGEST_FINITE)
        inside = np.interp(finite, knots, ranks)
        beyond = np.maximum(finite - knots[-1], 0.0) + np.minimum(finite - knots[0], 0.0)
        with np.errstate(over="ignore"):
            ranked: Floats = inside + beyond / self.scale
        return np.clip(ranked, -LARGEST_ENCODED, LARGEST_ENCODED)

    def expected_number(self, reconstruction: Floats) -> float:  # noqa: D102
        return min(max(self._unscaled(float(reconstruction[0])), self.least), self.most)

    def _unscaled(self, value: float) -> float:
        if self.knots:
            knots = np.asarray(self.knots)
            inside = np.interp(value, np.linspace(-1.0, 1.0, len(knots)), knots)
            return float(inside + (value - np.clip(value, -1.0, 1.0)) * self.scale)
        value = math.sinh(min(max(value, -50.0), 50.0)) if self.squash else value
        return value * self.scale + self.centre

    def decode(self, reconstruction: Floats) -> str:  # noqa: D102
        return number_text(self.expected_number(reconstruction), self.decimals)

    def expected_text(self, reconstruction: Floats, column: Column, row: int) -> str:  # noqa: D102
        expected, actual = self.expected_number(reconstruction), self.number_at(column, row)
        return number_text(expected, self.decimals, apart_from=actual)

    def is_missing(self, column: Column) -> Flags:  # noqa: D102
        return np.isnan(_numbers(self.feature, column))

    def text_at(self, column: Column, row: int) -> str | None:  # noqa: D102
        return exact_text(self.feature, self.number_at(column, row), self.decimals)


@dataclass(frozen=True)
class BooleanEncoding(ColumnEncoding):
    """Yes or no: missing ones imputed with the commoner answer."""

    fill_value: float
    marks_missing: bool
    type_name: ClassVar[str] = "boolean"

    def block_shapes(self) -> tuple[tuple[int, Loss], ...]:  # noqa: D102
        answer = (1, Loss.BINARY)
        return (answer, (1, Loss.BINARY)) if self.marks_missing else (answer,)

    def fill(self, column: Column, out: NDArray[Any]) -> None:  # noqa: D102
        values = _numbers(self.feature, column)
        missing = np.isnan(values)
        out[0] = np.where(missing, self.fill_value, values != 0.0)
        if self.marks_missing:
            out[1] = missing

    def decode(self, reconstruction: Floats) -> str:  # noqa: D102
        yes, no = ("1", "0") if self.feature.integral else ("true", "false")
        return yes if reconstruction[0] >= 0.0 else no  # a logit: 0 is even odds

    def is_missing(self, column: Column) -> Flags:  # noqa: D102
        return np.isnan(_numbers(self.feature, column))

    def text_at(self, column: Column, row: int) -> str | None:  # noqa: D102
        value = self.number_at(column, row)
        if np.isnan(value):
            return None
        if self.feature.integral:
            return str(int(value))
        return "true" if value else "false"


@dataclass(frozen=True)
class CycleEncoding(ColumnEncoding):
    """A unit of the calendar that starts again (hour, weekday): sine and cosine, else zeros."""

    type_name: ClassVar[str] = "cycle"

    def block_shapes(self) -> tuple[tuple[int, Loss], ...]:  # noqa: D102
        return ((2, Loss.SQUARED),)

    def fill(self, column: Column, out: NDArray[Any]) -> None:  # noqa: D102
        values = _numbers(self.feature, column)
        present = np.isfinite(values)
        angle = np.where(present, values, 0.0).astype(out.dtype) * (
            2.0 * np.pi / self.feature.period
        )
        out[0] = np.where(present, np.sin(angle), 0.0)
        out[1] = np.where(present, np.cos(angle), 0.0)

    def decode(self, reconstruction: Floats) -> str:  # noqa: D102
        if math.hypot(*reconstruction) < _LEAST_CERTAINTY:
            return ANOTHER_TIME
        angle = np.arctan2(reconstruction[0], reconstruction[1]) % (2.0 * np.pi)
        units = int(np.round(angle * self.feature.period / (2.0 * np.pi)))
        return calendar_text(units % int(self.feature.period), self.feature.period)

    def expected_text(self, reconstruction: Floats, column: Column, row: int) -> str:  # noqa: D102
        usual, actual = self.decode(reconstruction), self.number_at(column, row)
        near = np.isfinite(actual) and calendar_text(np.round(actual), self.feature.period) == usual
        return ANOTHER_TIME if near else usual

    def is_missing(self, column: Column) -> Flags:  # noqa: D102
        return ~np.isfinite(_numbers(self.feature, column))

    def text_at(self, column: Column, row: int) -> str | None:  # noqa: D102
        value = self.number_at(column, row)
        return calendar_text(value, self.feature.period) if np.isfinite(value) else None


def standardise(
    columns: Sequence[Column],
    encodings: Sequence[NumberEncoding],
    out: NDArray[Any],
    rows: slice = slice(None),
) -> None:
    """Write rows as distances from the centre in units of the scale: shape (columns, rows).

    All are squashed or none is. In float64 a result does not depend on how the number came; into
    float32 numbers are brought as precisely as they come.
    """
    exact = out.dtype == np.float64
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        for column, encoding, row in zip(columns, encodings, out, strict=True):
            centre = np.float64(encoding.centre) if exact else encoding.centre
            values = _numbers(encoding.feature, column)[rows]
            np.subtract(values, centre, out=row, casting="same_kind")
        out /= np.asarray([[encoding.scale] for encoding in encodings], dtype=out.dtype)
    missing = np.isnan(out)
    if missing.any():
        usual = np.asarray([[encoding.standard_fill] for encoding in encodings], dtype=out.dtype)
        np.copyto(out, usual, where=missing)
    np.clip(out, -LARGEST_ENCODED, LARGEST_ENCODED, out=out)
    if encodings[0].squash:
        np.arcsinh(out, out=out)


def _numbers(feature: Feature, column: Column) -> Floats:
    if not isinstance(column, NumberColumn):
        raise wrong_column(feature, column)
    return column.values
