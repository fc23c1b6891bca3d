"""Rows as points: where a distance means the same in every direction.

A number is divided by its spread, so that each counts alike; a block of several, such as an
embedding, counts as one number. A column that hardly varies is not blown up beyond a few times what
the others are. A category's value stands off the origin by the square root of twice its rarity in
nats, as far as a normal number of that rarity does: a rare value is neither lost among the numbers,
as with zeros and ones, nor drowns them, as when it is standardised. Where a category has many
values the rarity counts by what is usual in it. Marks of missing values count nothing.

Above a width points are projected at random onto fewer directions (Johnson and Lindenstrauss 1984;
scikit-learn's GaussianRandomProjection): distances survive to within a few percent, those along
rare columns too, which the directions of a PCA would leave out.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from adlib.arrays import Buffers, FeatureMatrix, Flags, Floats, Ints, Layout, Loss, Tensors
from adlib.detectors.network import column_sum, layout_of_numbers, matrix_product
from adlib.detectors.parts import joined, part_of
from adlib.detectors.usual import Usual

_LOG = logging.getLogger(__name__)
MOST_COLUMNS = 500
"""Encoded columns above which points are projected, where nobody says otherwise."""
PROJECTED_TO = 128
_MEASURED_ROWS = 20_000
_LEAST_SPREAD = 0.3
"""Share of the median spread of the numbers that a number's counts as at the least."""
_CONSTANT = 1e-6
"""float32 rounds above it."""


@dataclass(frozen=True, eq=False)
class Space:
    """The fitted map from rows to points."""

    layout: Layout
    scale: Floats
    """By column of the matrix, 0 of one that does not count: shape (layout.width,), float32."""
    centre: Floats
    """Of numbers, 0 of categories: shape (layout.width,), float32."""
    projection: Floats
    """Shape (directions, layout.width), float32; no directions where nothing is projected."""
    usual: Usual

    @classmethod
    def fit(cls, features: FeatureMatrix, most_columns: int, seed: int, kind: str) -> Space:
        """Measure rows, and say in the log what `kind` is to see of them."""
        layout = features.layout
        measured = features.take(slice(-_MEASURED_ROWS, None))
        directions = _directions(layout, most_columns)
        if directions:
            said = "%s sees %d encoded columns in %d random directions (most_columns is %d)."
            _LOG.info(said, kind, layout.width, directions, most_columns)
        else:
            _LOG.info("%s sees the %d encoded columns, scaled.", kind, layout.width)
        return cls(
            layout,
            _scale(measured).astype(np.float32),
            _centre(measured).astype(np.float32),
            _random_directions(directions, layout.width, seed).astype(np.float32),
            Usual.fit(measured),
        )

    @classmethod
    def shapes(cls, layout: Layout, most_columns: int) -> dict[str, tuple[int, ...]]:
        """Return the shapes that the arrays have."""
        return {
            "scale": (layout.width,),
            "centre": (layout.width,),
            "projection": (_directions(layout, most_columns), layout.width),
            **joined({"usual": Usual.shapes(layout)}),
        }

    @classmethod
    def restore(cls, layout: Layout, tensors: Tensors) -> Space:
        """Build what the tensors came from."""
        scale, centre, projection = (
            np.asarray(tensors[name], dtype=np.float32)
            for name in ("scale", "centre", "projection")
        )
        usual = Usual.restore(layout, **part_of(tensors, "usual"))
        return cls(layout, scale, centre, projection, usual)

    def tensors(self) -> Tensors:
        """Return all arrays."""
        return {
            "scale": self.scale,
            "centre": self.centre,
            "projection": self.projection,
            **joined({"usual": self.usual.tensors()}),
        }

    @property
    def is_projected(self) -> bool:
        """Whether points are projected onto fewer directions."""
        return len(self.projection) > 0

    @property
    def dimensions(self) -> int:
        """How many numbers a point has."""
        return len(self.projection) or self.layout.width

    @property
    def counts(self) -> Flags:
        """Which of a point's numbers say anything: shape (dimensions,)."""
        said: Flags = np.ones(self.dimensions, dtype=bool)
        return said if self.is_projected else self.scale[self._order] > 0.0

    @property
    def numbers(self) -> Flags:
        """Which of a point's numbers stand for no answer and no category: shape (dimensions,)."""
        of_columns = np.zeros(self.layout.width, dtype=bool)
        for block in self.layout.blocks:
            of_columns[block.span] = block.loss is Loss.SQUARED
        return (
            np.ones(self.dimensions, dtype=bool) if self.is_projected else of_columns[self._order]
        )

    @cached_property
    def _order(self) -> Ints:
        """The matrix's column of each of a point's numbers: numbers first, then categories."""
        spans = [np.arange(block.start, block.stop) for block in self.layout.categories]
        return np.concatenate([self.layout.number_columns, *spans]).astype(np.intp)

    def points(self, features: FeatureMatrix, buffers: Buffers | None = None) -> FeatureMatrix:
        """Return rows as points: a matrix of numbers alone."""
        buffers = buffers or Buffers()
        shape = (self.dimensions + 1, len(features))
        inputs = buffers.get("points", shape, features.dtype)
        inputs[-1] = 1.0
        fill = self._project if self.is_projected else self._scale_up
        fill(features, inputs[:-1])
        return FeatureMatrix(
            inputs, np.empty((0, len(features)), np.intp), layout_of_numbers(self.dimensions)
        )

    def learned(self, features: FeatureMatrix, most_rows: int) -> Floats:
        """Return the last rows as points in float64: shape (rows, dimensions)."""
        chosen = features.take(slice(-most_rows, None))
        return np.ascontiguousarray(self.points(chosen).numbers.T, dtype=np.float64)

    def _scale_up(self, features: FeatureMatrix, out: Floats) -> None:
        scale, centre = (
            part.astype(features.dtype)[self._order] for part in (self.scale, self.centre)
        )
        numbers = len(features.numbers)
        np.subtract(features.numbers, centre[:numbers, None], out=out[:numbers])
        out[:numbers] *= scale[:numbers, None]
        out[numbers:] = 0.0
        rows, start = np.arange(len(features)), numbers
        for block, places in zip(self.layout.categories, features.places, strict=True):
            out[start + places, rows] = scale[start + places]
            start += block.width

    def _project(self, features: FeatureMatrix, out: Floats) -> None:
        numbers, tables = self._folded[features.dtype.type]
        if features.dtype == np.float64:
            projected = matrix_product(features.inputs.T, numbers)
        else:
            projected = features.inputs.T @ numbers.T
        for places, table in zip(features.places, tables, strict=True):
            projected += table[places]
        out[:] = projected.T

    @cached_property
    def _folded(self) -> dict[type[np.generic], tuple[Floats, list[Floats]]]:
        """The projection of the numbers and the ones, and of each category's values."""
        scaled = self.projection.astype(np.float64) * self.scale
        columns = self.layout.number_columns
        shift = -scaled[:, columns] @ self.centre[columns].astype(np.float64)
        numbers = np.column_stack([scaled[:, columns], shift])
        tables = [scaled[:, block.span].T for block in self.layout.categories]
        return {
            dtype: (
                np.ascontiguousarray(numbers, dtype=dtype),
                [np.ascontiguousarray(table, dtype=dtype) for table in tables],
            )
            for dtype in (np.float32, np.float64)
        }

    def by_block(self, parts: Floats) -> Floats:
        """Add up what a point's numbers contribute, (dimensions, rows), to (rows, blocks)."""
        by_column = np.empty_like(parts)
        by_column[self._order] = parts
        by_column[self.scale == 0.0] = 0.0
        sums = [column_sum(by_column[block.span]) for block in self.layout.blocks]
        return np.stack(sums, axis=1) if sums else np.zeros((parts.shape[1], 0))

    def shares(self, scores: Floats, parts: Floats) -> Floats:
        """Share scores out as a point's numbers, (dimensions, rows), contribute: (rows, blocks)."""
        by_block = self.by_block(parts)
        total = by_block.sum(axis=1, keepdims=True)
        each = 1.0 / max(1, by_block.shape[1])
        known = total > 0.0
        shares = np.where(known, by_block / np.where(known, total, 1.0), each)
        return np.asarray(scores[:, None] * shares)

    def expected(self, points: Floats) -> Floats:
        """Return what points, (dimensions, rows), say of columns: (rows, layout.width)."""
        rows = self.usual.rows(points.shape[1])
        scale = self.scale.astype(np.float64)[self._order]
        counts = scale > 0.0
        said = points[counts] / scale[counts, None]
        rows[:, self._order[counts]] = (said + self.centre[self._order][counts, None]).T
        for block in self.layout.blocks:
            if block.loss is not Loss.SQUARED and self.scale[block.start] > 0.0:
                share = np.clip(rows[:, block.span], 1e-6, 1.0 - 1e-6)
                rows[:, block.span] = np.log(share)
                if block.loss is Loss.BINARY:
                    rows[:, block.span] -= np.log1p(-share)
        return rows


def _directions(layout: Layout, most_columns: int) -> int:
    return PROJECTED_TO if layout.width > max(most_columns, PROJECTED_TO) else 0


def _random_directions(directions: int, width: int, seed: int) -> Floats:
    if not directions:
        return np.zeros((0, width))
    from sklearn.random_projection import GaussianRandomProjection

    projection = GaussianRandomProjection(directions, random_state=seed)
    components: Floats = projection.fit(np.zeros((1, width))).components_
    return components


def _scale(features: FeatureMatrix) -> Floats:
    """Return what each column is multiplied by: shape (layout.width,)."""
    layout = features.layout
    scale = np.zeros(layout.width)
    spread = np.zeros(layout.width)
    spread[layout.number_columns] = features.numbers.std(axis=1, dtype=np.float64)
    plain = [block.start for block in layout.blocks if block.loss is Loss.SQUARED]
    varying = spread[plain][spread[plain] > _CONSTANT] if plain else np.zeros(0)
    least = _LEAST_SPREAD * float(np.median(varying)) if len(varying) else 1.0
    places = iter(features.places)
    for block, mark in zip(layout.blocks, layout.marks, strict=True):
        if block.loss is Loss.CATEGORY:
            scale[block.span] = _rarities(next(places), block.width)
        elif block.loss is Loss.BINARY:
            share = features.numbers[np.searchsorted(layout.number_columns, block.start)]
            scale[block.start] = 0.0 if mark else _answer_scale(share)
        else:
            own = np.maximum(spread[block.span], least)
            scale[block.span] = 1.0 / (own * np.sqrt(block.width))
    return scale


def _rarities(places: Ints, width: int) -> Floats:
    """Return how far each value of a category stands off: shape (width,)."""
    counts = np.bincount(places, minlength=width)
    shares = np.minimum(np.maximum(counts, 0.5) / len(places), 1.0)
    nats = -np.log(shares)
    entropy = float((shares * nats)[counts > 0].sum())
    distances: Floats = np.sqrt(2.0 * nats / max(1.0, entropy))
    return distances


def _answer_scale(answers: Floats) -> float:
    """Return how far yes and no are apart, as far as the values of a category of two are."""
    least = 0.5 / len(answers)
    share = float(np.clip(answers.mean(dtype=np.float64), least, 1.0 - least))
    return float(np.sqrt(-2.0 * (np.log(share) + np.log1p(-share))))


def _centre(features: FeatureMatrix) -> Floats:
    centre = np.zeros(features.layout.width)
    centre[features.layout.number_columns] = np.median(features.numbers, axis=1)
    return centre
