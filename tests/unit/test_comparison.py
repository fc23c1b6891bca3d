"""Detectors are measured on the same rows, alike, and whatever their order; no Spark is started."""

import csv
from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from adlib.arrays import NumberColumn, take_rows
from adlib.cleaning import Places, leftovers
from adlib.comparison import Trial, compare_outcomes, measure
from adlib.detectors import DETECTORS
from adlib.encoding import EncodingSettings, Feature, Kind
from adlib.errors import ConfigError, ModelError
from adlib.model import fit_model, split
from adlib.registry import Registry
from adlib.report import place_tables
from adlib.thresholds import FractionThreshold
from adlib.trials import detector_kinds
from tests.unit.test_cleaning import LIMIT, aged

ROWS = 2000
BUDGET = 0.02
KINDS = ("histogram", "kmeans", "mahalanobis")
FEATURES = (Feature("size", Kind.NUMBER, "size"), Feature("weight", Kind.NUMBER, "weight"))
TIMES = ("fit_seconds", "score_seconds")


def make_trial(rows=ROWS):
    """Make parcels; one in fifty weighs what its size does not allow."""
    draw = np.random.default_rng(11)
    labels = (np.arange(rows) % 50 == 7).astype(np.float64)
    size = draw.normal(10.0, 1.0, rows)
    weight = np.where(labels > 0.0, 40.0 - 2.0 * size, 2.0 * size) + draw.normal(0.0, 0.1, rows)
    columns = {"size": NumberColumn(size), "weight": NumberColumn(weight)}
    return Trial(columns, np.ones(rows, dtype=bool), labels, BUDGET, seed=7)


def fit(trial, kind):
    return fit_model(
        trial.columns,
        FEATURES,
        learns_from=trial.learns_from,
        name="parcels",
        encoding=EncodingSettings(),
        detector=DETECTORS[kind](),
        threshold=FractionThreshold(BUDGET),
        reasons=3,
        seed=trial.seed,
        rows_per_day=None,
        provenance={},
    )


def measured(trial, kind):
    return measure(trial, kind, lambda: fit(trial, kind))


def refused():
    raise ModelError.degenerate("its covariance is singular", "Widen the sample.")


def without_times(comparison):
    plain = comparison.to_json()
    rows = [
        {name: value for name, value in row.items() if name not in TIMES}
        for row in plain["detectors"]
    ]
    return {**plain, "detectors": rows}


@pytest.fixture(scope="module")
def trial():
    return make_trial()


@pytest.fixture(scope="module")
def outcomes(trial):
    return [measured(trial, kind) for kind in KINDS]


@pytest.fixture(scope="module")
def comparison(trial, outcomes):
    return compare_outcomes(trial, outcomes)


def row_of(comparison, detector):
    (row,) = (row for row in comparison.rows() if row["detector"] == detector)
    return row


def test_the_order_of_detectors_changes_nothing(trial, comparison):
    again = compare_outcomes(trial, [measured(trial, kind) for kind in reversed(KINDS)])
    assert without_times(again) == without_times(comparison)


def test_a_detector_is_measured_alike_whoever_is_beside_it(trial, comparison):
    alone = row_of(compare_outcomes(trial, [measured(trial, "kmeans")]), "kmeans")
    beside = row_of(comparison, "kmeans")
    for name in set(alone) - {"agreement", *TIMES}:
        assert alone[name] == beside[name], name
    assert alone["agreement"] is None


def test_figures_by_label_are_those_of_scikit_learn_on_the_held_out_rows(trial, comparison):
    held_out = split(trial.columns)[1]
    labels = trial.labels[-len(held_out["size"]) :]
    scores = fit(trial, "mahalanobis").exact_scores(held_out)
    row = row_of(comparison, "mahalanobis")
    assert row["auroc"] == pytest.approx(roc_auc_score(labels, scores))
    assert row["average_precision"] == pytest.approx(average_precision_score(labels, scores))
    assert (comparison.held_out_rows, comparison.labelled_anomalies) == (400, 8)
    strangest = np.argsort(-scores)[: round(BUDGET * len(scores))]
    assert row["recall_at_budget"] == labels[strangest].sum() / 8 > 0.5


def test_planted_anomalies_are_measured_by_the_self_test_at_the_same_budget(comparison):
    row = row_of(comparison, "mahalanobis")
    assert comparison.planted_rows > 200
    assert row["planted_auroc"] > 0.8
    assert row["planted_recall_at_budget"] > 0.5
    assert row["weak"] is False


def test_the_best_by_label_comes_first(comparison):
    found = [row["average_precision"] for row in comparison.rows()]
    assert found == sorted(found, reverse=True)
    assert comparison.rows()[0]["detector"] == "mahalanobis"


def test_without_labels_planted_anomalies_decide_and_nothing_is_said_by_label(trial):
    unlabelled = replace(trial, labels=None)
    rows = compare_outcomes(unlabelled, [measured(unlabelled, kind) for kind in KINDS]).rows()
    found = [row["planted_average_precision"] for row in rows]
    assert found == sorted(found, reverse=True)
    assert {row["auroc"] for row in rows} == {None}


def test_rows_whose_label_nobody_knows_count_for_nothing(trial):
    unknown = trial.labels.copy()
    unknown[trial.labels == 0.0] = np.where(np.arange(ROWS * 49 // 50) % 2, np.nan, 0.0)
    partly = replace(trial, labels=unknown)
    comparison = compare_outcomes(partly, [measured(partly, "kmeans")])
    assert comparison.labelled_rows < comparison.held_out_rows
    assert comparison.labelled_anomalies == 8
    assert comparison.rows()[0]["auroc"] is not None


def test_what_cannot_be_fitted_has_a_row_with_its_reason_and_the_others_go_on(trial, outcomes):
    failed = measure(trial, "gmm", refused)
    rows = compare_outcomes(trial, [failed, *outcomes]).rows()
    assert [row["detector"] for row in rows][-1] == "gmm"
    assert "its covariance is singular" in rows[-1]["problem"]
    assert {rows[-1][name] for name in ("auroc", "planted_auroc", "agreement", *TIMES)} == {None}
    assert all(row["auroc"] is not None for row in rows[:-1])


def test_where_none_can_be_fitted_every_reason_is_in_the_refusal(trial):
    failed = [measure(trial, kind, refused) for kind in ("gmm", "kmeans")]
    with pytest.raises(ModelError, match=r"None of the 2 detectors .* gmm: .* kmeans: ") as error:
        compare_outcomes(trial, failed)
    assert error.value.exit_code == 4


def test_a_fault_of_the_program_is_no_outcome(trial):
    def broken():
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        measure(trial, "kmeans", broken)


def test_agreement_goes_both_ways_and_is_whole_between_equals(trial, outcomes):
    twins = [outcomes[0], replace(outcomes[0], detector="twin"), outcomes[2]]
    agreements = compare_outcomes(trial, twins).agreements
    found = {(one.detector, one.other): one for one in agreements}
    assert len(found) == 6
    for (name, other), one in found.items():
        assert one.same_flagged == found[other, name].same_flagged
        assert one.rank_correlation == pytest.approx(found[other, name].rank_correlation)
    assert found["histogram", "twin"].same_flagged == 1.0
    assert found["histogram", "twin"].rank_correlation == pytest.approx(1.0)
    assert found["histogram", "mahalanobis"].same_flagged < 0.5


def test_with_few_held_out_rows_nothing_is_planted_and_the_rest_is_measured(trial):
    few = Trial(
        take_rows(trial.columns, slice(0, 240)),
        trial.learns_from[:240],
        trial.labels[:240],
        BUDGET,
        seed=7,
    )
    comparison = compare_outcomes(few, [measured(few, "kmeans")])
    (row,) = comparison.rows()
    assert comparison.planted_rows == 0
    assert row["planted_auroc"] is row["weak"] is None
    assert row["auroc"] is not None


def test_tables_are_written_whole_and_old_ones_may_go(tmp_path, comparison):
    tables = {"detectors": comparison.rows()}
    for _ in range(2):
        where = place_tables(tmp_path / "out", "compare-0123456789abcdef", tables)
    assert [file.name for file in where.iterdir()] == ["detectors.csv"]
    with (where / "detectors.csv").open(encoding="utf-8", newline="") as file:
        read = list(csv.DictReader(file))
    assert [row["detector"] for row in read] == [row["detector"] for row in comparison.rows()]
    assert float(read[0]["auroc"]) == comparison.rows()[0]["auroc"]
    assert read[0]["problem"] == ""
    places = Places(Registry(tmp_path / "models"), tmp_path / "out", tmp_path / "staging", ())
    assert leftovers(places, LIMIT) == []
    aged(where)
    assert [(one.kind, one.path) for one in leftovers(places, LIMIT)] == [("comparison", where)]
    leftovers(places, LIMIT)[0].delete()
    assert not where.exists()


def test_detectors_are_named_once_in_any_order_and_all_are_meant_by_none():
    assert detector_kinds("kmeans, gmm,kmeans") == ["gmm", "kmeans"]
    assert detector_kinds(None) == sorted(DETECTORS)


@pytest.mark.parametrize("named", ["kmean", "", "gmm,,kmeans"])
def test_an_unknown_detector_is_refused_with_those_that_are_known(named):
    with pytest.raises(ConfigError, match="histogram, isolation_forest, kmeans"):
        detector_kinds(named)
