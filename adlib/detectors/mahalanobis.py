"""A robust Mahalanobis distance: how far a row lies from the middle, in units of joint spread.

Good at rows that break linear relations between columns, in one crowd; not at several crowds, nor
at relations that bend. Cost of a fit: rows x columns² a round, eight rounds; of a score: columns x
64 a row.

Centre and spread are the `blend`'s linear view: measured of the nearest three quarters of the rows
(Rousseeuw and Van Driessen, Technometrics 1999), shrunk (Ledoit and Wolf 2004), beyond 64
directions one and the same. The score is the squared distance.

Measured on 10,000 connections of KDD 99, learned from and scored, 1% of them attacks, 70 encoded
columns: AUROC 0.882, average precision 0.08, 0.3 µs a row of one core.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

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
from adlib.detectors.linear import Linear
from adlib.detectors.parts import joined, part_of
from adlib.detectors.single_thread import single_thread
from adlib.detectors.space import MOST_COLUMNS, Space

_MOST_ROWS = 20_000
_MOST_CELLS = 10_000_000


@dataclass(frozen=True)
class MahalanobisSettings(DetectorSettings):
    """Hyper-parameters of the Mahalanobis distance."""

    most_columns: int = setting(
        MOST_COLUMNS, "Encoded columns above which rows are projected.", ge=1
    )
    kind: ClassVar[str] = "mahalanobis"

    def fit(  # noqa: D102 - said on the base
        self, features: FeatureMatrix, *, seed: int, progress: Progress | None
    ) -> Mahalanobis:
        space = Space.fit(features, self.most_columns, seed, self.kind)
        points = space.learned(features, min(_MOST_ROWS, _MOST_CELLS // space.dimensions))
        with single_thread():
            linear = Linear.fit(points.T, space.counts)
        metrics = {"rows": float(len(points))}
        fitted = Mahalanobis(features.layout, self, space, linear, metrics=metrics)
        refuse_equal_scores(fitted, features)
        if progress is not None:
            progress(1, 1, float(np.median(fitted.score(features.take(slice(0, 1000))))))
        return fitted

    def restore(self, layout: Layout, tensors: Tensors) -> Mahalanobis:  # noqa: D102
        shapes = Space.shapes(layout, self.most_columns)
        of_linear = Linear.shapes(shapes["projection"][0] or layout.width)
        refuse_other_shapes(tensors, joined({"space": shapes, "linear": of_linear}))
        space = Space.restore(layout, part_of(tensors, "space"))
        parts = part_of(tensors, "linear")
        linear = Linear(*(np.asarray(parts[name], dtype=np.float32) for name in of_linear))
        return Mahalanobis(layout, self, space, linear)


@dataclass(frozen=True, eq=False)
class Mahalanobis(Detector):
    """A fitted centre and spread."""

    settings: MahalanobisSettings
    space: Space
    linear: Linear
    kind: ClassVar[str] = "mahalanobis"

    @property
    def adds_up(self) -> bool:  # noqa: D102
        return not self.space.is_projected

    def score(self, features: FeatureMatrix, buffers: Buffers | None = None) -> Floats:  # noqa: D102
        return self.linear.distance(self.space.points(features, buffers))

    def judge(self, features: FeatureMatrix) -> Judgement:  # noqa: D102
        usual = self.space.usual
        scores, expected = self.score(features), usual.rows(len(features))
        if self.space.is_projected:
            return Judgement(scores, usual.occlusion(features, self.score), expected)
        parts = self.linear.parts(self.space.points(features))
        return Judgement(scores, self.space.shares(scores, parts), expected)

    def tensors(self) -> Tensors:  # noqa: D102
        return joined({"space": self.space.tensors(), "linear": self.linear.tensors()})
