"""The names and shapes of what flows between the floors.

A table's column arrives as one of three values below. A feature matrix is what the encoder makes of
the columns and what a detector learns from; its layout says which of its columns belong together
and which column of the source each of them speaks for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

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
        """Return the chosen rows, over no more of the dictionary than there are rows."""
        codes = self.codes[rows]
        if len(self.values) <= len(codes):
            return TextColumn(codes, self.values)
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


Column = NumberColumn | TextColumn | VectorColumn
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

    @property
    def width(self) -> int:
        """How many columns the matrix has."""
        return self.blocks[-1].stop if self.blocks else 0

    @property
    def sources(self) -> tuple[str, ...]:
        """The source's columns that the matrix speaks for, each once, in order."""
        return tuple(dict.fromkeys(block.source for block in self.blocks))


@dataclass(frozen=True)
class FeatureMatrix:
    """Encoded rows: shape (rows, layout.width), finite, float32 or float64."""

    values: Floats
    layout: Layout

    def __len__(self) -> int:
        return len(self.values)
