"""k-means: how far a row lies from every crowd, in units of that crowd's spread.

Good at rows that belong to no crowd, in tables of numbers of about equal importance; not at rows
that break a relation inside a crowd, nor in many columns of which few tell. Cost of a fit: rows x
columns x clusters a round; of a score: columns x clusters a row.

Lloyd's algorithm in scikit-learn's KMeans, above 20,000 rows in its MiniBatchKMeans (Sculley, WWW
2010). The smallest clusters are left out, see `crowds`. The score is the distance to a centre
divided by the root mean square distance of its rows, of all centres the least.

Measured on 10,000 connections of KDD 99, learned from and scored, 1% of them attacks, 70 encoded
columns: AUROC 0.922, average precision 0.12, 0.2 µs a row of one core.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from adlib.arrays import FeatureMatrix, Floats, Layout, Tensors
from adlib.detectors.base import (
    DetectorSettings,
    Progress,
    setting,
)
from adlib.detectors.crowds import CROWDED_FRACTION, largest
from adlib.detectors.references import ReferenceDetector, References, refuse_one_point
from adlib.detectors.single_thread import single_thread
from adlib.detectors.space import MOST_COLUMNS, Space

_MINI_BATCHES_ABOVE = 20_000
_MOST_CELLS = 20_000_000
_STARTS = 3
_LEAST_REACH = 0.5
"""Share of the mean reach of the clusters that a cluster's counts as at the least."""


@dataclass(frozen=True)
class KmeansSettings(DetectorSettings):
    """Hyper-parameters of k-means."""

    clusters: int = setting(16, "Crowds that are looked for.", ge=1, le=4096)
    crowded_fraction: float = setting(
        CROWDED_FRACTION,
        "The largest crowds that hold this share of the rows are taken for ordinary.",
        gt=0.0,
        le=1.0,
    )
    most_columns: int = setting(
        MOST_COLUMNS, "Encoded columns above which rows are projected.", ge=1
    )
    kind: ClassVar[str] = "kmeans"

    def fit(  # noqa: D102 - said on the base
        self, features: FeatureMatrix, *, seed: int, progress: Progress | None
    ) -> Kmeans:
        space = Space.fit(features, self.most_columns, seed, self.kind)
        points = space.learned(features, max(2, _MOST_CELLS // space.dimensions))
        refuse_one_point(points)
        clusters = fit_clusters(points, self.clusters, seed)
        if progress is not None:
            progress(1, 1, float(clusters.inertia_) / len(points))
        centres, reach = _large_clusters(points, clusters, self.crowded_fraction)
        figures = {"clusters": float(len(centres)), "rows": float(len(points))}
        references = References(space, centres, reach)
        return Kmeans(features.layout, self, references, metrics=figures)

    def restore(self, layout: Layout, tensors: Tensors) -> Kmeans:  # noqa: D102
        return Kmeans(layout, self, References.restore(layout, tensors, self.most_columns))


def fit_clusters(points: Floats, clusters: int, seed: int) -> Any:
    """Return scikit-learn's clusters of points of shape (rows, dimensions)."""
    from sklearn.cluster import KMeans, MiniBatchKMeans

    learner = KMeans if len(points) <= _MINI_BATCHES_ABOVE else MiniBatchKMeans
    count = min(clusters, len(points))
    with single_thread():
        return learner(count, n_init=_STARTS, random_state=seed).fit(points)


def _large_clusters(points: Floats, clusters: Any, fraction: float) -> tuple[Floats, Floats]:
    """Return the centres of the clusters that hold enough rows, and how far their rows reach."""
    centres, labels = clusters.cluster_centers_, clusters.labels_
    counts = np.bincount(labels, minlength=len(centres))
    squares = np.bincount(
        labels, weights=np.square(points - centres[labels]).sum(axis=1), minlength=len(centres)
    )
    large = largest(counts, fraction)
    reach = np.sqrt(squares[large] / counts[large])
    usual = float(np.sqrt(squares[large].sum() / counts[large].sum()))
    least = max(_LEAST_REACH * usual, float(np.finfo(np.float32).tiny))
    return centres[large], np.maximum(reach, least)


@dataclass(frozen=True, eq=False)
class Kmeans(ReferenceDetector):
    """Fitted clusters."""

    settings: KmeansSettings
    kind: ClassVar[str] = "kmeans"
