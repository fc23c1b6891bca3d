"""A threshold flags the share that was asked for, and ranks mean what the contract says."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from adlib.errors import ModelError
from adlib.thresholds import (
    THRESHOLDS,
    BudgetThreshold,
    FixedThreshold,
    FractionThreshold,
    PercentileThreshold,
    Threshold,
    ZScoreThreshold,
    cut_for_fraction,
)

LARGEST = float(np.finfo(np.float32).max)
STORED = st.floats(0.0, LARGEST, width=32)
MANY = st.lists(STORED, min_size=2, max_size=60)
TIED = st.lists(st.integers(0, 5).map(float), min_size=2, max_size=60)
HUNDRED = np.arange(100.0)


def calibrate(settings, scores=HUNDRED, rows_per_day=None):
    return Threshold.calibrate(settings, np.asarray(scores), rows_per_day)


def grades(threshold, scores):
    return threshold.severities(np.asarray(scores, dtype=np.float64)).tolist()


class TestCuts:
    @pytest.mark.parametrize(
        ("settings", "flagged", "asked"),
        [
            (FixedThreshold(90.0), 10, None),
            (FractionThreshold(0.05), 5, 0.05),
            (PercentileThreshold(99.0), 1, 0.01),
            (PercentileThreshold(99.9), 0, 0.001),
            (BudgetThreshold(fraction=0.02), 2, 0.02),
            (BudgetThreshold(rows_a_day=30.0), 3, 0.03),
            (ZScoreThreshold(1.0), 21, None),
        ],
    )
    def test_every_kind_flags_what_it_asks_for(self, settings, flagged, asked):
        threshold = calibrate(settings, np.random.default_rng(0).permutation(HUNDRED), 1000.0)
        assert threshold.flags(HUNDRED).sum() == flagged
        assert threshold.asked_fraction == asked

    @given(st.one_of(MANY, TIED), st.floats(0.0, 1.0))
    def test_no_other_cut_delivers_a_share_nearer_to_the_one_asked_for(self, scores, fraction):
        ordered = np.sort(scores)
        cut = cut_for_fraction(ordered, fraction)
        delivered = (ordered >= cut).mean()
        possible = [(ordered >= other).mean() for other in [*ordered, np.inf]]
        nearest = min(abs(share - fraction) for share in possible)
        assert abs(delivered - fraction) == pytest.approx(nearest, abs=1e-9)

    @given(st.one_of(MANY, TIED), st.floats(0.0, 1.0))
    def test_a_cut_is_finite_and_equal_scores_stay_together(self, scores, fraction):
        cut = cut_for_fraction(np.sort(scores), fraction)
        assert np.isfinite(cut)
        assert cut in scores or cut > max(scores)

    def test_of_two_shares_as_near_the_smaller_is_taken(self):
        assert (
            np.array([1.0, 1.0, 2.0, 2.0]) >= cut_for_fraction(np.arange(4.0), 0.125)
        ).sum() == 0
        assert cut_for_fraction(np.array([1.0, 1.0, 2.0, 2.0]), 0.75) == 2.0

    def test_ties_at_the_cut_are_all_flagged_or_none(self):
        scores = np.array([0.0] * 90 + [1.0] * 10)
        assert calibrate(FractionThreshold(0.09), scores).flags(scores).sum() == 10
        assert calibrate(FractionThreshold(0.01), scores).flags(scores).sum() == 0

    def test_rows_a_day_are_never_more_than_all(self):
        threshold = calibrate(BudgetThreshold(rows_a_day=500.0), rows_per_day=20.0)
        assert threshold.asked_fraction == 1.0
        assert threshold.flags(HUNDRED).all()

    @pytest.mark.parametrize("rows_per_day", [None, 0.0])
    def test_rows_a_day_of_a_table_without_days_are_refused(self, rows_per_day):
        with pytest.raises(ModelError, match="has no days"):
            calibrate(BudgetThreshold(rows_a_day=5.0), rows_per_day=rows_per_day)

    def test_equal_scores_are_degenerate(self):
        with pytest.raises(ModelError, match=r"degenerate.*all 5 calibration scores are equal"):
            calibrate(FractionThreshold(0.1), [3.0] * 5)

    @pytest.mark.parametrize("score", [np.nan, np.inf])
    def test_scores_that_are_not_finite_are_degenerate(self, score):
        with pytest.raises(ModelError, match="not finite"):
            calibrate(FractionThreshold(0.1), [1.0, 2.0, score])

    def test_one_calibration_row_is_enough_for_a_cut(self):
        assert calibrate(FractionThreshold(0.9), [3.0]).cut == 3.0


class TestRanks:
    @given(st.one_of(MANY, TIED), st.one_of(MANY, TIED))
    def test_a_p_value_is_the_share_of_rows_at_least_as_strange(self, calibration, scores):
        assume(len(set(calibration)) > 1)
        p_values = calibrate(FixedThreshold(0.0), calibration).p_values(np.asarray(scores))
        for score, p_value in zip(scores, p_values, strict=True):
            at_least = sum(other >= score for other in calibration)
            assert p_value == (1 + at_least) / (1 + len(calibration))

    @given(st.one_of(MANY, TIED), st.one_of(MANY, TIED))
    def test_a_percentile_is_the_share_of_rows_at_or_below(self, calibration, scores):
        assume(len(set(calibration)) > 1)
        percentiles = calibrate(FixedThreshold(0.0), calibration).percentiles(np.asarray(scores))
        for score, percentile in zip(scores, percentiles, strict=True):
            below = sum(other <= score for other in calibration)
            assert percentile == pytest.approx(100.0 * below / len(calibration))
            assert 0.0 <= percentile <= 100.0

    @pytest.mark.parametrize("rows", [3, 7, 49, 93, 103])
    def test_the_strangest_row_has_a_percentile_of_exactly_a_hundred(self, rows):
        threshold = calibrate(FixedThreshold(0.0), np.arange(float(rows)))
        assert threshold.percentiles(np.array([rows - 1.0, 1e9])).tolist() == [100.0, 100.0]


class TestSeverities:
    def test_grades_begin_at_a_third_a_tenth_and_a_hundredth_of_the_p_value_at_the_cut(self):
        threshold = calibrate(FixedThreshold(700.0), np.arange(999.0))
        rank_at_cut = 300  # 299 rows at or above 700, and one
        begins = {"low": 300, "medium": 100, "high": 30, "critical": 3}
        for grade, rank in begins.items():
            score = 999.0 - (rank - 1)
            assert threshold.p_values(np.array([score]))[0] == pytest.approx(rank / 1000.0)
            assert grades(threshold, [score]) == [grade]
        below = [999.0 - rank for rank in (100, 30, 3)]
        assert grades(threshold, below) == ["low", "medium", "high"]
        assert threshold.p_values(np.array([700.0]))[0] == rank_at_cut / 1000.0

    @pytest.mark.parametrize("rank_at_cut", [3, 6, 9, 33, 51, 99])
    def test_exactly_a_third_is_medium_whatever_the_rounding(self, rank_at_cut):
        threshold = calibrate(FixedThreshold(float(1000 - rank_at_cut)), np.arange(999.0))
        assert grades(threshold, [999.0 - (rank_at_cut // 3 - 1)])[0] != "low"
        assert grades(threshold, [999.0 - rank_at_cut // 3])[0] == "low"

    def test_beyond_every_calibration_row_is_critical(self):
        threshold = calibrate(FixedThreshold(98.0))
        assert grades(threshold, [98.0, 99.0, 99.5]) == ["low", "low", "critical"]

    @given(st.one_of(MANY, TIED), st.floats(0.01, 0.5))
    def test_a_stranger_row_is_never_graded_lower(self, calibration, fraction):
        assume(len(set(calibration)) > 1)
        threshold = calibrate(FractionThreshold(fraction), calibration)
        order = ("low", "medium", "high", "critical")
        scores = [
            score for score in [*sorted(calibration), 2.0 * LARGEST] if score >= threshold.cut
        ]
        places = [order.index(grade) for grade in grades(threshold, scores)]
        assert places == sorted(places)
        assert places[-1] == 3


class TestJson:
    @pytest.mark.parametrize("kind", THRESHOLDS)
    def test_every_kind_comes_back_from_json(self, kind):
        given_settings = {"fixed": {"value": 4.0}, "budget": {"fraction": 0.1}}
        threshold = calibrate(THRESHOLDS[kind](**given_settings.get(kind, {})))
        again = Threshold.from_json(threshold.to_json(), threshold.calibration)
        assert again.to_json() == threshold.to_json()
        assert again.settings == threshold.settings
        assert again.flags(HUNDRED).tolist() == threshold.flags(HUNDRED).tolist()

    def test_a_kind_that_is_not_known_is_refused(self):
        plain = {**calibrate(FixedThreshold(4.0)).to_json(), "kind": "oracle"}
        with pytest.raises(ModelError, match="threshold is of kind 'oracle'"):
            Threshold.from_json(plain, HUNDRED)
