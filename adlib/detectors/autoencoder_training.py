"""Training of the autoencoder's members with PyTorch, one thread, the same for one seed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from adlib.arrays import FeatureMatrix, Floats, Layout, Loss
from adlib.detectors.classes import ValueClasses
from adlib.detectors.network_training import (
    BlockLosses,
    Rows,
    Schedule,
    TrainedModule,
    all_rows,
    as_array,
    reproducible,
    spread_of_losses,
    train_module,
    usual_values,
)

if TYPE_CHECKING:
    from adlib.detectors.autoencoder import AutoencoderSettings
    from adlib.detectors.base import Progress

_LOOKED_AT = 1024
_MOST_CELLS = 100_000
"""Rows times columns of a member's batch: a step on a wide table learns from fewer rows."""
_FEWEST_ROWS = 64
_LEAST_ENTROPY = 0.05
"""Nats by which a category's loss is divided at the least, so that one that hardly varies does not
drown the rest."""
_POWER = 1.5
"""Of the distance of a number, between the median's and the mean's."""


@dataclass(frozen=True)
class TrainedNetwork:
    """The members as one network, and how the training went."""

    weights: tuple[Floats, Floats]
    biases: tuple[Floats, Floats]
    steps: int
    loss: float


def train_network(
    features: FeatureMatrix,
    classes: ValueClasses,
    settings: AutoencoderSettings,
    *,
    seed: int,
    progress: Progress | None,
) -> TrainedNetwork:
    """Train until the entropy of the losses stops falling; keep the weights of the best look at it.

    Raises:
        ModelError: if the loss becomes infinite or does not fall.
    """
    wanted = classes.classes(features)
    rows = all_rows(features, wanted)
    schedule = Schedule(
        settings.steps, settings.batch_rows, settings.learning_rate, settings.trim_fraction
    )
    usual = usual_values(rows.wanted, wanted.layout)
    with reproducible(seed):
        members = Members(features.layout, wanted.layout, settings)
        members.start_from(usual, rows)
        looked_at = rows[torch.randperm(len(rows))[:_LOOKED_AT]]
        steps, loss = train_module(members, schedule, rows, looked_at, progress)
    weights, biases = members.as_one_network(usual)
    return TrainedNetwork(weights, biases, steps, loss)


class Members(TrainedModule):
    """Small networks side by side that repair spoilt rows, each spoilt to another degree."""

    def __init__(self, layout: Layout, rebuilt: Layout, settings: AutoencoderSettings) -> None:
        """Read rows of `layout`; rebuild them in `rebuilt`, the same blocks by class."""
        super().__init__()
        self.layout = rebuilt
        self.settings = settings
        self.block_losses = BlockLosses(rebuilt)
        blocks, members = layout.blocks, settings.members
        self.widths = torch.tensor([block.width for block in blocks])
        self.is_number = torch.tensor([block.loss is Loss.SQUARED for block in blocks])
        noisy = self.is_number.repeat_interleave(self.widths).float()
        levels = torch.logspace(-1.0, 0.0, members) * settings.most_noise
        self.noise = levels[:, None, None] * noisy
        """Standard deviation by member and column: shape (members, 1, width)."""
        self.block_weights = torch.ones(len(blocks))
        hidden = settings.hidden
        self.weight_0 = nn.Parameter(
            torch.randn(members, layout.width, hidden) / max(1, len(blocks)) ** 0.5
        )
        self.bias_0 = nn.Parameter(torch.zeros(members, 1, hidden))
        self.weight_1 = nn.Parameter(
            torch.randn(members, hidden, rebuilt.width) * 0.5 / hidden**0.5
        )
        self.bias_1 = nn.Parameter(torch.zeros(members, 1, rebuilt.width))

    @torch.no_grad()
    def start_from(self, usual: Tensor, rows: Rows) -> None:
        """Begin at the usual values, and weigh each category by what makes its loss ordinary."""
        self.bias_1.copy_(usual.expand_as(self.bias_1))
        some = rows[:_LOOKED_AT].wanted
        entropy = self.block_losses(some, usual[None].expand_as(some)).mean(dim=0)
        weights = 1.0 / entropy.clamp(min=_LEAST_ENTROPY)
        self.block_weights = torch.where(self.is_number, torch.ones_like(weights), weights)

    def batch(self, rows: Rows, size: int) -> Rows:
        """Draw other rows for each member, add noise to numbers and hide some columns."""
        members, width = len(self.noise), rows.given.shape[1]
        size = min(size, max(_FEWEST_ROWS, _MOST_CELLS // width))
        drawn = rows[torch.randint(len(rows), (members, size))]
        hidden = torch.rand(members, size, 1) * 2.0 * self.settings.mask_fraction
        shown = torch.rand(members, size, len(self.widths)) >= hidden
        noise = torch.randn_like(drawn.given) * self.noise
        given = (drawn.given + noise) * shown.float().repeat_interleave(self.widths, dim=2)
        return Rows(given, drawn.wanted)

    def forward(self, rows: Tensor) -> Tensor:
        """Return every member's reconstruction: shape (members, rows, width)."""
        given = rows.expand(len(self.noise), -1, -1)
        hidden = torch.relu(torch.baddbmm(self.bias_0, given, self.weight_0))
        return torch.baddbmm(self.bias_1, hidden, self.weight_1)

    def judge(self, wanted: Tensor, rebuilt: Tensor) -> Tensor:
        """Return the mean loss over the blocks of each row: the leading axes of `rebuilt`."""
        losses = self.block_losses(wanted, rebuilt)
        bent = (losses + 1e-9) ** (_POWER / 2.0)  # without a slope of infinity at no distance
        return (torch.where(self.is_number, bent, losses) * self.block_weights).mean(dim=-1)

    def shortfall(self, losses: Tensor, trimmed_loss: float) -> float:  # noqa: ARG002
        """Return the entropy of how the losses are spread over the rows, summed over members."""
        return spread_of_losses(losses)

    @torch.no_grad()
    def as_one_network(self, usual: Tensor) -> tuple[tuple[Floats, Floats], tuple[Floats, Floats]]:
        """Return the weights and biases of one network that rebuilds as the members' mean does.

        The mean is drawn towards the usual values.
        """
        own = 1.0 - self.settings.usual_fraction
        weight_0 = self.weight_0.transpose(1, 2).flatten(0, 1)
        weight_1 = self.weight_1.flatten(0, 1).T * (own / len(self.noise))
        bias_1 = self.bias_1.mean(dim=(0, 1)) * own + (1.0 - own) * usual
        return (as_array(weight_0), as_array(weight_1)), (
            as_array(self.bias_0.flatten()),
            as_array(bias_1),
        )
