"""Two convolutions over an entity's earlier events in NumPy, three events wide each.

Where there was no event there are zeros, as beyond either end; that there was one is an input of
its own, whose weight stands here as the first bias. After each convolution comes max(x, 0).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from adlib.arrays import Floats, Layout, Past, Tensors
from adlib.detectors.last_event import Reader
from adlib.detectors.network import matrix_product

TAPS = 3
"""Events that a convolution sees at a time."""


@dataclass(frozen=True, eq=False)
class Convolutions:
    """A fitted pair."""

    layout: Layout
    """Of an event."""
    weight_event: Floats
    """Of each tap, one below the other: shape (3 * channels, layout.width)."""
    bias_event: Floats
    """Of an event being there, by tap: shape (3 * channels,)."""
    bias_0: Floats
    """Shape (channels,)."""
    weight_1: Floats
    """Of each tap, one below the other: shape (3 * channels, channels)."""
    bias_1: Floats
    """Shape (channels,)."""

    @classmethod
    def shapes(cls, layout: Layout, channels: int) -> dict[str, tuple[int, ...]]:
        """Return the shapes that the arrays have."""
        return {
            "weight_event": (TAPS * channels, layout.width),
            "bias_event": (TAPS * channels,),
            "bias_0": (channels,),
            "weight_1": (TAPS * channels, channels),
            "bias_1": (channels,),
        }

    @classmethod
    def restore(cls, layout: Layout, tensors: Tensors) -> Convolutions:
        """Build what the tensors came from."""
        return cls(layout, **{name: array.astype(np.float32) for name, array in tensors.items()})

    def tensors(self) -> dict[str, Floats]:
        """Return all arrays."""
        return {name: getattr(self, name) for name in self.shapes(self.layout, 0)}

    @classmethod
    def units_said(cls, channels: int, steps: int) -> int:
        """Return how many numbers `said` returns of a row."""
        return channels * steps

    def said(self, past: Past) -> Floats:
        """Return what the second says at each event: shape (rows, events * channels)."""
        steps, rows = past.present.shape
        channels, dtype = len(self.bias_0), past.events.dtype
        bias_0, weight_1, bias_1 = (
            part.astype(dtype) for part in (self.bias_0, self.weight_1, self.bias_1)
        )
        read = self._events(past.events).reshape(steps, rows, TAPS * channels)
        read *= past.present[:, :, None]
        first = np.maximum(_sum_of_taps(read) + bias_0, 0.0).reshape(steps * rows, channels)
        read = matrix_product(first, weight_1).reshape(steps, rows, TAPS * channels)
        second = np.maximum(_sum_of_taps(read) + bias_1, 0.0)
        return second.transpose(1, 0, 2).reshape(rows, channels * steps)

    @cached_property
    def _events(self) -> Reader:
        return Reader(self.layout, self.weight_event, self.bias_event)


def _sum_of_taps(said: Floats) -> Floats:
    """Add up what an event's neighbours and it say: (events, rows, 3 * channels) to a third."""
    before, own, after = np.split(said, TAPS, axis=2)
    total = own.copy()
    total[1:] += before[:-1]
    total[:-1] += after[1:]
    return total
