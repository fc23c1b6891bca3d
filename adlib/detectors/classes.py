"""Values of a category that share an output, so that a category of many costs what one of few does.

The commonest values have a column of a network's output each; the others share the last. What a
value is expected to be is then the probability of its class times its share of the class
(Goodman, "Classes for fast maximum entropy training", ICASSP 2001).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from adlib.arrays import Block, FeatureMatrix, Floats, Ints, Layout, Loss, Tensors


@dataclass(frozen=True, eq=False)
class ValueClasses:
    """Which columns of a feature matrix share which column of an output."""

    layout: Layout
    """Of the feature matrix."""
    columns: Ints
    """The output's column of each of the matrix's columns: shape (layout.width,), int32."""
    surplus: Floats
    """-log of the share that a value has of its class, in nats: shape (layout.width,), float32."""
    weights: Floats
    """What a nat of each block counts, 1 at the most: shape (layout.blocks,), float32. A category
    whose values surprise by several nats as a rule, such as a port, speaks as loud as others do."""

    @classmethod
    def fit(cls, features: FeatureMatrix, most_classes: int) -> ValueClasses:
        """Give the commonest values of each category a class of their own."""
        layout = features.layout
        columns = np.zeros(layout.width, dtype=np.int32)
        surplus = np.zeros(layout.width, dtype=np.float32)
        weights = np.ones(len(layout.blocks), dtype=np.float32)
        places, start = iter(features.places), 0
        for index, block in enumerate(layout.blocks):
            within: Ints = np.arange(block.width)
            if block.loss is Loss.CATEGORY:
                counts = np.bincount(next(places), minlength=block.width)
                weights[index] = 1.0 / max(1.0, _entropy(counts))
                within, surplus[block.span] = _classes_of(counts, most_classes)
            columns[block.span] = start + within
            start += int(within.max()) + 1
        return cls(layout, columns, surplus, weights)

    @staticmethod
    def shapes(layout: Layout) -> dict[str, tuple[int, ...]]:
        """Return the shapes of the tensors."""
        return {
            "classes": (layout.width,),
            "surplus": (layout.width,),
            "value_weights": (len(layout.blocks),),
        }

    @classmethod
    def restore(cls, layout: Layout, tensors: Tensors) -> ValueClasses:
        """Build what the tensors came from.

        Raises:
            ValueError: if something else than a category has a surplus.
        """
        surplus, weights = (
            tensors[name].astype(np.float32) for name in ("surplus", "value_weights")
        )
        if surplus[layout.number_columns].any():
            raise ValueError("something else than a category has a surplus")
        return cls(layout, tensors["classes"].astype(np.int32), surplus, weights)

    def tensors(self) -> dict[str, Floats | Ints]:
        """Return all arrays."""
        return {"classes": self.columns, "surplus": self.surplus, "value_weights": self.weights}

    @staticmethod
    def outputs_of(tensors: Tensors) -> int:
        """Return how many columns an output has, as far as the tensors say."""
        return int(np.max(tensors.get("classes", np.zeros(1)), initial=0)) + 1

    @cached_property
    def output_layout(self) -> Layout:
        """What stands where in the output: the same blocks, categories by class."""
        return Layout(tuple(self._output_blocks()))

    def _output_blocks(self) -> Iterator[Block]:
        for block in self.layout.blocks:
            taken = self.columns[block.span]
            yield replace(block, start=int(taken.min()), stop=int(taken.max()) + 1)

    def classes(self, features: FeatureMatrix) -> FeatureMatrix:
        """Return the rows with each value's class in place of the value."""
        places = np.empty_like(features.places)
        for row, own, table in zip(places, features.places, self._places, strict=True):
            np.take(table, own, out=row, mode="clip")
        return FeatureMatrix(features.inputs, places, self.output_layout)

    @cached_property
    def _places(self) -> list[Ints]:
        """Each category's classes by value."""
        spans = [block.span for block in self.layout.categories]
        return [(self.columns[span] - self.columns[span].min()).astype(np.intp) for span in spans]

    @cached_property
    def _surplus(self) -> dict[int, Floats]:
        """The surplus by value of the blocks that have one, by place among the blocks."""
        return {
            place: self.surplus[block.span]
            for place, block in enumerate(self.layout.blocks)
            if self.surplus[block.span].any()
        }

    def weigh(self, surprise: Floats) -> None:
        """Divide what a block surprises by what is usual; `surprise` has shape (blocks, rows)."""
        surprise *= self.weights.astype(surprise.dtype)[:, None]

    def add_surplus(self, surprise: Floats, features: FeatureMatrix) -> None:
        """Add what a value surprises beyond its class; `surprise` has shape (blocks, rows)."""
        categories = [block.column for block in self.layout.categories]
        for place, surplus in self._surplus.items():
            category = categories.index(self.layout.blocks[place].column)
            surprise[place] += surplus.astype(surprise.dtype)[features.places[category]]

    def by_value(self, outputs: Floats) -> Floats:
        """Return an output, shape (columns, rows), with a logit for each value: (width, rows)."""
        values: Floats = outputs[self.columns]
        return values - self.surplus[:, None]


def _entropy(counts: Ints) -> float:
    """Return by how many nats a value surprises on average when nothing else is known."""
    shares = counts[counts > 0] / counts.sum()
    return float(-(shares * np.log(shares)).sum())


def _classes_of(counts: Ints, most_classes: int) -> tuple[Ints, Floats]:
    """Return each value's class and surplus; a count of 0 counts as a half."""
    classes = np.arange(len(counts))
    surplus = np.zeros(len(counts))
    if len(counts) > most_classes:
        commonest = np.argsort(-counts, kind="stable")
        classes[commonest] = np.minimum(np.arange(len(counts)), most_classes - 1)
        others = commonest[most_classes - 1 :]
        usual = np.maximum(counts[others], 0.5)
        surplus[others] = np.log(usual.sum() / usual)
    return classes, surplus
