"""Principal components are scikit-learn's: what they leave over, and how far out a row is."""

import numpy as np
import pytest
from sklearn.decomposition import PCA

from adlib.detectors.pca import PcaSettings, fit_components
from adlib.detectors.space import Space
from adlib.errors import ModelError


def test_scores_are_scikit_learns_residuals_and_places_along_its_components(learned, rows):
    settings = PcaSettings()
    fitted = settings.fit(learned, seed=3, progress=None)
    space = Space.fit(learned, settings.most_columns, 3, "pca")
    found, enough = fit_components(space.learned(learned, len(learned)), settings.explained)
    assert isinstance(found, PCA)
    points = space.points(rows).numbers.T
    along = found.transform(points)
    along[:, enough:] = 0.0
    residuals = points - found.inverse_transform(along)
    along = along[:, :enough] / np.sqrt(enough * found.explained_variance_[:enough])
    expected = np.square(residuals / fitted.units).sum(axis=1) + np.square(along).sum(axis=1)
    np.testing.assert_allclose(fitted.score(rows), expected, rtol=1e-6)


def test_what_is_left_over_and_what_is_far_out_count_alike(numbers_of):
    lots = np.random.default_rng(0)
    cause = lots.normal(size=(1000, 1))
    values = np.hstack([cause, cause, cause]) + lots.normal(size=(1000, 3)) * [0.2, 0.2, 0.3]
    fitted = PcaSettings().fit(numbers_of(values), seed=0, progress=None)
    _, along, left_over = fitted._taken_apart(fitted.space.points(numbers_of(values)))
    assert np.square(along).sum(axis=0).mean() == pytest.approx(1.0, rel=0.01)
    assert np.square(left_over).sum(axis=0).mean() == pytest.approx(1.0, rel=0.01)
    each = np.abs(left_over).mean(axis=1)
    np.testing.assert_allclose(each / each[0], 1.0, rtol=1e-3)


def test_a_broken_relation_is_stranger_than_more_of_the_usual(numbers_of):
    lots = np.random.default_rng(0)
    cause = lots.normal(size=(1000, 1))
    values = np.hstack([cause, cause, cause]) + lots.normal(size=(1000, 3)) * 0.1
    fitted = PcaSettings().fit(numbers_of(values), seed=0, progress=None)
    assert fitted.metrics["components"] == 1.0
    more, broken = fitted.score(numbers_of(np.asarray([[4.0, 4.0, 4.0], [1.0, 1.0, -1.0]])))
    assert broken > 5.0 * more


def test_what_is_expected_is_what_the_components_rebuild(numbers_of):
    values = np.random.default_rng(0).normal(size=(500, 1)) @ np.ones((1, 3))
    fitted = PcaSettings().fit(numbers_of(values), seed=0, progress=None)
    expected = fitted.judge(numbers_of(np.asarray([[1.0, 1.0, -2.0]]))).expected
    np.testing.assert_allclose(expected, np.zeros((1, 3)), atol=1e-6)


def test_a_single_number_that_varies_has_no_component(numbers_of):
    values = np.zeros((200, 2))
    values[:, 0] = np.random.default_rng(0).normal(size=200)
    fitted = PcaSettings().fit(numbers_of(values), seed=0, progress=None)
    assert fitted.metrics["components"] == 0.0
    (far,) = fitted.score(numbers_of(np.asarray([[9.0, 0.0]])))
    assert far > fitted.score(numbers_of(values)).max()


def test_rows_that_are_all_the_same_are_refused(numbers_of):
    with pytest.raises(ModelError, match="50 rows of the sample are the same in every column"):
        PcaSettings().fit(numbers_of(np.ones((50, 3))), seed=0, progress=None)
