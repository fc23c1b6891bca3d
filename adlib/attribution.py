"""What a row's score is made of, by other means than the detector's own account.

A method is a function from a detector, the usual values and encoded rows to what each block adds to
the score. All compare a row with the usual one, whose values are kept in the model; none sees
another row, so that a reason depends on its row and the model alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from adlib.arrays import FeatureMatrix, Floats, Layout, Tensors
from adlib.detectors import Detector, Judgement
from adlib.detectors.base import refuse_other_shapes
from adlib.detectors.usual import Usual
from adlib.errors import ModelError

RESIDUAL = "residual"
"""The detector's own account."""

Method = Callable[[Detector, Usual, FeatureMatrix], Floats]
"""To what each block adds to the scores of rows: shape (rows, layout.blocks)."""


def _occlusion(detector: Detector, usual: Usual, features: FeatureMatrix) -> Floats:
    """Return by how much each score falls when a block has its usual value."""
    return usual.occlusion(features, detector.score)


METHODS: Mapping[str, Method] = MappingProxyType({"occlusion": _occlusion})
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

    def judge(self, detector: Detector, features: FeatureMatrix) -> Judgement:
        """Say what the scores of rows are made of; what is expected is what is usual."""
        losses = METHODS[self.method](detector, self.usual, features)
        return Judgement(detector.score(features), losses, self.usual.rows(len(features)))
