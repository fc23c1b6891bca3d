"""Other ways to explain flagged rows than the detector's own, through whole commands."""

from pathlib import Path

import pytest

from tests.jobs.conftest import Workplace, payments


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A workplace with a model that explains by occlusion."""
    made = Workplace(tmp_path_factory.mktemp("occluded"))
    made.plain["explain"] = {"method": "occlusion"}
    made.plain["detector"] = {"kind": "kmeans"}
    made.write(payments())
    assert made.call("preprocess") == 0
    assert made.call("train") == 0
    return made


def test_reasons_by_occlusion_are_the_same_bytes_by_both_engines(trained):
    assert trained.call("score", "--engine", "row_groups") == 0
    by_row_groups, rows = trained.anomaly_files(), trained.table("anomalies").to_pylist()
    changed = ("--set", "alert.times_asked=4.0")  # another run, of the same model and rows
    assert trained.call("score", "--engine", "pandas_udf", *changed) == 0
    other = trained.table("anomalies").to_pylist()
    assert len(rows) == len(other) > 10
    for row in (*rows, *other):
        del row["run_id"]
    assert rows == other
    assert by_row_groups.keys() == trained.anomaly_files().keys()
    assert {row["reason_1_column"] for row in rows} <= {"amount", "at", "fee", "method"}


def test_one_row_is_explained_as_it_was_published(trained, summary_of):
    assert trained.call("score") == 0
    row = trained.table("anomalies").to_pylist()[0]
    first = summary_of(trained, "explain", "--key", str(row["id"]))["columns"][0]
    assert (first["column"], first["share"]) == (row["reason_1_column"], row["reason_1_share"])
    assert first["expected"] == row["reason_1_expected"]


def test_a_surrogate_puts_rules_on_the_page_and_changes_no_model(workplace, summary_of):
    table = payments()
    workplace.write(table)
    workplace.plain["threshold"] = {"kind": "budget", "fraction": 0.06}
    plain = summary_of(workplace, "run")
    assert "Rules that repeat the flags" not in page_of(plain)
    asked = summary_of(workplace, "run", "--set", "explain.method=surrogate")
    assert asked["model"] == plain["model"]
    page = page_of(asked)
    assert "Rules that repeat the flags" in page
    assert "A small decision tree says the same as the model" in page


def page_of(summary):
    return Path(str(summary["report"])).read_text("utf-8")
