"""A detector's scores may be negative, and a cut next to nothing: all that follows holds."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from unittest.mock import create_autospec

import numpy as np
import pytest

from adlib.arrays import take_rows
from adlib.artifacts import pack, unpack
from adlib.detectors.base import refuse_equal_scores
from adlib.detectors.gmm import Gmm, GmmSettings
from adlib.encoding import EncodingSettings
from adlib.errors import ModelError
from adlib.model import fit_model
from adlib.selftest import self_test
from adlib.spark.second_pass import low_cuts
from adlib.spark.tally import bins_of, bounds_of_bins, score_of_bin
from adlib.thresholds import (
    THRESHOLDS,
    AutoThreshold,
    BudgetThreshold,
    ConformalThreshold,
    FdrThreshold,
    FixedThreshold,
    FractionThreshold,
    PercentileThreshold,
    PotThreshold,
    Threshold,
    TopKThreshold,
    ZScoreThreshold,
)

SETTINGS = EncodingSettings(text_buckets=8)
LOW = (
    FixedThreshold(-3.0),
    BudgetThreshold(fraction=0.3),
    FractionThreshold(0.3),
    PercentileThreshold(60.0),
    ZScoreThreshold(-0.01),
    ConformalThreshold(0.3),
    PotThreshold(0.01),
    TopKThreshold(3),
    AutoThreshold(),
    FdrThreshold(),
)


@pytest.fixture(scope="module")
def unlikely(model, columns):
    """Return a model whose scores are negative of most rows: negative log-likelihoods."""
    return fit_model(
        columns,
        model.columns,
        name="payments",
        encoding=SETTINGS,
        detector=GmmSettings(regularisation=0.01),
        threshold=FixedThreshold(0.0),
        reasons=3,
        seed=7,
        rows_per_day=None,
        provenance={},
    )


@pytest.fixture(scope="module")
def exact(unlikely, strange_columns):
    return unlikely.exact_scores(strange_columns)


def with_cut(model, settings, scores=None):
    scores = model.threshold.calibration if scores is None else scores
    return replace(model, threshold=Threshold.calibrate(settings, scores, None))


def test_most_scores_are_negative_and_strange_ones_are_not(exact):
    assert (exact < 0.0).mean() > 0.5
    assert exact[-10:].min() > 0.0


def test_all_thresholds_are_tested():
    assert {settings.kind for settings in LOW} == set(THRESHOLDS)


@pytest.mark.parametrize("settings", LOW, ids=lambda settings: settings.kind)
def test_every_threshold_flags_what_reaches_its_cut(unlikely, strange_columns, exact, settings):
    model = with_cut(unlikely, settings, exact[:-10])
    scored = model.score(strange_columns)
    np.testing.assert_array_equal(scored.is_anomaly, exact >= model.threshold.cut)
    assert scored.is_anomaly[-10:].all()
    assert ((scored.flagged.percentiles >= 0.0) & (scored.flagged.percentiles <= 100.0)).all()


def test_a_row_at_the_cut_is_flagged_also_where_the_cut_is_next_to_nothing(
    unlikely, strange_columns, exact
):
    for row in np.argsort(np.abs(exact))[:20]:
        cut = float(exact[row])
        found = with_cut(unlikely, FixedThreshold(cut)).score(strange_columns).is_anomaly
        np.testing.assert_array_equal(found, exact >= cut)


def test_reasons_have_shares_of_a_whole(unlikely, strange_columns):
    scored = with_cut(unlikely, FractionThreshold(0.3)).score(strange_columns)
    assert len(scored.flagged.reasons) > 100
    for reasons in scored.flagged.reasons:
        shares = [reason.share for reason in reasons]
        assert all(share > 0.0 for share in shares)
        assert sum(shares) <= 1.0 + 1e-5


def test_the_model_survives_the_way_through_an_artifact(unlikely, strange_columns):
    again = unpack(pack(unlikely)).score(strange_columns)
    assert again.scores.tobytes() == unlikely.score(strange_columns).scores.tobytes()


def test_the_self_test_compares_ranks_alone(unlikely, columns):
    test = self_test(unlikely, columns, seed=1)
    assert test is not None
    assert not test.is_weak
    assert test.overall["found"] > 0.1


def test_scores_that_are_equal_are_refused_and_those_that_are_not_are_kept(rows):
    scores = {"equal": np.full(len(rows), -5.0), "varying": -5.0 - np.arange(len(rows))}
    equal, varying = (create_autospec(Gmm, instance=True) for _ in scores)
    equal.score.return_value, varying.score.return_value = scores.values()
    with pytest.raises(ModelError, match="have the same score"):
        refuse_equal_scores(equal, rows)
    refuse_equal_scores(varying, rows)


def test_bins_are_in_the_order_of_the_scores_and_hold_them():
    sizes = np.logspace(-37, 38, 1000)
    scores = np.concatenate([-sizes[::-1], [0.0], sizes])
    places = bins_of(scores)
    assert (np.diff(places) >= 0).all()
    middles = [score_of_bin(int(place)) for place in places]
    np.testing.assert_allclose(middles, scores, rtol=4e-3, atol=1e-40)
    lowest, beyond = bounds_of_bins(places)
    assert (lowest <= scores.astype(np.float32)).all()
    assert (beyond >= scores.astype(np.float32)).all()


def test_a_dates_low_cut_is_below_the_cut_that_its_scores_will_have(unlikely, strange_columns):
    usual = take_rows(strange_columns, slice(0, 900))
    model = with_cut(unlikely, TopKThreshold(k=400))
    places, counts = np.unique(bins_of(model._screen(usual).astype(np.float32)), return_counts=True)
    bins = {date(2026, 1, 1): dict(zip(places.tolist(), counts.tolist(), strict=True))}
    wanted = np.sort(model.exact_scores(usual))[-400]
    assert wanted < 0.0
    (low,) = low_cuts(model, bins).values()
    assert low <= wanted
    assert (model.exact_scores(usual) >= low).sum() < 500
