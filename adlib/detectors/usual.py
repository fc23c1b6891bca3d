"""The usual value of every column, and what a score would be if a row had it: occlusion.

What cannot say in closed form what its score is made of says it so: a block contributes as much as
the score falls when the block has its usual value and all others stay (Zeiler and Fergus, ECCV
2014, section 4.2). Contributions overlap and leave out, so they need not add up to the score.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from adlib.arrays import FeatureMatrix, Flags, Floats, Ints, Layout, Loss, Tensors


@dataclass(frozen=True, eq=False)
class Usual:
    """What most rows say in each column."""

    layout: Layout
    expected: Floats
    """Medians of numbers, logits of booleans and categories: shape (layout.width,), float32."""

    @classmethod
    def fit(cls, features: FeatureMatrix) -> Usual:
        """Read the usual values off rows."""
        layout, rows = features.layout, len(features)
        expected = np.zeros(layout.width)
        numbers = iter(features.numbers)
        places = iter(features.places)
        for block in layout.blocks:
            if block.loss is Loss.CATEGORY:
                counts = np.bincount(next(places), minlength=block.width)
                expected[block.span] = np.log((counts + 0.5) / (rows + 1.0))
                continue
            for column in range(block.start, block.stop):
                values = next(numbers)
                share = (values.sum(dtype=np.float64) + 0.5) / (rows + 1.0)
                is_binary = block.loss is Loss.BINARY
                expected[column] = np.log(share / (1.0 - share)) if is_binary else np.median(values)
        return cls(layout, expected.astype(np.float32))

    @classmethod
    def restore(cls, layout: Layout, expected: Floats) -> Usual:
        """Build what the tensor came from."""
        return cls(layout, np.asarray(expected, dtype=np.float32))

    @classmethod
    def shapes(cls, layout: Layout) -> dict[str, tuple[int, ...]]:
        """Return the shapes that the arrays have."""
        return {"expected": (layout.width,)}

    def tensors(self) -> Tensors:
        """Return all arrays."""
        return {"expected": self.expected}

    def rows(self, count: int) -> Floats:
        """Return the usual values once for each row: shape (rows, layout.width)."""
        return np.tile(self.expected.astype(np.float64), (count, 1))

    def occlusion(
        self, features: FeatureMatrix, score: Callable[[FeatureMatrix], Floats]
    ) -> Floats:
        """Return by how much the score falls without each block: shape (rows, blocks), >= 0."""
        layout = self.layout
        scores = score(features)
        losses = np.zeros((len(layout.blocks), len(features)), dtype=scores.dtype)
        occluded = replace(features, inputs=features.inputs.copy(), places=features.places.copy())
        number = category = 0
        for out, block, mark in zip(losses, layout.blocks, layout.marks, strict=True):
            is_category = block.loss is Loss.CATEGORY
            width = 1 if is_category else block.width
            at = category if is_category else number
            values = (occluded.places if is_category else occluded.numbers)[at : at + width]
            category, number = category + is_category, number + (not is_category) * width
            if mark:
                continue
            given = values.copy()
            values[:] = self._value(block.span, block.loss)
            np.maximum(scores - score(occluded), 0.0, out=out)
            values[:] = given
        return np.ascontiguousarray(losses.T)

    def mixed(self, features: FeatureMatrix, row: int, present: Flags) -> FeatureMatrix:
        """Return a row once for each coalition, its absent sources as usual, marks too.

        `present` has the shape (coalitions, layout.sources). The row's past stays as it is.
        """
        sources = self.layout.membership.argmax(axis=0)
        mixed = features.take(np.full(len(present), row))
        absent = ~present.T[sources[self.layout.blocks_of_numbers]]
        np.copyto(mixed.numbers, self._numbers, where=absent, casting="same_kind")
        absent = ~present.T[sources[self._is_category]]
        np.copyto(mixed.places, self._places, where=absent, casting="same_kind")
        return mixed

    @cached_property
    def _is_category(self) -> Flags:
        """Which blocks are categories: shape (blocks,)."""
        return np.asarray([block.loss is Loss.CATEGORY for block in self.layout.blocks], dtype=bool)

    @cached_property
    def _numbers(self) -> Floats:
        """The usual numbers as a matrix holds them: shape (numbers, 1)."""
        return self._values_of(~self._is_category, np.float64)

    @cached_property
    def _places(self) -> Ints:
        """The usual places as a matrix holds them: shape (categories, 1)."""
        return self._values_of(self._is_category, np.intp)

    def _values_of(self, blocks: Flags, dtype: DTypeLike) -> NDArray[Any]:
        values = [
            self._value(block.span, block.loss)
            for block, wanted in zip(self.layout.blocks, blocks, strict=True)
            if wanted
        ]
        return np.concatenate([np.empty((0, 1)), *values]).astype(dtype)

    def _value(self, span: slice, loss: Loss) -> Floats:
        """Return a block's usual value as the matrix holds it: shape (width, 1)."""
        expected = self.expected[span]
        if loss is Loss.CATEGORY:
            return np.asarray([[expected.argmax()]])
        values = np.where(expected >= 0.0, 1.0, 0.0) if loss is Loss.BINARY else expected
        return values[:, None]
