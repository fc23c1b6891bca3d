"""A threshold flags the share that was asked for, and ranks mean what the contract says."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from adlib.errors import ModelError
from adlib.thresholds import (
    THRESHOLDS,
    AutoThreshold,
    BudgetThreshold,
    ConformalThreshold,
    DateScores,
    FalseDiscoveries,
    FdrThreshold,
    FixedThreshold,
    FractionThreshold,
    PercentileThreshold,
    PotThreshold,
    Threshold,
    TopKThreshold,
    TopRows,
    ZScoreThreshold,
    conformal_p_values,
    cut_for_fraction,
    trimmed,
)

LARGEST = float(np.finfo(np.float32).max)
STORED = st.floats(-LARGEST, LARGEST, width=32)
MANY = st.lists(STORED, min_size=2, max_size=60)
TIED = st.lists(st.integers(0, 5).map(float), min_size=2, max_size=60)
HUNDRED = np.arange(100.0)


def calibrate(settings, scores=HUNDRED, rows_per_day=None):
    return Threshold.calibrate(settings, np.asarray(scores), rows_per_day)


def grades(threshold, scores):
    return threshold.severities(np.asarray(scores, dtype=np.float64)).tolist()


@pytest.mark.parametrize(
    ("calibration_rows", "reached"),
    [
        (800, {"low", "critical"}),
        (1000, {"low", "medium", "critical"}),
        (3600, {"low", "medium", "critical"}),
        (3800, {"low", "medium", "high", "critical"}),
    ],
)
def test_which_severities_there_are_goes_by_how_many_calibration_rows_reach_the_cut(
    calibration_rows, reached
):
    scores = np.arange(calibration_rows, dtype=np.float64)
    threshold = Threshold.calibrate(BudgetThreshold(fraction=0.005), scores, None)
    assert set(grades(threshold, scores[scores >= threshold.cut] + 0.5)) == reached


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
        settings = THRESHOLDS[kind](**given_settings.get(kind, {}))
        threshold = calibrate(settings, np.random.default_rng(0).exponential(size=1000))
        again = Threshold.from_json(threshold.to_json(), threshold.calibration)
        assert again.to_json() == threshold.to_json()
        assert again.settings == threshold.settings
        assert again.flags(HUNDRED).tolist() == threshold.flags(HUNDRED).tolist()

    def test_a_kind_that_is_not_known_is_refused(self):
        plain = {**calibrate(FixedThreshold(4.0)).to_json(), "kind": "oracle"}
        with pytest.raises(ModelError, match="threshold is of kind 'oracle'"):
            Threshold.from_json(plain, HUNDRED)


def ordinary_scores(rows, seed=0):
    """Return scores with the tail that sums of squares have."""
    return np.random.default_rng(seed).gamma(3.0, 2.0, rows)


def contaminated(rows, share, seed=0):
    """Return ordinary scores of which a share is far out."""
    scores = ordinary_scores(rows, seed)
    strange = int(rows * share)
    scores[:strange] = np.random.default_rng(seed + 1).uniform(60.0, 200.0, strange)
    return np.sort(scores)


class TestPromises:
    @pytest.mark.parametrize("share", [0.0, 0.01, 0.05])
    @pytest.mark.parametrize("bound", [0.01, 0.05])
    def test_a_p_value_never_promises_too_much(self, share, bound):
        held_out = ordinary_scores(200_000, seed=7)
        reached = [
            (calibrate(FixedThreshold(0.0), contaminated(2000, share, seed)).p_values(held_out))
            <= bound
            for seed in range(20)
        ]
        error = np.sqrt(bound / 2000 / 20)
        assert np.mean(reached) <= bound + 3.0 * error

    def test_a_conformal_threshold_flags_the_p_values_up_to_its_value(self):
        threshold = calibrate(ConformalThreshold(0.02), ordinary_scores(1000))
        held_out = ordinary_scores(50_000, seed=3)
        np.testing.assert_array_equal(
            threshold.flags(held_out), threshold.p_values(held_out) <= 0.02
        )

    def test_a_p_value_that_the_calibration_rows_cannot_reach_is_refused(self):
        with pytest.raises(ModelError, match="needs at least 99 calibration rows, got 98"):
            calibrate(ConformalThreshold(0.01), np.arange(98.0))
        assert not calibrate(ConformalThreshold(0.01), np.arange(99.0)).flags(HUNDRED[:99]).any()


class TestTails:
    @pytest.mark.parametrize("risk", [1e-2, 1e-3, 1e-4])
    def test_peaks_over_threshold_are_reached_by_the_share_asked_for(self, risk):
        threshold = calibrate(PotThreshold(risk), np.random.default_rng(1).exponential(size=20_000))
        assert np.exp(-threshold.cut) == pytest.approx(risk, rel=0.5)

    def test_peaks_need_rows(self):
        with pytest.raises(ModelError, match="needs about 500 calibration rows"):
            calibrate(PotThreshold(), HUNDRED)

    @pytest.mark.parametrize("seed", range(5))
    def test_clean_scores_are_hardly_trimmed(self, seed):
        scores = np.sort(ordinary_scores(5000, seed))
        assert len(trimmed(scores)) >= 0.995 * 5000

    @pytest.mark.parametrize("share", [0.005, 0.01, 0.02])
    def test_scores_beyond_what_the_bulk_accounts_for_are_trimmed(self, share):
        scores = contaminated(5000, share)
        left = trimmed(scores)
        assert left.max() < 60.0
        assert len(left) >= 5000 * (1.0 - share) - 25

    @pytest.mark.parametrize("share", [0.005, 0.01, 0.02])
    def test_auto_cuts_where_the_anomalies_begin(self, share):
        scores = contaminated(5000, share)
        flagged = calibrate(AutoThreshold(), scores).flags(scores)
        assert flagged[scores >= 60.0].all()
        assert flagged[scores < 60.0].mean() < 0.005

    def test_auto_flags_little_where_nothing_stands_out(self):
        scores = ordinary_scores(20_000)
        assert calibrate(AutoThreshold(), scores).flags(scores).mean() < 0.005

    @given(st.one_of(MANY, TIED))
    def test_any_scores_can_be_trimmed_and_cut(self, scores):
        ordered = np.sort(scores)
        assert len(trimmed(ordered)) <= len(ordered)
        assert np.isfinite(AutoThreshold().cut(ordered, None))


def date_scores(scores):
    descending = np.sort(scores)[::-1]
    return DateScores(descending, descending, np.arange(1, len(scores) + 1), len(scores))


class TestDates:
    def test_a_percent_of_anomalies_among_the_calibration_rows_does_not_hide_others(self):
        threshold = calibrate(FdrThreshold(0.1), contaminated(4000, 0.01))
        day = np.concatenate([ordinary_scores(5000, seed=5), np.linspace(60.0, 150.0, 50)])
        flagged = day >= threshold.date_cut(date_scores(day))
        assert flagged[5000:].mean() > 0.9
        assert flagged[:5000].sum() <= 15

    def test_untrimmed_they_would(self):
        calibration = contaminated(4000, 0.01)
        day = np.concatenate([ordinary_scores(5000, seed=5), np.linspace(60.0, 150.0, 50)])
        cut = FalseDiscoveries(0.1).date_cut(date_scores(day), calibration)
        assert (day >= cut).sum() < 25

    def test_a_date_without_anomalies_has_none(self):
        threshold = calibrate(FdrThreshold(0.01), ordinary_scores(4000))
        day = ordinary_scores(5000, seed=9)
        assert (day >= threshold.date_cut(date_scores(day))).sum() <= 5

    @given(st.lists(st.integers(0, 30).map(float), min_size=1, max_size=80), st.floats(0.01, 0.9))
    def test_false_discoveries_are_bounded_as_by_benjamini_and_hochberg(self, day, share):
        calibration = np.arange(0.0, 31.0, 0.25)
        cut = FalseDiscoveries(share).date_cut(date_scores(np.asarray(day)), calibration)
        p_values = np.sort(conformal_p_values(calibration, np.asarray(day)))
        kept = np.flatnonzero(p_values <= share * np.arange(1, len(day) + 1) / len(day))
        assert (np.asarray(day) >= cut).sum() == (kept[-1] + 1 if len(kept) else 0)

    def test_a_date_of_fewer_rows_than_asked_for_is_flagged_whole(self):
        assert TopRows(5).date_cut(date_scores(np.arange(3.0)), HUNDRED) == -np.inf
        assert TopRows(2).date_cut(date_scores(np.arange(3.0)), HUNDRED) == 1.0

    def test_rows_a_day_and_top_k_ask_for_the_same(self):
        assert BudgetThreshold(rows_a_day=7.0).date_rule() == TopKThreshold(7).date_rule()
        assert BudgetThreshold(fraction=0.1).date_rule() is None


class TestFigures:
    """What a change by one step of the arithmetic would show."""

    SCORES = np.arange(1.0, 1001.0)

    def test_top_k_asks_for_its_share_of_a_day_and_for_all_where_days_are_short(self):
        assert TopKThreshold(5).asked_fraction(1000.0) == 0.005
        assert TopKThreshold(5).asked_fraction(2.0) == 1.0
        assert TopKThreshold(5).asked_fraction(None) is None
        assert TopKThreshold(5).cut(self.SCORES, 1000.0) == 996.0
        assert TopKThreshold(5).cut(self.SCORES, None) == 996.0  # the default share
        assert TopKThreshold(9).cut(self.SCORES, None) == 996.0
        assert TopKThreshold(5).cut(self.SCORES, 100.0) == 951.0

    def test_a_percentile_is_counted_from_the_top(self):
        assert PercentileThreshold(99.0).asked_fraction(None) == 0.01
        assert PercentileThreshold(99.0).cut(self.SCORES, None) == 991.0
        assert PercentileThreshold(33.3).asked_fraction(None) == 0.667

    def test_a_budget_of_rows_is_a_share_of_a_day_and_a_rule_for_each(self):
        assert BudgetThreshold(rows_a_day=10).asked_fraction(1000.0) == 0.01
        assert BudgetThreshold(rows_a_day=10).date_rule() == TopRows(10)
        assert BudgetThreshold(rows_a_day=0.5).date_rule() == TopRows(1)
        assert BudgetThreshold(fraction=0.1).date_rule() is None
        with pytest.raises(ModelError) as refused:
            BudgetThreshold(rows_a_day=10).asked_fraction(None)
        assert str(refused.value) == (
            "threshold.rows_a_day needs to know how many rows a day has, and the training table "
            "has no days. Set threshold.fraction instead, or source.event_time."
        )

    def test_without_a_rule_of_its_own_a_date_is_cut_where_the_threshold_is(self):
        day = np.array([3.0, 2.0, 1.0])
        scores = DateScores(day, day, np.arange(1, 4), 3)
        assert calibrate(FixedThreshold(7.0), self.SCORES).date_cut(scores) == 7.0
        assert calibrate(TopKThreshold(2), self.SCORES).date_cut(scores) == 2.0

    def test_the_usual_size_is_the_larger_of_cut_and_median(self):
        assert Threshold.calibrate(FixedThreshold(7.0), self.SCORES, None).usual_size == 500.5
        assert Threshold.calibrate(FixedThreshold(-900.0), self.SCORES, None).usual_size == 900.0
