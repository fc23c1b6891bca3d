"""Four views of a row in one score: network, linear, local and marginal.

The autoencoder sees relations that bend, a robust Mahalanobis distance those that do not, distances
to a few hundred kept rows see what lies apart from every crowd, histograms a value that is rare by
itself. Each view's distance becomes evidence, -log of the share of the sample's rows that lie at
least as far, read off the bulk and continued beyond it in a straight line (an exponential tail), so
that no view's scale matters; the score is their sum.

Good where nobody knows what the anomalies look like: no view finds what all four find. Bad where
one view alone is telling and the budget is tiny: three others then speak of other rows. Cost: the
autoencoder, matrix products of (numbers x numbers) and (numbers x 256), and a look-up a column.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, ClassVar

import numpy as np

from adlib.arrays import Buffers, FeatureMatrix, Floats, Layout, Loss, Tensors
from adlib.detectors.autoencoder import Autoencoder, AutoencoderSettings
from adlib.detectors.base import (
    Detector,
    DetectorSettings,
    Judgement,
    Progress,
    refuse_other_shapes,
)
from adlib.detectors.linear import Linear
from adlib.detectors.local import Local
from adlib.detectors.marginal import Marginal
from adlib.detectors.network import column_sum
from adlib.errors import ModelError

_SHARES = (0.5, 0.2, 0.1, 0.05)
"""Shares of the rows whose distance reaches each knot."""
_MEASURED_ROWS = 20_000
_LEAST_SPREAD = 1e-5
_VIEWS = 4
_NETWORK = "network_"


@dataclass(frozen=True)
class BlendSettings(DetectorSettings):
    """Hyper-parameters of the blend: those of its autoencoder."""

    members: int = AutoencoderSettings.members
    hidden: int = AutoencoderSettings.hidden
    steps: int = AutoencoderSettings.steps
    kind: ClassVar[str] = "blend"

    @property
    def autoencoder(self) -> AutoencoderSettings:
        """The settings of the network's view."""
        return AutoencoderSettings(members=self.members, hidden=self.hidden, steps=self.steps)

    def fit(  # noqa: D102 - said on the base
        self, features: FeatureMatrix, *, seed: int, progress: Progress | None
    ) -> Blend:
        network = self.autoencoder.fit(features, seed=seed, progress=progress)
        measured = features.take(slice(-_MEASURED_ROWS, None))
        fitted = Blend(
            features.layout,
            self,
            network,
            Linear.fit(measured.numbers),
            Local.fit(features.numbers, np.random.default_rng(seed)),
            Marginal.fit(features),
            np.zeros((_VIEWS, 1 + len(_SHARES)), dtype=np.float32),
        )
        return fitted.measured_on(measured)

    def restore(self, layout: Layout, tensors: Tensors) -> Blend:  # noqa: D102
        numbers = len(layout.number_columns)
        shapes = {
            **Linear.shapes(numbers),
            **Local.shapes(numbers),
            **Marginal.shapes(layout),
            "knots": (_VIEWS, 1 + len(_SHARES)),
        }
        own = {name: part for name, part in tensors.items() if not name.startswith(_NETWORK)}
        refuse_other_shapes(own, shapes)
        floats = {name: np.asarray(part, dtype=np.float32) for name, part in own.items()}
        of_network = {
            name.removeprefix(_NETWORK): part
            for name, part in tensors.items()
            if name.startswith(_NETWORK)
        }
        return Blend(
            layout,
            self,
            self.autoencoder.restore(layout, of_network),
            Linear(*(floats[name] for name in Linear.shapes(numbers))),
            Local(*(floats[name] for name in Local.shapes(numbers))),
            Marginal(layout, *(floats[name] for name in Marginal.shapes(layout))),
            floats["knots"],
        )

    def to_plain(self) -> dict[str, Any]:  # noqa: D102
        return asdict(self)


@dataclass(frozen=True, eq=False)
class Blend(Detector):
    """A fitted blend."""

    own_settings: BlendSettings
    network: Autoencoder
    linear: Linear
    local: Local
    marginal: Marginal
    knots: Floats
    """By view the distance that no evidence is, and those that `_SHARES` of the rows reach: shape
    (views, 1 + shares), float32, ascending."""
    kind: ClassVar[str] = "blend"

    @property
    def settings(self) -> BlendSettings:  # noqa: D102 - said on the base
        return self.own_settings

    @property
    def metrics(self) -> Mapping[str, float]:  # noqa: D102
        return self.network.metrics

    def score(self, features: FeatureMatrix, buffers: Buffers | None = None) -> Floats:  # noqa: D102
        return column_sum(self._evidence(self._distances(features, buffers or Buffers())))

    def judge(self, features: FeatureMatrix) -> Judgement:  # noqa: D102
        judged = self.network.judge(features)
        buffers = Buffers()
        evidence = self._evidence(self._distances(features, buffers))
        views = (
            judged.losses.T,
            self._by_block(self.linear.parts(features.numbers)),
            self._by_block(self.local.parts(features.numbers)),
            self.marginal.surprises(features, buffers),
        )
        losses = np.zeros((len(self.layout.blocks), len(features)), dtype=np.float64)
        for said, parts in zip(evidence, views, strict=True):
            losses += said * _shares(parts)
        return Judgement(column_sum(evidence), np.ascontiguousarray(losses.T), judged.expected)

    def _distances(self, features: FeatureMatrix, buffers: Buffers) -> Floats:
        """Return how far off each view sees each row: shape (views, rows)."""
        views = (
            self.network.score(features, buffers),
            self.linear.distance(features.numbers),
            self.local.distance(features.numbers),
            column_sum(self.marginal.surprises(features, buffers)),
        )
        return np.stack([np.asarray(view, dtype=np.float64) for view in views])

    def _evidence(self, distances: Floats) -> Floats:
        """Return each view's evidence in nats: shape (views, rows), >= 0."""
        levels = np.append(0.0, -np.log(_SHARES))
        evidence = np.empty_like(distances)
        for out, distance, knots in zip(
            evidence, distances, self.knots.astype(np.float64), strict=True
        ):
            slope = (levels[-1] - levels[-3]) / (knots[-1] - knots[-3])
            beyond = np.maximum(distance - knots[-1], 0.0)
            out[:] = np.interp(distance, knots, levels) + beyond * slope
        return evidence

    def measured_on(self, rows: FeatureMatrix) -> Blend:
        """Read off rows how far is far.

        Raises:
            ModelError: if all rows then have the same score.
        """
        distances = self._distances(rows, Buffers())
        quantiles = np.quantile(distances, [0.0, *(1.0 - share for share in _SHARES)], axis=1).T
        least = 1e-3 * np.maximum(1.0, np.abs(quantiles[:, -1:])) * np.arange(1 + len(_SHARES))
        apart = np.maximum.accumulate(quantiles - least, axis=1) + least
        measured = replace(self, knots=apart.astype(np.float32))
        scores = measured.score(rows)
        if len(scores) > 1 and np.ptp(scores) <= _LEAST_SPREAD * scores.max():
            why = f"{len(scores):,} rows of the sample have the same score"
            raise ModelError.degenerate(why, "Widen the sample or list columns that vary.")
        return measured

    def _by_block(self, parts: Floats) -> Floats:
        """Add up what numbers add, shape (numbers, rows), to (layout.blocks, rows)."""
        by_block = np.zeros((len(self.layout.blocks), parts.shape[1]), dtype=parts.dtype)
        number = 0
        for out, block in zip(by_block, self.layout.blocks, strict=True):
            if block.loss is not Loss.CATEGORY:
                out[:] = column_sum(parts[number : number + block.width])
                number += block.width
        return by_block

    def tensors(self) -> Tensors:  # noqa: D102
        network = {f"{_NETWORK}{name}": part for name, part in self.network.tensors().items()}
        own = {**self.linear.tensors(), **self.local.tensors(), **self.marginal.tensors()}
        return {**network, **own, "knots": self.knots}


def _shares(parts: Floats) -> Floats:
    """Divide what blocks add, shape (blocks, rows), by the row's sum; equal where that is 0."""
    total = column_sum(parts)
    shares: Floats = np.where(
        total > 0.0, parts / np.where(total > 0.0, total, 1.0), 1.0 / max(1, len(parts))
    )
    return shares
