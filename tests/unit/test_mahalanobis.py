"""The Mahalanobis distance is SciPy's, under the covariance of the nearest rows."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from adlib.detectors.mahalanobis import MahalanobisSettings
from adlib.errors import ModelError


def test_scores_are_scipys_squared_distances(learned, rows):
    fitted = MahalanobisSettings().fit(learned, seed=3, progress=None)
    whiten, centre = (
        part.astype(np.float64) for part in (fitted.linear.whiten, fitted.linear.centre)
    )
    points = fitted.space.points(rows).numbers.T
    distances = cdist(points, centre[None], metric="mahalanobis", VI=whiten.T @ whiten)[:, 0]
    np.testing.assert_allclose(fitted.score(rows), np.square(distances), rtol=1e-6)


def test_its_spread_is_that_of_the_ordinary_rows(numbers_of):
    lots = np.random.default_rng(0)
    values = lots.normal(size=(3000, 2)) @ np.asarray([[1.0, 0.8], [0.0, 0.6]])
    spoilt = np.vstack([values, np.full((150, 2), [6.0, -6.0])])
    fitted = MahalanobisSettings().fit(numbers_of(spoilt), seed=0, progress=None)
    scores = fitted.score(numbers_of(spoilt))
    assert scores[3000:].min() > scores[:3000].max()
    against, along = fitted.score(numbers_of(np.asarray([[2.0, -2.0], [2.0, 2.0]])))
    assert against > 3.0 * along


def test_rows_that_are_all_the_same_are_refused(numbers_of):
    with pytest.raises(ModelError, match="50 rows of the sample have the same score"):
        MahalanobisSettings().fit(numbers_of(np.ones((50, 3))), seed=0, progress=None)
