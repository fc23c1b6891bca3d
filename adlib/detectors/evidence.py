"""From how far a thing reaches to how unusual that is: -log of the share of rows that do."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from adlib.arrays import Buffers, Floats, Tensors


@dataclass(frozen=True, eq=False)
class EvidenceCurves:
    """A line for each of several quantities, bent at knots, from its reach to evidence in nats.

    At each knot the evidence is -log of the share of the sample's rows that reach at least as far.
    Beyond the last it goes on in a straight line, as an exponential tail does (peaks over
    threshold; Siffer et al., KDD 2017), so that what lies beyond all others is the more remarkable
    the further out it is.
    """

    knots: Floats
    """Ascending: shape (1 + shares, curves), float32; at the first there is no evidence."""
    bends: Floats
    """By how much the slope changes at each knot: shape (1 + shares, curves), float32."""

    @classmethod
    def fit(cls, reach: Floats, shares: tuple[float, ...], least: Floats | float) -> EvidenceCurves:
        """Read knots off a sample of shape (curves, rows).

        `least` is the distance that a nat takes at the least: where a tenth of the rows reach the
        same distance, the curve would rise like a wall.
        """
        levels = np.append(0.0, -np.log(shares))[:, None]
        knots = np.quantile(reach.astype(np.float64), [0.0, *(1.0 - s for s in shares)], axis=1)
        step = np.broadcast_to(least, reach.shape[:1]) * levels
        knots = np.maximum.accumulate(knots - step, axis=0) + step
        slopes = np.diff(levels, axis=0) / np.diff(knots, axis=0)
        tail = (levels[-1] - levels[-3]) / (knots[-1] - knots[-3])
        bends = np.diff(np.vstack([slopes, tail]), axis=0, prepend=0.0)
        return cls(knots.astype(np.float32), bends.astype(np.float32))

    @classmethod
    def unfitted(cls, curves: int, shares: tuple[float, ...]) -> EvidenceCurves:
        """Return curves that see no evidence anywhere."""
        nothing = np.zeros((1 + len(shares), curves), dtype=np.float32)
        return cls(nothing, nothing)

    def tensors(self) -> Tensors:
        """Return all arrays."""
        return {"knots": self.knots, "bends": self.bends}

    @classmethod
    def shapes(cls, curves: int, shares: tuple[float, ...]) -> dict[str, tuple[int, ...]]:
        """Return the shapes that the arrays have."""
        return dict.fromkeys(("knots", "bends"), (1 + len(shares), curves))

    def evidence(self, reach: Floats, buffers: Buffers) -> Floats:
        """Return the evidence of reaches of shape (curves, rows): the same shape, >= 0."""
        start, slope, knots, halves = self._lines[reach.dtype.type]
        evidence = buffers.get("evidence", reach.shape, reach.dtype)
        distance = buffers.get("distance", reach.shape, reach.dtype)
        np.multiply(reach, slope, out=evidence)
        evidence += start
        for knot, half in zip(knots, halves, strict=True):
            np.subtract(reach, knot, out=distance)
            np.abs(distance, out=distance)
            distance *= half
            evidence += distance
        np.maximum(evidence, 0.0, out=evidence)  # rounding may leave it just below
        return evidence

    @cached_property
    def _lines(self) -> dict[type[np.generic], tuple[Floats, Floats, Floats, Floats]]:
        """Start, slope, knots and half bends in both precisions."""
        return {dtype: self._line(np.dtype(dtype)) for dtype in (np.float32, np.float64)}

    def _line(self, dtype: np.dtype[Any]) -> tuple[Floats, Floats, Floats, Floats]:
        """Write bend times max(x - knot, 0) as half of bend times (x - knot + |x - knot|).

        The first bend is a straight line: below its knot there is less than no evidence.
        """
        first, slope = self.knots[0].astype(np.float64), self.bends[0].astype(np.float64)
        knots, halves = self.knots[1:].astype(np.float64), self.bends[1:].astype(np.float64) / 2.0
        start = -first * slope - (knots * halves).sum(axis=0)
        slope = slope + halves.sum(axis=0)
        start, slope, knots, halves = (
            part[..., None].astype(dtype) for part in (start, slope, knots, halves)
        )
        return start, slope, knots, halves
