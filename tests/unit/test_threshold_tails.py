"""What the bulk of the scores says of their tail, where the tail is known."""

import numpy as np
import pytest
from scipy.stats import genpareto

from adlib.errors import ModelError
from adlib.thresholds import AutoThreshold, PotThreshold
from adlib.thresholds.tails import BulkTail, suspects

SHARES = (np.arange(20_000) + 0.5) / 20_000


def test_the_bulk_of_exponential_scores_gives_their_tail_back():
    shares = (np.arange(4000) + 0.5) / 4000
    tail = BulkTail.of(-np.log(1.0 - shares) * 2.0)
    assert tail.scale == pytest.approx(2.0, rel=0.01)
    assert tail.shape == pytest.approx(0.0, abs=0.01)
    for risk in (0.01, 0.001):
        assert tail.score_of(risk) == pytest.approx(-2.0 * np.log(risk), rel=0.02)


@pytest.mark.parametrize("shape", [0.2, 0.5, 0.9])
def test_the_bulk_of_pareto_scores_gives_their_tail_back(shape):
    tail = BulkTail.of(genpareto.ppf(SHARES, shape, scale=2.0))
    beyond = genpareto.ppf(0.8, shape, scale=2.0)
    assert tail.start == pytest.approx(beyond, rel=0.01)
    assert tail.scale == pytest.approx(2.0 + shape * beyond, rel=0.02)
    assert tail.shape == pytest.approx(shape, abs=0.01)


@pytest.mark.parametrize(
    ("scores", "tail"),
    [
        ([0.0, 0.0, 0.0], BulkTail(0.0, 1e-9, 0.0)),  # all alike
        ([0.0, 0.0, 5.0], BulkTail(0.0, 5e-9, 1.0)),  # a tail that begins at once
        ([-4e3, 0.0, 0.0], BulkTail(-4e3, 4e3 / np.log(2.0), 0.0)),  # and one that ends
        ([1e9, 1e9 + 8.0, 1e9 + 1e6], BulkTail(1e9, 8.0, 1.0)),  # longer than any is taken for
    ],
)
def test_a_bulk_with_steps_has_a_tail_that_is_finite_and_not_flat(scores, tail):
    begin, middle, end = scores
    found = BulkTail.of(np.repeat([begin, middle, end], [8500, 700, 800]))
    assert (found.start, found.shape) == (tail.start, tail.shape)
    assert found.scale == pytest.approx(tail.scale)


@pytest.mark.parametrize("shape", [-0.3, 0.0, 0.4])
@pytest.mark.parametrize("risk", [0.01, 1e-3, 1e-5])
def test_peaks_over_threshold_find_the_score_that_a_pareto_tail_says(shape, risk):
    cut = PotThreshold(risk).cut(genpareto.ppf(SHARES, shape, scale=2.0), None)
    assert cut == pytest.approx(genpareto.isf(risk, shape, scale=2.0), rel=0.1)


def test_ten_peaks_are_enough():
    scores = np.append(np.zeros(990), np.arange(1.0, 11.0))
    assert PotThreshold().cut(scores, None) > 1.0
    scores[-10] = 0.0
    with pytest.raises(ModelError, match="Peaks over threshold needs about 500"):
        PotThreshold().cut(scores, None)


@pytest.mark.parametrize("shape", [0.0, 0.25, 1.0])
@pytest.mark.parametrize("risk", [0.1, 0.01, 1e-4])
def test_the_score_of_a_risk_is_reached_by_that_share(shape, risk):
    tail = BulkTail(start=3.0, scale=0.5, shape=shape)
    score = tail.score_of(risk)
    assert score > 3.0
    assert tail.survival(np.array([score]))[0] == pytest.approx(risk)


def test_the_cut_of_auto_is_the_lowest_suspect_else_what_one_in_a_thousand_reaches():
    draw = np.sort(np.random.default_rng(1).exponential(size=5000))
    planted = np.append(draw, np.linspace(100.0, 101.0, 50))
    assert AutoThreshold().cut(planted, None) == planted[-suspects(planted)]
    quiet = np.sort(np.random.default_rng(2).uniform(size=5000))
    assert suspects(quiet) == 0
    assert AutoThreshold().cut(quiet, None) == BulkTail.of(quiet).score_of(0.001)


def test_suspects_are_as_many_as_keep_a_tenth_of_ordinary_ones():
    draw = genpareto.ppf(SHARES, 0.0)
    for planted in (100, 400):
        scores = np.append(draw, np.full(planted, 50.0))
        expected = len(scores) * BulkTail.of(scores).survival(scores[::-1])
        allowed = expected <= 0.1 * np.arange(1, len(scores) + 1)
        assert allowed[planted - 1]
        assert suspects(scores) == 1 + max(np.flatnonzero(allowed))
