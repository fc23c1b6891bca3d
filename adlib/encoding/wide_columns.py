"""Columns that become many numbers: free text and embeddings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from adlib.arrays import Column, Flags, Floats, Loss, VectorColumn
from adlib.encoding.columns import LARGEST_ENCODED, ColumnEncoding, texts_of, wrong_column
from adlib.encoding.wording import number_text, shortened
from adlib.encoding.words import bag_of_words, hashed_bucket, words_of

_MOST_ODD_WORDS = 3
_LONGEST_WORD = 40
_LEAST_SURPLUS = 0.35
"""Half of what a word that stands once counts."""


@dataclass(frozen=True)
class TextEncoding(ColumnEncoding):
    """Free text: a bag of words, hashed, counts on a logarithmic scale."""

    buckets: int
    type_name: ClassVar[str] = "text"

    def block_shapes(self) -> tuple[tuple[int, Loss], ...]:  # noqa: D102 - said on the base
        return ((self.buckets, Loss.SQUARED),)

    def fill(self, column: Column, out: NDArray[Any]) -> None:  # noqa: D102
        texts = texts_of(self.feature, column).compact()
        out[:] = bag_of_words(texts.values, self.buckets)[texts.codes].T

    def decode(self, reconstruction: Floats) -> str:  # noqa: ARG002, D102
        return "other words"

    def expected_text(self, reconstruction: Floats, column: Column, row: int) -> str:  # noqa: D102
        text = texts_of(self.feature, column).at(row)
        odd = [] if text is None else self._odd_words(text, reconstruction)
        return f"other words than {', '.join(map(repr, odd))}" if odd else "other words"

    def _odd_words(self, text: str, reconstruction: Floats) -> list[str]:
        """Return the words of a text that are the least expected, in the text's order."""
        bag = bag_of_words(np.asarray([text], dtype=object), self.buckets)[0]
        unexpected = (bag - reconstruction).tolist()
        surplus = {word: unexpected[hashed_bucket(word, self.buckets)] for word in words_of(text)}
        least = sorted(surplus, key=surplus.__getitem__, reverse=True)[:_MOST_ODD_WORDS]
        return [
            word[:_LONGEST_WORD]
            for word in surplus
            if word in least and surplus[word] > _LEAST_SURPLUS
        ]

    def is_missing(self, column: Column) -> Flags:  # noqa: D102
        return np.asarray(texts_of(self.feature, column).codes < 0)

    def text_at(self, column: Column, row: int) -> str | None:  # noqa: D102
        return shortened(texts_of(self.feature, column).at(row))


@dataclass(frozen=True)
class VectorEncoding(ColumnEncoding):
    """An embedding made elsewhere: each of its numbers standardised; missing ones are the mean."""

    centre: tuple[float, ...]
    scale: tuple[float, ...]
    type_name: ClassVar[str] = "vector"

    def block_shapes(self) -> tuple[tuple[int, Loss], ...]:  # noqa: D102
        return ((len(self.centre), Loss.SQUARED),)

    def fill(self, column: Column, out: NDArray[Any]) -> None:  # noqa: D102
        out[:] = np.nan_to_num(self._standard(self._vectors(column)).T, nan=0.0)

    def _vectors(self, column: Column) -> Floats:
        if not isinstance(column, VectorColumn) or column.values.shape[1] != len(self.centre):
            raise wrong_column(self.feature, column)
        return column.values

    def _standard(self, vectors: Floats) -> Floats:
        with np.errstate(over="ignore"):
            standard = (vectors - np.asarray(self.centre)) / np.asarray(self.scale)
        clipped: Floats = np.clip(standard, -LARGEST_ENCODED, LARGEST_ENCODED)
        return clipped

    def decode(self, reconstruction: Floats) -> str:  # noqa: ARG002, D102
        return "another direction"

    def expected_text(self, reconstruction: Floats, column: Column, row: int) -> str:  # noqa: D102
        if self._is_missing_at(column, row):
            return self.decode(reconstruction)
        place = self._strangest(column, row)
        value = float(reconstruction[place]) * self.scale[place] + self.centre[place]
        return self._said(value, place)

    def is_missing(self, column: Column) -> Flags:  # noqa: D102
        if not isinstance(column, VectorColumn):
            raise wrong_column(self.feature, column)
        return np.asarray(np.isnan(column.values).any(axis=1))

    def _is_missing_at(self, column: Column, row: int) -> bool:
        return bool(self.is_missing(column.take(np.asarray([row])))[0])

    def text_at(self, column: Column, row: int) -> str | None:  # noqa: D102
        if self._is_missing_at(column, row):
            return None
        place = self._strangest(column, row)
        return self._said(float(self._vectors(column)[row, place]), place)

    def _said(self, value: float, place: int) -> str:
        return f"{number_text(value)} in place {place + 1} of {len(self.centre)}"

    def _strangest(self, column: Column, row: int) -> int:
        """Return which of a vector's numbers is furthest from its mean, in spreads."""
        return int(np.abs(self._standard(self._vectors(column)[row])).argmax())
