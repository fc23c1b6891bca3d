"""How unusual a value is within its own column, whatever the other columns say."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from adlib.arrays import Buffers, FeatureMatrix, Floats, Layout, Loss, Tensors
from adlib.detectors.evidence import EvidenceCurves
from adlib.detectors.network import column_sum

_SHARES = (0.5, 0.1, 0.02, 0.004)
"""Shares of the rows that reach each knot of a number's tail."""
_LEAST = 0.1
"""Encoded distance that a nat takes at the least."""


@dataclass(frozen=True, eq=False)
class Marginal:
    """Three looks at every column by itself.

    A number's tail: -log of the share of rows that lie as far from the median. Its size: that
    distance on the encoder's scale, which tells where many anomalies share the tail. Both are
    cubed, so that one column at its very end outweighs several in the middle. A category's rarity:
    -log of the share of rows that have the value.
    """

    layout: Layout
    usual: Floats
    """The median of each number: shape (numbers,), float32."""
    tails: EvidenceCurves
    """Of each block of numbers."""
    rarity_by_value: Floats
    """By column of the matrix, in nats, zero where it is no category: (layout.width,), float32."""

    @classmethod
    def fit(cls, features: FeatureMatrix) -> Marginal:
        """Measure the rows."""
        usual = np.median(features.numbers, axis=1).astype(np.float32)
        rarity = np.zeros(features.layout.width, dtype=np.float32)
        for block, places in zip(features.layout.categories, features.places, strict=True):
            counts = np.maximum(np.bincount(places, minlength=block.width), 0.5)
            rarity[block.span] = -np.log(np.minimum(counts / len(features), 1.0))
        curves = len(cls.numeric_blocks(features.layout))
        unmeasured = EvidenceCurves.unfitted(curves, _SHARES)
        fitted = cls(features.layout, usual, unmeasured, rarity)
        if curves == 0:
            return fitted
        tails = EvidenceCurves.fit(fitted.reach(features), _SHARES, _LEAST)
        return replace(fitted, tails=tails)

    def reach(self, features: FeatureMatrix) -> Floats:
        """Return how far numbers lie from the usual: shape (blocks of numbers, rows).

        Root mean square over a block of several; a mark of missing values reaches nowhere.
        """
        usual, _ = self._cast[features.dtype.type]
        away = np.abs(features.numbers - usual[:, None])
        if len(self._spans) == len(away):
            reach = away
        else:
            reach = np.empty((len(self._spans), len(features)), dtype=features.dtype)
            for out, span in zip(reach, self._spans, strict=True):
                part = away[span]
                out[:] = (
                    part[0] if len(part) == 1 else np.sqrt(column_sum(np.square(part)) / len(part))
                )
        reach[self.layout.marks[self.numeric_blocks(self.layout)]] = 0.0
        return reach

    def parts(self, features: FeatureMatrix, buffers: Buffers) -> tuple[Floats, Floats, Floats]:
        """Return tails and sizes, (blocks of numbers, rows), and rarities, (categories, rows)."""
        reach = self.reach(features)
        tails = self.tails.evidence(reach, buffers)
        return _cubed(tails), _cubed(reach), self._rarities(features)

    def _rarities(self, features: FeatureMatrix) -> Floats:
        """Return the rarity of each category's value: shape (categories, rows)."""
        _, by_value = self._cast[features.dtype.type]
        rarities = np.empty(features.places.shape, dtype=features.dtype)
        rows = zip(rarities, self.layout.categories, features.places, strict=True)
        for out, block, places in rows:
            np.take(by_value[block.span], places, out=out, mode="clip")
        return rarities

    @staticmethod
    def numeric_blocks(layout: Layout) -> list[int]:
        """Return which blocks are no categories."""
        return [i for i, block in enumerate(layout.blocks) if block.loss is not Loss.CATEGORY]

    @cached_property
    def _spans(self) -> list[slice]:
        """Which numbers make up each block of them."""
        widths = [self.layout.blocks[i].width for i in self.numeric_blocks(self.layout)]
        stops = np.cumsum(widths, dtype=np.intp).tolist()
        return [slice(stop - width, stop) for width, stop in zip(widths, stops, strict=True)]

    @cached_property
    def _cast(self) -> dict[type[np.generic], tuple[Floats, Floats]]:
        return {
            dtype: (self.usual.astype(dtype), self.rarity_by_value.astype(dtype))
            for dtype in (np.float32, np.float64)
        }

    def tensors(self) -> Tensors:
        """Return all arrays."""
        return {
            "usual": self.usual,
            "tail_knots": self.tails.knots,
            "tail_bends": self.tails.bends,
            "rarity": self.rarity_by_value,
        }

    @classmethod
    def restore(
        cls, layout: Layout, usual: Floats, knots: Floats, bends: Floats, rarity: Floats
    ) -> Marginal:
        """Build what the tensors came from."""
        return cls(layout, usual, EvidenceCurves(knots, bends), rarity)

    @classmethod
    def shapes(cls, layout: Layout) -> dict[str, tuple[int, ...]]:
        """Return the shapes that the arrays have."""
        tails = EvidenceCurves.shapes(len(cls.numeric_blocks(layout)), _SHARES)
        return {
            "usual": (len(layout.number_columns),),
            "tail_knots": tails["knots"],
            "tail_bends": tails["bends"],
            "rarity": (layout.width,),
        }


def _cubed(values: Floats) -> Floats:
    cubes: Floats = values * np.square(values)
    return cubes
