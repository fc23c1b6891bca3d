"""Training with PyTorch that every network shares: the loop, when it stops, what a loss is."""

from __future__ import annotations

import abc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from adlib.arrays import FeatureMatrix, Floats, Layout, Loss
from adlib.detectors.base import Progress
from adlib.errors import ModelError

_LEAST_FALL = 1e-3
"""Share by which the validation loss has to fall for a fit to count as one."""
_CONSTANT_SLACK = 0.01
"""A loss that did not fall is no failure within this share of the loss of constant values: where
columns do not depend on each other, as in a table of one column, there is nothing to learn."""
_CHECKS = 20
"""How often in a fit the module is looked at."""
_PATIENCE = 4
"""After so many looks without a better state training stops."""
_VALIDATION_ROWS = 4096
"""More rows than these say nothing new about when to stop."""


@dataclass(frozen=True)
class Schedule:
    """How a network is trained."""

    steps: int
    batch_rows: int
    learning_rate: float
    trim_fraction: float
    """Share of each batch, the worst rebuilt, that is not learned from."""


@dataclass(frozen=True)
class Rows:
    """Rows as a network reads them and as it is to rebuild them."""

    given: Tensor
    """Shape (rows, layout.width)."""
    wanted: Tensor
    """Shape (rows, output layout's width)."""

    def __len__(self) -> int:
        return len(self.given)

    def __getitem__(self, chosen: Tensor | slice) -> Rows:
        return Rows(self.given[chosen], self.wanted[chosen])


def all_rows(features: FeatureMatrix, wanted: FeatureMatrix) -> Rows:
    """Return rows as a network reads them."""
    return Rows(*(torch.from_numpy(part.one_hot()).float() for part in (features, wanted)))


def split_rows(
    features: FeatureMatrix, wanted: FeatureMatrix, validation_fraction: float
) -> tuple[Rows, Rows]:
    """Set the last rows apart; a single row serves as both."""
    rows = all_rows(features, wanted)
    kept = max(1, round(len(rows) * (1.0 - validation_fraction)))
    return rows[:kept], rows[min(kept, len(rows) - 1) :][:_VALIDATION_ROWS]


class TrainedModule(nn.Module, abc.ABC):
    """One or more networks side by side."""

    layout: Layout
    """Of what they rebuild."""

    @abc.abstractmethod
    def forward(self, rows: Tensor) -> Tensor:
        """Return the reconstruction of rows: shape (networks, rows, layout.width)."""

    @abc.abstractmethod
    def judge(self, wanted: Tensor, rebuilt: Tensor) -> Tensor:
        """Return the loss of each row: the leading axes of `rebuilt`."""

    def losses(self, rows: Rows) -> Tensor:
        """Return each row's loss under each network: shape (networks, rows)."""
        return self.judge(rows.wanted, self(rows.given))

    def batch(self, rows: Rows, size: int) -> Rows:
        """Draw what is learned from in one step."""
        return rows[torch.randint(len(rows), (size,))]

    def shortfall(self, losses: Tensor, trimmed_loss: float) -> float:  # noqa: ARG002 - others do
        """Say how far from best a state is by which rows have these losses: (networks, rows)."""
        return trimmed_loss

    def state(self) -> dict[str, Tensor]:
        """Return a copy of all parameters."""
        return {name: tensor.detach().clone() for name, tensor in self.named_parameters()}


def train_module(
    module: TrainedModule,
    schedule: Schedule,
    learned: Rows,
    looked_at: Rows,
    progress: Progress | None,
) -> tuple[int, float]:
    """Train until the module's shortfall stops falling; return the best look's step and loss.

    Raises:
        ModelError: if the loss becomes infinite or does not fall.
    """
    training = _Training(module, schedule)
    first = training.look(looked_at).loss
    step, best = _run(training, learned, looked_at, progress)
    usual = usual_values(learned.wanted, module.layout)
    refuse_failed_fit(first, best, training.constant_loss(looked_at, usual))
    return step, best


def _run(
    training: _Training, learned: Rows, looked_at: Rows, progress: Progress | None
) -> tuple[int, float]:
    """Train the module to the best state that is found; return its step and loss."""
    module, settings = training.module, training.schedule
    every = max(1, settings.steps // _CHECKS)
    best, best_step, best_state = training.look(looked_at), 0, module.state()
    for step in range(1, settings.steps + 1):
        training.run_step(learned)
        training.slow_down(step)
        if step % every and step < settings.steps:
            continue
        look = training.look(looked_at)
        if progress is not None:
            progress(step, settings.steps, look.loss)
        if not np.isfinite(look.loss):
            return step, look.loss
        if best_step == 0 or look.shortfall < best.shortfall:
            best, best_step, best_state = look, step, module.state()
        elif step - best_step >= _PATIENCE * every:
            break
    module.load_state_dict(best_state)
    return best_step, best.loss


@dataclass(frozen=True)
class _Look:
    """How good a state is."""

    loss: float
    shortfall: float


class _Training:
    """The optimiser and what one step of it does."""

    def __init__(self, module: TrainedModule, schedule: Schedule) -> None:
        self.module = module
        self.schedule = schedule
        self.optimiser = torch.optim.Adam(module.parameters(), lr=schedule.learning_rate)

    def run_step(self, rows: Rows) -> None:
        """Learn from one batch."""
        batch = self.module.batch(rows, self.schedule.batch_rows)
        self.optimiser.zero_grad(set_to_none=True)
        self._trimmed(self.module.losses(batch)).mean(dim=1).sum().backward()
        self.optimiser.step()

    def slow_down(self, step: int) -> None:
        """Let the rate fall in a straight line over the second half."""
        left = 2.0 * (1.0 - (step + 1) / (self.schedule.steps + 1))
        self.optimiser.param_groups[0]["lr"] = self.schedule.learning_rate * min(1.0, left)

    def _trimmed(self, losses: Tensor) -> Tensor:
        """Leave out the rows that each network rebuilds worst."""
        kept = max(1, round(losses.shape[1] * (1.0 - self.schedule.trim_fraction)))
        return losses.topk(kept, dim=1, largest=False, sorted=False).values

    @torch.no_grad()
    def look(self, rows: Rows) -> _Look:
        """Measure the state; the loss is a mean over rows, the worst of them left out."""
        losses = self.module.losses(rows)
        loss = float(self._trimmed(losses).mean())
        return _Look(loss, self.module.shortfall(losses, loss))

    @torch.no_grad()
    def constant_loss(self, rows: Rows, usual: Tensor) -> float:
        """Return the loss of saying what is usual, whatever the row."""
        losses = self.module.judge(rows.wanted, usual.expand(1, *rows.wanted.shape))
        return float(self._trimmed(losses).mean())


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


def spread_of_losses(losses: Tensor) -> float:
    """Return the entropy of how losses, (networks, rows), are spread over the rows, summed.

    It is least where few rows hold most of the loss: when what is ordinary is learned and what is
    strange is not yet (EntropyStop; Huang et al., KDD 2024, section 4).
    """
    shares = losses / losses.sum(dim=1, keepdim=True).clamp(min=1e-12)
    return float(-(shares * (shares + 1e-12).log()).sum())


def layers_of(module: nn.Module) -> tuple[tuple[Floats, ...], tuple[Floats, ...]]:
    """Return weights and biases of a module's linear layers, in order."""
    linear = [layer for layer in module.modules() if isinstance(layer, nn.Linear)]
    with torch.no_grad():
        parameters = [(as_array(layer.weight), as_array(layer.bias)) for layer in linear]
    weights, biases = zip(*parameters, strict=True)
    return weights, biases


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


def as_array(tensor: Tensor) -> Floats:
    """Return a tensor as a contiguous array."""
    return np.ascontiguousarray(tensor.detach().numpy())


@contextmanager
def reproducible(seed: int) -> Iterator[None]:
    """Seed PyTorch and use one thread, and leave both as they were."""
    threads = torch.get_num_threads()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(threads)


def refuse_failed_fit(first: float, best: float, constant: float) -> None:
    """Refuse a network that learned nothing.

    The losses are those before training, of the state that is kept, and of saying what is usual.

    Raises:
        ModelError: if the loss is not finite, or neither fell nor is that of what is usual.
    """
    advice = "Look at the feature notes of the training log for columns with absurd values."
    if not np.isfinite(first) or not np.isfinite(best):
        why = f"the validation loss is not finite ({first:g} before training, {best:g} at last)"
        raise ModelError.degenerate(why, advice)
    fell = best <= first * (1.0 - _LEAST_FALL)
    if not fell and best > constant * (1.0 + _CONSTANT_SLACK):
        why = f"the validation loss did not fall (from {first:g} to {best:g})"
        slow = "Raise detector.steps or detector.learning_rate."
        wild = "Lower detector.learning_rate, or raise detector.steps."
        raise ModelError.degenerate(why, wild if best > first else slow)
