"""A Gaussian mixture scores as scikit-learn's does, and finds its components by itself."""

import numpy as np
import pytest

from adlib.detectors.gmm import GmmSettings, fit_mixture
from adlib.detectors.space import Space
from adlib.errors import ModelError


def test_scores_are_those_of_scikit_learn(learned, rows):
    settings = GmmSettings()
    fitted = settings.fit(learned, seed=3, progress=None)
    space = Space.fit(learned, settings.most_columns, 3, "gmm")
    mixture = fit_mixture(space.learned(learned, len(learned)), settings, 3, None)
    expected = -mixture.score_samples(space.points(rows).numbers.T)
    np.testing.assert_allclose(fitted.score(rows), expected, rtol=1e-6)


def test_scores_of_ordinary_rows_may_be_negative(learned, rows):
    scores = GmmSettings(regularisation=0.01).fit(learned, seed=3, progress=None).score(rows)
    assert scores.min() < 0.0 < scores.max()


@pytest.mark.parametrize("crowds", [1, 2, 4])
def test_there_are_as_many_components_as_crowds(numbers_of, crowds):
    lots = np.random.default_rng(0)
    centres = np.asarray([[0.0, 0.0], [9.0, 9.0], [0.0, 9.0], [9.0, 0.0]])[:crowds]
    values = lots.normal(size=(800, 2)) + centres[np.arange(800) % crowds]
    fitted = GmmSettings().fit(numbers_of(values), seed=0, progress=None)
    assert fitted.metrics["components"] == crowds


def test_anomalies_of_the_sample_do_not_widen_what_is_expected(numbers_of):
    values = np.random.default_rng(0).normal(size=(1000, 2))
    values[:50] = 8.0
    fitted = GmmSettings().fit(numbers_of(values), seed=0, progress=None)
    scores = fitted.score(numbers_of(values))
    assert scores[:50].min() > np.quantile(scores[50:], 0.99)


def test_a_singular_covariance_is_refused(numbers_of):
    values = np.random.default_rng(0).normal(size=(200, 1))
    with pytest.raises(
        ModelError, match=r"covariance of the rows is singular, .*Raise detector.regularisation"
    ):
        GmmSettings(regularisation=0.0).fit(
            numbers_of(np.hstack([values, values])), seed=0, progress=None
        )
