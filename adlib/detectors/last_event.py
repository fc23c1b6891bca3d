"""An entity's last event, rebuilt from its past and from what else the event says.

Every column is rebuilt twice: from the past and all other columns of the event, which tells a
broken relation, and from the past alone, which tells a change of order that the event's other
columns bear out. The column itself is never read, so that there is nothing to copy. What either
rebuilding misses by, the surprise of `network.surprises`, counts in units of what was missed by on
average where as many events came before, so that first events, of which little can be known, are no
strangers; the score is the sum of its cubes, and each column's share is its own. Occlusion
(`explain.method`) blames less here: the commonest value may be as much out of turn as the one
found. Numbers are read as at most eight from the centre: a wild one says no more of other columns
than that, and the blame stays with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import groupby

import numpy as np

from adlib.arrays import Buffers, FeatureMatrix, Floats, Ints, Layout, Loss, Tensors
from adlib.detectors.base import Judgement
from adlib.detectors.network import column_sum, matrix_product, surprises

READ_AT_MOST = 8.0
"""Numbers further from the centre are read as this."""
_LEAST_MISSED = 1.0
"""What a rebuilding is taken to miss by at least, in spreads of a number or in nats: a column that
is known to a hair, such as the hour of the next event, is to drown no other."""
_FEWEST_ROWS = 50
"""With fewer rows of a length of past, the average is that of all rows."""


@dataclass(frozen=True, eq=False)
class Reader:
    """A linear layer over rows of a feature matrix, whose numbers are read within bounds."""

    layout: Layout
    weight: Floats
    """Shape (out, layout.width)."""
    bias: Floats
    """Shape (out,)."""

    def __call__(self, features: FeatureMatrix) -> Floats:
        """Return what the layer says: shape (rows, out)."""
        numbers, tables = self._folded[features.dtype.type]
        said = matrix_product(read(features.inputs).T, numbers)
        for places, table in zip(features.places, tables, strict=True):
            said += table[places]
        return said

    @cached_property
    def _folded(self) -> Mapping[type[np.generic], tuple[Floats, list[Floats]]]:
        """Weights of the numbers and the ones, and of each category's values."""
        numbers = np.column_stack([self.weight[:, self.layout.number_columns], self.bias])
        tables = [self.weight[:, block.span].T for block in self.layout.categories]
        return {
            dtype: (
                np.ascontiguousarray(numbers, dtype=dtype),
                [np.ascontiguousarray(table, dtype=dtype) for table in tables],
            )
            for dtype in (np.float32, np.float64)
        }


def read(numbers: Floats) -> Floats:
    """Return numbers as they are read."""
    return np.clip(numbers, -READ_AT_MOST, READ_AT_MOST)


def _events_before(features: FeatureMatrix) -> Ints:
    """Return how many events came before each row: shape (rows,)."""
    if features.past is None:
        return np.zeros(len(features), dtype=np.intp)
    count: Ints = features.past.present.sum(axis=0)
    return count


@dataclass(frozen=True, eq=False)
class LastEvent:
    """The fitted part that rebuilds an event: one hidden layer over past and event."""

    layout: Layout
    weight_event: Floats
    """Shape (hidden, layout.width)."""
    weight_past: Floats
    """Shape (hidden, units of the past)."""
    bias: Floats
    """Shape (hidden,)."""
    weight_rebuilt: Floats
    """Shape (layout.width, hidden)."""
    bias_rebuilt: Floats
    """Shape (layout.width,)."""
    missed: Floats
    """By how much each rebuilding misses on average, by how many events came before: shape
    (layout.steps + 1, 2, layout.blocks)."""

    @classmethod
    def shapes(cls, layout: Layout, hidden: int, units: int) -> dict[str, tuple[int, ...]]:
        """Return the shapes that the arrays have."""
        return {
            "weight_event": (hidden, layout.width),
            "weight_past": (hidden, units),
            "bias": (hidden,),
            "weight_rebuilt": (layout.width, hidden),
            "bias_rebuilt": (layout.width,),
            "missed": (layout.steps + 1, 2, len(layout.blocks)),
        }

    @classmethod
    def restore(cls, layout: Layout, tensors: Tensors) -> LastEvent:
        """Build what the tensors came from."""
        return cls(layout, **{name: array.astype(np.float32) for name, array in tensors.items()})

    def tensors(self) -> dict[str, Floats]:
        """Return all arrays."""
        return {name: getattr(self, name) for name in self.shapes(self.layout, 0, 0)}

    def measured(self, features: FeatureMatrix, past: Floats) -> LastEvent:
        """Return the same, with what it misses by on average on these rows."""
        surprise = self._surprises(features, self.rebuilt(features, past))
        missed = np.tile(surprise.mean(axis=2), (self.layout.steps + 1, 1, 1))
        before = _events_before(features)
        for count, own in enumerate(missed):
            if np.count_nonzero(before == count) >= _FEWEST_ROWS:
                own[:] = surprise[:, :, before == count].mean(axis=2)
        return replace(self, missed=np.maximum(missed, _LEAST_MISSED).astype(np.float32))

    def score(self, features: FeatureMatrix, past: Floats) -> Floats:
        """Return the score of rows whose past says so much, (rows, units): shape (rows,)."""
        return column_sum(self._losses(features, self.rebuilt(features, past)).sum(axis=0))

    def judge(self, features: FeatureMatrix, past: Floats) -> Judgement:
        """Return what the score is made of; what is expected is what surprises more."""
        rebuilt = self.rebuilt(features, past)
        twice = self._losses(features, rebuilt)
        losses = twice.sum(axis=0)
        alone = np.repeat(
            twice[1] > twice[0], [block.width for block in self.layout.blocks], axis=0
        )
        expected = np.where(alone, rebuilt[1], rebuilt[0])
        return Judgement(column_sum(losses), np.ascontiguousarray(losses.T), expected.T)

    def _losses(self, features: FeatureMatrix, rebuilt: Floats) -> Floats:
        """Return what each block adds to the score by each rebuilding: shape (2, blocks, rows)."""
        losses = self._surprises(features, rebuilt)
        losses /= self.missed.astype(features.dtype)[_events_before(features)].transpose(1, 2, 0)
        losses[:, self.layout.marks] = 0.0
        return losses**3

    def _surprises(self, features: FeatureMatrix, rebuilt: Floats) -> Floats:
        return np.stack([surprises(features, one, Buffers()) for one in rebuilt])

    def rebuilt(self, features: FeatureMatrix, past: Floats) -> Floats:
        """Rebuild rows without reading what is rebuilt: shape (2, layout.width, rows).

        First from the past and the other columns, then from the past alone.
        """
        weight_past, bias, weight_rebuilt, bias_rebuilt = (
            part.astype(features.dtype)
            for part in (self.weight_past, self.bias, self.weight_rebuilt, self.bias_rebuilt)
        )
        before = matrix_product(past, weight_past) + bias
        whole = before + self._event(features)
        rebuilt = np.empty((2, self.layout.width, len(features)), dtype=features.dtype)
        for column in self._columns:
            hidden = np.maximum(whole - column.said(features), 0.0)
            rebuilt[0, column.span] = matrix_product(hidden, weight_rebuilt[column.span]).T
        rebuilt[1] = matrix_product(np.maximum(before, 0.0), weight_rebuilt).T
        rebuilt += bias_rebuilt[:, None]
        return rebuilt

    @cached_property
    def _event(self) -> Reader:
        return Reader(self.layout, self.weight_event, np.zeros(len(self.bias)))

    @cached_property
    def _columns(self) -> list[_Column]:
        """The columns of the feature table, each with its blocks: a value and its mark."""
        columns: list[_Column] = []
        numbers = places = 0
        for _, group in groupby(self.layout.blocks, key=lambda block: block.column):
            blocks = list(group)
            span = slice(blocks[0].start, blocks[-1].stop)
            weight = self.weight_event[:, span]
            if blocks[0].loss is Loss.CATEGORY:
                columns.append(_Column(span, weight, slice(0, 0), places))
                places += 1
                continue
            rows = slice(numbers, numbers + span.stop - span.start)
            columns.append(_Column(span, weight, rows, None))
            numbers = rows.stop
        return columns


@dataclass(frozen=True, eq=False)
class _Column:
    """One column of an event: where it stands, and what it says to the hidden layer."""

    span: slice
    weight: Floats
    """Shape (hidden, columns of the span)."""
    numbers: slice
    """Of the matrix's numbers."""
    place: int | None
    """Of the matrix's places, for a category."""

    def said(self, features: FeatureMatrix) -> Floats:
        """Return what the column adds to the hidden layer: shape (rows, hidden)."""
        weight = self._weight[features.dtype.type]
        if self.place is not None:
            gathered: Floats = weight.T[features.places[self.place]]
            return gathered
        return matrix_product(read(features.numbers[self.numbers]).T, weight)

    @cached_property
    def _weight(self) -> Mapping[type[np.generic], Floats]:
        return {dtype: self.weight.astype(dtype) for dtype in (np.float32, np.float64)}
