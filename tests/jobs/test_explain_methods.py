"""Other ways to explain flagged rows than the detector's own, through whole commands."""

from pathlib import Path

import pyarrow as pa
import pytest

from tests.jobs.conftest import Workplace, payments
from tests.jobs.test_same_means import arranged


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


def explained_by(method: str, root: Path, tables: list[pa.Table], engine: str) -> Workplace:
    """Publish with a model that explains three rows of each date by a costly method."""
    made = Workplace(root)
    made.plain["explain"] = {"method": method, "limit": 3}
    for number, table in enumerate(tables):
        made.write(table, f"{number}.parquet")
    assert made.call("preprocess") == 0
    assert made.call("train") == 0
    assert made.call("score", "--engine", engine) == 0
    return made


@pytest.fixture(scope="module", params=["shap", "lime"])
def method(request):
    return str(request.param)


@pytest.fixture(scope="module")
def few(method, tmp_path_factory):
    """A workplace, and what it published with three rows of each date explained."""
    made = explained_by(method, tmp_path_factory.mktemp(method), [payments()], "row_groups")
    return made, made.anomaly_files(), made.table("anomalies").to_pylist()


def test_costly_reasons_are_the_same_bytes_by_the_other_engine_from_shuffled_files(
    few, method, tmp_path
):
    tables = arranged(payments(), "five shuffled files")
    _, files, _ = few
    assert explained_by(method, tmp_path, tables, "pandas_udf").anomaly_files() == files


def test_the_strangest_of_each_date_name_what_was_planted_and_the_others_keep_their_reasons(
    few, method, summary_of
):
    named = [f"reason_{rank}_{part}" for rank in (1, 2, 3) for part in ("column", "share")]
    workplace, _, some = few
    summary = summary_of(workplace, "score", "--set", "explain.limit=1000")
    every = workplace.table("anomalies").to_pylist()
    assert (summary["rows_explained"], summary["explained_by"]) == (len(every), method)
    planted = [row for row in every if row["id"] % 100 == 50]
    first = [row for row in planted if row["reason_1_column"] == "fee"]
    assert len(first) >= 0.9 * len(planted) > 9
    assert {row["reason_1_actual"] for row in first} == {row["reason_1_actual"] for row in planted}
    places: dict[object, int] = {}
    for row, whole in zip(some, every, strict=True):
        place = places[row["event_date"]] = places.get(row["event_date"], 0) + 1
        assert row["id"] == whole["id"]
        same = all(row[name] == whole[name] for name in named)
        assert same == (place <= 3), f"row {place} of {row['event_date']}"


def test_explain_tells_what_was_published(few, summary_of):
    workplace, _, (row, *_) = few
    first = summary_of(workplace, "explain", "--key", str(row["id"]))["columns"][0]
    assert (first["column"], first["share"]) == (row["reason_1_column"], row["reason_1_share"])


def test_what_executors_lack_is_refused_before_anything_is_prepared(
    workplace, method, monkeypatch, last_words
):
    workplace.write(payments(100))
    monkeypatch.setattr("adlib.spark.explaining.NEEDS", {method: ("nowhere-to-be-found",)})
    assert workplace.call("run", "--set", f"explain.method={method}") == 2
    said = last_words()
    assert f"explain.method {method} takes packages that are not installed where executors" in said
    assert "pip install -c constraints.txt nowhere-to-be-found" in said
    assert not (workplace.root / "work" / "features").exists()
