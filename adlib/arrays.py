"""The names and shapes of what flows between the floors.

A table's column arrives as one of three values below. A feature matrix is what the encoder makes of
the columns and what a detector learns from; its layout says which of its columns belong together
and which column of the source each of them speaks for.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

Floats = NDArray[np.floating]
Ints = NDArray[np.integer]
Flags = NDArray[np.bool_]
Texts = NDArray[np.object_]
Tensors = Mapping[str, NDArray[np.generic]]


@dataclass(frozen=True)
class NumberColumn:
    """Numbers, booleans (0 and 1) and calendar units: shape (rows,), NaN where missing."""

    values: Floats

    def __len__(self) -> int:
        return len(self.values)

    def take(self, rows: Ints | Flags | slice) -> NumberColumn:
        """Return the chosen rows."""
        return NumberColumn(self.values[rows])


@dataclass(frozen=True)
class TextColumn:
    """Strings as a dictionary: codes of shape (rows,), -1 where missing, into values."""

    codes: Ints
    values: Texts

    def __len__(self) -> int:
        return len(self.codes)

    def take(self, rows: Ints | Flags | slice) -> TextColumn:
        """Return the chosen rows, over the same dictionary."""
        return TextColumn(self.codes[rows], self.values)

    def compact(self) -> TextColumn:
        """Return the same rows over no more of the dictionary than there are rows."""
        codes = self.codes
        if len(self.values) <= len(codes):
            return self
        used, places = np.unique(codes, return_inverse=True)
        absent = int(len(used) > 0 and used[0] < 0)
        return TextColumn(places - absent, self.values[used[absent:]])

    def at(self, row: int) -> str | None:
        """Return one row's string, or None where it is missing."""
        code = self.codes[row]
        return None if code < 0 else str(self.values[code])


@dataclass(frozen=True)
class VectorColumn:
    """Embeddings made elsewhere: shape (rows, length), a row of NaN where missing."""

    values: Floats

    def __len__(self) -> int:
        return len(self.values)

    def take(self, rows: Ints | Flags | slice) -> VectorColumn:
        """Return the chosen rows."""
        return VectorColumn(self.values[rows])


@dataclass(frozen=True)
class PastColumn:
    """What a column held in an entity's earlier events, as many of them for every row."""

    events: NumberColumn | TextColumn
    """Event by event, the oldest first: that of a row stands at event * rows + row."""
    present: Flags
    """Whether there was such an event: shape (events, rows); what was not is missing."""

    def __len__(self) -> int:
        return len(self.present[0])

    @property
    def values(self) -> Floats | Texts:
        """What `events` holds, or what its codes point to."""
        return self.events.values

    def take(self, rows: Ints | Flags | slice) -> PastColumn:
        """Return the chosen rows, each with its past."""
        places = event_places(self.present.shape)[:, rows]
        return PastColumn(self.events.take(places.ravel()), self.present[:, rows])


def event_places(shape: tuple[int, ...]) -> Ints:
    """Return where each row's events stand among all: shape (events, rows)."""
    return np.arange(math.prod(shape)).reshape(shape)


Column = NumberColumn | TextColumn | VectorColumn | PastColumn
Columns = Mapping[str, Column]


def row_count(columns: Columns) -> int:
    """Return how many rows a set of columns holds."""
    return len(next(iter(columns.values()))) if columns else 0


def take_rows(columns: Columns, rows: Ints | Flags | slice) -> dict[str, Column]:
    """Return the chosen rows of every column."""
    return {name: column.take(rows) for name, column in columns.items()}


class Loss(Enum):
    """How the reconstruction of a block is judged."""

    SQUARED = "squared"
    """Mean squared error of real values."""
    BINARY = "binary"
    """Cross-entropy of one probability."""
    CATEGORY = "category"
    """Cross-entropy of a softmax over the block."""


@dataclass(frozen=True)
class Block:
    """Adjacent columns of a feature matrix that encode one column of the feature table."""

    column: str
    """The feature table's column."""
    source: str
    """The source's column that a reason names."""
    start: int
    stop: int
    loss: Loss

    @property
    def width(self) -> int:
        """How many columns of the matrix the block takes."""
        return self.stop - self.start

    @property
    def span(self) -> slice:
        """The block's columns of the matrix."""
        return slice(self.start, self.stop)


@dataclass(frozen=True)
class Layout:
    """What stands where in a feature matrix: blocks side by side, without gap or overlap."""

    blocks: tuple[Block, ...]
    past: Layout | None = None
    """Of each of the entity's earlier events; None where rows come without a past."""
    steps: int = 0
    """How many earlier events there are."""

    @property
    def width(self) -> int:
        """How many columns the matrix has."""
        return self.blocks[-1].stop if self.blocks else 0

    @cached_property
    def sources(self) -> tuple[str, ...]:
        """The source's columns that the matrix speaks for, each once, in order."""
        return tuple(dict.fromkeys(block.source for block in self.blocks))

    @cached_property
    def membership(self) -> Floats:
        """Which block belongs to which source: shape (sources, blocks), ones and zeros."""
        blocks = [block.source for block in self.blocks]
        return np.equal.outer(self.sources, blocks).astype(np.float64)

    @cached_property
    def marks(self) -> Flags:
        """Which blocks mark that the value beside them is missing: shape (blocks,).

        Detectors read a mark and do not judge it: where values are missing by design, as before an
        entity's first event, such marks come in crowds.
        """
        columns = [block.column for block in self.blocks]
        before = [None, *columns]
        return np.asarray(
            [
                block.loss is Loss.BINARY and block.column == column
                for block, column in zip(self.blocks, before, strict=False)
            ],
            dtype=bool,
        )

    @cached_property
    def measured(self) -> Flags:
        """Which of a matrix's numbers are no marks: shape (numbers,)."""
        return np.asarray(
            [
                not mark
                for block, mark in zip(self.blocks, self.marks, strict=True)
                if block.loss is not Loss.CATEGORY
                for _ in range(block.width)
            ],
            dtype=bool,
        )

    @cached_property
    def blocks_of_numbers(self) -> Ints:
        """Which block each of a matrix's numbers belongs to: shape (numbers,)."""
        widths = [0 if block.loss is Loss.CATEGORY else block.width for block in self.blocks]
        return np.repeat(np.arange(len(self.blocks)), widths)

    @cached_property
    def categories(self) -> tuple[Block, ...]:
        """The blocks of which one column is 1 and all others are 0, in order."""
        return tuple(block for block in self.blocks if block.loss is Loss.CATEGORY)

    @cached_property
    def number_columns(self) -> Ints:
        """Where in the matrix the columns of all other blocks stand: shape (numbers,)."""
        others = (block for block in self.blocks if block.loss is not Loss.CATEGORY)
        columns = [column for block in others for column in range(block.start, block.stop)]
        return np.asarray(columns, dtype=np.intp)


class Buffers:
    """Arrays by name that are used again from block to block, so that they stay in the cache."""

    def __init__(self) -> None:
        self._held: dict[str, NDArray[np.generic]] = {}

    def get(self, name: str, shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
        """Return an array of this shape, whatever it holds."""
        size = math.prod(shape)
        held = self._held.get(name)
        if held is None or held.size < size or held.dtype != dtype:
            held = self._held[name] = np.empty(size, dtype=dtype)
        return held[:size].reshape(shape)


@dataclass(frozen=True)
class FeatureMatrix:
    """Encoded rows, finite, float32 or float64; a category is one place, not many zeros.

    Its numbers stand column by column, as a table's columns come and as arithmetic on whole columns
    is fastest.
    """

    inputs: Floats
    """Shape (numbers + 1, rows): layout.number_columns, and a last row of ones, by which a bias is
    one more weight."""
    places: Ints
    """Which column of its block is 1: shape (layout.categories, rows)."""
    layout: Layout
    past: Past | None = None
    """What came before each row; detectors that see rows by themselves leave it alone."""

    @classmethod
    def empty(cls, layout: Layout, rows: int, dtype: DTypeLike, buffers: Buffers) -> FeatureMatrix:
        """Return a matrix that is to be filled."""
        inputs = buffers.get("inputs", (len(layout.number_columns) + 1, rows), dtype)
        inputs[-1] = 1.0
        places = buffers.get("places", (len(layout.categories), rows), np.intp)
        return cls(inputs, places, layout)

    @classmethod
    def from_one_hot(cls, values: Floats, layout: Layout) -> FeatureMatrix:
        """Take apart a matrix of shape (rows, layout.width)."""
        features = cls.empty(layout, len(values), values.dtype, Buffers())
        features.numbers[:] = values[:, layout.number_columns].T
        for place, block in enumerate(layout.categories):
            features.places[place] = values[:, block.span].argmax(axis=1)
        return features

    def __len__(self) -> int:
        return len(self.inputs[0])

    @property
    def numbers(self) -> Floats:
        """All that is no category: shape (numbers, rows)."""
        return self.inputs[:-1]

    @property
    def dtype(self) -> np.dtype[np.floating[Any]]:
        """The precision of the numbers."""
        return self.inputs.dtype

    def take(self, rows: Ints | Flags | slice) -> FeatureMatrix:
        """Return the chosen rows."""
        past = None if self.past is None else self.past.take(rows)
        return FeatureMatrix(self.inputs[:, rows], self.places[:, rows], self.layout, past)

    def one_hot(self) -> Floats:
        """Return all columns side by side, categories as zeros and a one: (rows, layout.width)."""
        values = np.zeros((len(self), self.layout.width), dtype=self.dtype)
        values[:, self.layout.number_columns] = self.numbers.T
        for block, places in zip(self.layout.categories, self.places, strict=True):
            values[np.arange(len(self)), block.start + places] = 1.0
        return values


@dataclass(frozen=True)
class Past:
    """The earlier events of each row's entity, encoded as the row itself is."""

    events: FeatureMatrix
    """Event by event, the oldest first, of `layout.past`: that of a row is event * rows + row."""
    present: Flags
    """Whether there was such an event: shape (events, rows)."""

    def take(self, rows: Ints | Flags | slice) -> Past:
        """Return the past of the chosen rows."""
        places = event_places(self.present.shape)[:, rows]
        return Past(self.events.take(places.ravel()), self.present[:, rows])
