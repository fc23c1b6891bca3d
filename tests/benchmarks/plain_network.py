"""The benchmark's network as a user has it: weights, means, deviations and a cut."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]


@dataclass(frozen=True)
class PlainNetwork:
    """Standardise, rebuild through ReLU layers; the score is the mean squared residual."""

    weights: tuple[Array, ...]
    """Each of shape (out, in)."""
    biases: tuple[Array, ...]
    mean: Array
    deviation: Array
    cut: float
    """The lowest score that is flagged."""
