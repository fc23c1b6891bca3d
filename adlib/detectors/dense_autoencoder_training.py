"""Training of the dense autoencoder with PyTorch, one thread, the same for one seed."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from adlib.arrays import FeatureMatrix, Layout
from adlib.detectors.network import Network
from adlib.detectors.network_training import (
    BlockLosses,
    Schedule,
    TrainedModule,
    layers_of,
    reproducible,
    split_rows,
    train_module,
)

if TYPE_CHECKING:
    from adlib.detectors.base import Progress
    from adlib.detectors.dense_autoencoder import DenseAutoencoderSettings


def train_network(
    features: FeatureMatrix,
    settings: DenseAutoencoderSettings,
    *,
    seed: int,
    progress: Progress | None,
) -> tuple[Network, dict[str, float]]:
    """Train until the validation loss stops falling; return the network and figures of the fit.

    Raises:
        ModelError: if the loss becomes infinite or does not fall.
    """
    learned, validation = split_rows(features, features, settings.validation_fraction)
    schedule = Schedule(
        settings.steps, settings.batch_rows, settings.learning_rate, settings.trim_fraction
    )
    with reproducible(seed):
        dense = Dense(features.layout, settings.layers)
        steps, best = train_module(dense, schedule, learned, validation, progress)
    return dense.as_network(), {"steps": float(steps), "validation_loss": best}


class Dense(TrainedModule):
    """Linear layers with max(x, 0) between them."""

    def __init__(self, layout: Layout, hidden: tuple[int, ...]) -> None:
        super().__init__()
        self.layout = layout
        self.block_losses = BlockLosses(layout)
        sizes = (layout.width, *hidden, layout.width)
        self.linear = nn.ModuleList(nn.Linear(read, said) for read, said in pairwise(sizes))

    def forward(self, rows: Tensor) -> Tensor:
        """Return the reconstruction: shape (1, rows, layout.width)."""
        for layer in self.linear[:-1]:
            rows = torch.relu(layer(rows))
        rebuilt: Tensor = self.linear[-1](rows)
        return rebuilt[None]

    def judge(self, wanted: Tensor, rebuilt: Tensor) -> Tensor:
        """Return the mean loss over the blocks of each row: the leading axes of `rebuilt`."""
        return self.block_losses(wanted, rebuilt).mean(dim=-1)

    def as_network(self) -> Network:
        """Return the trained network."""
        return Network(self.layout, *layers_of(self.linear))
