"""Nearest neighbours measures as scikit-learn does, from a capped sample of rows."""

import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

from adlib.detectors.knn import KnnSettings
from adlib.errors import ModelError


def test_scores_are_scikit_learns_distances_to_the_kth_neighbour(learned, rows):
    fitted = KnnSettings(neighbours=4, kept_rows=300).fit(learned, seed=3, progress=None)
    search = NearestNeighbors(n_neighbors=4).fit(fitted.references.kept)
    points = fitted.references.space.points(rows).numbers.T
    expected = search.kneighbors(points)[0][:, -1]
    np.testing.assert_allclose(fitted.score(rows), expected, rtol=1e-6, atol=1e-9)


def test_rows_are_kept_up_to_a_cap_and_counted(learned):
    fitted = KnnSettings(kept_rows=300).fit(learned, seed=3, progress=None)
    assert fitted.settings.keeps_rows
    assert fitted.metrics["kept_rows"] == 300
    assert fitted.tensors()["kept"].shape == (300, learned.layout.width)


def test_of_few_rows_a_tenth_are_neighbours(learned, rows):
    few = KnnSettings(neighbours=50).fit(learned.take(slice(0, 30)), seed=3, progress=None)
    loaded = few.settings.restore(few.layout, few.tensors())
    points = few.references.space.points(rows).numbers.T
    gaps = np.linalg.norm(points[:, None] - few.references.kept, axis=2)
    np.testing.assert_allclose(loaded.score(rows), np.sort(gaps, axis=1)[:, 2], rtol=1e-6)


def test_a_row_that_was_learned_from_is_its_own_neighbour(learned):
    fitted = KnnSettings(neighbours=1).fit(learned, seed=3, progress=None)
    assert fitted.score(learned).max() == 0.0


def test_rows_that_are_all_the_same_are_refused(numbers_of):
    with pytest.raises(ModelError, match="50 rows of the sample are the same in every column"):
        KnnSettings().fit(numbers_of(np.ones((50, 3))), seed=0, progress=None)
