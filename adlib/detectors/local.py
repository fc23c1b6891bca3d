"""How far a row's numbers lie from some centres: from the nearest, and from all regions of them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from adlib.arrays import FeatureMatrix, Flags, Floats, Tensors
from adlib.detectors.network import column_sum, matrix_product

_CENTRES = 256
_GROUPS = 16
_ROUNDS = 20
_BATCH_ROWS = 1024
_LEAST_SPREAD = 1e-6
"""float32 rounds above it."""


@dataclass(frozen=True, eq=False)
class Local:
    """Distances to a few hundred centres, spread over the rows by k-means.

    The nearest centre tells what lies apart from every crowd; a few hundred say nearly what all
    rows would (mini-batches after Sculley, WWW 2010). But a crowd of anomalies has a centre of its
    own. So the centres are also dealt out at random to groups, and the distances to the nearest of
    each group averaged: a crowd's own centre then counts in its group alone (isolation by nearest
    neighbours of subsamples; Sugiyama and Borgwardt, NeurIPS 2013).

    On the tuning tables learned from ordinary rows the nearest centre alone ranks them with an
    AUROC of 0.799, the groups 0.781; where anomalies are among the rows 0.598 and 0.705.
    """

    scale: Floats
    """1 over the spread of each number, 0 of one that does not count: shape (numbers,), float32."""
    kept: Floats
    """Scaled centres, a group of them after the other: shape (centres, numbers), float32."""

    @classmethod
    def fit(cls, numbers: Floats, measured: Flags, seed: int) -> Local:
        """Spread centres over rows of shape (numbers, rows)."""
        rows = numbers.T.astype(np.float64)
        spread = rows.std(axis=0)
        scale = np.where(measured, 1.0 / np.where(spread > _LEAST_SPREAD, spread, 1.0), 0.0)
        centres = _centres(rows * scale, seed) if measured.any() else np.zeros((1, len(scale)))
        dealt = np.random.default_rng(seed).permutation(_CENTRES)
        kept = np.resize(centres, (_CENTRES, len(scale)))[dealt]
        return cls(scale.astype(np.float32), kept.astype(np.float32))

    def distances(self, features: FeatureMatrix) -> tuple[Floats, Floats]:
        """Return how far each row is from the nearest centre, and from the groups: (rows,) each."""
        length = column_sum(np.square(self._scaled(features)))
        nearest = self._grouped(self._squares(features)).min(axis=1) + length
        distances = np.sqrt(np.maximum(nearest, 0.0))
        return distances.min(axis=0), column_sum(distances) / _GROUPS

    def parts(self, features: FeatureMatrix) -> tuple[Floats, Floats]:
        """Return what each number adds to the squares of both distances: (numbers, rows), >= 0."""
        scaled, squares = self._scaled(features), self._squares(features)
        kept = self.kept.astype(features.dtype)
        in_groups = self._grouped(squares).argmin(axis=1)
        from_groups = np.zeros_like(scaled)
        for group, nearest in zip(self._grouped(kept), in_groups, strict=True):
            from_groups += np.square(scaled - group[nearest].T)
        return np.square(scaled - kept[squares.argmin(axis=0)].T), from_groups

    @staticmethod
    def _grouped(by_centre: Floats) -> Floats:
        return by_centre.reshape(_GROUPS, _CENTRES // _GROUPS, by_centre.shape[1])

    def _scaled(self, features: FeatureMatrix) -> Floats:
        scaled: Floats = features.numbers * self.scale.astype(features.dtype)[:, None]
        return scaled

    def _squares(self, features: FeatureMatrix) -> Floats:
        """Return squared distances less the row's squared length: shape (centres, rows)."""
        folded = self._folded[features.dtype.type]
        if features.dtype == np.float64:
            return matrix_product(features.inputs.T, folded).T
        product: Floats = folded @ features.inputs
        return product

    @cached_property
    def _folded(self) -> dict[type[np.generic], Floats]:
        """-2 times the centres, scaled once more, and their squared lengths beside them."""
        return {dtype: self._fold(np.dtype(dtype)) for dtype in (np.float32, np.float64)}

    def _fold(self, dtype: np.dtype[Any]) -> Floats:
        kept = self.kept.astype(np.float64)
        lengths = np.square(kept).sum(axis=1)
        return np.column_stack([-2.0 * kept * self.scale, lengths]).astype(dtype)

    def tensors(self) -> Tensors:
        """Return all arrays."""
        return {"scale": self.scale, "kept": self.kept}

    @classmethod
    def shapes(cls, numbers: int) -> dict[str, tuple[int, ...]]:
        """Return the shapes that the arrays have."""
        return {"scale": (numbers,), "kept": (_CENTRES, numbers)}


def _centres(rows: Floats, seed: int) -> Floats:
    """Return the centres of k-means, one thread, the same for one seed."""
    from sklearn.cluster import MiniBatchKMeans
    from threadpoolctl import threadpool_limits  # noqa: PLC0415 - executors lack it

    distinct = np.unique(rows, axis=0)
    if len(distinct) <= _CENTRES:
        return distinct
    clusters = MiniBatchKMeans(
        _CENTRES, random_state=seed, n_init=1, batch_size=_BATCH_ROWS, max_iter=_ROUNDS
    )
    with threadpool_limits(1):
        centres: Floats = clusters.fit(rows).cluster_centers_
    return centres
