"""The autoencoder of the textbooks: through a bottleneck and back, judged by its squared error.

Good where ordinary rows lie near a smooth surface of few dimensions and no column has a heavy tail:
sensors, images, physical measurements. Not at rare categories, whose errors numbers drown, nor in
tables with many anomalies among the rows it learns from: trained long enough it copies them too.
`autoencoder` is made for those. Cost: a matrix product a layer and row.

Layers with max(x, 0) between them narrow down to a few units and widen again (Hinton and
Salakhutdinov, Science 2006). The score is the mean over blocks of the squared distance of numbers,
the cross-entropy of categories and booleans. The forward pass is NumPy; PyTorch only fits.

Measured on 10,000 connections of KDD 99, learned from and scored, 1% of them attacks, 70 encoded
columns: AUROC 0.997, average precision 0.68.
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
    refuse_other_shapes,
    setting,
)
from adlib.detectors.network import Network, column_sum, errors


@dataclass(frozen=True)
class DenseAutoencoderSettings(DetectorSettings):
    """Hyper-parameters of the dense autoencoder."""

    layers: tuple[int, ...] = setting(
        (32, 8, 32),
        "Units of each hidden layer.",
        min_length=1,
        max_length=20,
        each={"ge": 1, "le": 4096},
    )
    steps: int = setting(2000, "At most so many steps of learning.", ge=1, le=1_000_000)
    batch_rows: int = setting(256, "Rows of a step.", ge=1, le=1_000_000)
    learning_rate: float = setting(0.003, "Of the optimiser.", gt=0.0, le=10.0)
    trim_fraction: float = setting(
        0.05, "Share of each batch, the worst rebuilt, that is not learned from.", ge=0.0, lt=1.0
    )
    validation_fraction: float = setting(
        0.1, "Share of the rows that is not learned from and says when to stop.", gt=0.0, lt=1.0
    )
    kind: ClassVar[str] = "dense_autoencoder"

    def fit(  # noqa: D102 - said on the base
        self, features: FeatureMatrix, *, seed: int, progress: Progress | None
    ) -> DenseAutoencoder:
        from adlib.detectors.dense_autoencoder_training import train_network  # noqa: PLC0415

        network, metrics = train_network(features, self, seed=seed, progress=progress)
        return DenseAutoencoder(features.layout, self, network, metrics=metrics)

    def restore(self, layout: Layout, tensors: Tensors) -> DenseAutoencoder:  # noqa: D102
        sizes = (layout.width, *self.layers, layout.width)
        refuse_other_shapes(tensors, Network.shapes(sizes))
        return DenseAutoencoder(layout, self, Network.restore(layout, tensors))


@dataclass(frozen=True, eq=False)
class DenseAutoencoder(Detector):
    """A fitted dense autoencoder."""

    settings: DenseAutoencoderSettings
    network: Network
    kind: ClassVar[str] = "dense_autoencoder"

    def score(self, features: FeatureMatrix, buffers: Buffers | None = None) -> Floats:  # noqa: D102
        buffers = buffers or Buffers()
        losses = errors(features, self.network.outputs(features, buffers), buffers)
        return column_sum(losses) / len(self.layout.blocks)

    def judge(self, features: FeatureMatrix) -> Judgement:  # noqa: D102
        buffers = Buffers()
        outputs = self.network.outputs(features, buffers)
        losses, blocks = errors(features, outputs, buffers), len(self.layout.blocks)
        by_row = np.ascontiguousarray(losses.T) / blocks
        return Judgement(column_sum(losses) / blocks, by_row, outputs.T)

    def codes(self, features: FeatureMatrix) -> Floats:  # noqa: D102
        return self.network.codes(features)

    def tensors(self) -> Tensors:  # noqa: D102
        return self.network.tensors()
