"""A gated recurrent unit in NumPy: what it remembers of an entity's earlier events.

The equations are PyTorch's (Cho et al., EMNLP 2014, with the reset gate behind the product): of an
event x and a memory h, each gate a logistic function of Wx + Uh + b,

    n = tanh(W_n x + b_n + r * (U_n h + c_n)),    h' = (1 - z) * n + z * h

with the gates r, to reset, and z, to keep. Before the first event the memory is zero.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from adlib.arrays import Floats, Layout, Past, Tensors
from adlib.detectors.last_event import Reader
from adlib.detectors.network import matrix_product


@dataclass(frozen=True, eq=False)
class Gru:
    """A fitted unit."""

    layout: Layout
    """Of an event."""
    weight_event: Floats
    """Of reset, keep and new, one below the other: shape (3 * units, layout.width)."""
    bias_event: Floats
    """Shape (3 * units,)."""
    weight_memory: Floats
    """Shape (3 * units, units)."""
    bias_memory: Floats
    """Shape (3 * units,)."""

    @classmethod
    def shapes(cls, layout: Layout, units: int) -> dict[str, tuple[int, ...]]:
        """Return the shapes that the arrays have."""
        return {
            "weight_event": (3 * units, layout.width),
            "bias_event": (3 * units,),
            "weight_memory": (3 * units, units),
            "bias_memory": (3 * units,),
        }

    @classmethod
    def restore(cls, layout: Layout, tensors: Tensors) -> Gru:
        """Build what the tensors came from."""
        return cls(layout, **{name: array.astype(np.float32) for name, array in tensors.items()})

    def tensors(self) -> dict[str, Floats]:
        """Return all arrays."""
        return {name: getattr(self, name) for name in self.shapes(self.layout, 0)}

    @classmethod
    def units_said(cls, units: int, steps: int) -> int:  # noqa: ARG003 - as many after any
        """Return how many numbers `said` returns of a row."""
        return units

    def said(self, past: Past) -> Floats:
        """Return the memory after all events: shape (rows, units)."""
        steps, rows = past.present.shape
        dtype, units = past.events.dtype, len(self.weight_memory.T)
        weight, bias = self.weight_memory.astype(dtype), self.bias_memory.astype(dtype)
        read = self._events(past.events).reshape(steps, rows, 3 * units)
        memory: Floats = np.zeros((rows, units), dtype=dtype)
        for event, present in zip(read, past.present, strict=True):
            recalled = matrix_product(memory, weight) + bias
            gates = _logistic(event[:, : 2 * units] + recalled[:, : 2 * units])
            reset, keep = gates[:, :units], gates[:, units:]
            new = np.tanh(event[:, 2 * units :] + reset * recalled[:, 2 * units :])
            memory = np.where(present[:, None], (1.0 - keep) * new + keep * memory, memory)
        return memory

    @cached_property
    def _events(self) -> Reader:
        return Reader(self.layout, self.weight_event, self.bias_event)


def _logistic(values: Floats) -> Floats:
    """Return 1 / (1 + exp(-x)), which no x overflows."""
    halved: Floats = np.tanh(values / 2.0) / 2.0
    return halved + 0.5
