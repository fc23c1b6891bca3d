"""Training of the sequence networks with PyTorch, one thread, the same for one seed."""

from __future__ import annotations

import abc
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import torch
from torch import Tensor, nn

from adlib.arrays import FeatureMatrix, Floats, Layout, Loss
from adlib.detectors.base import Progress
from adlib.detectors.last_event import READ_AT_MOST
from adlib.detectors.network_training import (
    BlockLosses,
    Rows,
    Schedule,
    TrainedModule,
    as_array,
    reproducible,
    train_module,
    usual_values,
)
from adlib.detectors.parts import joined

_MOST_VALUES = 40_000_000
"""Of the sample with its past, as float32; of more, the last rows are learned from."""
_MOST_CELLS = 100_000
"""Rows times columns of a batch: a step on a wide table learns from fewer rows."""
_FEWEST_ROWS = 64
_VALIDATION_FRACTION = 0.1
_VALIDATION_ROWS = 2048
_POWER = 1.5
"""Of the distance of a number, between the median's and the mean's."""


@dataclass(frozen=True)
class TrainedSequence:
    """A trained network's arrays, and how the training went."""

    tensors: Mapping[str, Floats]
    """As `SequenceNetwork.restore` takes them."""
    metrics: dict[str, float]


class PastModule(nn.Module, abc.ABC):
    """What makes a few numbers of an entity's earlier events."""

    units: int

    @abc.abstractmethod
    def forward(self, events: Tensor, present: Tensor) -> Tensor:
        """Read events, (rows, events, width), with ones where there was one: (rows, units)."""

    @abc.abstractmethod
    def arrays(self) -> dict[str, Floats]:
        """Return the arrays of the same in NumPy."""


class GruModule(PastModule):
    """See `gru.Gru`."""

    def __init__(self, width: int, units: int) -> None:
        super().__init__()
        self.units = units
        self.cell = nn.GRUCell(width, units)

    def forward(self, events: Tensor, present: Tensor) -> Tensor:
        """Return the memory after all events; where there was none it stays as it is."""
        memory = events.new_zeros(len(events), self.units)
        for event, here in zip(events.unbind(1), present.unbind(1), strict=True):
            memory = torch.where(here[:, None] > 0.0, self.cell(event, memory), memory)
        return memory

    def arrays(self) -> dict[str, Floats]:
        """Return the arrays of the same in NumPy."""
        names = {"event": "ih", "memory": "hh"}
        return {
            f"{part}_{name}": as_array(self.cell.state_dict()[f"{part}_{theirs}"])
            for name, theirs in names.items()
            for part in ("weight", "bias")
        }


class ConvolutionsModule(PastModule):
    """See `convolutions.Convolutions`."""

    def __init__(self, width: int, channels: int, steps: int) -> None:
        super().__init__()
        self.units = channels * steps
        self.first = nn.Conv1d(width + 1, channels, 3, padding=1)
        self.second = nn.Conv1d(channels, channels, 3, padding=1)

    def forward(self, events: Tensor, present: Tensor) -> Tensor:
        """Return what the second convolution says at each event."""
        given = torch.cat([events, torch.ones_like(present)[..., None]], dim=2)
        given = (given * present[..., None]).transpose(1, 2)
        said = torch.relu(self.second(torch.relu(self.first(given))))
        return said.transpose(1, 2).flatten(1)

    def arrays(self) -> dict[str, Floats]:
        """Return the arrays of the same in NumPy."""
        told = self.state_dict()
        first, second = (
            as_array(told[f"{name}.weight"].permute(2, 0, 1).flatten(0, 1))
            for name in ("first", "second")
        )
        return {
            "weight_event": np.ascontiguousarray(first[:, :-1]),
            "bias_event": np.ascontiguousarray(first[:, -1]),
            "bias_0": as_array(told["first.bias"]),
            "weight_1": second,
            "bias_1": as_array(told["second.bias"]),
        }


class NoPast(PastModule):
    """What rows without a past have: nothing."""

    units = 0

    def forward(self, events: Tensor, present: Tensor) -> Tensor:  # noqa: ARG002
        """Return no numbers."""
        return events.new_zeros(len(events), 0)

    def arrays(self) -> dict[str, Floats]:
        """Return no arrays."""
        return {}


class SequenceModule(TrainedModule):
    """Rebuilds events twice, see `last_event`: two networks of the same weights."""

    def __init__(self, layout: Layout, past: PastModule, hidden: int) -> None:
        super().__init__()
        self.layout = layout
        self.past = past
        self.block_losses = BlockLosses(layout)
        blocks = layout.blocks
        self.is_number = torch.tensor([block.loss is Loss.SQUARED for block in blocks])
        groups = groupby(blocks, key=lambda block: block.column)
        widths = [sum(block.width for block in group) for _, group in groups]
        self.columns = len(widths)
        self.column = torch.arange(self.columns).repeat_interleave(torch.tensor(widths))
        """Which of the feature table's columns each of the matrix's belongs to: (width,)."""
        read = max(1, self.columns)
        self.weight_event = nn.Parameter(torch.randn(hidden, layout.width) / read**0.5)
        self.weight_past = nn.Parameter(torch.randn(hidden, past.units) / max(1, past.units) ** 0.5)
        self.bias = nn.Parameter(torch.zeros(hidden))
        self.weight_rebuilt = nn.Parameter(torch.randn(layout.width, hidden) * 0.5 / hidden**0.5)
        self.bias_rebuilt = nn.Parameter(torch.zeros(layout.width))

    def batch(self, rows: Rows, size: int) -> Rows:
        """Draw fewer rows of a wide table."""
        most = max(_FEWEST_ROWS, _MOST_CELLS // rows.wanted.shape[1])
        return super().batch(rows, min(size, most))

    def forward(self, rows: Tensor) -> Tensor:
        """Rebuild from past and other columns, and from the past alone: (2, rows, width)."""
        event, present, events = _taken_apart(rows, self.layout)
        before = self.past(events, present) @ self.weight_past.T + self.bias
        said = event.new_zeros(len(event), self.columns, len(self.bias))
        said.index_add_(1, self.column, event[:, :, None] * self.weight_event.T)
        others = torch.relu((before + said.sum(dim=1))[:, None] - said)
        rebuilt = (others[:, self.column] * self.weight_rebuilt).sum(dim=2)
        alone = torch.relu(before) @ self.weight_rebuilt.T
        return torch.stack([rebuilt, alone]) + self.bias_rebuilt

    def judge(self, wanted: Tensor, rebuilt: Tensor) -> Tensor:
        """Return the mean loss over the blocks of each row: the leading axes of `rebuilt`."""
        losses = self.block_losses(wanted, rebuilt)
        bent = (losses + 1e-9) ** (_POWER / 2.0)  # without a slope of infinity at no distance
        return torch.where(self.is_number, bent, losses).mean(dim=-1)

    def arrays(self) -> dict[str, Floats]:
        """Return the arrays of the same in NumPy; what it misses by is not measured yet."""
        told = self.state_dict()
        names = ("weight_event", "weight_past", "bias", "weight_rebuilt", "bias_rebuilt")
        missed = np.ones((self.layout.steps + 1, 2, len(self.layout.blocks)), dtype=np.float32)
        event = {**{name: as_array(told[name]) for name in names}, "missed": missed}
        return joined({"past": self.past.arrays(), "event": event})


def train_sequence(
    features: FeatureMatrix,
    past: Callable[[Layout, int], PastModule],
    hidden: int,
    schedule: Schedule,
    *,
    seed: int,
    progress: Progress | None,
) -> TrainedSequence:
    """Train until the validation loss stops falling.

    `past` makes what reads so many events of a layout, where rows come with any.

    Raises:
        ModelError: if the loss becomes infinite or does not fall.
    """
    layout = features.layout
    learned, validation = _split(_rows(features))
    with reproducible(seed):
        reads = NoPast() if layout.past is None else past(layout.past, layout.steps)
        module = SequenceModule(layout, reads, hidden)
        with torch.no_grad():
            module.bias_rebuilt.copy_(usual_values(learned.wanted, layout))
        steps, loss = train_module(module, schedule, learned, validation, progress)
    metrics = {"steps": float(steps), "validation_loss": loss, "learned_rows": float(len(learned))}
    return TrainedSequence(module.arrays(), metrics)


def _rows(features: FeatureMatrix) -> Rows:
    """Return events, each with whether those before it were there, and with them."""
    layout = features.layout
    events = 0 if layout.past is None else layout.past.width
    values = layout.width + layout.steps * (1 + events)
    chosen = features.take(slice(-max(2, _MOST_VALUES // values), None))
    wanted = torch.from_numpy(chosen.one_hot()).float()
    return Rows(with_past(chosen, wanted), wanted)


def with_past(features: FeatureMatrix, event: Tensor) -> Tensor:
    """Return encoded events, (rows, width), with their past beside them."""
    if features.past is None:
        return event
    present = torch.from_numpy(features.past.present.T.copy()).to(event)
    events = torch.from_numpy(features.past.events.one_hot()).to(event)
    by_row = events.reshape(*features.past.present.shape, -1).transpose(0, 1)
    return torch.cat([event, present, by_row.flatten(1)], dim=1)


def _taken_apart(rows: Tensor, layout: Layout) -> tuple[Tensor, Tensor, Tensor]:
    """Return the events, which earlier ones there were, and those: what `with_past` joined."""
    event, present, events = rows.tensor_split([layout.width, layout.width + layout.steps], dim=1)
    width = 0 if layout.past is None else layout.past.width
    by_step = events.reshape(len(rows), layout.steps, width)
    return _read(event), present, _read(by_step)


def _read(numbers: Tensor) -> Tensor:
    return numbers.clamp(-READ_AT_MOST, READ_AT_MOST)


def _split(rows: Rows) -> tuple[Rows, Rows]:
    """Set the last rows apart; a single row serves as both."""
    kept = max(1, round(len(rows) * (1.0 - _VALIDATION_FRACTION)))
    return rows[:kept], rows[min(kept, len(rows) - 1) :][:_VALIDATION_ROWS]
