"""A recurrent network over an entity's last events: what does not follow from them is strange.

Good at order: payments, logins or commands out of turn, and a customer who changes habits, where
each row by itself is ordinary; not at what lies further back than `sequence.length` events, nor at
tables whose rows do not follow from one another, where it is a slow autoencoder. Cost of a fit: as
long as `steps` say, whatever the rows; of a score: for each earlier event 3 x units x (columns +
units), then 4 x columns x hidden units a row.

An event is rebuilt from what its entity did before and from what else it says itself, without
reading what is rebuilt, see `last_event`; the score is how far off that is. Nothing can be copied,
so what is strange need not be left out of learning: it is learned to be as rare as it is. Without
earlier events every row is judged by itself. The forward pass is NumPy; PyTorch only fits.

The unit is gated (GRU; Cho et al., EMNLP 2014); reading events up to the present to judge it is
after LSTM anomaly detectors (Malhotra et al., ESANN 2015).

Measured on 6,000 payments whose kinds follow one another in turn, 42 of them out of turn, learned
from 4,000 others: AUROC 1.000, average precision 1.00, 2.2 µs a row of one core with five earlier
events; no detector of single rows comes above 0.58 there. Of 26,253 card payments, which hold
frauds of amount and none of order: AUROC 0.653, average precision 0.11, where `autoencoder` has
0.645 and 0.23.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from adlib.arrays import FeatureMatrix, Layout, Tensors
from adlib.detectors.base import (
    Progress,
    refuse_equal_scores,
    setting,
)
from adlib.detectors.gru import Gru
from adlib.detectors.sequence_network import SequenceDetector, SequenceNetwork, SequenceSettings


@dataclass(frozen=True)
class RecurrentAutoencoderSettings(SequenceSettings):
    """Hyper-parameters of the recurrent autoencoder."""

    units: int = setting(24, "Numbers that are remembered of the events before.", ge=1, le=1024)
    kind: ClassVar[str] = "recurrent_autoencoder"

    def fit(  # noqa: D102 - said on the base
        self, features: FeatureMatrix, *, seed: int, progress: Progress | None
    ) -> RecurrentAutoencoder:
        from adlib.detectors.sequence_training import GruModule, PastModule  # noqa: PLC0415

        def past(events: Layout, _steps: int) -> PastModule:
            return GruModule(events.width, self.units)

        network, metrics = self.trained(features, past, seed, progress)
        fitted = RecurrentAutoencoder(features.layout, self, network, metrics=metrics)
        refuse_equal_scores(fitted, features)
        return fitted

    def restore(self, layout: Layout, tensors: Tensors) -> RecurrentAutoencoder:  # noqa: D102
        return RecurrentAutoencoder(layout, self, self.network(layout, tensors))

    def network(self, layout: Layout, tensors: Tensors) -> SequenceNetwork:  # noqa: D102
        return SequenceNetwork.restore(layout, tensors, Gru, self.units, self.hidden)


@dataclass(frozen=True, eq=False)
class RecurrentAutoencoder(SequenceDetector):
    """A fitted recurrent autoencoder."""

    settings: RecurrentAutoencoderSettings
    kind: ClassVar[str] = "recurrent_autoencoder"
