"""An autoencoder whose members are blind to what they rebuild: a value that the rest belies is strange.

Good at rows that break the relations between columns, at unusual numbers and at rare categories, in
tables of mixed columns with heavy tails; not at clusters of equal anomalies large enough to be learned,
nor at columns that mean something only in their exact digits. Cost: two small matrix products a row.

The network is an ensemble of small members, after RandNet (Chen et al., SDM 2017). Each member reads a
random share of the columns and rebuilds the others, so that it cannot learn to copy and need not be
stopped in time; masking as in MCM (Yin et al., ICLR 2024), but drawn once. A column's reconstruction is
the mean over the members blind to it. Since that is linear, the fitted ensemble is one network with one
hidden layer. The reconstruction is then drawn towards the column's usual value, which makes an extreme
number strange also where other columns explain it. The forward pass is NumPy; PyTorch fits alone.

The score is the sum over blocks of the squared surprise: the distance between encoded number and
reconstruction, the cross-entropy of categories and booleans in nats. The encoding brings numbers to one
scale and squashes their tails, so surprises are not scaled again: what is scaled by its own spread makes
a column that hardly ever changes drown the rest (KDD 99: AUROC 0.95 scaled, 0.99 as it stands).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from adlib.arrays import Block, FeatureMatrix, Flags, Floats, Layout, Loss, Tensors
from adlib.detectors.base import Detector, DetectorSettings, Progress, matrix_product
from adlib.errors import ModelError


@dataclass(frozen=True)
class AutoencoderSettings(DetectorSettings):
    """Hyper-parameters of the autoencoder."""

    members: int = 6
    hidden: int = 16
    """Hidden units of each member."""
    blind_fraction: float = 0.5
    """Share of the members that do not read a column, and rebuild it."""
    usual_fraction: float = 0.5
    """How far a reconstruction is drawn towards the column's usual value."""
    steps: int = 800
    batch_rows: int = 256
    learning_rate: float = 0.003
    trim_fraction: float = 0.05
    """Share of each batch, the worst rebuilt, that is not learned from."""
    validation_fraction: float = 0.1
    """Share of the rows that is not learned from and says when to stop."""
    kind: ClassVar[str] = "autoencoder"

    def fit(  # noqa: D102 - said on the base
        self, features: FeatureMatrix, *, seed: int, progress: Progress | None
    ) -> Autoencoder:
        from adlib.detectors.autoencoder_training import train_network  # noqa: PLC0415

        network = train_network(features, self, seed=seed, progress=progress)
        return Autoencoder(
            features.layout,
            self,
            network.weights,
            network.biases,
            {"steps": float(network.steps), "validation_loss": network.validation_loss},
        )

    def restore(self, layout: Layout, tensors: Tensors) -> Autoencoder:  # noqa: D102
        units = self.members * self.hidden
        shapes = {
            "weight_0": (units, layout.width),
            "bias_0": (units,),
            "weight_1": (layout.width, units),
            "bias_1": (layout.width,),
        }
        found = {name: tensor.shape for name, tensor in tensors.items()}
        if found != shapes:
            message = (
                f"The model's tensors have the shapes {found}; its settings ask for {shapes}. "
                "Restore the model from a backup or train again."
            )
            raise ModelError(message)
        floats = {name: np.asarray(tensor, dtype=np.float32) for name, tensor in tensors.items()}
        return Autoencoder(
            layout,
            self,
            (floats["weight_0"], floats["weight_1"]),
            (floats["bias_0"], floats["bias_1"]),
        )

    def to_plain(self) -> dict[str, Any]:  # noqa: D102
        return asdict(self)


@dataclass(frozen=True, eq=False)
class Autoencoder(Detector):
    """A fitted autoencoder: two layers of weights (out, in) and biases (out,), float32."""

    own_settings: AutoencoderSettings
    weights: tuple[Floats, Floats]
    biases: tuple[Floats, Floats]
    fit_metrics: dict[str, float] = field(default_factory=dict)
    kind: ClassVar[str] = "autoencoder"

    @property
    def settings(self) -> AutoencoderSettings:  # noqa: D102 - said on the base
        return self.own_settings

    @property
    def metrics(self) -> dict[str, float]:  # noqa: D102
        return self.fit_metrics

    @cached_property
    def _layers(self) -> dict[type, tuple[Floats, ...]]:
        """Both layers' weights and biases in both precisions."""
        tensors = (self.weights[0], self.biases[0], self.weights[1], self.biases[1])
        return {
            dtype: tuple(tensor.astype(dtype) for tensor in tensors)
            for dtype in (np.float32, np.float64)
        }

    @cached_property
    def _membership(self) -> Floats:
        """Which block belongs to which source: shape (sources, blocks), ones and zeros."""
        blocks = [block.source for block in self.layout.blocks]
        return np.equal.outer(self.layout.sources, blocks).astype(np.float64)

    @cached_property
    def _marks(self) -> Flags:
        """Which blocks say that a value is missing: they are read, and not judged."""
        pairs = zip(self.layout.blocks, self.layout.blocks[1:], strict=False)
        marks = [b.loss is Loss.BINARY and b.column == before.column for before, b in pairs]
        return np.array([False, *marks])

    def reconstruct(self, features: FeatureMatrix) -> Floats:  # noqa: D102
        weight_0, bias_0, weight_1, bias_1 = self._layers[features.values.dtype.type]
        hidden = matrix_product(features.values, weight_0)
        hidden += bias_0
        np.maximum(hidden, 0.0, out=hidden)
        rebuilt = matrix_product(hidden, weight_1)
        rebuilt += bias_1
        return rebuilt

    def block_losses(self, features: FeatureMatrix) -> Floats:  # noqa: D102
        surprise = surprises(features.values, self.reconstruct(features), self.layout)
        surprise[:, self._marks] = 0.0
        return np.square(surprise, out=surprise)

    def contributions(self, features: FeatureMatrix) -> Floats:  # noqa: D102
        losses = self.block_losses(features)
        return matrix_product(losses, self._membership.astype(losses.dtype))

    def score(self, features: FeatureMatrix) -> Floats:  # noqa: D102
        total: Floats = self.block_losses(features).sum(axis=1)
        return total

    def tensors(self) -> dict[str, Floats]:  # noqa: D102
        return {
            "weight_0": self.weights[0],
            "bias_0": self.biases[0],
            "weight_1": self.weights[1],
            "bias_1": self.biases[1],
        }


def surprises(given: Floats, rebuilt: Floats, layout: Layout) -> Floats:
    """Return how far each block is from its reconstruction: shape (rows, layout.blocks), >= 0.

    Numbers: the distance, root mean square over a block of several. Others: cross-entropy in nats.
    """
    result = np.empty((len(given), len(layout.blocks)), dtype=given.dtype)
    single = [
        (place, block.start)
        for place, block in enumerate(layout.blocks)
        if block.loss is Loss.SQUARED and block.width == 1
    ]
    if single:
        places, columns = (list(part) for part in zip(*single, strict=True))
        result[:, places] = np.abs(given[:, columns] - rebuilt[:, columns])
    for place, block in enumerate(layout.blocks):
        if block.loss is not Loss.SQUARED or block.width > 1:
            result[:, place] = _surprise(given[:, block.span], rebuilt[:, block.span], block)
    return result


def _surprise(given: Floats, rebuilt: Floats, block: Block) -> Floats:
    if block.loss is Loss.SQUARED:
        distance: Floats = np.sqrt(np.square(given - rebuilt).mean(axis=1))
        return distance
    if block.loss is Loss.BINARY:
        logit = rebuilt[:, 0]
        softplus: Floats = np.log1p(np.exp(-np.abs(logit))) + np.maximum(logit, 0.0)
        return np.maximum(softplus - given[:, 0] * logit, 0.0)
    logits = rebuilt - rebuilt.max(axis=1, keepdims=True)
    entropy: Floats = np.log(np.exp(logits).sum(axis=1)) - (given * logits).sum(axis=1)
    return np.maximum(entropy, 0.0)
