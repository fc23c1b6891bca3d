"""The page of a finished run: it is there, and its figures are those that were published."""

import html
import re
import shutil
from pathlib import Path

import pyarrow.compute as pc
import pytest

from tests.jobs.conftest import DAYS, ROWS_A_DAY, payments


def pages(workplace):
    return sorted((workplace.root / "out" / "reports").glob("*/index.html"))


def text_of(page):
    body = page.read_text("utf-8").split("</head>")[1]
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", body)).split())


def tile(shown, name):
    """Return the figure that stands under a name at a glance."""
    found = re.search(rf"\b{name} ([\d.,]+%?)", shown)
    assert found is not None
    return found[1]


def test_a_run_ends_with_its_page_under_its_own_id(finished):
    run_ids = set(finished.table("runs")["run_id"].to_pylist())
    assert {page.parent.name for page in pages(finished)} == run_ids
    assert len(run_ids) == 1
    assert [entry.name for entry in pages(finished)[0].parent.iterdir()] == ["index.html"]


def test_its_figures_are_those_of_the_published_tables(finished):
    shown, runs = text_of(pages(finished)[0]), finished.table("runs")
    flagged = pc.sum(runs["rows_flagged"]).as_py()
    scored = pc.sum(runs["rows_scored"]).as_py()
    assert f"{flagged} rows of {scored:,} are flagged" in shown
    assert tile(shown, "rows read") == f"{pc.sum(runs['rows_read']).as_py():,}"
    assert tile(shown, "quarantined") == f"{pc.sum(runs['rows_quarantined']).as_py():,}"
    rows = len(finished.table("anomalies"))
    assert f"the first {min(rows, 25)} of {rows} in anomalies/" in shown
    best = max(finished.table("anomalies").to_pylist(), key=lambda row: row["anomaly_score"])
    assert best["reason"] in shown
    assert f"customer {best['customer']}" in shown


def test_it_shows_labels_self_test_health_and_training(finished, summary_of):
    metrics = summary_of(finished, "evaluate")["metrics"]
    shown = text_of(pages(finished)[0])
    found = f"{metrics['true_positives']} found {metrics['false_negatives']} missed"
    assert f"anomalies {found}" in shown
    assert "ROC curve: area" in shown
    assert "Validation loss over training" in shown
    assert "anomalies planted in" in shown
    assert f"all {DAYS * ROWS_A_DAY:,} rows" in shown
    assert "amount numeric steady" in shown


def test_it_is_written_again_by_its_command_and_says_where(finished, summary_of):
    before = pages(finished)[0].read_bytes()
    summary = summary_of(finished, "report")
    page = Path(summary["report"])
    assert page == pages(finished)[0]
    assert page.read_bytes() == before
    assert summary["run_id"] == page.parent.name


def test_the_page_of_a_date_is_that_of_the_run_that_published_it(workplace, summary_of):
    workplace.write(payments())
    whole = summary_of(workplace, "run")
    day = summary_of(workplace, "run", "--date", "2026-03-03")
    assert whole["report"] != day["report"]
    assert summary_of(workplace, "report")["report"] == day["report"]
    assert summary_of(workplace, "report", "--date", "2026-03-03")["report"] == day["report"]
    earlier = summary_of(workplace, "report", "--date", "2026-03-02")
    assert earlier["report"] == whole["report"]
    shown = text_of(Path(earlier["report"]))
    assert "Another run has published 2026-03-03 since" in shown
    assert f"of {DAYS * ROWS_A_DAY - day['rows_scored']:,} are flagged" in shown
    assert "Beside the last runs" in text_of(Path(day["report"]))


def test_a_date_without_anomalies_neither_key_nor_time_nor_label_has_a_page(workplace, summary_of):
    workplace.write(payments().drop_columns(["id", "at", "fraud"]))
    workplace.plain["windows"] = []
    workplace.plain["source"] = {"path": workplace.plain["source"]["path"]}
    workplace.plain["threshold"] = {"kind": "fixed", "value": 1e30}
    shown = text_of(Path(summary_of(workplace, "run")["report"]))
    assert "0 rows of 1,200 are flagged" in shown
    assert "No row of this run is flagged." in shown
    assert "Against the labels" not in shown


@pytest.mark.parametrize("what", ["work", "evaluations"])
def test_what_is_gone_is_said_and_the_rest_is_shown(workplace, summary_of, what):
    workplace.write(payments())
    summary_of(workplace, "run")
    gone = {"work": "work/features", "evaluations": "work/evaluations"}[what]
    shutil.rmtree(workplace.root / gone)
    shown = text_of(Path(summary_of(workplace, "report")["report"]))
    told = {"work": "are not there to be looked at", "evaluations": "Run `adlib evaluate`"}[what]
    assert told in shown
    assert "The strangest rows" in shown


def test_rows_that_were_prepared_anew_are_not_taken_for_those_that_were_scored(
    workplace, summary_of
):
    workplace.write(payments())
    summary_of(workplace, "run")
    workplace.write(payments(seed=2))
    summary_of(workplace, "preprocess")
    shown = text_of(Path(summary_of(workplace, "report")["report"]))
    assert "has been prepared anew since this run" in shown


def test_before_a_run_there_is_nothing_to_report_and_nothing_is_left_behind(workplace, last_words):
    workplace.write(payments())
    assert workplace.call("report") == 3
    assert "Run `adlib run`" in last_words()
    assert not (workplace.root / "out").exists()


def test_a_date_that_was_never_published_is_refused_with_those_that_were(finished, last_words):
    assert finished.call("report", "--date", "2027-05-05") == 3
    said = last_words()
    assert "2027-05-05" in said
    assert "2026-03-01, 2026-03-02, 2026-03-03" in said
