"""Equal rows counted together give the figures of the rows themselves."""

import json
from datetime import date

import numpy as np
import pytest

from adlib.evaluation import CountedRows, curves_of, evaluate_rows

MONDAY, TUESDAY = date(2024, 1, 1), date(2024, 1, 2)


def counted(*entries):
    """Build counts from (day, group, label, flagged, score, rows)."""
    days, groups, labels, flagged, scores, rows = zip(*entries, strict=True)
    return CountedRows(
        np.array(days, dtype=object),
        np.array(groups, dtype=object),
        np.array(labels, dtype=np.float64),
        np.array(flagged, dtype=bool),
        np.array(scores, dtype=np.float64),
        np.array(rows, dtype=np.int64),
    )


TABLE = counted(
    (MONDAY, None, 0.0, False, 1.0, 90),
    (MONDAY, "scan", 1.0, True, 9.0, 4),
    (MONDAY, "leak", 1.0, False, 2.0, 6),
    (TUESDAY, None, 0.0, True, 8.0, 10),
    (TUESDAY, "scan", 1.0, True, 9.0, 10),
    (TUESDAY, None, np.nan, False, 3.0, 80),
)


def test_figures_count_rows_and_not_entries():
    figures = evaluate_rows(TABLE, 0.1)
    assert figures["rows"] == 200
    assert figures["labelled_rows"] == 120
    assert figures["flagged_fraction"] == pytest.approx(24 / 200)
    assert figures["true_positives"] == 14
    assert figures["false_positives"] == 10
    assert figures["false_negatives"] == 6
    assert figures["true_negatives"] == 90
    assert figures["recall"] == pytest.approx(0.7)
    assert figures["precision_at_budget"] == 1.0


def test_one_entry_of_many_rows_is_as_good_as_many_entries_of_one():
    entries = [
        (MONDAY, None, label, flagged, score, rows)
        for label, flagged, score, rows in ((0.0, False, 1.0, 3), (1.0, True, 2.0, 2))
    ]
    apart = [(*entry[:-1], 1) for entry in entries for _ in range(entry[-1])]
    assert evaluate_rows(counted(*entries), 0.2) == evaluate_rows(counted(*apart), 0.2)


def test_every_date_and_every_group_of_anomalies_has_its_figures():
    figures = evaluate_rows(TABLE, None)
    assert list(figures["by_date"]) == ["2024-01-01", "2024-01-02"]
    assert figures["by_date"]["2024-01-01"]["recall"] == pytest.approx(0.4)
    assert figures["by_date"]["2024-01-02"]["precision"] == pytest.approx(0.5)
    assert figures["by_group"] == {
        "scan": {"rows": 14, "recall": 1.0},
        "leak": {"rows": 6, "recall": 0.0},
    }


def test_a_date_of_one_kind_of_row_has_no_ranking():
    figures = evaluate_rows(
        counted((MONDAY, None, 0.0, False, 1.0, 5), (TUESDAY, None, 1.0, True, 2.0, 5)), None
    )
    assert figures["by_date"]["2024-01-01"]["auroc"] is None
    assert figures["auroc"] == 1.0


def test_anomalies_without_a_group_are_missing_one():
    groups = evaluate_rows(
        counted((MONDAY, None, 1.0, True, 1.0, 2), (MONDAY, "scan", 1.0, True, 1.0, 1)), None
    )["by_group"]
    assert list(groups) == ["missing", "scan"]


def test_without_labels_there_are_quantiles_of_the_scores():
    unlabelled = counted(*((MONDAY, None, np.nan, False, float(score), 1) for score in range(1000)))
    figures = evaluate_rows(unlabelled, 0.1)
    assert figures["labelled_rows"] == 0
    assert figures["score_quantiles"] == {
        "0.5": 499.0,
        "0.9": 899.0,
        "0.99": 989.0,
        "0.999": 998.0,
        "1": 999.0,
    }
    assert "auroc" not in figures


def test_no_rows_at_all_have_no_figures():
    nothing = TABLE.where(np.zeros(6, dtype=bool))
    assert evaluate_rows(nothing, 0.1) == {
        "labelled_rows": 0,
        "rows": 0,
        "flagged_fraction": 0.0,
        "score_quantiles": {},
    }


def test_only_the_fifty_largest_groups_are_told():
    entries = [(MONDAY, f"kind {place:02d}", 1.0, True, 1.0, place + 1) for place in range(60)]
    groups = evaluate_rows(counted(*entries), None)["by_group"]
    assert len(groups) == 50
    assert next(iter(groups)) == "kind 59"


def test_figures_are_plain_json():
    assert json.loads(json.dumps(evaluate_rows(TABLE, 0.1), allow_nan=False))


def many_rows(rows=50_000, seed=0):
    rng = np.random.default_rng(seed)
    labels = (rng.random(rows) < 0.02).astype(np.float64)
    scores = rng.normal(size=rows) + 1.5 * labels
    day = np.full(rows, MONDAY, dtype=object)
    none = np.full(rows, None, dtype=object)
    return CountedRows(day, none, labels, scores > 2.0, scores, np.ones(rows, dtype=np.int64))


def test_curves_are_thin_and_keep_their_area():
    rows = many_rows()
    curves, figures = curves_of(rows), evaluate_rows(rows, None)
    assert curves is not None
    assert all(len(points) <= 200 for points in curves.values())
    alarms, recall = np.asarray(curves["roc"]).T
    assert np.trapezoid(recall, alarms) == pytest.approx(figures["auroc"], abs=0.002)
    assert (alarms[0], recall[0], alarms[-1], recall[-1]) == (0.0, 0.0, 1.0, 1.0)
    recall, precision = np.asarray(curves["precision_recall"]).T
    area = np.trapezoid(precision, recall)
    assert area == pytest.approx(figures["average_precision"], abs=0.01)


def test_points_of_a_curve_are_rows_counted_above_a_score():
    curves = curves_of(TABLE)
    assert curves is not None
    # Above 9: 14 of 20 anomalies and nothing else; above 8: 10 of 100 ordinary rows as well.
    assert [0.0, 0.7] in curves["roc"]
    assert [0.1, 0.7] in curves["roc"]
    assert [0.7, 1.0] in curves["precision_recall"]
    assert [0.7, 14 / 24] in curves["precision_recall"]


def test_one_kind_of_label_has_no_curve():
    assert curves_of(TABLE.where(TABLE.labels == 1.0)) is None
    assert curves_of(TABLE.where(np.isnan(TABLE.labels))) is None
