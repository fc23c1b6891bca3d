"""How far a row's numbers lie from their centre, in the units of their joint spread."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from adlib.arrays import Floats, Tensors
from adlib.detectors.network import column_sum, matrix_product

_DIRECTIONS = 64
"""In more numbers than this the spread beyond the widest directions counts as one and the same."""
_KEPT_SHARE = 0.75
"""The nearest rows, whose spread is measured."""
_ROUNDS = 8
_SHRINKAGE = 1e-3


@dataclass(frozen=True, eq=False)
class Linear:
    """A robust Mahalanobis distance.

    Centre and spread come from concentration steps (Rousseeuw and Van Driessen 1999): measured of
    the nearest three quarters of the rows, again and again, so that anomalies do not count.
    """

    centre: Floats
    """Shape (numbers,), float32."""
    whiten: Floats
    """Towards units of spread along each direction: shape (directions, numbers), float32."""
    directions: Floats
    """Of the same directions, orthonormal: shape (directions, numbers), float32."""
    precision: Floats
    """1 over the variance beyond the directions, 0 where they are all: shape (1,), float32."""

    @classmethod
    def fit(cls, numbers: Floats) -> Linear:
        """Measure rows of shape (numbers, rows)."""
        rows = numbers.T.astype(np.float64)
        count, width = rows.shape
        centre = np.median(rows, axis=0)
        distance = np.square(rows - centre).sum(axis=1)
        kept = min(count, max(width + 1, int(count * _KEPT_SHARE)))
        for _ in range(_ROUNDS):
            nearest = rows[np.argsort(distance, kind="stable")[:kept]]
            centre = nearest.mean(axis=0)
            fitted = cls._of_spread(centre, _covariance(nearest - centre))
            distance = fitted.distance(np.ascontiguousarray(rows.T))
        return fitted

    @classmethod
    def _of_spread(cls, centre: Floats, covariance: Floats) -> Linear:
        variances, vectors = np.linalg.eigh(covariance)
        vectors = vectors * np.where(vectors.sum(axis=0) < 0.0, -1.0, 1.0)
        widest = np.argsort(-variances, kind="stable")
        taken, rest = widest[:_DIRECTIONS], widest[_DIRECTIONS:]
        directions = np.ascontiguousarray(vectors[:, taken].T)
        whiten = directions / np.sqrt(variances[taken])[:, None]
        precision = 1.0 / variances[rest].mean() if len(rest) else 0.0
        parts = (centre, whiten, directions, np.asarray([precision]))
        return cls(*(part.astype(np.float32) for part in parts))

    def distance(self, numbers: Floats) -> Floats:
        """Return the squared distance of rows of shape (numbers, rows): shape (rows,)."""
        away, whiten, directions, precision = self._away(numbers)
        squares = column_sum(np.square(_project(away, whiten)))
        if precision:
            beyond = away - _project(_project(away, directions), directions.T)
            squares = squares + precision * column_sum(np.square(beyond))
        return squares

    def parts(self, numbers: Floats) -> Floats:
        """Return what each number adds to the squared distance: shape (numbers, rows), >= 0.

        A number that its relations to others make less strange counts as nothing.
        """
        away, whiten, directions, precision = self._away(numbers)
        pull = _project(_project(away, whiten), whiten.T)
        if precision:
            beyond = away - _project(_project(away, directions), directions.T)
            pull = pull + precision * beyond
        added: Floats = np.maximum(away * pull, 0.0)
        return added

    def _away(self, numbers: Floats) -> tuple[Floats, Floats, Floats, float]:
        whiten, directions, centre = self._cast[numbers.dtype.type]
        return numbers - centre[:, None], whiten, directions, float(self.precision[0])

    @cached_property
    def _cast(self) -> dict[type[np.generic], tuple[Floats, Floats, Floats]]:
        return {
            dtype: (
                self.whiten.astype(dtype),
                self.directions.astype(dtype),
                self.centre.astype(dtype),
            )
            for dtype in (np.float32, np.float64)
        }

    def tensors(self) -> Tensors:
        """Return all arrays."""
        return {
            "centre": self.centre,
            "whiten": self.whiten,
            "directions": self.directions,
            "precision": self.precision,
        }

    @classmethod
    def shapes(cls, numbers: int) -> dict[str, tuple[int, ...]]:
        """Return the shapes that the arrays have."""
        directions = min(numbers, _DIRECTIONS)
        return {
            "centre": (numbers,),
            "whiten": (directions, numbers),
            "directions": (directions, numbers),
            "precision": (1,),
        }


def _project(columns: Floats, weights: Floats) -> Floats:
    """Multiply weights (m, numbers) by columns (numbers, rows) to (m, rows)."""
    if columns.dtype == np.float64:
        return matrix_product(columns.T, weights).T
    product: Floats = weights @ columns
    return product


def _covariance(away: Floats) -> Floats:
    """Return the covariance, drawn a little towards independent numbers of one spread."""
    covariance = away.T @ away / max(1, len(away) - 1)
    width = len(covariance)
    floor = _SHRINKAGE * np.trace(covariance) / max(1, width) + 1e-9
    shrunk: Floats = covariance + floor * np.eye(width)
    return shrunk
