"""Several views of a row in one score: network, linear, local, and every column by itself.

The autoencoder sees relations that bend, a robust Mahalanobis distance those that do not, distances
to a few hundred centres see what lies apart from all crowds or from most, whichever tells more; a
number's tail and size and a category's rarity are what shows in one column alone. Each view's
distance becomes evidence: -log of the share of the sample's rows that lie at least as far, read off
the bulk and continued beyond it in a straight line, so that no view's scale matters. As many nats
as the bulk can vouch for count in full, and more by their logarithm, so that no view drowns the
others. The score is the weighted sum.

Good where nobody knows what the anomalies look like: no view finds what all of them find. Bad where
one view alone is telling and the budget is tiny: the others then speak of other rows. Cost: the
autoencoder, matrix products of (numbers x numbers) and (numbers x 256), and a look-up a column.

Measured on 10,000 connections of KDD 99, learned from and scored, 1% of them attacks, 70 encoded
columns: AUROC 0.993, average precision 0.53.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from adlib.arrays import Buffers, FeatureMatrix, Floats, Ints, Layout, Loss, Tensors
from adlib.detectors.autoencoder import Autoencoder, AutoencoderSettings
from adlib.detectors.base import (
    Detector,
    DetectorSettings,
    Judgement,
    Progress,
    refuse_equal_scores,
    refuse_other_shapes,
    setting,
)
from adlib.detectors.evidence import EvidenceCurves
from adlib.detectors.linear import Linear
from adlib.detectors.local import Local
from adlib.detectors.marginal import Marginal
from adlib.detectors.network import column_sum
from adlib.detectors.parts import joined, part_of

_WEIGHTS = {
    "network": 6.0,
    "linear": 3.0,
    "nearest": 4.0,
    "groups": 4.0,
    "tail": 5.0,
    "size": 1.0,
    "rarity": 16.0,
}
"""What a nat of each view's evidence counts: relations, places and single columns much alike, for
which of them tells differs from table to table; a category has the network and its rarity alone."""
_PLACES = [*_WEIGHTS].index("nearest"), [*_WEIGHTS].index("groups")
"""Two looks at one thing, of which the more telling counts."""
_SHARES = (0.5, 0.2, 0.1, 0.05)
"""Shares of the rows whose distance reaches each knot; none so small that the anomalies among the
rows could bend the curve that they are judged by."""
_VOUCHED = 6.0
"""Nats, one row in four hundred, up to which an exponential tail is believed."""
_LEAST = 1e-3
"""Share of the largest usual distance that a nat takes at the least."""
_MEASURED_ROWS = 20_000
_ORDINARY_SHARE = 0.9
_EVEN_ODDS = 0.5
"""Between no and yes, 0 and 1; of a logit it is 0."""


@dataclass(frozen=True)
class BlendSettings(DetectorSettings):
    """Hyper-parameters of the blend: those of its autoencoder."""

    members: int = setting(
        AutoencoderSettings.members,
        "How many small networks learn, each from rows of its own.",
        ge=2,
        le=256,
    )
    hidden: int = setting(AutoencoderSettings.hidden, "Hidden units of each member.", ge=1, le=4096)
    steps: int = setting(
        AutoencoderSettings.steps, "At most so many steps of learning.", ge=1, le=1_000_000
    )
    kind: ClassVar[str] = "blend"

    @property
    def autoencoder(self) -> AutoencoderSettings:
        """The settings of the network's view."""
        return AutoencoderSettings(members=self.members, hidden=self.hidden, steps=self.steps)

    def fit(  # noqa: D102 - said on the base
        self, features: FeatureMatrix, *, seed: int, progress: Progress | None
    ) -> Blend:
        layout = features.layout
        measured = features.take(slice(-_MEASURED_ROWS, None))
        network = self.autoencoder.fit(features, seed=seed, progress=progress)
        unmeasured = Blend(
            layout,
            self,
            network,
            Linear.fit(measured.numbers, layout.measured),
            Local.fit(measured.numbers, layout.measured, seed),
            Marginal.fit(features),
            EvidenceCurves.unfitted(len(_WEIGHTS), _SHARES),
            np.zeros((len(_WEIGHTS), len(layout.blocks)), dtype=np.float32),
            metrics=network.metrics,
        )
        fitted = unmeasured.measured_on(measured)
        refuse_equal_scores(fitted, features)
        return fitted

    def restore(self, layout: Layout, tensors: Tensors) -> Blend:  # noqa: D102
        numbers = len(layout.number_columns)
        shapes: dict[str, dict[str, tuple[int, ...]]] = {
            "linear": Linear.shapes(numbers),
            "local": Local.shapes(numbers),
            "marginal": Marginal.shapes(layout),
            "views": EvidenceCurves.shapes(len(_WEIGHTS), _SHARES),
            "parts": {"ordinary": (len(_WEIGHTS), len(layout.blocks))},
        }
        of_network = part_of(tensors, "network")
        own = {name: part for name, part in tensors.items() if not name.startswith("network_")}
        refuse_other_shapes(own, joined(shapes))
        arrays = {
            part: [own[f"{part}_{name}"].astype(np.float32) for name in names]
            for part, names in shapes.items()
        }
        return Blend(
            layout,
            self,
            self.autoencoder.restore(layout, of_network),
            Linear(*arrays["linear"]),
            Local(*arrays["local"]),
            Marginal.restore(layout, *arrays["marginal"]),
            EvidenceCurves(*arrays["views"]),
            *arrays["parts"],
        )


@dataclass(frozen=True, eq=False)
class Blend(Detector):
    """A fitted blend."""

    settings: BlendSettings
    network: Autoencoder
    linear: Linear
    local: Local
    marginal: Marginal
    views: EvidenceCurves
    """From each view's distance to its evidence."""
    ordinary: Floats
    """What each block adds to each view's distance in nine rows of ten at the most: shape (views,
    blocks), float32. What it adds beyond that is its part in a row that is strange."""
    kind: ClassVar[str] = "blend"

    def score(self, features: FeatureMatrix, buffers: Buffers | None = None) -> Floats:  # noqa: D102
        buffers = buffers or Buffers()
        marginal = self.marginal.parts(features, buffers)
        seen = self._distances(features, self.network.score(features, buffers), marginal)
        return column_sum(self._votes(seen, buffers))

    def judge(self, features: FeatureMatrix) -> Judgement:  # noqa: D102
        judged, buffers = self.network.judge(features), Buffers()
        marginal = self.marginal.parts(features, buffers)
        votes = self._votes(self._distances(features, judged.scores, marginal), buffers)
        parts = np.stack(self._parts(features, judged, marginal))
        added = votes[:, None] * np.stack([*map(_shares, parts, self.ordinary)])
        losses = np.zeros(added.shape[1:], dtype=np.float64)
        for of_view in added:
            losses += of_view
        expected = self._expected(features, judged.expected.T, added)
        return Judgement(column_sum(votes), np.ascontiguousarray(losses.T), expected.T)

    def _distances(
        self, features: FeatureMatrix, network: Floats, marginal: tuple[Floats, ...]
    ) -> Floats:
        """Return how far off each view sees each row: shape (views, rows)."""
        views = (
            network,
            self.linear.distance(features),
            *self.local.distances(features),
            *(column_sum(part) for part in marginal),
        )
        return np.stack(views)

    def _votes(self, distances: Floats, buffers: Buffers) -> Floats:
        """Return what each view adds to the score: shape (views, rows), >= 0."""
        votes = self.views.evidence(distances, buffers)
        doubted = votes > _VOUCHED
        votes[doubted] = _VOUCHED * (1.0 + np.log(votes[doubted] / _VOUCHED))
        votes *= np.asarray([*_WEIGHTS.values()], dtype=votes.dtype)[:, None]
        nearest, groups = (votes[place] for place in _PLACES)
        nearest[nearest < groups] = 0.0
        groups[groups <= nearest] = 0.0
        return votes

    def _parts(
        self, features: FeatureMatrix, judged: Judgement, marginal: tuple[Floats, Floats, Floats]
    ) -> tuple[Floats, ...]:
        """Return what each block adds to each view's distance: shape (blocks, rows), >= 0."""
        tails, sizes, rarities = marginal
        nearest, groups = self.local.parts(features)
        numeric = Marginal.numeric_blocks(self.layout)
        categories = np.setdiff1d(np.arange(len(self.layout.blocks)), numeric)
        return (
            judged.losses.T,
            self._by_block(self.linear.parts(features)),
            self._by_block(nearest),
            self._by_block(groups),
            self._spread_out(tails, numeric),
            self._spread_out(sizes, numeric),
            self._spread_out(rarities, categories),
        )

    def _expected(self, features: FeatureMatrix, network: Floats, added: Floats) -> Floats:
        """Return what is expected in place of each row: shape (width, rows).

        The network's reconstruction, unless another view adds more to a block and knows better what
        to expect there: of a number what the others predict, or the median; of a category the
        commonest value.
        """
        expected = network.copy()
        linear, tail = self.linear.expected(features), self.marginal.usual[:, None]
        by = dict(zip(_WEIGHTS, added, strict=True))
        by_network = by["network"] + by["nearest"] + by["groups"]  # no crowd is no expectation
        by_view = np.stack([by_network, by["linear"], by["tail"] + by["size"]]).argmax(axis=0)
        numbers = self.layout.number_columns
        for number, index in enumerate(self.layout.blocks_of_numbers):
            block, view = self.layout.blocks[index], by_view[index]
            if block.width == 1:
                others = np.stack([linear[number], np.broadcast_to(tail[number], view.shape)])
                others -= _EVEN_ODDS if block.loss is Loss.BINARY else 0.0
                expected[numbers[number]] = np.choose(view, [expected[numbers[number]], *others])
        for block, rare in zip(self.layout.blocks, by["rarity"] > by_network, strict=True):
            if block.loss is Loss.CATEGORY:
                common = -self.marginal.rarity_by_value[block.span, None]
                expected[block.span] = np.where(rare, common, expected[block.span])
        return expected

    def measured_on(self, rows: FeatureMatrix) -> Blend:
        """Read off rows how far is far in each view, and what a block adds to nine in ten rows."""
        buffers = Buffers()
        marginal = self.marginal.parts(rows, buffers)
        judged = self.network.judge(rows)
        distances = self._distances(rows, judged.scores, marginal)
        largest = np.quantile(np.abs(distances), 1.0 - _SHARES[-1], axis=1)
        views = EvidenceCurves.fit(distances, _SHARES, _LEAST * np.maximum(1.0, largest))
        parts = self._parts(rows, judged, marginal)
        ordinary = [np.quantile(part, _ORDINARY_SHARE, axis=1) for part in parts]
        return replace(self, views=views, ordinary=np.stack(ordinary).astype(np.float32))

    def _by_block(self, parts: Floats) -> Floats:
        """Add up what numbers add, shape (numbers, rows), to (blocks, rows)."""
        by_block = np.zeros((len(self.layout.blocks), parts.shape[1]), dtype=parts.dtype)
        number = 0
        for out, block in zip(by_block, self.layout.blocks, strict=True):
            if block.loss is not Loss.CATEGORY:
                out[:] = column_sum(parts[number : number + block.width])
                number += block.width
        return by_block

    def _spread_out(self, parts: Floats, blocks: list[int] | Ints) -> Floats:
        """Put what some blocks add among those that add nothing."""
        among = np.zeros((len(self.layout.blocks), parts.shape[1]), dtype=parts.dtype)
        among[blocks] = parts
        return among

    def codes(self, features: FeatureMatrix) -> Floats:  # noqa: D102
        return self.network.codes(features)

    def tensors(self) -> Tensors:  # noqa: D102
        return joined(
            {
                "network": self.network.tensors(),
                "linear": self.linear.tensors(),
                "local": self.local.tensors(),
                "marginal": self.marginal.tensors(),
                "views": self.views.tensors(),
                "parts": {"ordinary": self.ordinary},
            }
        )


def _shares(parts: Floats, ordinary: Floats) -> Floats:
    """Return the share of each block in what blocks add beyond the ordinary: (blocks, rows).

    Where none adds more, in what they add at all; where that is nothing, they share alike.
    """
    beyond = np.maximum(parts - ordinary.astype(parts.dtype)[:, None], 0.0)
    counted = np.where(column_sum(beyond) > 0.0, beyond, parts)
    total = column_sum(counted)
    shares: Floats = np.where(
        total > 0.0, counted / np.where(total > 0.0, total, 1.0), 1.0 / max(1, len(parts))
    )
    return shares
