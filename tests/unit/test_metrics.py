"""Figures over counted rows are those of scikit-learn over the rows themselves."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    f1_score,
    precision_score,
    recall_score,
    roc_auc_score,
)

from adlib.metrics import Confusion, ScoreCounts, ranking_figures

LABELLED = st.lists(
    st.tuples(st.integers(0, 8).map(float), st.integers(0, 1)), min_size=2, max_size=60
)


def split(rows):
    scores, labels = (np.array(part) for part in zip(*rows, strict=True))
    return scores, labels


@given(LABELLED)
@settings(max_examples=40)
def test_auroc_and_average_precision_are_those_of_the_rows(rows):
    scores, labels = split(rows)
    assume(0 < labels.sum() < len(labels))
    figures = ranking_figures(ScoreCounts.of_rows(scores, labels), None)
    assert set(figures) == {"auroc", "average_precision"}
    assert figures["auroc"] == pytest.approx(roc_auc_score(labels, scores))
    expected = average_precision_score(labels, scores)
    assert figures["average_precision"] == pytest.approx(expected)


@given(LABELLED)
def test_no_row_is_lost_in_counting(rows):
    scores, labels = split(rows)
    counts = ScoreCounts.of_rows(scores, labels)
    assert counts.rows == len(rows)
    assert counts.positives == labels.sum()


@pytest.mark.parametrize("label", [0, 1])
@pytest.mark.parametrize("budget", [None, 0.1])
def test_with_one_kind_of_row_every_figure_is_none(label, budget):
    counts = ScoreCounts.of_rows(np.arange(5.0), np.full(5, label))
    both = ScoreCounts.of_rows(np.arange(5.0), np.array([0, 0, 1, 0, 1]))
    figures = ranking_figures(counts, budget)
    assert set(figures.values()) == {None}
    assert set(figures) == set(ranking_figures(both, budget))


def test_figures_at_the_budget_look_at_the_strangest_rows():
    labels = np.array([0] * 6 + [1, 0, 1, 1])
    figures = ranking_figures(ScoreCounts.of_rows(np.arange(10.0), labels), 0.2)
    assert figures["precision_at_budget"] == 1.0
    assert figures["recall_at_budget"] == pytest.approx(2 / 3)
    assert figures["lift_at_budget"] == pytest.approx(10 / 3)


def test_of_equal_scores_a_proportional_part_is_looked_at():
    counts = ScoreCounts.of_rows(np.ones(10), np.array([1] * 5 + [0] * 5))
    assert ranking_figures(counts, 0.2)["precision_at_budget"] == 0.5


def test_a_budget_of_less_than_a_row_looks_at_one():
    counts = ScoreCounts.of_rows(np.arange(4.0), np.array([0, 0, 0, 1]))
    assert ranking_figures(counts, 0.001)["precision_at_budget"] == 1.0


def test_empty_bins_of_a_histogram_change_nothing():
    full = ScoreCounts(np.array([1.0, 2.0, 3.0]), np.array([5, 3, 0]), np.array([0, 1, 2]))
    gaps = ScoreCounts(
        np.array([0.0, 1.0, 1.5, 2.0, 3.0, 4.0]),
        np.array([0, 5, 0, 3, 0, 0]),
        np.array([0, 0, 0, 1, 2, 0]),
    )
    assert ranking_figures(gaps, 0.3) == ranking_figures(full, 0.3)


def test_billions_of_rows_do_not_overflow():
    counts = ScoreCounts(np.array([1.0, 2.0]), np.array([4 * 10**9, 10]), np.array([1, 10**9]))
    figures = ranking_figures(counts, 0.2)
    assert figures["auroc"] == pytest.approx(1.0)
    assert figures["recall_at_budget"] == pytest.approx(1.0, abs=1e-6)


@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 1)), min_size=1, max_size=40))
@settings(max_examples=40)
def test_figures_of_flags_are_those_of_scikit_learn(rows):
    labels, flags = split(rows)
    confusion = Confusion(
        *(
            int(((labels == label) & (flags == flag)).sum())
            for label, flag in ((1, 1), (0, 1), (1, 0), (0, 0))
        )
    )
    figures = confusion.figures()
    assert confusion.rows == len(rows)
    assert figures["accuracy"] == pytest.approx(accuracy_score(labels, flags))
    for name, score in (("precision", precision_score), ("recall", recall_score), ("f1", f1_score)):
        if figures[name] is not None:
            assert figures[name] == pytest.approx(score(labels, flags, zero_division=0))


def test_a_figure_that_nothing_defines_is_none():
    assert Confusion(0, 0, 0, 5).figures()["precision"] is None
    assert Confusion(0, 0, 0, 5).figures()["recall"] is None
    assert Confusion(0, 0, 0, 5).figures()["f1"] is None
    assert Confusion(0, 0, 0, 0).figures()["accuracy"] is None
