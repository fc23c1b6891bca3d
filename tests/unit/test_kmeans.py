"""k-means measures as scikit-learn does, from the centres of the crowds that are large."""

import numpy as np
import pytest

from adlib.detectors import kmeans
from adlib.detectors.kmeans import KmeansSettings, fit_clusters
from adlib.detectors.space import Space
from adlib.errors import ModelError


def test_scores_are_scikit_learns_distances_over_the_spread(learned, rows):
    settings = KmeansSettings(clusters=2)
    fitted = settings.fit(learned, seed=3, progress=None)
    space = Space.fit(learned, settings.most_columns, 3, "kmeans")
    points = space.learned(learned, len(learned))
    clusters = fit_clusters(points, 2, 3)
    kept = fitted.references.kept[:, None]
    large = [np.flatnonzero((clusters.cluster_centers_ == own).all(axis=1))[0] for own in kept]
    distances = clusters.transform(space.points(rows).numbers.T)[:, large]
    expected = (distances / fitted.references.reach).min(axis=1)
    np.testing.assert_allclose(fitted.score(rows), expected, rtol=1e-6)


def test_the_spread_is_the_root_mean_square_distance_of_a_crowds_rows(numbers_of):
    values = np.random.default_rng(0).normal(size=(2000, 2))
    values[1000:] = values[1000:] * 0.7 + 30.0
    fitted = KmeansSettings(clusters=2).fit(numbers_of(values), seed=0, progress=None)
    scores = fitted.score(numbers_of(values))
    for crowd in (scores[:1000], scores[1000:]):
        assert np.sqrt(np.mean(crowd**2)) == pytest.approx(1.0, rel=0.01)


def test_a_small_crowd_is_no_centre(numbers_of):
    values = np.random.default_rng(0).normal(size=(1000, 2))
    values[:20] = 15.0
    fitted = KmeansSettings(clusters=4).fit(numbers_of(values), seed=0, progress=None)
    scores = fitted.score(numbers_of(values))
    assert scores[:20].min() > scores[20:].max()


def test_many_rows_are_learned_in_mini_batches(monkeypatch):
    points = np.random.default_rng(0).normal(size=(300, 2))
    assert type(fit_clusters(points, 3, 0)).__name__ == "KMeans"
    monkeypatch.setattr(kmeans, "_MINI_BATCHES_ABOVE", 299)
    assert type(fit_clusters(points, 3, 0)).__name__ == "MiniBatchKMeans"


def test_rows_that_are_all_the_same_are_refused(numbers_of):
    with pytest.raises(ModelError, match="50 rows of the sample are the same in every column"):
        KmeansSettings().fit(numbers_of(np.ones((50, 3))), seed=0, progress=None)
