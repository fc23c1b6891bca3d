"""What a model has to beat reads the one-hot columns that vary most, and finds what is far off."""

import numpy as np
import pytest

from adlib.baselines import BASELINES, Standardised


@pytest.fixture(scope="module")
def features(model, columns):
    return model.encoder.transform(columns, np.float64)


def test_columns_are_standardised_and_constant_ones_left_out(features):
    one_hot = features.one_hot()
    varying = np.flatnonzero(one_hot.std(axis=0) > 0.0)
    standardised = Standardised.fit(features)
    assert standardised.columns.tolist() == varying.tolist()
    chosen = one_hot[:, varying]
    expected = (chosen - chosen.mean(axis=0)) / chosen.std(axis=0)
    np.testing.assert_allclose(standardised(features), expected, atol=1e-9)


def test_of_many_columns_those_that_vary_most_are_read(features, monkeypatch):
    monkeypatch.setattr("adlib.baselines._MOST_COLUMNS", 3)
    deviations = features.one_hot().std(axis=0)
    chosen = Standardised.fit(features).columns
    assert sorted(deviations[chosen]) == sorted(np.sort(deviations)[-3:])


@pytest.mark.parametrize("name", BASELINES)
def test_a_row_far_off_is_stranger_and_the_seed_decides(name):
    values = np.random.default_rng(1).normal(size=(500, 3))
    scores = BASELINES[name](values, 3)(np.vstack([np.zeros(3), np.full(3, 8.0)]))
    assert scores[1] > scores[0]
    again = BASELINES[name](values, 3)(np.vstack([np.zeros(3), np.full(3, 8.0)]))
    assert again.tolist() == scores.tolist()


@pytest.mark.parametrize("name", BASELINES)
def test_rows_that_are_all_alike_are_no_failure(name, features):
    alike = features.take(np.zeros(100, dtype=np.int64))
    standard = Standardised.fit(alike)(alike)
    assert standard.shape == (100, 1)
    assert np.isfinite(BASELINES[name](standard, 3)(standard)).all()
