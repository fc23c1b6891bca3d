"""How far a row's numbers lie from the nearest of some kept rows."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from adlib.arrays import FeatureMatrix, Flags, Floats, Tensors
from adlib.detectors.network import column_sum, matrix_product

_GROUPS = 4
_GROUP_ROWS = 64
_LEAST_SPREAD = 1e-6
"""float32 rounds above it."""


@dataclass(frozen=True, eq=False)
class Local:
    """Mean distance to the nearest row of each of a few small groups of rows.

    Small groups by chance hold few anomalies, and rows of a crowd of them stay far from most groups
    (after isolation by nearest neighbours: Bandaragoda et al. 2018; Sugiyama and Borgwardt 2013).
    """

    scale: Floats
    """1 over the spread of each number, 0 of one that does not count: shape (numbers,), float32."""
    kept: Floats
    """Scaled rows: shape (groups, rows of a group, numbers), float32."""

    @classmethod
    def fit(cls, numbers: Floats, measured: Flags, rng: np.random.Generator) -> Local:
        """Keep rows by chance of rows of shape (numbers, rows)."""
        rows = numbers.T.astype(np.float64)
        spread = rows.std(axis=0)
        scale = np.where(measured, 1.0 / np.where(spread > _LEAST_SPREAD, spread, 1.0), 0.0)
        wanted = _GROUPS * _GROUP_ROWS
        chosen = np.resize(rng.permutation(len(rows))[:wanted], wanted)
        kept = (rows[chosen] * scale).reshape(_GROUPS, _GROUP_ROWS, -1)
        return cls(scale.astype(np.float32), kept.astype(np.float32))

    def distance(self, features: FeatureMatrix) -> Floats:
        """Return the distance of each row: shape (rows,)."""
        length = column_sum(np.square(self._scaled(features)))
        nearest = self._squares(features).min(axis=1) + length
        return column_sum(np.sqrt(np.maximum(nearest, 0.0))) / _GROUPS

    def parts(self, features: FeatureMatrix) -> Floats:
        """Return what each number adds to the squared distances: shape (numbers, rows), >= 0."""
        kept = self.kept.astype(features.dtype)
        scaled = self._scaled(features)
        total = np.zeros(scaled.shape, dtype=scaled.dtype)
        for rows, nearest in zip(kept, self._squares(features).argmin(axis=1), strict=True):
            total += np.square(scaled - rows[nearest].T)
        return total

    def _scaled(self, features: FeatureMatrix) -> Floats:
        scaled: Floats = features.numbers * self.scale.astype(features.dtype)[:, None]
        return scaled

    def _squares(self, features: FeatureMatrix) -> Floats:
        """Return squared distances less the row's squared length: (groups, kept rows, rows)."""
        folded = self._folded[features.dtype.type]
        if features.dtype == np.float64:
            product = matrix_product(features.inputs.T, folded).T
        else:
            product = folded @ features.inputs
        return product.reshape(_GROUPS, _GROUP_ROWS, -1)

    @cached_property
    def _folded(self) -> dict[type[np.generic], Floats]:
        """-2 times the kept rows, scaled once more, and their squared lengths beside them."""
        return {dtype: self._fold(np.dtype(dtype)) for dtype in (np.float32, np.float64)}

    def _fold(self, dtype: np.dtype[Any]) -> Floats:
        kept = self.kept.astype(np.float64).reshape(_GROUPS * _GROUP_ROWS, -1)
        lengths = np.square(kept).sum(axis=1)
        return np.column_stack([-2.0 * kept * self.scale, lengths]).astype(dtype)

    def tensors(self) -> Tensors:
        """Return all arrays."""
        return {"scale": self.scale, "kept": self.kept}

    @classmethod
    def shapes(cls, numbers: int) -> dict[str, tuple[int, ...]]:
        """Return the shapes that the arrays have."""
        return {"scale": (numbers,), "kept": (_GROUPS, _GROUP_ROWS, numbers)}
