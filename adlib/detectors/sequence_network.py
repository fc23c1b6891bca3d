"""What reads an entity's past and what rebuilds its last event, as one network."""

from __future__ import annotations

import abc
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from adlib.arrays import Buffers, FeatureMatrix, Floats, Layout, Tensors
from adlib.detectors.base import (
    Detector,
    DetectorSettings,
    Judgement,
    Progress,
    refuse_other_shapes,
    setting,
)
from adlib.detectors.convolutions import Convolutions
from adlib.detectors.gru import Gru
from adlib.detectors.last_event import LastEvent
from adlib.detectors.parts import joined, part_of

if TYPE_CHECKING:
    from adlib.detectors.sequence_training import PastModule

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

    @abc.abstractmethod
    def network(self, layout: Layout, tensors: Tensors) -> SequenceNetwork:
        """Build the network that tensors came from.

        Raises:
            ModelError: if they do not fit the layout and the settings.
        """

    def trained(
        self,
        features: FeatureMatrix,
        past: Callable[[Layout, int], PastModule],
        seed: int,
        progress: Progress | None,
    ) -> tuple[SequenceNetwork, Mapping[str, float]]:
        """Train a network whose past is read as told; return it with the figures of its fit."""
        from adlib.detectors.network_training import Schedule  # noqa: PLC0415
        from adlib.detectors.sequence_training import train_sequence  # noqa: PLC0415

        schedule = Schedule(self.steps, self.batch_rows, self.learning_rate, trim_fraction=0.0)
        found = train_sequence(features, past, self.hidden, schedule, seed=seed, progress=progress)
        return self.network(features.layout, found.tensors).measured(features), found.metrics


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
