"""Encodings of what comes as strings of a few values, or of very many."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from adlib.arrays import Column, Flags, Floats, Ints, Loss, TextColumn, Texts
from adlib.encoding.columns import NOTHING, ColumnEncoding, texts_of
from adlib.encoding.wording import shortened
from adlib.encoding.words import hashed_bucket, vocabulary_form


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
