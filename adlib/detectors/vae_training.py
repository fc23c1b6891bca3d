"""Training of the variational autoencoder with PyTorch, one thread, the same for one seed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from adlib.arrays import FeatureMatrix, Floats, Layout
from adlib.detectors.classes import ValueClasses
from adlib.detectors.network_training import (
    BlockLosses,
    Rows,
    Schedule,
    TrainedModule,
    all_rows,
    layers_of,
    reproducible,
    spread_of_losses,
    train_module,
    usual_values,
)
from adlib.detectors.vae import MOST_LOG_VARIANCE

if TYPE_CHECKING:
    from adlib.detectors.base import Progress
    from adlib.detectors.vae import VaeSettings

_LOOKED_AT = 1024


@dataclass(frozen=True)
class TrainedVae:
    """Weights and biases of both networks, and how the training went."""

    encoder: tuple[tuple[Floats, ...], tuple[Floats, ...]]
    decoder: tuple[tuple[Floats, ...], tuple[Floats, ...]]
    steps: int
    loss: float


def train_vae(
    features: FeatureMatrix,
    classes: ValueClasses,
    settings: VaeSettings,
    *,
    seed: int,
    progress: Progress | None,
) -> TrainedVae:
    """Train until the entropy of the losses stops falling; keep the best look at it.

    Raises:
        ModelError: if the loss becomes infinite or does not fall.
    """
    wanted = classes.classes(features)
    rows = all_rows(features, wanted)
    schedule = Schedule(
        settings.steps, settings.batch_rows, settings.learning_rate, settings.trim_fraction
    )
    with reproducible(seed):
        module = Variational(features.layout, classes, settings)
        module.start_from(usual_values(rows.wanted, wanted.layout))
        looked_at = rows[torch.randperm(len(rows))[:_LOOKED_AT]]
        steps, loss = train_module(module, schedule, rows, looked_at, progress)
    return TrainedVae(layers_of(module.encoder), layers_of(module.decoder), steps, loss)


class Variational(TrainedModule):
    """An encoder to the distribution of a code, and a decoder."""

    def __init__(self, layout: Layout, classes: ValueClasses, settings: VaeSettings) -> None:
        """Read rows of `layout`; rebuild them by class."""
        super().__init__()
        self.layout = rebuilt = classes.output_layout
        self.beta = settings.beta
        self.block_losses = BlockLosses(rebuilt)
        self.block_weights = torch.from_numpy(classes.weights * ~layout.marks)
        self.encoder = nn.Sequential(
            nn.Linear(layout.width, settings.hidden),
            nn.ReLU(),
            nn.Linear(settings.hidden, 2 * settings.codes),
        )
        self.decoder = nn.Sequential(
            nn.Linear(settings.codes, settings.hidden),
            nn.ReLU(),
            nn.Linear(settings.hidden, rebuilt.width),
        )

    @torch.no_grad()
    def start_from(self, usual: Tensor) -> None:
        """Begin at the usual values."""
        self.decoder.get_parameter("2.bias").copy_(usual)

    def codes(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and log of the variance of the rows' codes: shape (rows, codes) each."""
        mean, log_variance = self.encoder(rows).chunk(2, dim=-1)
        return mean, log_variance.clamp(max=MOST_LOG_VARIANCE)

    def forward(self, rows: Tensor) -> Tensor:
        """Return the reconstruction from a code drawn for each row: (1, rows, layout.width)."""
        mean, log_variance = self.codes(rows)
        drawn: Tensor = self.decoder(mean + (0.5 * log_variance).exp() * torch.randn_like(mean))
        return drawn[None]

    def judge(self, wanted: Tensor, rebuilt: Tensor) -> Tensor:
        """Return the sum of the blocks' losses of each row: the leading axes of `rebuilt`."""
        return (self.block_losses(wanted, rebuilt) * self.block_weights).sum(dim=-1)

    def losses(self, rows: Rows) -> Tensor:
        """Return each row's negative evidence bound: shape (1, rows)."""
        mean, log_variance = self.codes(rows.given)
        divergence = 0.5 * (mean.square() + log_variance.exp() - log_variance - 1.0).sum(dim=-1)
        return super().losses(rows) + self.beta * divergence

    def shortfall(self, losses: Tensor, trimmed_loss: float) -> float:  # noqa: ARG002
        """Return the entropy of how the losses are spread over the rows."""
        return spread_of_losses(losses)
