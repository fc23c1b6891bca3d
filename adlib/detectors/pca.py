"""Principal components: how far out a row is in the directions in which rows vary, and beyond them.

Good at rows that break linear relations between many columns, or are far out in several at once;
not at relations that bend, nor at several crowds. Cost of a fit: rows x columns² once; of a score:
columns x components, twice, a row.

scikit-learn's PCA keeps as many components as explain a share of the variance. The score is the
combined index of process monitoring (Yue and Qin, Industrial & Engineering Chemistry Research
2001): the squared residual, which says that a relation is broken, and Hotelling's squared distance
along the components, which says that the row is extreme, each over its mean. Residuals are in units
of what is usually left over of their column. On the tuning tables AUROC is 0.712, and 0.661 by the
residual alone.

Measured on 10,000 connections of KDD 99, learned from and scored, 1% of them attacks, 70 encoded
columns: AUROC 0.879, average precision 0.10, 0.2 µs a row of one core.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from adlib.arrays import Buffers, FeatureMatrix, Flags, Floats, Layout, Tensors
from adlib.detectors.base import (
    Detector,
    DetectorSettings,
    Judgement,
    Progress,
    refuse_equal_scores,
    refuse_other_shapes,
    setting,
)
from adlib.detectors.network import column_sum, matrix_product
from adlib.detectors.parts import joined, part_of
from adlib.detectors.references import refuse_one_point
from adlib.detectors.single_thread import single_thread
from adlib.detectors.space import MOST_COLUMNS, Space

_MOST_ROWS = 20_000
_MOST_CELLS = 10_000_000
_LEAST_SIZE = 0.1
"""Share of the median size of the residuals that a number's counts as at the least."""
_NOTHING = 1e-6
"""float32 rounds above it."""
_USUAL_REACH = 2.0
"""Standard deviations along a component that are expected of a row at the most."""


@dataclass(frozen=True)
class PcaSettings(DetectorSettings):
    """Hyper-parameters of principal components."""

    explained: float = setting(0.5, "Share of the variance they explain.", gt=0.0, lt=1.0)
    most_columns: int = setting(
        MOST_COLUMNS, "Encoded columns above which rows are projected.", ge=1
    )
    kind: ClassVar[str] = "pca"

    def fit(  # noqa: D102 - said on the base
        self, features: FeatureMatrix, *, seed: int, progress: Progress | None
    ) -> Pca:
        space = Space.fit(features, self.most_columns, seed, self.kind)
        points = space.learned(features, min(_MOST_ROWS, _MOST_CELLS // space.dimensions))
        refuse_one_point(points)
        found, enough = fit_components(points, self.explained)
        components = found.components_[:enough]
        explained = float(np.nan_to_num(found.explained_variance_ratio_[:enough]).sum())
        if progress is not None:
            progress(1, 1, 1.0 - explained)
        figures = {"components": float(enough), "explained": explained}
        away = points - found.mean_
        residuals = away - away @ components.T @ components
        fitted = Pca(
            features.layout,
            self,
            space,
            found.mean_,
            components,
            _units_of(residuals, space.numbers),
            np.sqrt(found.explained_variance_[:enough] * enough),
            metrics=figures,
        )
        refuse_equal_scores(fitted, features)
        return fitted

    def restore(self, layout: Layout, tensors: Tensors) -> Pca:  # noqa: D102
        of_space = Space.shapes(layout, self.most_columns)
        width = of_space["projection"][0] or layout.width
        count = len(np.atleast_2d(tensors.get("components", np.zeros((0, 1)))))
        shapes = {
            "mean": (width,),
            "components": (count, width),
            "units": (width,),
            "spread": (count,),
        }
        refuse_other_shapes(tensors, shapes | joined({"space": of_space}))
        mean, components, units, spread = (
            np.asarray(tensors[name], dtype=np.float64) for name in shapes
        )
        space = Space.restore(layout, part_of(tensors, "space"))
        return Pca(layout, self, space, mean, components, units, spread)


def fit_components(points: Floats, explained: float) -> tuple[Any, int]:
    """Return scikit-learn's components of points, (rows, dimensions), and how many are enough.

    Those are fewer than the dimensions that vary, so that they always leave something over.
    """
    from sklearn.decomposition import PCA

    with single_thread():
        found = PCA(svd_solver="full").fit(points)
    shares = np.nan_to_num(found.explained_variance_ratio_)
    enough = int(np.searchsorted(np.cumsum(shares), explained)) + 1
    varying = int((np.ptp(points, axis=0) > 0.0).sum())
    return found, min(enough, varying - 1, len(shares))


def _units_of(residuals: Floats, numbers: Flags) -> Floats:
    """Return what residuals, (rows, dimensions), are divided by, so that their squares sum to 1.

    That is in the mean over the rows. Of a category's rare values next to nothing is left over:
    they count as they stand off.
    """
    sizes = np.abs(residuals).mean(axis=0)
    left_over = sizes[numbers & (sizes > _NOTHING)]
    least = _LEAST_SIZE * float(np.median(left_over)) if len(left_over) else 1.0
    units = np.where(numbers, np.maximum(sizes, least), 1.0)
    mean = float(np.square(residuals / units).sum(axis=1).mean())
    return np.asarray(units * np.sqrt(mean) if mean > _NOTHING else units)


@dataclass(frozen=True, eq=False)
class Pca(Detector):
    """Fitted components."""

    settings: PcaSettings
    space: Space
    mean: Floats
    """Shape (dimensions,)."""
    components: Floats
    """Directions at right angles: shape (components, dimensions)."""
    units: Floats
    """What residuals are divided by: shape (dimensions,)."""
    spread: Floats
    """What places along the components are divided by: shape (components,)."""
    kind: ClassVar[str] = "pca"

    @property
    def adds_up(self) -> bool:  # noqa: D102
        return not self.space.is_projected

    def score(self, features: FeatureMatrix, buffers: Buffers | None = None) -> Floats:  # noqa: D102
        _, along, left_over = self._taken_apart(self.space.points(features, buffers))
        return column_sum(np.square(left_over)) + column_sum(np.square(along))

    def _taken_apart(self, points: FeatureMatrix) -> tuple[Floats, Floats, Floats]:
        """Return how far points are from the mean, along the components, and what is left over.

        The last two in units: shapes (dimensions, rows), (components, rows), (dimensions, rows).
        """
        mean, components, units, spread = (
            part.astype(points.dtype)
            for part in (self.mean, self.components, self.units, self.spread)
        )
        away = points.numbers - mean[:, None]
        along = _product(components, away)
        left_over = away - _product(components.T, along)
        return away, along / spread[:, None], left_over / units[:, None]

    def judge(self, features: FeatureMatrix) -> Judgement:  # noqa: D102
        scores, usual = self.score(features), self.space.usual
        if self.space.is_projected:
            losses = usual.occlusion(features, self.score)
            return Judgement(scores, losses, usual.rows(len(features)))
        away, along, left_over = self._taken_apart(self.space.points(features))
        scaled = (self.components / self.spread[:, None]).T
        parts = np.square(left_over) + np.maximum(away * _product(scaled, along), 0.0)
        within = np.clip(along * self.spread[:, None], -self._furthest, self._furthest)
        expected = self.space.expected(self.mean[:, None] + _product(self.components.T, within))
        return Judgement(scores, self.space.shares(scores, parts), expected)

    @property
    def _furthest(self) -> Floats:
        """How far along each component rows usually are: shape (components, 1)."""
        return np.asarray(_USUAL_REACH * self.spread / np.sqrt(max(1, len(self.spread))))[:, None]

    def tensors(self) -> Tensors:  # noqa: D102
        own = {
            "mean": self.mean,
            "components": self.components,
            "units": self.units,
            "spread": self.spread,
        }
        return own | joined({"space": self.space.tensors()})


def _product(weights: Floats, columns: Floats) -> Floats:
    """Multiply weights (m, numbers) by columns (numbers, rows) to (m, rows)."""
    if columns.dtype == np.float64:
        return matrix_product(columns.T, weights).T
    product: Floats = weights @ columns
    return product
