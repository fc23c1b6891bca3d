"""Shares by shap and Captum of games that are known: what is exact, and what is left alone."""

import sys
from itertools import permutations

import numpy as np
import pytest
import torch

from adlib.coalitions import lime_weights, shapley_values
from adlib.errors import ConfigError

WEIGHTS = np.asarray([0.5, -2.0, 7.0, 0.0, 3.0])
METHODS = {"shap": shapley_values, "lime": lime_weights}


@pytest.fixture(params=METHODS)
def share_out(request):
    return METHODS[request.param]


def additive(coalitions):
    return 10.0 + coalitions @ WEIGHTS


def paired(coalitions):
    """Add what two players are worth only together."""
    return additive(coalitions) + 4.0 * coalitions[:, 0] * coalitions[:, 3]


def entangled(coalitions):
    return np.exp(additive(coalitions) / 5.0)


def by_definition(game, players):
    """Return the mean over all orders of what a player adds to those before it."""
    orders = list(permutations(range(players)))
    values = np.zeros(players)
    for order in orders:
        before = np.tril(np.ones((players + 1, players)), -1)
        scores = game(before[:, np.argsort(order)])
        values[list(order)] += np.diff(scores)
    return values / len(orders)


@pytest.mark.parametrize("game", [additive, paired])
def test_shapley_values_are_exact_where_no_three_players_interact(game):
    found = shapley_values(game, len(WEIGHTS))
    np.testing.assert_allclose(found, by_definition(game, len(WEIGHTS)), atol=1e-12)


def test_shapley_values_add_up_to_the_score_less_that_of_the_usual_row():
    whole, usual = entangled(np.ones((1, 5)))[0], entangled(np.zeros((1, 5)))[0]
    found = shapley_values(entangled, 5)
    assert found.sum() == pytest.approx(whole - usual, rel=1e-12)
    np.testing.assert_allclose(found, by_definition(entangled, 5), rtol=0.2, atol=0.2)


def test_lime_finds_the_weights_of_a_linear_game_but_for_its_penalty():
    found = lime_weights(additive, len(WEIGHTS))
    np.testing.assert_allclose(found, WEIGHTS, rtol=0.2, atol=0.2)
    np.testing.assert_array_equal(np.argsort(found), np.argsort(WEIGHTS))


@pytest.mark.parametrize("size", [1e-30, 1.0, 3e38])
def test_shares_do_not_depend_on_how_large_scores_are(share_out, size):
    found = share_out(lambda coalitions: size * additive(coalitions) / 18.5, 5)
    np.testing.assert_allclose(found / size, share_out(additive, 5) / 18.5, atol=1e-5)


def test_one_player_has_it_all(share_out):
    assert share_out(lambda coalitions: 5.0 * coalitions[:, 0], 1)[0] == pytest.approx(5.0, rel=0.3)


def test_a_score_that_never_changes_is_nobodys(share_out):
    np.testing.assert_allclose(share_out(lambda coalitions: np.zeros(len(coalitions)), 3), 0.0)


def test_the_same_game_has_the_same_shares_and_nobody_elses_random_numbers_are_touched(share_out):
    np.random.seed(5)  # noqa: NPY002 - this generator is the one at risk
    torch.manual_seed(5)
    expected = np.random.random(), torch.rand(1).item()  # noqa: NPY002
    np.random.seed(5)  # noqa: NPY002
    torch.manual_seed(5)
    first, second = share_out(entangled, 5), share_out(entangled, 5)
    assert first.tobytes() == second.tobytes()
    assert (np.random.random(), torch.rand(1).item()) == expected  # noqa: NPY002


@pytest.mark.parametrize(("method", "module"), [("shap", "shap"), ("lime", "captum.attr")])
def test_a_library_that_is_not_there_is_named_with_how_to_install_it(monkeypatch, method, module):
    monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.setattr("adlib.coalitions.metadata.distributions", list)
    with pytest.raises(ConfigError) as refused:
        METHODS[method](additive, 5)
    assert f"explain.method {method} takes packages that are not installed here" in str(
        refused.value
    )
    assert f"pip install -c constraints.txt {module.partition('.')[0]}" in str(refused.value)
