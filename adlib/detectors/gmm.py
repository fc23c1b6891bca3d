"""A Gaussian mixture: where few rows are expected, a row is strange.

Good at tables of numbers that fall into a few stretched crowds, and at rows that break relations
within a crowd; not at heavy tails beyond what the encoder squashes, nor at rare categories in wide
tables. Cost of a fit: rows x columns² a round and component; of a score: components x columns² a
row, and once that for each column to explain it.

scikit-learn's GaussianMixture with full covariances, each regularised; the number of components has
the least Bayesian information criterion (Schwarz 1978). The rows that a single component expects
least are not learned from, and the smallest components are left out, see `crowds`. The score is the
negative log-likelihood, which may be negative; a row's reasons come by occlusion.

Measured on 10,000 connections of KDD 99, learned from and scored, 1% of them attacks, 70 encoded
columns: AUROC 0.934, average precision 0.09, 0.4 µs a row of one core.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from adlib.arrays import Buffers, FeatureMatrix, Floats, Layout, Tensors
from adlib.detectors.base import (
    Detector,
    DetectorSettings,
    Judgement,
    Progress,
    refuse_equal_scores,
    refuse_other_shapes,
    setting,
)
from adlib.detectors.crowds import CROWDED_FRACTION, largest
from adlib.detectors.network import column_sum, matrix_product
from adlib.detectors.parts import joined, part_of
from adlib.detectors.single_thread import single_thread
from adlib.detectors.space import MOST_COLUMNS, Space
from adlib.errors import ModelError

_LOG = logging.getLogger(__name__)
_MOST_ROWS = 20_000
_MOST_CELLS = 4_000_000
_ROUNDS = 100
_TRIMMED = 0.1
"""Share of the rows, the least expected of a first fit, that the second leaves out."""


@dataclass(frozen=True)
class GmmSettings(DetectorSettings):
    """Hyper-parameters of the Gaussian mixture."""

    most_components: int = setting(4, "1, 2, 4 and so on are tried.", ge=1, le=64)
    regularisation: float = setting(
        0.03, "Added to each variance; numbers have 1.", ge=0.0, le=100.0
    )
    crowded_fraction: float = setting(
        CROWDED_FRACTION,
        "The largest crowds that hold this share of the rows are taken for ordinary.",
        gt=0.0,
        le=1.0,
    )
    most_columns: int = setting(
        MOST_COLUMNS, "Encoded columns above which rows are projected.", ge=1
    )
    kind: ClassVar[str] = "gmm"

    def fit(  # noqa: D102 - said on the base
        self, features: FeatureMatrix, *, seed: int, progress: Progress | None
    ) -> Gmm:
        space = Space.fit(features, self.most_columns, seed, self.kind)
        rows = max(2, min(_MOST_ROWS, _MOST_CELLS // space.dimensions))
        mixture = fit_mixture(space.learned(features, rows), self, seed, progress)
        fitted = Gmm(
            features.layout,
            self,
            space,
            np.log(mixture.weights_),
            mixture.means_,
            mixture.precisions_cholesky_,
            metrics={
                "components": float(len(mixture.weights_)),
                "converged": float(mixture.converged_),
            },
        )
        refuse_equal_scores(fitted, features)
        return fitted

    def restore(self, layout: Layout, tensors: Tensors) -> Gmm:  # noqa: D102
        of_space = Space.shapes(layout, self.most_columns)
        components = max(1, np.size(tensors.get("log_weights", ())))
        width = of_space["projection"][0] or layout.width
        shapes: dict[str, tuple[int, ...]] = {
            "log_weights": (components,),
            "means": (components, width),
            "precisions": (components, width, width),
        }
        refuse_other_shapes(tensors, shapes | joined({"space": of_space}))
        log_weights, means, precisions = (
            np.asarray(tensors[name], dtype=np.float64) for name in shapes
        )
        space = Space.restore(layout, part_of(tensors, "space"))
        return Gmm(layout, self, space, log_weights, means, precisions)


def fit_mixture(points: Floats, settings: GmmSettings, seed: int, progress: Progress | None) -> Any:
    """Return scikit-learn's mixture of points, (rows, dimensions), with the best criterion.

    Raises:
        ModelError: if a covariance is singular.
    """
    from sklearn.mixture import GaussianMixture

    sizes = [2**power for power in range(settings.most_components.bit_length())]
    sizes = [size for size in sizes if size == 1 or size * 2 <= len(points)]
    best, least = None, np.inf

    def fit(size: int, rows: Floats) -> Any:
        mixture = GaussianMixture(
            size, reg_covar=settings.regularisation, max_iter=_ROUNDS, random_state=seed
        )
        return mixture.fit(rows)

    try:
        with single_thread():
            kept = _expected(points, fit(1, points))
            for step, size in enumerate(sizes, 1):
                mixture = fit(size, kept)
                criterion = float(mixture.bic(kept))
                if progress is not None:
                    progress(step, len(sizes), criterion / len(kept))
                if criterion < least:
                    best, least = mixture, criterion
    except ValueError as error:
        why = "the covariance of the rows is singular, for some columns say the same as others"
        raise ModelError.degenerate(why, "Raise detector.regularisation.") from error
    return _without_small(best, settings.crowded_fraction)


def _expected(points: Floats, mixture: Any) -> Floats:
    """Return the points without those that a mixture expects least, in their order."""
    kept = max(2, round(len(points) * (1.0 - _TRIMMED)))
    order = np.argsort(-mixture.score_samples(points), kind="stable")
    return points[np.sort(order[:kept])]


def _without_small(mixture: Any, fraction: float) -> Any:
    """Leave out the components that hold the fewest rows."""
    large = largest(mixture.weights_, fraction)
    for name in ("weights_", "means_", "covariances_", "precisions_", "precisions_cholesky_"):
        setattr(mixture, name, getattr(mixture, name)[large])
    mixture.weights_ = mixture.weights_ / mixture.weights_.sum()
    mixture.n_components = len(mixture.weights_)
    return mixture


@dataclass(frozen=True, eq=False)
class Gmm(Detector):
    """A fitted Gaussian mixture."""

    settings: GmmSettings
    space: Space
    log_weights: Floats
    """Shape (components,)."""
    means: Floats
    """Shape (components, dimensions)."""
    precisions: Floats
    """Cholesky factors of the precisions: shape (components, dimensions, dimensions)."""
    kind: ClassVar[str] = "gmm"

    @property
    def adds_up(self) -> bool:  # noqa: D102
        return False

    def score(self, features: FeatureMatrix, buffers: Buffers | None = None) -> Floats:  # noqa: D102
        points = self.space.points(features, buffers)
        each = np.stack([self._logarithms(points, k) for k in range(len(self.log_weights))])
        peak = each.max(axis=0)
        likelihood = peak + np.log(column_sum(np.exp(each - peak)))
        scores: Floats = np.negative(likelihood)
        return scores

    def _logarithms(self, points: FeatureMatrix, component: int) -> Floats:
        """Return the logarithm of a component's density times its weight: shape (rows,)."""
        folded, constant = self._folded[points.dtype.type]
        if points.dtype == np.float64:
            away = matrix_product(points.inputs.T, folded[component]).T
        else:
            away = folded[component] @ points.inputs
        logarithms: Floats = constant[component] - column_sum(np.square(away)) / 2.0
        return logarithms

    @cached_property
    def _folded(self) -> dict[type[np.generic], tuple[Floats, Floats]]:
        """Towards units of spread, the mean taken off by the ones; what does not depend on rows."""
        width = self.means.shape[1]
        shift = -np.einsum("kij,ki->kj", self.precisions, self.means)
        whiten = np.concatenate([self.precisions.transpose(0, 2, 1), shift[:, :, None]], axis=2)
        diagonals = np.diagonal(self.precisions, axis1=1, axis2=2)
        constant = self.log_weights + np.log(diagonals).sum(axis=1)
        constant -= width * np.log(2.0 * np.pi) / 2.0
        return {
            dtype: (np.ascontiguousarray(whiten, dtype=dtype), constant.astype(dtype))
            for dtype in (np.float32, np.float64)
        }

    def judge(self, features: FeatureMatrix) -> Judgement:  # noqa: D102
        usual = self.space.usual
        losses = usual.occlusion(features, self.score)
        return Judgement(self.score(features), losses, usual.rows(len(features)))

    def tensors(self) -> Tensors:  # noqa: D102
        own = {
            "log_weights": self.log_weights,
            "means": self.means,
            "precisions": self.precisions,
        }
        return own | joined({"space": self.space.tensors()})
