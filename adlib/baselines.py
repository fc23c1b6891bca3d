"""What a model has to beat: two detectors that anybody would try first, at their usual settings.

Both read the encoded columns, categories one-hot, standardised on the rows that they learn from. A
column that is constant there, such as the place of values never seen, is left out, as it would be
by who one-hot encodes the known values.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from adlib.arrays import FeatureMatrix, Floats, Ints

MOST_ROWS = 20_000
"""Rows that a baseline learns from."""
_MOST_COLUMNS = 100
_TREES = 100
_LARGEST = 1e9
_LEAST_DEVIATION = 1e-9
"""Of an encoded column; what deviates less is rounding."""

Scorer = Callable[[Floats], Floats]
"""From a standardised matrix, (rows, columns), to scores, (rows,): higher is stranger."""


@dataclass(frozen=True)
class Standardised:
    """The columns of the one-hot matrix that vary most, each with mean 0 and deviation 1.

    The rest is never laid out: categories can be ten thousands of columns wide.
    """

    columns: Ints
    centre: Floats
    scale: Floats

    @classmethod
    def fit(cls, features: FeatureMatrix) -> Standardised:
        """Learn from encoded rows."""
        spread = _deviations(features)
        columns = np.sort(np.argsort(-spread, kind="stable")[:_MOST_COLUMNS])
        varying = columns[spread[columns] > _LEAST_DEVIATION]
        columns = varying if len(varying) else columns[:1]
        centre = _laid_out(features, columns).mean(axis=0)
        return cls(columns, centre, spread[columns].clip(_LEAST_DEVIATION))

    def __call__(self, features: FeatureMatrix) -> Floats:
        """Return encoded rows standardised: shape (rows, columns)."""
        standard = (_laid_out(features, self.columns) - self.centre) / self.scale
        return np.clip(standard, -_LARGEST, _LARGEST)


def _deviations(features: FeatureMatrix) -> Floats:
    """Return the standard deviation of each one-hot column: shape (layout.width,)."""
    layout = features.layout
    deviations = np.zeros(layout.width)
    deviations[layout.number_columns] = features.numbers.std(axis=1)
    for block, places in zip(layout.categories, features.places, strict=True):
        shares = np.bincount(places, minlength=block.width) / len(features)
        deviations[block.span] = np.sqrt(shares * (1.0 - shares))
    return deviations


def _laid_out(features: FeatureMatrix, columns: Ints) -> Floats:
    """Return some columns of the one-hot matrix: shape (rows, columns)."""
    layout = features.layout
    values = np.zeros((len(features), len(columns)))
    numbers = np.isin(columns, layout.number_columns)
    values[:, numbers] = features.numbers[
        np.searchsorted(layout.number_columns, columns[numbers])
    ].T
    for block, places in zip(layout.categories, features.places, strict=True):
        here = (columns >= block.start) & (columns < block.stop)
        values[:, here] = np.equal.outer(block.start + places, columns[here])
    return values


def _mahalanobis(learned: Floats, seed: int) -> Scorer:  # noqa: ARG001 - nothing is drawn
    """Return the squared Mahalanobis distance under a covariance shrunk after Ledoit and Wolf."""
    from sklearn.covariance import LedoitWolf

    scorer: Scorer = LedoitWolf().fit(learned).mahalanobis
    return scorer


def _isolation_forest(learned: Floats, seed: int) -> Scorer:
    """Return how early a hundred random trees isolate a row."""
    from sklearn.ensemble import IsolationForest

    forest = IsolationForest(n_estimators=_TREES, random_state=seed).fit(learned)
    return lambda values: np.negative(forest.score_samples(values))


BASELINES: Mapping[str, Callable[[Floats, int], Scorer]] = MappingProxyType(
    {"mahalanobis": _mahalanobis, "isolation_forest": _isolation_forest}
)
"""Every baseline: what learns from a standardised matrix with a seed."""
