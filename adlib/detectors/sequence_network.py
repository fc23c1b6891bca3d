"""What reads an entity's past and what rebuilds its last event, as one network."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from adlib.arrays import Buffers, FeatureMatrix, Floats, Layout, Tensors
from adlib.detectors.base import Detector, DetectorSettings, Judgement, refuse_other_shapes, setting
from adlib.detectors.convolutions import Convolutions
from adlib.detectors.gru import Gru
from adlib.detectors.last_event import LastEvent
from adlib.detectors.parts import joined, part_of

_MEASURED_ROWS = 20_000
PastReader = Gru | Convolutions


@dataclass(frozen=True, eq=False)
class SequenceNetwork:
    """A fitted network."""

    past: PastReader | None
    """None where rows come without a past: then it sees each event by itself."""
    event: LastEvent

    @classmethod
    def restore(
        cls, layout: Layout, tensors: Tensors, reader: type[PastReader], units: int, hidden: int
    ) -> SequenceNetwork:
        """Build what the tensors came from.

        Raises:
            ModelError: if they do not fit the layout and the sizes.
        """
        events = layout.past
        of_past = {} if events is None else reader.shapes(events, units)
        said = 0 if events is None else reader.units_said(units, layout.steps)
        shapes = joined({"past": of_past, "event": LastEvent.shapes(layout, hidden, said)})
        refuse_other_shapes(tensors, shapes)
        past = None if events is None else reader.restore(events, part_of(tensors, "past"))
        return cls(past, LastEvent.restore(layout, part_of(tensors, "event")))

    def tensors(self) -> Tensors:
        """Return all arrays."""
        past = {} if self.past is None else self.past.tensors()
        return joined({"past": past, "event": self.event.tensors()})

    def measured(self, features: FeatureMatrix) -> SequenceNetwork:
        """Return the same, knowing by how much it misses as a rule, from rows it learned from."""
        rows = features.take(slice(-_MEASURED_ROWS, None))
        return replace(self, event=self.event.measured(rows, self.said(rows)))

    def score(self, features: FeatureMatrix) -> Floats:
        """Return the score of each row: shape (rows,)."""
        return self.event.score(features, self.said(features))

    def judge(self, features: FeatureMatrix) -> Judgement:
        """Return what the score is made of, and what was expected."""
        return self.event.judge(features, self.said(features))

    def said(self, features: FeatureMatrix) -> Floats:
        """Return what the past says: shape (rows, units), no units where there is none."""
        if self.past is None or features.past is None:
            return np.zeros((len(features), 0), dtype=features.dtype)
        return self.past.said(features.past)


@dataclass(frozen=True)
class SequenceSettings(DetectorSettings):
    """Hyper-parameters of what rebuilds an event, and of learning it."""

    hidden: int = setting(
        32, "Hidden units between past and event and what is rebuilt.", ge=1, le=4096
    )
    steps: int = setting(1000, "At most so many steps of learning.", ge=1, le=1_000_000)
    batch_rows: int = setting(256, "Rows of a step.", ge=1, le=1_000_000)
    learning_rate: float = setting(0.005, "Of the optimiser.", gt=0.0, le=10.0)
    reads_past: ClassVar[bool] = True


@dataclass(frozen=True, eq=False)
class SequenceDetector(Detector):
    """A fitted detector that is such a network, whatever reads the past in it."""

    network: SequenceNetwork

    def score(self, features: FeatureMatrix, buffers: Buffers | None = None) -> Floats:  # noqa: ARG002, D102
        return self.network.score(features)

    def judge(self, features: FeatureMatrix) -> Judgement:  # noqa: D102
        return self.network.judge(features)

    def codes(self, features: FeatureMatrix) -> Floats | None:  # noqa: D102
        return None if self.network.past is None else self.network.said(features)

    def tensors(self) -> Tensors:  # noqa: D102
        return self.network.tensors()
