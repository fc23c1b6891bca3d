"""How one column of the feature table becomes columns of a feature matrix.

Each kind of column is one final class, fitted once on the sample and then immutable. An encoding
fills its span of a matrix, and decodes a reconstruction of that span back into the source's words.
"""

from __future__ import annotations

import abc
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from adlib.arrays import (
    Block,
    Column,
    Flags,
    Floats,
    Ints,
    Loss,
    NumberColumn,
    TextColumn,
    Texts,
    VectorColumn,
)
from adlib.encoding.features import Feature
from adlib.encoding.wording import calendar_text, exact_text, number_text, shortened
from adlib.encoding.words import hashed_bucket, vocabulary_form
from adlib.errors import InputError

LARGEST_ENCODED = 1e9
"""Encoded numbers are clipped here, so that an infinity or a square of one stays finite."""

NOTHING = "nothing"
"""What is expected where no value is."""

ANOTHER_TIME = "another time"
"""What is expected where no time of the day or the week is likelier than others."""

_LARGEST_FINITE = 1e300
_LEAST_CERTAINTY = 0.2
"""Length of an expected sine and cosine below which they point nowhere."""


@dataclass(frozen=True)
class ColumnEncoding(abc.ABC):
    """A fitted encoding of one column."""

    feature: Feature
    type_name: ClassVar[str]

    @abc.abstractmethod
    def block_shapes(self) -> tuple[tuple[int, Loss], ...]:
        """Return the width and loss of each block, in order."""

    @abc.abstractmethod
    def fill(self, column: Column, out: NDArray[Any]) -> None:
        """Write the encoded rows into `out`, whatever it holds: shape (width, rows).

        Of a category they are places in its block: shape (1, rows).
        """

    @abc.abstractmethod
    def decode(self, reconstruction: Floats) -> str:
        """Return what a reconstruction of this span, shape (width,), says in the source's words."""

    def expected_text(self, reconstruction: Floats, column: Column, row: int) -> str:  # noqa: ARG002
        """Return what was expected in place of one row's value, in the source's words.

        Some kinds say more when they know what came instead.
        """
        return self.decode(reconstruction)

    @abc.abstractmethod
    def is_missing(self, column: Column) -> Flags:
        """Return which rows hold no value."""

    @abc.abstractmethod
    def text_at(self, column: Column, row: int) -> str | None:
        """Return one row's value in the source's words, or None where it is missing."""

    def number_at(self, column: Column, row: int) -> float:
        """Return one row's value as a number, NaN for what is not one."""
        return float(column.values[row]) if isinstance(column, NumberColumn) else float("nan")

    def expected_number(self, reconstruction: Floats) -> float:  # noqa: ARG002 - kinds override it
        """Return a reconstruction as a number of the source, NaN for what is not one."""
        return float("nan")

    def is_unseen(self, column: Column) -> Flags:
        """Return which rows hold a value that training never saw."""
        return np.zeros(len(column), dtype=bool)

    @property
    def width(self) -> int:
        """How many columns of the matrix the encoding takes."""
        return sum(width for width, _ in self.block_shapes())

    def blocks(self, start: int) -> tuple[Block, ...]:
        """Return the blocks of the layout, the first at `start`."""
        blocks = []
        for width, loss in self.block_shapes():
            blocks.append(Block(self.feature.name, self.feature.source, start, start + width, loss))
            start += width
        return tuple(blocks)

    def to_json(self) -> dict[str, Any]:
        """Return the encoding as plain JSON values."""
        plain = asdict(self)
        plain["feature"]["kind"] = self.feature.kind.value
        return {"type": self.type_name, **plain}


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


@dataclass(frozen=True)
class CategoryEncoding(ColumnEncoding):
    """One of few values: one-hot, with places of their own for rare, unseen and missing."""

    values: tuple[str, ...]
    rare: tuple[str, ...]
    """Values that training saw but that did not earn a place."""
    type_name: ClassVar[str] = "category"

    def block_shapes(self) -> tuple[tuple[int, Loss], ...]:  # noqa: D102
        return ((len(self.values) + 3, Loss.CATEGORY),)

    @cached_property
    def _known(self) -> dict[str, int]:
        """The place of each value that training saw: its own, or the one of the rare."""
        places = {value: place for place, value in enumerate(self.values)}
        return places | dict.fromkeys(self.rare, len(self.values))

    @cached_property
    def _lookup(self) -> DictionaryLookup:
        """Each value's place: its own, then rare, unseen, missing."""
        unseen = len(self.values) + 1
        return DictionaryLookup(
            lambda value: self._known.get(vocabulary_form(value), unseen), missing=unseen + 1
        )

    def fill(self, column: Column, out: NDArray[Any]) -> None:  # noqa: D102
        self._lookup.places(texts_of(self.feature, column), out[0])

    def decode(self, reconstruction: Floats) -> str:  # noqa: D102
        likelihoods = [*reconstruction[: len(self.values)], reconstruction[-1]]
        return (*self.values, NOTHING)[int(np.argmax(likelihoods))]

    def is_rare(self, value: str) -> bool:
        """Tell whether training saw a value once alone, others more often."""
        return vocabulary_form(value) in self._rare

    @cached_property
    def _rare(self) -> frozenset[str]:
        return frozenset(self.rare)

    def is_missing(self, column: Column) -> Flags:  # noqa: D102
        return np.asarray(texts_of(self.feature, column).codes < 0)

    def is_unseen(self, column: Column) -> Flags:  # noqa: D102
        places = np.empty(len(column), dtype=np.intp)
        self._lookup.places(texts_of(self.feature, column), places)
        return np.asarray(places == len(self.values) + 1)

    def text_at(self, column: Column, row: int) -> str | None:  # noqa: D102
        return shortened(texts_of(self.feature, column).at(row))


@dataclass(frozen=True)
class HashedEncoding(ColumnEncoding):
    """One of very many values: one-hot of a hash, with a place of its own for missing."""

    buckets: int
    commonest: tuple[str, ...] = ()
    """Of each bucket; nothing of an empty one."""
    type_name: ClassVar[str] = "hashed"

    def block_shapes(self) -> tuple[tuple[int, Loss], ...]:  # noqa: D102
        return ((self.buckets + 1, Loss.CATEGORY),)

    def fill(self, column: Column, out: NDArray[Any]) -> None:  # noqa: D102
        self._lookup.places(texts_of(self.feature, column), out[0])

    @cached_property
    def _lookup(self) -> DictionaryLookup:
        """Each value's bucket; after them missing."""
        return DictionaryLookup(
            lambda value: hashed_bucket(value, self.buckets), missing=self.buckets
        )

    def decode(self, reconstruction: Floats) -> str:  # noqa: D102
        bucket = int(np.argmax(reconstruction))
        if bucket == self.buckets:
            return NOTHING
        return (self.commonest[bucket] if self.commonest else "") or "another of its many values"

    def is_missing(self, column: Column) -> Flags:  # noqa: D102
        return np.asarray(texts_of(self.feature, column).codes < 0)

    def text_at(self, column: Column, row: int) -> str | None:  # noqa: D102
        return shortened(texts_of(self.feature, column).at(row))


class DictionaryLookup:
    """The places of a dictionary's values, looked up once for as long as the dictionary comes."""

    def __init__(self, place_of: Callable[[str], int], missing: int) -> None:
        self._place_of = place_of
        self._missing = missing
        self._known: tuple[Texts, Ints] | None = None

    def places(self, column: TextColumn, out: Ints) -> None:
        """Write each row's place into `out`: shape (rows,)."""
        known = self._known
        if known is None or known[0] is not column.values:
            looked_up = [self._place_of(value) for value in column.values]
            known = column.values, np.asarray([*looked_up, self._missing], dtype=np.intp)
            self._known = known
        np.take(known[1], column.codes, out=out, mode="wrap")  # the code -1 is the last


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


def texts_of(feature: Feature, column: Column) -> TextColumn:
    """Return a column that holds strings.

    Raises:
        InputError: if it holds something else.
    """
    if not isinstance(column, TextColumn):
        raise wrong_column(feature, column)
    return column


def wrong_column(feature: Feature, column: Column) -> InputError:
    """Say that a column holds something else than in training."""
    found = type(column).__name__.removesuffix("Column").lower()
    if isinstance(column, VectorColumn):
        found = f"vectors of {column.values.shape[1]} numbers"
    return InputError(
        f"Column {feature.name!r} was {feature.kind.value} in training and holds {found} now. "
        "Restore its type in the source, or train a new model on the new type."
    )
