"""DBSCAN calls noise what scikit-learn's does, and measures from a capped sample of core rows."""

import numpy as np
import pytest
from sklearn.cluster import DBSCAN
from sklearn.neighbors import NearestNeighbors

from adlib.detectors.dbscan import (
    DbscanSettings,
    core_rows,
    neighbour_distances,
    reach_of_core,
)
from adlib.errors import ModelError


def test_what_lies_beyond_one_is_scikit_learns_noise(learned):
    fitted = DbscanSettings(core_fraction=0.8).fit(learned, seed=3, progress=None)
    points = fitted.references.space.points(learned).numbers.T
    eps, neighbours = fitted.metrics["eps"], fitted.settings.neighbours
    labels = DBSCAN(eps=eps, min_samples=neighbours).fit(points).labels_
    noise = labels == -1
    assert 0 < noise.sum() < len(noise)
    np.testing.assert_array_equal(fitted.score(learned) > 1.0, noise)


def test_scores_are_scikit_learns_distances_over_eps(learned, rows):
    fitted = DbscanSettings(kept_rows=100).fit(learned, seed=3, progress=None)
    search = NearestNeighbors(n_neighbors=1).fit(fitted.references.kept)
    points = fitted.references.space.points(rows).numbers.T
    expected = search.kneighbors(points)[0][:, 0] / fitted.metrics["eps"]
    np.testing.assert_allclose(fitted.score(rows), expected, rtol=1e-6, atol=1e-9)


def test_core_rows_are_kept_up_to_a_cap_and_counted(learned):
    fitted = DbscanSettings(kept_rows=100).fit(learned, seed=3, progress=None)
    assert fitted.settings.keeps_rows
    assert fitted.metrics["kept_rows"] == 100
    assert fitted.metrics["core_rows"] > 100


@pytest.mark.parametrize("share", [0.25, 0.5, 0.9])
def test_the_densest_share_of_the_rows_are_core_rows(learned, share):
    fitted = DbscanSettings(core_fraction=share).fit(learned, seed=3, progress=None)
    assert fitted.metrics["core_rows"] / len(learned) == pytest.approx(share, abs=0.01)


def test_eps_is_more_than_nothing_where_many_rows_are_the_same():
    assert reach_of_core(np.asarray([0.0, 0.0, 0.0, 0.5, 2.0]), 0.5) == 0.5


def test_a_row_is_the_first_of_its_neighbours():
    points = np.asarray([[0.0], [1.0], [3.0]])
    np.testing.assert_allclose(neighbour_distances(points, 2), [1.0, 1.0, 2.0])


def test_where_no_row_is_a_core_the_fit_is_refused():
    points = np.arange(20.0)[:, None]
    with pytest.raises(ModelError, match=r"no row of 20 has 3 rows within 0.5.*core_fraction"):
        core_rows(points, 0.5, 3)
