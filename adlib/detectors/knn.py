"""Nearest neighbours: how far a row lies from the rows most like it.

Good at what lies apart from everything, whatever the shape of the crowds; not at crowds of like
anomalies, nor in many columns of which few tell. Cost of a fit: next to nothing; of a score:
columns x kept rows a row, the dearest of all.

The score is the distance to the k-th nearest of a sample of rows (Ramaswamy et al., SIGMOD 2000).
A thousand rows say nearly what all would, and hold fewer anomalies that vouch for each other
(Sugiyama and Borgwardt, NeurIPS 2013); for the same reason k is large (on the tuning tables AUROC
0.699 with k = 100 of 1,000, 0.621 with k = 5 of 2,000). The sample is part of the model.

Measured on 10,000 connections of KDD 99, learned from and scored, 1% of them attacks, 70 encoded
columns: AUROC 0.907, average precision 0.11, 4.6 µs a row of one core.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from adlib.arrays import FeatureMatrix, Layout, Tensors
from adlib.detectors.base import (
    DetectorSettings,
    Progress,
    setting,
)
from adlib.detectors.references import ReferenceDetector, References, refuse_one_point
from adlib.detectors.space import MOST_COLUMNS, Space


@dataclass(frozen=True)
class KnnSettings(DetectorSettings):
    """Hyper-parameters of nearest neighbours."""

    neighbours: int = setting(
        100, "The so-manieth nearest counts, at most a tenth of the kept rows.", ge=1, le=2000
    )
    kept_rows: int = setting(1000, "Rows of the sample in the model.", ge=1, le=20_000)
    most_columns: int = setting(
        MOST_COLUMNS, "Encoded columns above which rows are projected.", ge=1
    )
    kind: ClassVar[str] = "knn"
    keeps_rows: ClassVar[bool] = True

    def fit(  # noqa: D102 - said on the base
        self, features: FeatureMatrix, *, seed: int, progress: Progress | None
    ) -> Knn:
        space = Space.fit(features, self.most_columns, seed, self.kind)
        kept = space.learned(features, self.kept_rows).astype(np.float32)
        refuse_one_point(kept)
        reach = np.ones(len(kept), dtype=np.float32)
        references = References(space, kept, reach, self._neighbours_among(len(kept)))
        metrics = {"kept_rows": float(len(kept))}
        fitted = Knn(features.layout, self, references, metrics=metrics)
        if progress is not None:
            progress(1, 1, float(np.median(fitted.score(features.take(slice(0, 100))))))
        return fitted

    def restore(self, layout: Layout, tensors: Tensors) -> Knn:  # noqa: D102
        neighbours = self._neighbours_among(np.size(tensors.get("reach", ())))
        return Knn(layout, self, References.restore(layout, tensors, self.most_columns, neighbours))

    def _neighbours_among(self, rows: int) -> int:
        return max(1, min(self.neighbours, rows // 10))


@dataclass(frozen=True, eq=False)
class Knn(ReferenceDetector):
    """A kept sample of rows."""

    settings: KnnSettings
    kind: ClassVar[str] = "knn"
