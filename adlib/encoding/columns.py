"""How one column of the feature table becomes columns of a feature matrix.

Each kind of column is one final class, fitted once on the sample and then immutable. An encoding
fills its span of a matrix, and decodes a reconstruction of that span back into the source's words.
"""

from __future__ import annotations

import abc
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from adlib.arrays import Block, Column, Flags, Floats, Loss, NumberColumn, TextColumn, VectorColumn
from adlib.encoding.features import Feature
from adlib.errors import InputError

LARGEST_ENCODED = 1e9
"""Encoded numbers are clipped here, so that an infinity or a square of one stays finite."""

NOTHING = "nothing"
"""What is expected where no value is."""


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
