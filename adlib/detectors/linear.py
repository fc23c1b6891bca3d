"""How far a row's numbers lie from their centre, in the units of their joint spread."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from adlib.arrays import FeatureMatrix, Flags, Floats, Tensors
from adlib.detectors.network import column_sum, matrix_product

_DIRECTIONS = 64
"""In more numbers than this the spread beyond the widest directions counts as one and the same."""
_KEPT_SHARE = 0.75
"""The nearest rows, whose spread is measured."""
_ROUNDS = 8
_SHRINKAGE = 0.05
"""How far correlations are drawn towards none, so that what two columns that say nearly the same
differ by does not drown the rest (Ledoit and Wolf 2004)."""
_LEAST_VARIANCE = 1e-3
"""Share of the mean variance."""


@dataclass(frozen=True, eq=False)
class Linear:
    """A robust Mahalanobis distance.

    Centre and spread come from concentration steps (Rousseeuw and Van Driessen 1999): measured of
    the nearest three quarters of the rows, again and again, so that anomalies do not count.
    """

    centre: Floats
    """Shape (numbers,), float32."""
    whiten: Floats
    """Towards units of spread along each direction, 0 for a number that does not count: shape
    (directions, numbers), float32."""
    lengths: Floats
    """Standard deviation along each direction: shape (directions,), float32."""
    precision: Floats
    """By number, 1 over the variance beyond the directions, 0 where they are all: shape (numbers,),
    float32."""

    @classmethod
    def fit(cls, numbers: Floats, measured: Flags) -> Linear:
        """Measure rows of shape (numbers, rows)."""
        directions = min(len(numbers), _DIRECTIONS)
        if not measured.any():
            shapes = cls.shapes(len(numbers)).values()
            return cls(*(np.zeros(shape, dtype=np.float32) for shape in shapes))
        rows = numbers[measured].T.astype(np.float64)
        count, width = rows.shape
        centre = np.median(rows, axis=0)
        distance = np.square(rows - centre).sum(axis=1)
        kept = min(count, max(width + 1, int(count * _KEPT_SHARE)))
        for _ in range(_ROUNDS):
            nearest = rows[np.argsort(distance, kind="stable")[:kept]]
            centre = nearest.mean(axis=0)
            variances, vectors = np.linalg.eigh(_covariance(nearest - centre))
            vectors = vectors[:, ::-1] / np.sqrt(variances[::-1])
            whiten, rest = vectors[:, :directions].T, variances[::-1][directions:]
            precision = 1.0 / rest.mean() if len(rest) else 0.0
            away = rows - centre
            along = away @ whiten.T
            beyond = np.square(away).sum(axis=1) - np.square(along) @ variances[::-1][:directions]
            distance = np.square(along).sum(axis=1) + precision * beyond
        return cls._spread_out(measured, centre, whiten, variances[::-1][:directions], precision)

    @classmethod
    def _spread_out(
        cls,
        measured: Flags,
        centre: Floats,
        whiten: Floats,
        variances: Floats,
        precision: float,
    ) -> Linear:
        """Put the measured numbers among those that do not count."""
        numbers = len(measured)
        centres = np.zeros(numbers)
        centres[measured] = centre
        among = np.zeros((min(numbers, _DIRECTIONS), numbers))
        among[: len(whiten), measured] = whiten
        lengths = np.zeros(len(among))
        lengths[: len(whiten)] = np.sqrt(variances)
        parts = (centres, among, lengths, precision * measured)
        return cls(*(np.asarray(part, dtype=np.float32) for part in parts))

    def distance(self, features: FeatureMatrix) -> Floats:
        """Return the squared distance of each row: shape (rows,), >= 0."""
        along = self._along(features)
        squares = column_sum(np.square(along))
        if self.precision.any():
            precision, lengths = self._cast(features.dtype, "precision", "lengths")
            everywhere = column_sum(np.square(self._away(features)) * precision[:, None])
            seen = column_sum(np.square(along * lengths[:, None])) * precision.max()
            squares = squares + np.maximum(everywhere - seen, 0.0)
        return squares

    def parts(self, features: FeatureMatrix) -> Floats:
        """Return what each number adds to the squared distance: shape (numbers, rows), >= 0.

        A number that its relations to others make less strange counts as nothing.
        """
        added: Floats = np.maximum(self._away(features) * self._pull(features), 0.0)
        return added

    def expected(self, features: FeatureMatrix) -> Floats:
        """Return each number as all others together predict it: shape (numbers, rows)."""
        whiten, precision, lengths = self._cast(features.dtype, "whiten", "precision", "lengths")
        squares = np.square(whiten)
        own = squares.sum(axis=0)
        own += precision * (1.0 - (squares * np.square(lengths)[:, None]).sum(axis=0))
        gap = self._pull(features) / np.where(own > 0.0, own, 1.0)[:, None]
        predicted: Floats = features.numbers - gap
        return predicted

    def _pull(self, features: FeatureMatrix) -> Floats:
        """Return half the slope of the squared distance along each number: (numbers, rows)."""
        whiten, precision, lengths = self._cast(features.dtype, "whiten", "precision", "lengths")
        along = self._along(features)
        pull = _product(along, whiten.T)
        if precision.any():
            seen = _product(along * np.square(lengths)[:, None], whiten.T)
            pull = pull + precision[:, None] * (self._away(features) - seen)
        return pull

    def _away(self, features: FeatureMatrix) -> Floats:
        """Return how far each number is from its centre: shape (numbers, rows)."""
        (centre,) = self._cast(features.dtype, "centre")
        away: Floats = features.numbers - centre[:, None]
        return away

    def _along(self, features: FeatureMatrix) -> Floats:
        """Return how far each row is along the directions, in units of spread."""
        return _product(features.inputs, self._folded.astype(features.dtype))

    @cached_property
    def _folded(self) -> Floats:
        """Towards units of spread, and the centre, which the column of ones takes off."""
        whiten = self.whiten.astype(np.float64)
        return np.column_stack([whiten, -whiten @ self.centre.astype(np.float64)])

    def _cast(self, dtype: np.dtype[Any], *names: str) -> list[Floats]:
        return [getattr(self, name).astype(dtype) for name in names]

    def tensors(self) -> Tensors:
        """Return all arrays."""
        return {
            "centre": self.centre,
            "whiten": self.whiten,
            "lengths": self.lengths,
            "precision": self.precision,
        }

    @classmethod
    def shapes(cls, numbers: int) -> dict[str, tuple[int, ...]]:
        """Return the shapes that the arrays have."""
        directions = min(numbers, _DIRECTIONS)
        return {
            "centre": (numbers,),
            "whiten": (directions, numbers),
            "lengths": (directions,),
            "precision": (numbers,),
        }


def _product(columns: Floats, weights: Floats) -> Floats:
    """Multiply weights (m, numbers) by columns (numbers, rows) to (m, rows)."""
    if columns.dtype == np.float64:
        return matrix_product(columns.T, weights).T
    product: Floats = weights @ columns
    return product


def _covariance(away: Floats) -> Floats:
    """Return the covariance, drawn towards that of independent numbers."""
    covariance = away.T @ away / max(1, len(away) - 1)
    own = np.diag(covariance)
    floor = np.maximum(own, _LEAST_VARIANCE * own.mean()) + 1e-9
    shrunk: Floats = (1.0 - _SHRINKAGE) * covariance + np.diag(floor - (1.0 - _SHRINKAGE) * own)
    return shrunk
