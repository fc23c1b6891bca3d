"""What every detector is: a settings value that fits, and the immutable thing that it makes."""

from __future__ import annotations

import abc
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from adlib.arrays import FeatureMatrix, Floats, Layout, Tensors

Progress = Callable[[int, int, float], None]
"""Called now and then with the step, the most steps there will be, and the validation loss."""


@dataclass(frozen=True)
class Detector(abc.ABC):
    """A fitted detector. A higher score is stranger, always.

    Given float64 features a row's result depends on no other row, to the last bit: sums are taken
    row by row. Given float32 features it is faster, and its last bits depend on the block.
    """

    layout: Layout
    kind: ClassVar[str]

    @abc.abstractmethod
    def contributions(self, features: FeatureMatrix) -> Floats:
        """Return what each source column adds to the score: shape (rows, layout.sources), >= 0."""

    @abc.abstractmethod
    def score(self, features: FeatureMatrix) -> Floats:
        """Return the score of each row: shape (rows,), the sum of its contributions."""

    @abc.abstractmethod
    def reconstruct(self, features: FeatureMatrix) -> Floats:
        """Return what the detector expects in place of each row: shape (rows, layout.width).

        Numbers as the encoder writes them; booleans and categories as logits.
        """

    @abc.abstractmethod
    def block_losses(self, features: FeatureMatrix) -> Floats:
        """Return what each block adds to the score: shape (rows, layout.blocks), >= 0."""

    @abc.abstractmethod
    def tensors(self) -> Tensors:
        """Return the arrays that, with the settings and the layout, are the detector."""

    @property
    @abc.abstractmethod
    def settings(self) -> DetectorSettings:
        """The settings that made the detector."""

    @property
    def metrics(self) -> Mapping[str, float]:
        """Figures of the fit that belong into the model's provenance."""
        return {}


@dataclass(frozen=True)
class DetectorSettings(abc.ABC):
    """Hyper-parameters of a detector; every field has a default."""

    kind: ClassVar[str]

    @abc.abstractmethod
    def fit(self, features: FeatureMatrix, *, seed: int, progress: Progress | None) -> Detector:
        """Learn what is ordinary from rows that come in an arbitrary but fixed order.

        Raises:
            ModelError: if the result cannot tell rows apart ("degenerate").
        """

    @abc.abstractmethod
    def restore(self, layout: Layout, tensors: Tensors) -> Detector:
        """Build the detector that `Detector.tensors` came from.

        Raises:
            ModelError: if the tensors do not fit the settings and the layout.
        """

    @abc.abstractmethod
    def to_plain(self) -> dict[str, Any]:
        """Return the settings as plain JSON values."""


def matrix_product(rows: Floats, weights: Floats) -> Floats:
    """Multiply rows (n, k) by weights (m, k) to (n, m).

    In float64 each row is summed by itself, in one order, so that its result does not depend on the
    rows beside it, nor on how either lies in memory; BLAS, which float32 uses, chooses its order by
    the shape of the block.
    """
    product: NDArray[np.floating[Any]]
    if rows.dtype == np.float64:
        contiguous = (np.ascontiguousarray(part) for part in (rows, weights))
        product = np.einsum("nk,mk->nm", *contiguous)
    else:
        product = rows @ weights.T
    return product
