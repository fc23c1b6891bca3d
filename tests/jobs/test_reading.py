"""Whoever opens the published tables, with whatever program, finds the same rows and sums."""

from __future__ import annotations

import json
import math
import re
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from adlib.outputs import TABLES
from tests.jobs.conftest import Workplace, payments
from tests.jobs.readers import READERS

HOSTILE = (
    'a.b "quoted" `name`; DROP TABLE runs --',
    "it's | a <b>, or #(lf) = ${x}",
    "Severity_Rank",
    "rows_scored",
)
"""Names of kept columns: quotes of every kind, ends of statements, names that views use."""
VALUES = ["'; DROP TABLE runs; --", '<script>alert("x")</script>', "=1+1", "línea\nnueva 🂡", None]


def _hostile_payments() -> pa.Table:
    """Payments with hostile names and values, numbers that are none, and copies of a key."""
    table = payments()
    rows = len(table)
    table = table.append_column(HOSTILE[0], pa.array([VALUES[row % 5] for row in range(rows)]))
    numbers = [math.nan if row % 3 else 0.1 * row for row in range(rows)]
    table = table.append_column(HOSTILE[1], pa.array(numbers))
    table = table.append_column(HOSTILE[2], pa.array([row % 2 == 0 for row in range(rows)]))
    small = pa.array([None if row % 7 else row for row in range(rows)], pa.int16())
    table = table.append_column(HOSTILE[3], small)
    return pa.concat_tables([table, table.slice(0, 5)])


@pytest.fixture(scope="session")
def hostile(tmp_path_factory) -> Workplace:
    """Several dates, hostile names, all tables; then a rerun after which a date has no anomaly."""
    made = Workplace(tmp_path_factory.mktemp("it's a `place`"))
    made.plain["source"]["keep"] = [*HOSTILE]
    made.plain["output"]["scores"] = True
    made.write(_hostile_payments())
    assert made.call("run") == 0
    none = ("--set", "threshold={kind: fixed, value: 1.0e+30}")
    assert made.call("train", *none, "--no-promote") == 0
    (promoted,) = made.root.glob("models/payments/promoted.json")
    chosen = json.loads(promoted.read_text())["id"]
    others = [path.name for path in promoted.parent.glob("*/") if path.name != chosen]
    assert made.call("score", *none, "--model", others[0], "--date", "2026-03-02") == 0
    return made


@pytest.fixture(scope="session")
def undated(tmp_path_factory) -> Workplace:
    """Rows that say neither when they happened nor who they are."""
    made = Workplace(tmp_path_factory.mktemp("undated"))
    made.write(payments(600).drop_columns(["id", "at"]))
    made.plain["source"] = {"path": str(made.root / "source"), "label": "fraud"}
    made.plain["windows"] = []
    made.plain["output"]["scores"] = True
    assert made.call("run") == 0
    return made


@pytest.fixture(params=["finished", "hostile", "undated"])
def published(request):
    """Each of the workplaces in turn."""
    return request.getfixturevalue(request.param)


def _tables(workplace: Workplace) -> list[Path]:
    """Return the directories of the tables that hold files, by the pattern that readers use."""
    return sorted({file.parents[1] for file in (workplace.root / "out").glob("*/*/*.parquet")})


def test_duckdb_polars_pandas_pyarrow_and_spark_agree_on_rows_types_and_sums(published, spark):
    described = json.loads((published.root / "out" / "schema.json").read_text("utf-8"))["tables"]
    for directory in _tables(published):
        found = {name: read(directory, spark) for name, read in READERS.items()}
        first = found["pyarrow"]
        said = {column["name"]: column["type"] for column in described[directory.name]["columns"]}
        for name, reading in found.items():
            assert reading.types == said, (name, directory.name)
            assert list(reading.types) == list(said), (name, directory.name)
            assert reading.rows == first.rows, (name, directory.name)
            assert reading.sums == pytest.approx(first.sums, rel=1e-12), (name, directory.name)


def test_the_hostile_table_has_every_kind_of_table_and_the_rows_that_it_was_given(hostile):
    assert [directory.name for directory in _tables(hostile)] == sorted(
        table.name for table in TABLES
    )
    source = {row["id"]: row for row in _hostile_payments().to_pylist()}
    rows = hostile.table("anomalies").to_pylist()
    assert rows
    for row in rows:
        expected = source[row["id"]]
        assert row[HOSTILE[0]] == expected[HOSTILE[0]]
        number = expected[HOSTILE[1]]
        assert row[HOSTILE[1]] == (None if math.isnan(number) else number)
        assert row[HOSTILE[3]] == expected[HOSTILE[3]]


def test_the_date_without_anomalies_is_read_as_a_date_without_rows(hostile, spark):
    directory = hostile.root / "out" / "anomalies"
    empty = [file for file in directory.glob("*/*") if pq.ParquetFile(file).metadata.num_rows == 0]
    assert [file.parent.name for file in empty] == ["dt=2026-03-02"]
    for read in READERS.values():
        assert read(empty[0].parents[1], spark).rows
    assert duckdb.read_parquet(str(empty[0])).fetchall() == []


_UTC_MICROSECONDS = (
    "Timestamp(isAdjustedToUTC=true, timeUnit=microseconds, is_from_converted_type=false, "
    "force_set_converted_type=false)"
)
_PHYSICAL = {
    "BIGINT": ("INT64", "None"),
    "DOUBLE": ("DOUBLE", "None"),
    "BOOLEAN": ("BOOLEAN", "None"),
    "STRING": ("BYTE_ARRAY", "String"),
    "DATE": ("INT32", "Date"),
    "TIMESTAMP": ("INT64", _UTC_MICROSECONDS),
}


def test_columns_are_flat_of_the_contracts_six_types_and_have_statistics(published):
    described = json.loads((published.root / "out" / "schema.json").read_text("utf-8"))["tables"]
    for directory in _tables(published):
        kinds = {column["name"]: column["type"] for column in described[directory.name]["columns"]}
        assert "event_date" in kinds
        for file in directory.glob("*/*.parquet"):
            parquet = pq.ParquetFile(file)
            for place, name in enumerate(kinds):
                column = parquet.schema.column(place)
                assert column.path == name
                assert column.max_repetition_level == 0
                assert column.max_definition_level <= 1
                assert (column.physical_type, str(column.logical_type)) == _PHYSICAL[kinds[name]]
                for group in range(parquet.metadata.num_row_groups):
                    chunk = parquet.metadata.row_group(group).column(place)
                    statistics = chunk.statistics
                    assert statistics.has_null_count
                    assert statistics.has_min_max or statistics.null_count == chunk.num_values
            for column in parquet.read().itercolumns():
                if pa.types.is_floating(column.type):
                    assert not any(value != value for value in column.to_pylist())  # noqa: PLR0124


def _by_duckdb(workplace: Workplace, *questions: str) -> list[list[dict[str, Any]]]:
    with duckdb.connect() as connection:
        connection.execute((workplace.root / "out" / "views" / "duckdb.sql").read_text("utf-8"))
        return [connection.sql(question).to_arrow_table().to_pylist() for question in questions]


def _by_spark(workplace: Workplace, spark, *questions: str) -> list[list[dict[str, Any]]]:
    script = (workplace.root / "out" / "views" / "spark.sql").read_text("utf-8")
    try:
        for statement in filter(str.strip, re.split(r";\n", script)):
            spark.sql(statement)
        return [spark.sql(question).toArrow().to_pylist() for question in questions]
    finally:
        spark.sql("USE default")
        spark.sql("DROP SCHEMA IF EXISTS adlib_payments CASCADE")
        spark.conf.unset("spark.sql.variable.substitute")


VIEWS = ("published_runs", "published_anomalies", "latest_anomalies", "daily_totals")
MORE_VIEWS = ("alert_volume", "anomalies", "daily_summary", "runs")


def test_the_views_give_the_same_rows_in_duckdb_and_in_spark(published, spark):
    names = [*VIEWS, *MORE_VIEWS]
    there = {directory.name for directory in _tables(published)}
    names += ["quarantine", "quarantine_by_problem"] if "quarantine" in there else []
    names += ["scores"] if "scores" in there else []
    questions = [f"SELECT * FROM {name}" for name in names]  # noqa: S608
    by_duckdb = _by_duckdb(published, *questions)
    by_spark = _by_spark(published, spark, *questions)
    for name, ours, theirs in zip(names, by_duckdb, by_spark, strict=True):
        assert ours, name
        assert [list(row) for row in ours[:1]] == [list(row) for row in theirs[:1]], name
        assert sorted(map(_comparable, ours)) == sorted(map(_comparable, theirs)), name


def _comparable(row: dict[str, Any]) -> str:
    """Print a row whose times are in whatever zone, as one in UTC."""
    return repr(
        [value.timestamp() if hasattr(value, "timestamp") else value for value in row.values()]
    )


def test_the_latest_anomalies_are_those_of_the_last_date_the_most_severe_first(published):
    (rows,) = _by_duckdb(published, "SELECT * FROM latest_anomalies")
    table = published.table("anomalies").to_pylist()
    last = max(row["event_date"] for row in published.table("runs").to_pylist())
    assert len(rows) == sum(row["event_date"] == last for row in table)
    grades = ["low", "medium", "high", "critical"]
    order = [(grades.index(row["severity"]), row["anomaly_score"]) for row in rows]
    assert order == sorted(order, reverse=True)


def test_the_views_say_of_a_date_that_was_run_again_what_its_last_run_published(hostile):
    runs, totals, volume, anomalies = _by_duckdb(
        hostile,
        "SELECT * FROM published_runs ORDER BY event_date",
        "SELECT * FROM daily_totals ORDER BY event_date",
        "SELECT * FROM alert_volume ORDER BY event_date",
        "SELECT * FROM published_anomalies",
    )
    assert len(hostile.table("runs")) == 4
    days = [date(2026, 3, day) for day in (1, 2, 3)]
    assert [run["event_date"] for run in runs] == days
    flagged = [run["rows_flagged"] for run in runs]
    assert flagged[1] == 0
    assert [row["rows_flagged"] for row in totals] == flagged
    assert [row["rows_flagged_before"] for row in volume] == [None, *flagged[:2]]
    assert volume[2]["mean_rows_flagged_before"] == pytest.approx(flagged[0] / 2)
    assert len(anomalies) == sum(flagged)
    assert {row["severity_rank_"] for row in anomalies} <= {1, 2, 3, 4}
    assert all(row["published_at"] for row in anomalies)


def test_quarantine_by_problem_adds_up_to_what_the_runs_say(hostile):
    problems, runs = _by_duckdb(
        hostile, "SELECT * FROM quarantine_by_problem", "SELECT * FROM published_runs"
    )
    assert [(row["problem"], row["quarantined_rows"]) for row in problems] == [("duplicate", 5)]
    assert sum(run["rows_quarantined"] for run in runs) == 5


def test_a_run_that_publishes_nothing_new_leaves_the_guide_as_it_is(finished):
    files = [finished.root / "out" / "README.md", *(finished.root / "out" / "views").iterdir()]
    before = {file: file.stat().st_ino for file in files}
    assert finished.call("score") == 0
    assert {file: file.stat().st_ino for file in files} == before


def test_a_guide_that_was_lost_is_written_again_though_all_is_published(finished):
    readme = finished.root / "out" / "README.md"
    text = readme.read_text("utf-8")
    readme.unlink()
    assert finished.call("score") == 0
    assert readme.read_text("utf-8") == text


def test_nothing_lies_beside_the_tables_but_the_guide(published):
    beside = {path.name for path in (published.root / "out").iterdir()}
    tables = {directory.name for directory in _tables(published)}
    assert beside - tables == {"README.md", "schema.json", "views", "manifests", "reports"}
