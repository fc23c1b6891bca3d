"""A variational autoencoder: how unlikely a row is under a distribution that was learned.

Good where ordinary rows vary smoothly in a few hidden causes, each with noise: sensors, usage
figures. Not at crowds of like anomalies, nor at relations sharper than the noise that its codes
carry: what is learned is a blurred picture. Cost of a fit: as long as `steps` say, whatever the
rows; of a score: (columns + `samples` x columns) x hidden units a row.

The encoder says where a row's code lies and how surely; the decoder says what such a code usually
becomes (Kingma and Welling, ICLR 2014). The score is the negative evidence bound (their equation
3, without constants): the squared distance of numbers and the cross-entropy of others, averaged
over a few codes whose noise is drawn once by the seed and kept, so that a row always has the same
score; and `beta` times the divergence of the row's code from the usual ones (Higgins et al., ICLR
2017), which is shared among the columns as the rest is. The nats of a category count by what is
usual in it, so that one of many values does not drown the rest. The least likely rows of each batch
are left out, and learning stops when few rows hold most of the loss, as with `autoencoder`.

Measured on 10,000 connections of KDD 99, learned from and scored, 1% of them attacks, 70 encoded
columns: AUROC 0.995, average precision 0.65, 1.6 µs a row of one core.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

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
from adlib.detectors.classes import ValueClasses
from adlib.detectors.network import (
    Network,
    column_sum,
    errors,
    layout_of_numbers,
    matrix_of_numbers,
    share_out,
)
from adlib.detectors.parts import joined, part_of

if TYPE_CHECKING:
    from adlib.detectors.vae_training import TrainedVae

MOST_LOG_VARIANCE = 6.0
"""Of a code: beyond, one step of training could overflow."""


@dataclass(frozen=True)
class VaeSettings(DetectorSettings):
    """Hyper-parameters of the variational autoencoder."""

    hidden: int = setting(
        32, "Units of the encoder's and of the decoder's hidden layer.", ge=1, le=4096
    )
    codes: int = setting(8, "Numbers of a row's code.", ge=1, le=1024)
    beta: float = setting(1.0, "What the divergence of the codes counts.", ge=0.0, le=1000.0)
    samples: int = setting(4, "How many codes of a row are decoded.", ge=1, le=256)
    steps: int = setting(600, "At most so many steps of learning.", ge=1, le=1_000_000)
    batch_rows: int = setting(256, "Rows of a step.", ge=1, le=1_000_000)
    learning_rate: float = setting(0.003, "Of the optimiser.", gt=0.0, le=10.0)
    trim_fraction: float = setting(
        0.15,
        "Share of each batch, the least likely rows, that is not learned from.",
        ge=0.0,
        lt=1.0,
    )
    most_classes: int = setting(
        16, "Values of a category that are told apart, rarer ones share the last.", ge=2, le=100_000
    )
    kind: ClassVar[str] = "vae"

    def fit(  # noqa: D102 - said on the base
        self, features: FeatureMatrix, *, seed: int, progress: Progress | None
    ) -> Vae:
        from adlib.detectors.vae_training import train_vae  # noqa: PLC0415

        classes = ValueClasses.fit(features, self.most_classes)
        trained = train_vae(features, classes, self, seed=seed, progress=progress)
        noise = np.random.default_rng(seed).standard_normal((self.samples, self.codes))
        fitted = self.made_of(trained, noise, classes)
        refuse_equal_scores(fitted, features)
        return fitted

    def made_of(self, trained: TrainedVae, noise: Floats, classes: ValueClasses) -> Vae:
        """Return the detector that scores with trained networks."""
        return Vae(
            classes.layout,
            self,
            Network(classes.layout, *trained.encoder),
            Network(layout_of_numbers(self.codes), *trained.decoder),
            noise.astype(np.float32),
            classes,
            metrics={"steps": float(trained.steps), "loss": trained.loss},
        )

    def restore(self, layout: Layout, tensors: Tensors) -> Vae:  # noqa: D102
        outputs = ValueClasses.outputs_of(tensors)
        networks = {
            "encoder": Network.shapes((layout.width, self.hidden, 2 * self.codes)),
            "decoder": Network.shapes((self.codes, self.hidden, outputs)),
        }
        own = {"noise": (self.samples, self.codes)}
        refuse_other_shapes(tensors, joined(networks) | ValueClasses.shapes(layout) | own)
        return Vae(
            layout,
            self,
            Network.restore(layout, part_of(tensors, "encoder")),
            Network.restore(layout_of_numbers(self.codes), part_of(tensors, "decoder")),
            np.asarray(tensors["noise"], dtype=np.float32),
            ValueClasses.restore(layout, tensors),
        )


@dataclass(frozen=True, eq=False)
class Vae(Detector):
    """A fitted variational autoencoder."""

    settings: VaeSettings
    encoder: Network
    """From a row to the mean and the log of the variance of its code."""
    decoder: Network
    noise: Floats
    """Standard normal: shape (samples, codes), float32."""
    classes: ValueClasses
    kind: ClassVar[str] = "vae"

    def score(self, features: FeatureMatrix, buffers: Buffers | None = None) -> Floats:  # noqa: D102
        losses, _ = self._losses(features, buffers or Buffers())
        return column_sum(losses)

    def judge(self, features: FeatureMatrix) -> Judgement:  # noqa: D102
        losses, outputs = self._losses(features, Buffers())
        expected = np.ascontiguousarray(self.classes.by_value(outputs).T)
        return Judgement(column_sum(losses), np.ascontiguousarray(losses.T), expected)

    def codes(self, features: FeatureMatrix) -> Floats:  # noqa: D102
        return self.encoder.outputs(features, Buffers())[: self.settings.codes].T

    def _losses(self, features: FeatureMatrix, buffers: Buffers) -> tuple[Floats, Floats]:
        """Return what each block adds, (blocks, rows), and the mean of what was decoded."""
        mean, log_variance = np.split(self.encoder.outputs(features, buffers).copy(), 2)
        log_variance = np.minimum(log_variance, MOST_LOG_VARIANCE)
        spread = np.exp(0.5 * log_variance)
        losses, decoded = self._distances(features, mean, spread, buffers)
        self.classes.add_surplus(losses, features)
        self.classes.weigh(losses)
        losses[self.layout.marks] = 0.0
        divergence = 0.5 * column_sum(np.square(mean) + np.square(spread) - log_variance - 1.0)
        share_out(losses, self.settings.beta * np.maximum(divergence, 0.0))
        return losses, decoded

    def _distances(
        self, features: FeatureMatrix, mean: Floats, spread: Floats, buffers: Buffers
    ) -> tuple[Floats, Floats]:
        """Return the blocks' errors, (blocks, rows), and what was decoded: means over codes."""
        wanted = self.classes.classes(features)
        losses = np.zeros((len(self.layout.blocks), len(features)), dtype=mean.dtype)
        decoded = np.zeros((wanted.layout.width, len(features)), dtype=mean.dtype)
        for noise in self.noise.astype(mean.dtype):
            drawn = mean + spread * noise[:, None]
            outputs = self.decoder.outputs(matrix_of_numbers(drawn), buffers)
            losses += errors(wanted, outputs, buffers) / len(self.noise)
            decoded += outputs / len(self.noise)
        return losses, decoded

    def tensors(self) -> Tensors:  # noqa: D102
        networks = {"encoder": self.encoder.tensors(), "decoder": self.decoder.tensors()}
        return joined(networks) | self.classes.tensors() | {"noise": self.noise}
