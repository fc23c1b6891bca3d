"""Convolutions over an entity's last events: what does not fit their pattern is strange.

Good at short patterns of neighbouring events, and faster than `recurrent_autoencoder`; not at what
counts wherever it stood in the past, for each place of it has weights of its own, nor at tables
whose rows do not follow from one another. Cost of a fit: as long as `steps` say, whatever the rows;
of a score: for each earlier event 3 x channels x (columns + channels) and channels x hidden units,
then 4 x columns x hidden units a row.

An event is rebuilt from what its entity did before and from what else it says itself, without
reading what is rebuilt, see `last_event`; the score is how far off that is. Nothing can be copied,
so what is strange need not be left out of learning: it is learned to be as rare as it is. Without
earlier events every row is judged by itself. The forward pass is NumPy; PyTorch only fits.

Convolutions over events in place of a memory are after Bai et al. (arXiv 1803.01271).

Measured on 6,000 payments whose kinds follow one another in turn, 42 of them out of turn, learned
from 4,000 others: AUROC 1.000, average precision 1.00, 1.3 µs a row of one core with five earlier
events; no detector of single rows comes above 0.58 there.
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
from adlib.detectors.convolutions import Convolutions
from adlib.detectors.sequence_network import SequenceDetector, SequenceNetwork, SequenceSettings


@dataclass(frozen=True)
class ConvAutoencoderSettings(SequenceSettings):
    """Hyper-parameters of the convolutional autoencoder."""

    channels: int = setting(16, "Numbers that each convolution says of an event.", ge=1, le=1024)
    kind: ClassVar[str] = "conv_autoencoder"

    def fit(  # noqa: D102 - said on the base
        self, features: FeatureMatrix, *, seed: int, progress: Progress | None
    ) -> ConvAutoencoder:
        from adlib.detectors.sequence_training import ConvolutionsModule, PastModule  # noqa: PLC0415

        def past(events: Layout, steps: int) -> PastModule:
            return ConvolutionsModule(events.width, self.channels, steps)

        network, metrics = self.trained(features, past, seed, progress)
        fitted = ConvAutoencoder(features.layout, self, network, metrics=metrics)
        refuse_equal_scores(fitted, features)
        return fitted

    def restore(self, layout: Layout, tensors: Tensors) -> ConvAutoencoder:  # noqa: D102
        return ConvAutoencoder(layout, self, self.network(layout, tensors))

    def network(self, layout: Layout, tensors: Tensors) -> SequenceNetwork:  # noqa: D102
        return SequenceNetwork.restore(layout, tensors, Convolutions, self.channels, self.hidden)


@dataclass(frozen=True, eq=False)
class ConvAutoencoder(SequenceDetector):
    """A fitted convolutional autoencoder."""

    settings: ConvAutoencoderSettings
    kind: ClassVar[str] = "conv_autoencoder"
