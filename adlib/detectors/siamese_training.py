"""Training of the Siamese network with PyTorch, one thread, the same for one seed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from adlib.arrays import FeatureMatrix, Floats, Loss
from adlib.detectors.network_training import all_rows, as_array, reproducible
from adlib.detectors.space import Space
from adlib.errors import ModelError

if TYPE_CHECKING:
    from adlib.detectors.base import Progress
    from adlib.detectors.siamese import SiameseSettings

_LOOKS = 20
_LOOKED_AT = 1024
_NOISE = 0.2
"""On what belongs together, in spreads of each column."""
_MOST_NOISE = 3.0
"""On all numbers of some planted rows, in spreads."""
_PLANTED_SHARE = 0.3
"""Most of a planted row's columns in which a value is swapped or shifted, on average."""
_LEAST_SHIFT, _LARGEST_SHIFT = 1.0, 4.0
"""Of a planted number, in spreads."""
_NEAREST = 4
"""So many of a batch's rows, the most alike, are what a row is paired with."""


@dataclass(frozen=True)
class TrainedSiamese:
    """The network's weights and biases, codes of the last rows, and the loss at last."""

    network: tuple[tuple[Floats, ...], tuple[Floats, ...]]
    prototypes: Floats
    loss: float


def train_siamese(
    features: FeatureMatrix, settings: SiameseSettings, *, seed: int, progress: Progress | None
) -> TrainedSiamese:
    """Train on pairs, then code the prototypes.

    Raises:
        ModelError: if the loss becomes infinite, or planted rows lie no farther off than others.
    """
    space = Space.fit(features, settings.most_columns, seed, settings.kind)
    rows = all_rows(features, features).given
    with reproducible(seed):
        twins, planting = Twins(space, settings), Planting(space)
        loss = _train(twins, planting, rows, settings, progress)
        refuse_failed_fit(twins, planting, rows, loss)
    with torch.no_grad():
        prototypes = as_array(twins(rows[-settings.prototypes :]))
    return TrainedSiamese(twins.folded(), prototypes, loss)


class Twins(nn.Module):
    """The one network that both rows of a pair go through, as points of a space."""

    def __init__(self, space: Space, settings: SiameseSettings) -> None:
        """Begin with directions by chance, which keep distances well enough for a start."""
        super().__init__()
        scale = torch.from_numpy(space.scale)
        is_projected = space.is_projected
        self.to_points = (
            torch.from_numpy(space.projection) * scale if is_projected else scale.diag()
        )
        """Shape (dimensions, layout.width)."""
        self.centre = torch.from_numpy(space.centre)
        hidden, codes, counted = settings.hidden, settings.codes, max(1, int(space.counts.sum()))
        self.weight_0 = nn.Parameter(torch.randn(hidden, space.dimensions) / counted**0.5)
        self.bias_0 = nn.Parameter(torch.randn(hidden) / 2.0)
        self.weight_1 = nn.Parameter(torch.randn(codes, hidden) / hidden**0.5)
        self.bias_1 = nn.Parameter(torch.zeros(codes))

    def forward(self, rows: Tensor) -> Tensor:
        """Return the codes of rows: shape (rows, codes)."""
        points = functional.linear(rows - self.centre, self.to_points)
        hidden = torch.relu(functional.linear(points, self.weight_0, self.bias_0))
        return functional.linear(hidden, self.weight_1, self.bias_1)

    @torch.no_grad()
    def folded(self) -> tuple[tuple[Floats, ...], tuple[Floats, ...]]:
        """Return the weights and biases of the network that reads rows in place of points."""
        weight = self.weight_0 @ self.to_points
        bias = self.bias_0 - weight @ self.centre
        weights, biases = (weight, self.weight_1), (bias, self.bias_1)
        return tuple(map(as_array, weights)), tuple(map(as_array, biases))


class Planting:
    """Rows like given ones, and rows that anomalies were planted in."""

    def __init__(self, space: Space) -> None:
        blocks = space.layout.blocks
        self.widths = torch.tensor([block.width for block in blocks])
        self.judged = torch.from_numpy(~space.layout.marks)
        is_number = torch.tensor([block.loss is Loss.SQUARED for block in blocks])
        self.numbers = is_number.repeat_interleave(self.widths)
        spread = 1.0 / torch.from_numpy(space.scale)
        self.spread = torch.where(self.numbers & spread.isfinite(), spread, 0.0)
        """Of numbers, 0 of others: shape (layout.width,)."""

    def like(self, rows: Tensor) -> Tensor:
        """Return the rows with a little noise on their numbers."""
        return rows + torch.randn_like(rows) * self.spread * _NOISE

    def planted(self, rows: Tensor) -> Tensor:
        """Return the rows with some values from other rows, and numbers shifted or noisy.

        Which of the three happens to a row's numbers is drawn row by row.
        """
        strangers = rows[torch.randint(len(rows), (len(rows),))]
        size = _LEAST_SHIFT + torch.rand_like(rows) * (_LARGEST_SHIFT - _LEAST_SHIFT)
        shifted = rows + size * torch.randn_like(rows).sign() * self.spread
        strength = torch.rand(len(rows), 1) * _MOST_NOISE
        noisy = rows + torch.randn_like(rows) * strength * self.spread
        lot = torch.rand(len(rows), 1)
        some = torch.where(self.numbers & (lot < 1.0 / 3.0), shifted, strangers)
        planted = torch.where(self._some_columns(rows), some, rows)
        return torch.where(self.numbers & (lot > 2.0 / 3.0), noisy, planted)

    def _some_columns(self, rows: Tensor) -> Tensor:
        """Choose columns of each row, at least those of one block: the shape of the rows."""
        count, blocks = len(rows), len(self.widths)
        chosen = torch.rand(count, blocks) < torch.rand(count, 1) * _PLANTED_SHARE
        chosen[torch.arange(count), torch.randint(blocks, (count,))] = True
        return (chosen & self.judged).repeat_interleave(self.widths, dim=1)


def _train(
    twins: Twins,
    planting: Planting,
    rows: Tensor,
    settings: SiameseSettings,
    progress: Progress | None,
) -> float:
    """Train for all steps unless the loss becomes infinite; return the last."""
    optimiser = torch.optim.Adam(twins.parameters(), lr=settings.learning_rate)
    every, last = max(1, settings.steps // _LOOKS), float("nan")
    for step in range(1, settings.steps + 1):
        batch = torch.randint(len(rows), (2, settings.batch_rows))
        loss = _contrast(twins, planting, rows[batch[0]], rows[batch[1]], settings)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        if step % every and step < settings.steps:
            continue
        last = float(loss.detach())
        if progress is not None:
            progress(step, settings.steps, last)
        if not np.isfinite(last):
            break
    return last


def _contrast(
    twins: Twins, planting: Planting, rows: Tensor, others: Tensor, settings: SiameseSettings
) -> Tensor:
    """Return the contrastive loss of a batch, the rows farthest from all others left out."""
    kept = twins(others)
    together = _distance(twins(planting.like(rows)), kept)
    apart = (settings.margin - _distance(twins(planting.planted(rows)), kept)).clamp(min=0.0)
    count = max(1, round(len(rows) * (1.0 - settings.trim_fraction)))
    ordinary = together.detach().topk(count, largest=False, sorted=False).indices
    return (together.square() + apart.square())[ordinary].mean()


def _distance(codes: Tensor, others: Tensor) -> Tensor:
    """Return the mean distance to the nearest of others: shape (codes,)."""
    nearest = torch.cdist(codes, others).topk(min(_NEAREST, len(others)), largest=False)
    return nearest.values.mean(dim=1)


@torch.no_grad()
def refuse_failed_fit(twins: Twins, planting: Planting, rows: Tensor, loss: float) -> None:
    """Refuse a network that learned nothing to tell rows apart by.

    Raises:
        ModelError: if the loss is not finite, or planted rows lie no farther off than others.
    """
    if not np.isfinite(loss):
        why = f"the loss of the pairs is not finite ({loss:g})"
        raise ModelError.degenerate(why, "Lower detector.learning_rate.")
    some = rows[torch.randperm(len(rows))[:_LOOKED_AT]]
    kept = twins(rows[torch.randperm(len(rows))[:_LOOKED_AT]])
    parts = (planting.like(some), planting.planted(some))
    ordinary, planted = (float(_distance(twins(part), kept).mean()) for part in parts)
    if not planted > ordinary:
        why = f"rows with planted anomalies lie no farther off ({planted:g}) than ordinary ones"
        advice = "Raise detector.steps, or lower detector.learning_rate."
        raise ModelError.degenerate(f"{why} ({ordinary:g})", advice)
