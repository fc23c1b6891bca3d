"""Training of the autoencoder's members with PyTorch, one thread, the same for one seed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from adlib.arrays import FeatureMatrix, Floats, Layout, Loss
from adlib.errors import ModelError

if TYPE_CHECKING:
    from adlib.detectors.autoencoder import AutoencoderSettings
    from adlib.detectors.base import Progress

_LEAST_FALL = 1e-3
"""Share by which the validation loss has to fall for a fit to count as one."""
_CONSTANT_SLACK = 0.01
"""A loss that did not fall is no failure within this share of the loss of constant values: where
columns do not depend on each other, as in a table of one column, there is nothing to learn."""
_CHECKS = 20
"""How often in a fit the validation loss is looked at."""
_PATIENCE = 4
"""After so many looks without a better validation loss training stops."""
_VALIDATION_ROWS = 4096
"""More rows than these say nothing new about when to stop."""


@dataclass(frozen=True)
class TrainedNetwork:
    """The members as one network, and how the training went."""

    weights: tuple[Floats, Floats]
    biases: tuple[Floats, Floats]
    steps: int
    validation_loss: float


def train_network(
    features: FeatureMatrix,
    settings: AutoencoderSettings,
    *,
    seed: int,
    progress: Progress | None,
) -> TrainedNetwork:
    """Train until the validation loss stops falling; keep the weights of the best look at it.

    Raises:
        ModelError: if the loss becomes infinite or does not fall.
    """
    learned, validation = _split(features, settings.validation_fraction)
    usual = usual_values(learned, features.layout)
    constant = BlockLosses(features.layout)(validation, usual[None].expand_as(validation))
    with _reproducible(seed):
        members = Members(features.layout, settings)
        first = _Training(members, settings).validation_loss(validation)
        steps, best = _train(members, settings, learned, validation, progress)
    _refuse_failed_fit(first, best, float(constant.sum(dim=1).mean()))
    weights, biases = members.as_one_network(usual)
    return TrainedNetwork(weights, biases, steps, best)


def _train(
    members: Members,
    settings: AutoencoderSettings,
    learned: Tensor,
    validation: Tensor,
    progress: Progress | None,
) -> tuple[int, float]:
    """Train the members to the best state that is found; return its step and validation loss."""
    training = _Training(members, settings)
    every = max(1, settings.steps // _CHECKS)
    best, best_step, best_state = training.validation_loss(validation), 0, members.state()
    for step in range(1, settings.steps + 1):
        training.run_step(learned, step)
        if step % every and step < settings.steps:
            continue
        loss = training.validation_loss(validation)
        if progress is not None:
            progress(step, settings.steps, loss)
        if not np.isfinite(loss):
            return step, loss
        if loss < best:
            best, best_step, best_state = loss, step, members.state()
        elif step - best_step >= _PATIENCE * every:
            break
    members.load_state_dict(best_state)
    return best_step, best


class Members(nn.Module):
    """Small networks side by side, each judged by how it rebuilds the columns it is blind to."""

    def __init__(self, layout: Layout, settings: AutoencoderSettings) -> None:
        super().__init__()
        self.block_losses = BlockLosses(layout)
        self.usual_fraction = settings.usual_fraction
        members, hidden, width = settings.members, settings.hidden, layout.width
        names = list(dict.fromkeys(block.column for block in layout.blocks))
        column = torch.tensor([names.index(block.column) for block in layout.blocks])
        widths = torch.tensor([block.width for block in layout.blocks])
        blind = self._draw_blindness(members, len(names), settings.blind_fraction)
        self.judged = (blind / blind.sum(dim=0))[:, column]
        """Weight of each member in each block's reconstruction: shape (members, blocks)."""
        self.reads = (1.0 - blind)[:, column].repeat_interleave(widths, dim=1)
        """Ones and zeros: shape (members, width)."""
        self.voice = self.judged.repeat_interleave(widths, dim=1)
        """`judged` by column of the matrix: shape (members, width)."""
        fan_in = self.reads.sum(dim=1).clamp(min=1.0).clamp(max=float(len(names)))[:, None, None]
        self.weight_0 = nn.Parameter(torch.randn(members, width, hidden) / fan_in.sqrt())
        self.bias_0 = nn.Parameter(torch.zeros(members, 1, hidden))
        self.weight_1 = nn.Parameter(torch.randn(members, hidden, width) * 0.5 / hidden**0.5)
        self.bias_1 = nn.Parameter(torch.zeros(members, 1, width))

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

    def losses(self, rows: Tensor) -> Tensor:
        """Return each row's loss under each member, over what it is blind to: (members, rows)."""
        losses = self.block_losses(rows, self(rows))
        return (losses * self.judged[:, None, :]).sum(dim=2)

    def state(self) -> dict[str, Tensor]:
        """Return a copy of all parameters."""
        return {name: tensor.detach().clone() for name, tensor in self.named_parameters()}

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
        return (_array(weight_0), _array(weight_1)), (_array(bias_0), _array(bias_1))


class _Training:
    """The optimiser and what one step of it does."""

    def __init__(self, members: Members, settings: AutoencoderSettings) -> None:
        self.members = members
        self.settings = settings
        self.optimiser = torch.optim.Adam(members.parameters(), lr=settings.learning_rate)

    def run_step(self, rows: Tensor, step: int) -> None:
        """Learn from one batch; the rate falls in a straight line over the second half."""
        rate = self.settings.learning_rate * min(
            1.0, 2.0 * (1.0 - step / (self.settings.steps + 1))
        )
        self.optimiser.param_groups[0]["lr"] = rate
        batch = rows[torch.randint(len(rows), (self.settings.batch_rows,))]
        self.optimiser.zero_grad(set_to_none=True)
        self._trimmed(self.members.losses(batch)).mean(dim=1).sum().backward()
        self.optimiser.step()

    def _trimmed(self, losses: Tensor) -> Tensor:
        """Leave out the rows that each member rebuilds worst."""
        kept = max(1, round(losses.shape[1] * (1.0 - self.settings.trim_fraction)))
        return losses.topk(kept, dim=1, largest=False, sorted=False).values

    @torch.no_grad()
    def validation_loss(self, rows: Tensor) -> float:
        """Return the mean loss over rows that are not learned from, the worst left out as well."""
        return float(self._trimmed(self.members.losses(rows)).mean(dim=1).sum())


class BlockLosses:
    """Each block's loss: squared error of numbers, cross-entropy in nats of the others.

    Blocks of one column are judged together: a gradient for each of a thousand slices would take
    longer than the network.
    """

    def __init__(self, layout: Layout) -> None:
        blocks = list(enumerate(layout.blocks))
        single = [(i, b) for i, b in blocks if b.loss is Loss.SQUARED and b.width == 1]
        binary = [(i, b) for i, b in blocks if b.loss is Loss.BINARY]
        self.single = torch.tensor([b.start for _, b in single], dtype=torch.long)
        self.binary = torch.tensor([b.start for _, b in binary], dtype=torch.long)
        wide = [(i, b) for i, b in blocks if b.width > 1 or b.loss is Loss.CATEGORY]
        self.wide = [block for _, block in wide]
        order = [place for place, _ in (*single, *binary, *wide)]
        self.places = torch.tensor(order, dtype=torch.long).argsort()

    def __call__(self, given: Tensor, rebuilt: Tensor) -> Tensor:
        """Return the losses: the leading axes of `rebuilt`, then one of layout.blocks."""
        difference = given[..., self.single] - rebuilt[..., self.single]
        logit = rebuilt[..., self.binary]
        losses = [difference.square(), functional.softplus(logit) - given[..., self.binary] * logit]
        for block in self.wide:
            x, y = given[..., block.span], rebuilt[..., block.span]
            if block.loss is Loss.SQUARED:
                losses.append((x - y).square().mean(dim=-1, keepdim=True))
            else:
                entropy = -(x * functional.log_softmax(y, dim=-1)).sum(dim=-1, keepdim=True)
                losses.append(entropy)
        return torch.cat(losses, dim=-1)[..., self.places]


def usual_values(rows: Tensor, layout: Layout) -> Tensor:
    """Return the reconstruction that needs no input: medians, and logits of the frequencies."""
    usual = rows.median(dim=0).values
    frequency = (rows.sum(dim=0) + 0.5) / (len(rows) + 1.0)
    for block in layout.blocks:
        share = frequency[block.span]
        if block.loss is Loss.BINARY:
            usual[block.span] = share.logit()
        elif block.loss is Loss.CATEGORY:
            usual[block.span] = share.log()
    return usual


def _split(features: FeatureMatrix, validation_fraction: float) -> tuple[Tensor, Tensor]:
    """Set the last rows apart; a single row serves as both."""
    rows = torch.from_numpy(np.ascontiguousarray(features.values, dtype=np.float32))
    kept = max(1, round(len(rows) * (1.0 - validation_fraction)))
    return rows[:kept], rows[min(kept, len(rows) - 1) :][:_VALIDATION_ROWS]


def _array(tensor: Tensor) -> Floats:
    return np.ascontiguousarray(tensor.numpy())


@contextmanager
def _reproducible(seed: int) -> Iterator[None]:
    """Seed PyTorch and use one thread, and leave both as they were."""
    threads = torch.get_num_threads()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(threads)


def _refuse_failed_fit(first: float, best: float, constant: float) -> None:
    advice = "Look at the feature notes of the training log for columns with absurd values."
    if not np.isfinite(first) or not np.isfinite(best):
        why = f"the validation loss is not finite ({first:g} before training, {best:g} at last)"
        raise ModelError.degenerate(why, advice)
    fell = best <= first * (1.0 - _LEAST_FALL)
    if not fell and best > constant * (1.0 + _CONSTANT_SLACK):
        why = f"the validation loss did not fall (from {first:g} to {best:g})"
        raise ModelError.degenerate(why, "Raise detector.steps or detector.learning_rate.")
