"""Points that rows are measured against: how far is the nearest, or the k-th nearest, of them?"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from adlib.arrays import Buffers, FeatureMatrix, Floats, Ints, Layout, Tensors
from adlib.detectors.base import Detector, Judgement, refuse_other_shapes
from adlib.detectors.network import column_sum, matrix_product
from adlib.detectors.parts import joined, part_of
from adlib.detectors.space import Space
from adlib.errors import ModelError


@dataclass(frozen=True, eq=False)
class KeptPoints:
    """What the nearest are sought among."""

    kept: Floats
    """Shape (references, dimensions)."""
    reach: Floats
    """What distances to each are divided by: shape (references,)."""
    neighbours: int = 1
    """The distance to the so-manieth nearest is the score."""

    def score(self, points: FeatureMatrix, buffers: Buffers) -> Floats:
        """Return the distance of each point: shape (rows,)."""
        return self.distance(points, self.nearest(points, buffers)[-1])

    def nearest(self, points: FeatureMatrix, buffers: Buffers) -> Ints:
        """Return the nearest references, the furthest of them last: shape (neighbours, rows)."""
        squares, count = self._squares(points, buffers), self.neighbours
        nearest: Ints
        if count == 1:
            nearest = squares.argmin(axis=1)[None]
        else:
            nearest = np.argpartition(squares, count - 1, axis=1)[:, :count].T
            nearest[:-1].sort(axis=0)
        return nearest

    def distance(self, points: FeatureMatrix, nearest: Ints) -> Floats:
        """Return how far points are from one reference each, to the last digit: shape (rows,).

        The products that find the nearest lose what is small beside the points' own lengths.
        """
        _, kept, inverse = self._cast[points.dtype.type]
        squares = column_sum(np.square(points.numbers - kept[nearest].T)) * inverse[nearest]
        distances: Floats = np.sqrt(squares)
        return distances

    def _squares(self, points: FeatureMatrix, buffers: Buffers) -> Floats:
        """Return squared distances in units of the reach, roughly: shape (rows, references)."""
        folded, _, inverse = self._cast[points.dtype.type]
        lengths = column_sum(np.square(points.numbers))
        if points.dtype == np.float64:
            product = matrix_product(points.inputs.T, folded)
        else:
            out = buffers.get("products", (len(points), len(folded)), points.dtype)
            product = np.matmul(points.inputs.T, folded.T, out=out)
        product += lengths[:, None] * inverse
        return product

    @cached_property
    def _cast(self) -> dict[type[np.generic], tuple[Floats, Floats, Floats]]:
        """What makes squared distances in one product; the references; 1 over squared reaches."""
        kept = self.kept.astype(np.float64)
        inverse = 1.0 / np.square(self.reach.astype(np.float64))
        lengths = np.square(kept).sum(axis=1)
        folded = np.column_stack([-2.0 * kept, lengths]) * inverse[:, None]
        return {
            dtype: (folded.astype(dtype), kept.astype(dtype), inverse.astype(dtype))
            for dtype in (np.float32, np.float64)
        }


@dataclass(frozen=True, eq=False)
class References:
    """Kept points, each with a distance that counts as one."""

    space: Space
    kept: Floats
    """Shape (references, dimensions)."""
    reach: Floats
    """What distances to each are divided by: shape (references,)."""
    neighbours: int = 1
    """The distance to the so-manieth nearest is the score."""

    @classmethod
    def restore(
        cls, layout: Layout, tensors: Tensors, most_columns: int, neighbours: int = 1
    ) -> References:
        """Build what the tensors came from.

        Raises:
            ModelError: if they do not fit the layout.
        """
        count = max(1, np.size(tensors.get("reach", ())))
        space = Space.shapes(layout, most_columns)
        dimensions = space["projection"][0] or layout.width
        shapes = {"kept": (count, dimensions), "reach": (count,)}
        refuse_other_shapes(tensors, shapes | joined({"space": space}))
        kept = np.asarray(tensors["kept"], dtype=np.float64)
        reach = np.asarray(tensors["reach"], dtype=np.float64)
        return cls(Space.restore(layout, part_of(tensors, "space")), kept, reach, neighbours)

    def tensors(self) -> Tensors:
        """Return all arrays."""
        own = {"kept": self.kept, "reach": self.reach}
        return own | joined({"space": self.space.tensors()})

    def score(self, features: FeatureMatrix, buffers: Buffers | None = None) -> Floats:
        """Return the distance of each row: shape (rows,)."""
        buffers = buffers or Buffers()
        return self._points.score(self.space.points(features, buffers), buffers)

    def judge(self, features: FeatureMatrix) -> Judgement:
        """Share the distance out by the squared differences from the nearest references."""
        if self.space.is_projected:
            usual = self.space.usual
            losses = usual.occlusion(features, self.score)
            return Judgement(self.score(features), losses, usual.rows(len(features)))
        points = self.space.points(features)
        chosen = self._points.nearest(points, Buffers())
        kept = self.kept.astype(features.dtype)
        parts = np.zeros_like(points.numbers)
        expected = np.zeros_like(points.numbers)
        for nearest in chosen:
            parts += np.square(points.numbers - kept[nearest].T)
            expected += kept[nearest].T / len(chosen)
        scores = self._points.distance(points, chosen[-1])
        losses = self.space.shares(scores, parts)
        return Judgement(scores, losses, self.space.expected(expected))

    @cached_property
    def _points(self) -> KeptPoints:
        return KeptPoints(self.kept, self.reach, self.neighbours)


@dataclass(frozen=True, eq=False)
class ReferenceDetector(Detector):
    """A fitted detector whose score is how far a row lies from kept references."""

    references: References

    @property
    def adds_up(self) -> bool:  # noqa: D102
        return not self.references.space.is_projected

    def score(self, features: FeatureMatrix, buffers: Buffers | None = None) -> Floats:  # noqa: D102
        return self.references.score(features, buffers)

    def judge(self, features: FeatureMatrix) -> Judgement:  # noqa: D102
        return self.references.judge(features)

    def tensors(self) -> Tensors:  # noqa: D102
        return self.references.tensors()


def refuse_one_point(points: Floats) -> None:
    """Refuse rows, (rows, dimensions), that are all the same: no distance tells them apart.

    Raises:
        ModelError: if they are.
    """
    if len(points) > 1 and not np.ptp(points, axis=0).any():
        why = f"{len(points):,} rows of the sample are the same in every column"
        raise ModelError.degenerate(why, "Widen the sample or list columns that vary.")
