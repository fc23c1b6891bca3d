"""Training of the autoencoder's members with PyTorch, one thread, the same for one seed."""

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
    as_array,
    reproducible,
    split_rows,
    train_module,
    usual_values,
)

if TYPE_CHECKING:
    from adlib.detectors.autoencoder import AutoencoderSettings
    from adlib.detectors.base import Progress


@dataclass(frozen=True)
class TrainedNetwork:
    """The members as one network, and how the training went."""

    weights: tuple[Floats, Floats]
    biases: tuple[Floats, Floats]
    steps: int
    validation_loss: float


def train_network(
    features: FeatureMatrix,
    classes: ValueClasses,
    settings: AutoencoderSettings,
    *,
    seed: int,
    progress: Progress | None,
) -> TrainedNetwork:
    """Train until the validation loss stops falling; keep the weights of the best look at it.

    Raises:
        ModelError: if the loss becomes infinite or does not fall.
    """
    wanted = classes.classes(features)
    learned, validation = split_rows(features, wanted, settings.validation_fraction)
    schedule = Schedule(
        settings.steps, settings.batch_rows, settings.learning_rate, settings.trim_fraction
    )
    with reproducible(seed):
        members = Members(features.layout, wanted.layout, settings)
        steps, best = train_module(members, schedule, learned, validation, progress)
    usual = usual_values(learned.wanted, wanted.layout)
    weights, biases = members.as_one_network(usual)
    return TrainedNetwork(weights, biases, steps, best)


class Members(TrainedModule):
    """Small networks side by side, each judged by how it rebuilds the columns it is blind to."""

    def __init__(self, layout: Layout, rebuilt: Layout, settings: AutoencoderSettings) -> None:
        """Read rows of `layout`; rebuild them in `rebuilt`, the same blocks by class."""
        super().__init__()
        self.layout = rebuilt
        self.block_losses = BlockLosses(rebuilt)
        self.usual_fraction = settings.usual_fraction
        members, hidden = settings.members, settings.hidden
        names = list(dict.fromkeys(block.column for block in layout.blocks))
        column = torch.tensor([names.index(block.column) for block in layout.blocks])
        read, said = (
            torch.tensor([block.width for block in blocks])
            for blocks in (layout.blocks, rebuilt.blocks)
        )
        blind = self._draw_blindness(members, len(names), settings.blind_fraction)
        self.judged = (blind / blind.sum(dim=0))[:, column]
        """Weight of each member in each block's reconstruction: shape (members, blocks)."""
        self.reads = (1.0 - blind)[:, column].repeat_interleave(read, dim=1)
        """Ones and zeros: shape (members, width)."""
        self.voice = self.judged.repeat_interleave(said, dim=1)
        """`judged` by column of what is rebuilt: shape (members, rebuilt.width)."""
        fan_in = self.reads.sum(dim=1).clamp(min=1.0).clamp(max=float(len(names)))[:, None, None]
        self.weight_0 = nn.Parameter(torch.randn(members, layout.width, hidden) / fan_in.sqrt())
        self.bias_0 = nn.Parameter(torch.zeros(members, 1, hidden))
        self.weight_1 = nn.Parameter(
            torch.randn(members, hidden, rebuilt.width) * 0.5 / hidden**0.5
        )
        self.bias_1 = nn.Parameter(torch.zeros(members, 1, rebuilt.width))

    @staticmethod
    def _draw_blindness(members: int, columns: int, blind_fraction: float) -> Tensor:
        """Hide each column from as many members, drawn by chance: shape (members, columns)."""
        blind_members = min(max(1, round(members * blind_fraction)), members)
        ranks = torch.rand(members, columns).argsort(dim=0)
        return (ranks < blind_members).float()

    def forward(self, rows: Tensor) -> Tensor:
        """Return every member's reconstruction: shape (members, rows, width)."""
        visible = rows * self.reads[:, None, :]
        hidden = torch.relu(torch.baddbmm(self.bias_0, visible, self.weight_0))
        return torch.baddbmm(self.bias_1, hidden, self.weight_1)

    def losses(self, rows: Rows) -> Tensor:
        """Return each row's loss under each member, over what it is blind to: (members, rows)."""
        losses = self.block_losses(rows.wanted, self(rows.given))
        return (losses * self.judged[:, None, :]).sum(dim=2)

    @torch.no_grad()
    def as_one_network(self, usual: Tensor) -> tuple[tuple[Floats, Floats], tuple[Floats, Floats]]:
        """Return the weights and biases of one network that rebuilds as the members' mean does.

        The mean is drawn towards the usual values.
        """
        own = 1.0 - self.usual_fraction
        voice = self.voice * own
        weight_0 = (self.weight_0 * self.reads[:, :, None]).transpose(1, 2).flatten(0, 1)
        weight_1 = (self.weight_1 * voice[:, None, :]).flatten(0, 1).T
        bias_1 = (self.bias_1[:, 0] * voice).sum(dim=0) + (1.0 - own) * usual
        bias_0 = self.bias_0.flatten()
        return (as_array(weight_0), as_array(weight_1)), (as_array(bias_0), as_array(bias_1))
