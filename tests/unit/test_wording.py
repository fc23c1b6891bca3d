"""What a summary says: a line for each thing, short, with what was asked beside what came."""

from datetime import date

import pytest

from adlib.summary import NOTHING_TO_DO, Summary
from adlib.wording import told

SCORED = {
    "rows_read": 1_210,
    "context_rows": 0,
    "rows_quarantined": 10,
    "quarantined_by_problem": {"missing_key": 10},
    "short_history_rows": 0,
    "rows_scored": 1_200,
    "rows_flagged": 120,
    "asked_fraction": 0.02,
    "delivered_fraction": 0.1,
    "dates": 3,
    "over_delivered": True,
    "over_delivered_dates": ["2026-03-01"],
}
TRAINED = {
    "model": "0123",
    "promoted": False,
    "gate": "it flags too much",
    "training_rows": {"fit": 960, "calibration": 40},
    "left_out_of_training": {"feedback": 3, "flagged before": 0},
}


def lines(command="run", **figures):
    summary = Summary(command, "payments", date(2026, 3, 1))
    summary.add(**figures)
    return dict(told(summary))


def test_rows_are_counted_in_one_line():
    said = lines(**SCORED)["rows"]
    assert said == "1,210 read, 10 quarantined, 1,200 scored (quarantined: missing_key 10)"


def test_the_share_asked_for_stands_beside_that_delivered():
    said = lines(**{**SCORED, "over_delivered_dates": []})["anomalies"]
    assert said == "120 of 1,200 rows, 10% where 2% is asked for, in 3 dates"


def test_a_run_that_delivers_far_more_says_of_how_many_dates():
    assert lines(**SCORED)["anomalies"].endswith("FAR MORE THAN ASKED FOR in 1 of 3")


def test_no_row_scored_has_no_share():
    nothing = {**SCORED, "rows_scored": 0, "rows_flagged": 0, "delivered_fraction": None}
    assert "0 of 0 rows where 2%" in lines(**nothing)["anomalies"]


def test_a_model_that_is_not_promoted_says_why():
    assert lines(**TRAINED)["model"] == "0123, not promoted (it flags too much)"


def test_training_says_what_was_left_out_and_nothing_of_what_was_not():
    said = lines(**TRAINED)["trained on"]
    assert said == "1,000 rows (fit 960, calibration 40); left out: feedback 3"


def test_a_self_test_that_was_not_made_says_so_with_what_it_needs():
    said = lines(**TRAINED, self_test=None)["self-test"]
    assert said.startswith("none: it needs 50 held-out rows")
    assert said.endswith("40 rows were held out")


def test_a_self_test_is_held_against_the_baselines():
    test = {"found": 0.5, "mahalanobis": 0.25, "isolation_forest": 0.0, "by_kind": {}}
    said = lines(**TRAINED, self_test=test)["self-test"]
    assert said == "finds 50% of planted anomalies; mahalanobis 25%, isolation forest 0%"


def test_run_says_what_is_found_of_each_kind_in_the_line_and_train_in_a_table_of_its_own():
    kinds = {"swapped_values": {"found": 0.25}, "wrong_magnitude": {"found": 0.75}, "x": None}
    test = {"found": 0.5, "mahalanobis": 0.25, "isolation_forest": 0.0, "by_kind": kinds}
    of_kinds = "planted anomalies (swapped values 25%, wrong magnitude 75%); mahalanobis"
    for command, there in (("run", True), ("train", False)):
        summary = Summary(command, "payments", None)
        summary.add(**TRAINED, self_test=test)
        assert (of_kinds in dict(told(summary))["self-test"]) is there


@pytest.mark.parametrize(("rows", "said"), [(0, "unknown: no row is labelled"), (9, "auroc 0.900")])
def test_quality_is_one_line(rows, said):
    metrics = {"labelled_rows": rows, "auroc": 0.9, "precision": None, "by_group": {}}
    assert lines(metrics=metrics)["quality"].startswith(said)


def test_quality_without_an_anomaly_among_the_labels_is_unknown():
    metrics: dict[str, object] = {"labelled_rows": 30, "auroc": None, "by_group": {}}
    assert lines(metrics=metrics)["quality"] == "unknown: of 30 labelled rows none is an anomaly"


def test_groups_are_told_with_their_recall_and_the_rest_counted():
    groups = {f"g{place}": {"rows": 5, "recall": 0.5} for place in range(10)}
    metrics = {"labelled_rows": 9, "by_group": groups}
    said = lines(metrics=metrics)["recall by group"]
    assert said.startswith("g0 50%, g1 50%")
    assert said.endswith(" and 2 more")


def test_a_figure_without_words_of_its_own_stands_under_its_name():
    assert lines(report_page="out/index.html")["report page"] == "out/index.html"


def test_nothing_is_said_of_what_did_not_happen():
    summary = Summary("score", "payments", None, status=NOTHING_TO_DO)
    assert list(told(summary)) == []
