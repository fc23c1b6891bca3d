"""What a row's score is made of, by other means than the detector's own account.

A method is a function from a detector, the usual values and encoded rows to what each block adds to
the score. All compare a row with the usual one, whose values are kept in the model; none sees
another row, so that a reason depends on its row and the model alone. Occlusion takes away one block
after the other; the costly methods ask for hundreds of coalitions of sources.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from adlib.arrays import FeatureMatrix, Floats, Layout, Tensors
from adlib.coalitions import NEEDS, Game, lime_weights, shapley_values
from adlib.detectors import Detector, Judgement
from adlib.detectors.base import refuse_other_shapes
from adlib.detectors.network import matrix_product
from adlib.detectors.usual import Usual
from adlib.errors import ModelError

RESIDUAL = "residual"
"""The detector's own account."""
_COALITIONS = 2048
"""Mixed rows that are scored at a time, so that a wide table's fit the memory."""
_LARGEST = float(np.finfo(np.float32).max)
"""No stored score is larger."""

Method = Callable[[Detector, Usual, FeatureMatrix], Floats]
"""To what each block adds to the scores of rows: shape (rows, layout.blocks)."""


def _occlusion(detector: Detector, usual: Usual, features: FeatureMatrix) -> Floats:
    """Return by how much each score falls when a block has its usual value."""
    return usual.occlusion(features, detector.score)


def _by_coalitions(share_out: Callable[[Game, int], Floats]) -> Method:
    """Return the method that shares the score out among sources; less than 0 counts as 0.

    Within a source it is shared out by occlusion.
    """

    def losses(detector: Detector, usual: Usual, features: FeatureMatrix) -> Floats:
        layout = features.layout
        values = [
            share_out(_game(detector, usual, features, row), len(layout.sources))
            for row in range(len(features))
        ]
        by_source = np.maximum(np.reshape(values, (len(features), len(layout.sources))), 0.0)
        parts = _within_sources(detector, usual, features)
        shared: Floats = by_source @ layout.membership * parts
        return shared

    return losses


def _game(detector: Detector, usual: Usual, features: FeatureMatrix, row: int) -> Game:
    """Return what scores a row with the usual values in place of absent sources."""

    def scores(coalitions: Floats) -> Floats:
        present = coalitions > 0.5  # noqa: PLR2004 - zeros and ones, as the libraries' floats
        blocks = (slice(at, at + _COALITIONS) for at in range(0, len(present), _COALITIONS))
        found = [detector.score(usual.mixed(features, row, present[block])) for block in blocks]
        clipped: Floats = np.clip(np.concatenate(found), -_LARGEST, _LARGEST)
        return clipped

    return scores


def _within_sources(detector: Detector, usual: Usual, features: FeatureMatrix) -> Floats:
    """Return each block's part in its source, marks having none: shape (rows, blocks)."""
    layout = features.layout
    measured = np.broadcast_to(~layout.marks, (len(features), len(layout.blocks))).astype(
        np.float64
    )
    alone = usual.occlusion(features, detector.score).astype(np.float64)
    told = np.where(_of_sources(alone, layout) > 0.0, alone, measured)
    parts: Floats = told / np.maximum(_of_sources(told, layout), np.finfo(np.float64).tiny)
    return parts


def _of_sources(losses: Floats, layout: Layout) -> Floats:
    """Add up blocks by source, and say the sum at each of them: shape (rows, blocks)."""
    sums: Floats = matrix_product(losses, layout.membership) @ layout.membership
    return sums


METHODS: Mapping[str, Method] = MappingProxyType(
    {
        "occlusion": _occlusion,
        "shap": _by_coalitions(shapley_values),
        "lime": _by_coalitions(lime_weights),
    }
)
"""The methods by name."""


@dataclass(frozen=True, eq=False)
class Explainer:
    """A method and the usual row that it compares with."""

    method: str
    usual: Usual

    @classmethod
    def fit(cls, method: str, features: FeatureMatrix) -> Explainer | None:
        """Read the usual row off rows; None where a method needs none."""
        return cls(method, Usual.fit(features)) if method in METHODS else None

    @classmethod
    def restore(cls, method: str, layout: Layout, tensors: Tensors) -> Explainer:
        """Build what the tensors came from.

        Raises:
            ModelError: if this version does not know the method, or the tensors do not fit.
        """
        if method not in METHODS:
            message = (
                f"The model explains by {method!r}; this version knows {', '.join(METHODS)}. "
                "Score with the version that trained it, or train again."
            )
            raise ModelError(message)
        refuse_other_shapes(tensors, Usual.shapes(layout))
        return cls(method, Usual.restore(layout, np.asarray(tensors["expected"], dtype=np.float32)))

    @property
    def costly(self) -> bool:
        """Whether only few rows can be explained so, apart from the scoring, and with a library."""
        return self.method in NEEDS

    def judge(self, detector: Detector, features: FeatureMatrix) -> Judgement:
        """Say what the scores of rows are made of; what is expected is what is usual."""
        losses = METHODS[self.method](detector, self.usual, features)
        return Judgement(detector.score(features), losses, self.usual.rows(len(features)))
