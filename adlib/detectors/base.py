"""What every detector is: a settings value that fits, and the immutable thing that it makes."""

from __future__ import annotations

import abc
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar, TypeVar

import numpy as np

from adlib.arrays import Buffers, FeatureMatrix, Flags, Floats, Layout, Tensors
from adlib.errors import ModelError

_T = TypeVar("_T")

Progress = Callable[[int, int, float], None]
"""Called now and then with the step, the most steps there will be, and the validation loss."""


@dataclass(frozen=True)
class Judgement:
    """What a detector says about rows."""

    scores: Floats
    """As `Detector.score` returns them: shape (rows,)."""
    losses: Floats
    """What each block contributes to the score: shape (rows, layout.blocks), >= 0. They add up to
    it where the detector says so; elsewhere each says how much the score falls when the block has
    its usual value (occlusion)."""
    expected: Floats
    """What is expected in place of each row: shape (rows, layout.width), numbers as the encoder
    writes them, booleans and categories as logits."""

    def take(self, rows: Flags) -> Judgement:
        """Return the chosen rows."""
        return Judgement(self.scores[rows], self.losses[rows], self.expected[rows])


@dataclass(frozen=True)
class Detector(abc.ABC):
    """A fitted detector. A higher score is stranger, always.

    Given float64 features a row's result depends on no other row, to the last bit: sums are taken
    row by row. Given float32 features it is faster, and its last bits depend on the block.
    """

    layout: Layout
    settings: DetectorSettings
    """What made the detector."""
    metrics: Mapping[str, float] = field(default_factory=dict, kw_only=True)
    """Figures of the fit that belong into the model's provenance."""
    kind: ClassVar[str]

    @abc.abstractmethod
    def score(self, features: FeatureMatrix, buffers: Buffers | None = None) -> Floats:
        """Return the score of each row: shape (rows,); it may be negative.

        Who scores block after block hands in the same buffers; the scores lie outside of them.
        """

    @abc.abstractmethod
    def judge(self, features: FeatureMatrix) -> Judgement:
        """Return what the score is made of, and what was expected."""

    def codes(self, features: FeatureMatrix) -> Floats | None:  # noqa: ARG002 - networks have some
        """Return the hidden codes of rows, shape (rows, units); None where there are none."""
        return None

    @property
    def adds_up(self) -> bool:
        """Whether what the blocks contribute adds up to the score."""
        return True

    @abc.abstractmethod
    def tensors(self) -> Tensors:
        """Return the arrays that, with the settings and the layout, are the detector."""


def setting(default: _T, says: str, **bounds: Any) -> _T:
    """Return a field of settings: its default, what it is, and what it may be.

    The configuration's section is made of them. Bounds are `ge`, `gt`, `le` and `lt`; of a list
    `min_length` and `max_length`, and `each` for the bounds of its entries.
    """
    of_field: _T = field(default=default, metadata={"description": says, **bounds})
    return of_field


@dataclass(frozen=True)
class DetectorSettings(abc.ABC):
    """Hyper-parameters of a detector; every field is a `setting`, with a default."""

    kind: ClassVar[str]
    keeps_rows: ClassVar[bool] = False
    """Whether a fitted detector holds rows of the sample as they are."""
    reads_past: ClassVar[bool] = False
    """Whether it looks at an entity's earlier events; others see each row by itself."""

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

    def to_plain(self) -> dict[str, Any]:
        """Return the settings as plain JSON values."""
        return asdict(self)


_LOOKED_AT = 20_000
_LEAST_SPREAD = 1e-5
"""Share of the largest score by which scores have to differ; float32 rounds well below it."""


def refuse_equal_scores(detector: Detector, features: FeatureMatrix) -> None:
    """Refuse a detector that cannot tell the rows apart that it learned from.

    Raises:
        ModelError: if they all have the same score.
    """
    scores = detector.score(features.take(slice(-_LOOKED_AT, None)))
    if len(scores) > 1 and np.ptp(scores) <= _LEAST_SPREAD * np.abs(scores).max():
        why = f"{len(scores):,} rows of the sample have the same score"
        raise ModelError.degenerate(why, "Widen the sample or list columns that vary.")


def refuse_other_shapes(tensors: Tensors, shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Refuse tensors that the settings do not ask for.

    Raises:
        ModelError: naming the shapes found and expected.
    """
    found = {name: tensor.shape for name, tensor in tensors.items()}
    if found != shapes:
        message = (
            f"The model's tensors have the shapes {found}; its settings ask for {shapes}. "
            "Restore the model from a backup or train again."
        )
        raise ModelError(message)
