"""How far a row's numbers lie from the nearest of some kept rows."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from adlib.arrays import Floats, Tensors
from adlib.detectors.network import column_sum, matrix_product

GROUPS = 4
GROUP_ROWS = 64


@dataclass(frozen=True, eq=False)
class Local:
    """Mean distance to the nearest row of each of a few small groups of rows.

    Small groups by chance hold few anomalies, and rows of a crowd of them stay far from most groups
    (after isolation by nearest neighbours: Bandaragoda et al. 2018; Sugiyama and Borgwardt 2013).
    """

    spread: Floats
    """Of each number: shape (numbers,), float32, > 0."""
    kept: Floats
    """Rows in units of the spread: shape (groups, rows of a group, numbers), float32."""

    @classmethod
    def fit(cls, numbers: Floats, rng: np.random.Generator) -> Local:
        """Keep rows by chance of rows of shape (numbers, rows)."""
        rows = numbers.T.astype(np.float64)
        spread = rows.std(axis=0)
        spread = np.where(spread > 1e-6, spread, 1.0)  # noqa: PLR2004 - float32 rounds above it
        wanted = GROUPS * GROUP_ROWS
        chosen = rng.permutation(len(rows))[:wanted]
        chosen = np.resize(chosen, wanted)
        kept = (rows[chosen] / spread).reshape(GROUPS, GROUP_ROWS, -1)
        return cls(spread.astype(np.float32), kept.astype(np.float32))

    def distance(self, numbers: Floats) -> Floats:
        """Return the distance of rows of shape (numbers, rows): shape (rows,)."""
        return self._nearest(numbers)[0]

    def parts(self, numbers: Floats) -> Floats:
        """Return what each number adds: shape (numbers, rows), >= 0."""
        nearest = self._nearest(numbers)[1]
        kept, spread, _ = self._cast[numbers.dtype.type]
        standard = numbers / spread[:, None]
        total = np.zeros(numbers.shape, dtype=numbers.dtype)
        for rows, places in zip(kept, nearest, strict=True):
            total += np.square(standard - rows[places].T)
        return total

    def _nearest(
        self, numbers: Floats
    ) -> tuple[Floats, list[np.ndarray[tuple[int], np.dtype[np.intp]]]]:
        kept, spread, lengths = self._cast[numbers.dtype.type]
        standard = numbers / spread[:, None]
        length = column_sum(np.square(standard))
        total = np.zeros(numbers.shape[1], dtype=numbers.dtype)
        places = []
        for rows, own in zip(kept, lengths, strict=True):
            if numbers.dtype == np.float64:
                inner = matrix_product(standard.T, rows)
            else:
                inner = standard.T @ rows.T
            inner *= -2.0
            inner += own
            nearest = inner.argmin(axis=1)
            places.append(nearest)
            least = np.take_along_axis(inner, nearest[:, None], axis=1)[:, 0]
            total += np.sqrt(np.maximum(least + length, 0.0))
        return total / len(kept), places

    @cached_property
    def _cast(self) -> dict[type[np.generic], tuple[Floats, Floats, Floats]]:
        return {
            dtype: (
                self.kept.astype(dtype),
                self.spread.astype(dtype),
                np.square(self.kept.astype(np.float64)).sum(axis=2).astype(dtype),
            )
            for dtype in (np.float32, np.float64)
        }

    def tensors(self) -> Tensors:
        """Return all arrays."""
        return {"spread": self.spread, "kept": self.kept}

    @classmethod
    def shapes(cls, numbers: int) -> dict[str, tuple[int, ...]]:
        """Return the shapes that the arrays have."""
        return {"spread": (numbers,), "kept": (GROUPS, GROUP_ROWS, numbers)}
