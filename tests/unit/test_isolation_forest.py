"""An isolation forest's trees as arrays score as scikit-learn's do."""

import numpy as np
import pytest

from adlib.detectors.isolation_forest import (
    IsolationForestSettings,
    fit_forest,
    rarities,
    table_of,
)
from adlib.errors import ModelError


@pytest.mark.parametrize("settings", [IsolationForestSettings(), IsolationForestSettings(7, 33)])
def test_scores_are_those_of_scikit_learn(learned, rows, settings):
    fitted = settings.fit(learned, seed=3, progress=None)
    rarity = rarities(learned)
    forest = fit_forest(table_of(learned, rarity), settings, 3)
    expected = -forest.score_samples(table_of(rows, rarity))
    np.testing.assert_allclose(fitted.score(rows), expected, rtol=1e-6)


def test_scores_lie_between_nothing_and_one(learned, rows):
    scores = IsolationForestSettings().fit(learned, seed=3, progress=None).score(rows)
    assert scores.min() > 0.0
    assert scores.max() < 1.0


def test_a_category_is_the_rarity_of_its_value(learned):
    table = table_of(learned, rarities(learned))
    shares = np.bincount(learned.places[0]) / len(learned)
    np.testing.assert_allclose(table[:, -1], -np.log(shares[learned.places[0]]), rtol=1e-6)


def test_few_rows_are_cut_apart_all(numbers_of):
    values = np.asarray([[0.0], [1.0], [2.0], [30.0]])
    fitted = IsolationForestSettings().fit(numbers_of(values), seed=0, progress=None)
    assert fitted.metrics["rows_a_tree"] == 4.0
    assert fitted.score(numbers_of(values)).argmax() == 3


def test_trees_that_lead_out_of_themselves_are_refused(learned):
    fitted = IsolationForestSettings(5).fit(learned, seed=3, progress=None)
    for name in ("left", "right", "column"):
        tensors = {key: np.array(tensor) for key, tensor in fitted.tensors().items()}
        tensors[f"trees_{name}"][2, 1] = 10_000
        with pytest.raises(ModelError, match=f"tensor '{name}' names nodes or columns"):
            fitted.settings.restore(fitted.layout, tensors)
