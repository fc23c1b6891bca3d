"""How rare a value is within its own column, read off histograms."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from adlib.arrays import Buffers, FeatureMatrix, Floats, Layout, Loss, Tensors

_BINS = 20


@dataclass(frozen=True, eq=False)
class Marginal:
    """A histogram of every column: numbers in bins of one width, categories by value.

    A block's surprise is the square of -log of its bin's share over the commonest bin's (as in
    HBOS, Goldstein and Dengel 2012, there not squared), so that one rare value outweighs many
    uncommon ones; a block of several numbers takes their mean.
    """

    layout: Layout
    low: Floats
    """Where the first bin begins: shape (numbers,), float32."""
    bin_width: Floats
    """Shape (numbers,), float32, > 0."""
    rarity: Floats
    """By number and bin: shape (numbers, bins), float32."""
    value_rarity: Floats
    """By column of the matrix, zero where it is no category: shape (layout.width,), float32."""

    @classmethod
    def fit(cls, features: FeatureMatrix) -> Marginal:
        """Count the rows in every bin."""
        numbers = features.numbers.astype(np.float64)
        low = numbers.min(axis=1)
        spread = numbers.max(axis=1) - low
        width = np.where(spread > 0.0, spread, 1.0) / _BINS
        low, width = low.astype(np.float32), np.maximum(width, 1e-30).astype(np.float32)
        rarity = np.zeros((len(numbers), _BINS), dtype=np.float32)
        for place, values in enumerate(numbers):
            steps = np.clip(_steps(values, low[place], width[place]), 0, _BINS - 1)
            rarity[place] = _rarity(np.bincount(steps.astype(np.intp), minlength=_BINS))
        value_rarity = np.zeros(features.layout.width, dtype=np.float32)
        for block, places in zip(features.layout.categories, features.places, strict=True):
            value_rarity[block.span] = _rarity(np.bincount(places, minlength=block.width))
        return cls(features.layout, low, width, rarity, value_rarity)

    def surprises(self, features: FeatureMatrix, buffers: Buffers) -> Floats:
        """Return each block's surprise: shape (layout.blocks, rows), >= 0."""
        blocks, dtype = self.layout.blocks, features.dtype
        result = buffers.get("marginal", (len(blocks), len(features)), dtype)
        number = category = 0
        for out, block in zip(result, blocks, strict=True):
            if block.loss is Loss.CATEGORY:
                table = self._value_rarity[dtype.type][block.span]
                np.take(table, features.places[category], out=out, mode="clip")
                category += 1
                continue
            span = range(number, number + block.width)
            np.mean([self._rarity_of(place, features) for place in span], axis=0, out=out)
            number += block.width
        return result

    def _rarity_of(self, place: int, features: FeatureMatrix) -> Floats:
        """Return one number's rarity, in a straight line between the middles of its bins.

        Without steps, so that float32 and float64 agree.
        """
        table = self._rarity[features.dtype.type][place]
        steps = _steps(features.numbers[place], self.low[place], self.bin_width[place])
        along = np.clip(steps - steps.dtype.type(0.5), 0, _BINS - 1)
        bins = np.minimum(along.astype(np.intp), _BINS - 2)
        rarity: Floats = table[bins] + (along - bins.astype(along.dtype)) * np.diff(table)[bins]
        return rarity

    @cached_property
    def _rarity(self) -> dict[type[np.generic], Floats]:
        return {dtype: self.rarity.astype(dtype) for dtype in (np.float32, np.float64)}

    @cached_property
    def _value_rarity(self) -> dict[type[np.generic], Floats]:
        return {dtype: self.value_rarity.astype(dtype) for dtype in (np.float32, np.float64)}

    def tensors(self) -> Tensors:
        """Return all arrays."""
        return {
            "low": self.low,
            "bin_width": self.bin_width,
            "rarity": self.rarity,
            "value_rarity": self.value_rarity,
        }

    @classmethod
    def shapes(cls, layout: Layout) -> dict[str, tuple[int, ...]]:
        """Return the shapes that the arrays have."""
        numbers = len(layout.number_columns)
        return {
            "low": (numbers,),
            "bin_width": (numbers,),
            "rarity": (numbers, _BINS),
            "value_rarity": (layout.width,),
        }


def _steps(values: Floats, low: np.generic, width: np.generic) -> Floats:
    """Return how many bins lie below each value."""
    steps: Floats = (values - values.dtype.type(low)) / values.dtype.type(width)
    return steps


def _rarity(counts: np.ndarray[tuple[int], np.dtype[np.intp]]) -> Floats:
    """Return the squared surprise of each bin; an empty one counts as half a row."""
    rows = np.maximum(counts, 0.5)
    rarity: Floats = np.square(np.log(rows.max() / rows))
    return rarity
