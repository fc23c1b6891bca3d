"""Columns that are private are read nowhere: every byte that a run leaves is searched."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from adlib.pseudonyms import Pseudonyms, is_pseudonym
from tests.jobs.conftest import payments

VARIABLE = "ADLIB_TEST_KEY"
KEY = "a-secret-of-the-tests-0123456789"
PSEUDONYMS = Pseudonyms((), KEY.encode())
CANARY = re.compile(rb"CANARY|canary|(?<![\d.])7{3}00\d{4}(?!\d)")
"""What the values of the private columns hold; numbers are 77700 and four digits."""


def private_payments():
    """Payments whose keys, customers and methods are canaries, and two of which are quarantined."""
    table = payments()
    rows = table.to_pylist()
    for row in rows:
        row["id"] += 777_000_000
        row["customer"] = f"CANARY {row['customer']}"
        row["method"] = f"canary-{row['method']}"
    broken = [rows[3] | {"amount": 1.0}, rows[7] | {"id": 777_009_999, "at": None}]
    return pa.Table.from_pylist(rows + broken, schema=table.schema)


@pytest.fixture
def private(workplace, monkeypatch):
    """A workplace whose key, entity and one category are private, with the key at hand."""
    monkeypatch.setenv(VARIABLE, KEY)
    workplace.plain["privacy"] = {
        "pseudonymise": ["id", "customer", "method"],
        "key_env": VARIABLE,
    }
    workplace.plain["features"] = {"numeric": ["amount", "fee"], "categorical": ["method"]}
    workplace.plain["output"]["scores"] = True
    workplace.write(private_payments())
    return workplace


def contents(root: Path) -> dict[str, bytes]:
    """Return every file below a directory but the source's; Parquet with all that it holds."""
    found = {}
    for file in root.rglob("*"):
        if file.is_file() and "source" not in file.relative_to(root).parts:
            text = file.read_bytes()
            if file.suffix == ".parquet":
                text += json.dumps(pq.ParquetFile(file).read().to_pylist(), default=str).encode()
            found[str(file.relative_to(root))] = str(file).encode() + text
    return found


def assert_nowhere(pattern: re.Pattern[bytes], told: dict[str, bytes]) -> None:
    leaks = {name: match[0] for name, text in told.items() if (match := pattern.search(text))}
    assert not leaks


SEQUENCE = {
    "sequence": {"by": "customer", "length": 4},
    "detector": {"kind": "recurrent_autoencoder", "steps": 60},
}


@pytest.mark.parametrize("more", [{}, SEQUENCE], ids=["rows", "sequences"])
def test_a_whole_run_leaves_no_private_value_behind(private, capfd, more):
    private.plain |= more
    assert private.call("run", "--json") == 0
    flagged = private.table("anomalies")
    assert private.call("explain", "--key", flagged["id"][0].as_py(), "--json") == 0
    assert private.call("explain", "--key", "777009999", "--json") == 0
    printed = capfd.readouterr()
    told = {**contents(private.root), "out": printed.out.encode(), "err": printed.err.encode()}
    assert {Path(name).parts[0] for name in told} >= {"out", "work", "models", "err"}
    for part in ("anomalies", "quarantine", "scores", "reports"):
        assert any(part in name for name in told)
    assert any(name.endswith(".log") for name in told)
    assert_nowhere(CANARY, told)
    assert_nowhere(re.compile(KEY.encode()), told)
    assert flagged.num_rows
    reasons = flagged["reason_1_actual"].to_pylist() + flagged["reason_2_actual"].to_pylist()
    assert any(reason and re.search("[0-9a-f]{32}", reason) for reason in reasons)
    assert {row["problem"] for row in private.table("quarantine").to_pylist()} == {
        "duplicate",
        "missing_event_time",
    }


def test_earlier_values_of_a_private_column_are_pseudonyms_too(private):
    private.plain |= SEQUENCE
    assert private.call("preprocess") == 0
    found = pq.read_table(private.root / "work" / "features").to_pylist()
    in_clear = private_payments().to_pylist()
    methods = {PSEUDONYMS.of(row["method"]) for row in in_clear}
    earlier = [value for row in found for value in row["method_past_by_customer"]]
    assert set(earlier) == methods
    assert len(earlier) > 2 * len(found)


def test_reasons_that_are_found_after_scoring_hold_pseudonyms_as_all_others_do(private):
    private.plain["explain"] = {"method": "shap"}
    assert private.call("run") == 0
    rows = private.table("anomalies").to_pylist()
    told = [
        row[f"reason_{rank}_actual"]
        for row in rows
        for rank in (1, 2, 3)
        if row[f"reason_{rank}_column"] == "method"
    ]
    assert told
    assert all(map(is_pseudonym, told))
    assert private.table("scores").num_rows == len(payments())
    assert_nowhere(CANARY, contents(private.root))


def test_the_same_rows_are_flagged_with_the_same_scores_as_without_privacy(private):
    private.plain["privacy"]["pseudonymise"] = ["id", "customer"]
    hiding = private.plain.pop("privacy")
    assert private.call("run") == 0
    assert any(CANARY.search(text) for text in contents(private.root / "out").values())
    seen = private.table("anomalies").to_pylist()
    model = seen[0]["model_version"]
    private.plain["privacy"] = hiding
    private.plain["output"]["path"] = str(private.root / "hidden")
    assert private.call("preprocess") == 0
    assert private.call("score", "--model", model) == 0
    told = [
        row
        for file in (private.root / "hidden" / "anomalies").glob("dt=*/*.parquet")
        for row in pq.ParquetFile(file).read().to_pylist()
    ]
    assert {row["id"]: row["anomaly_score"] for row in told} == {
        PSEUDONYMS.of(str(row["id"])): row["anomaly_score"] for row in seen
    }
    in_clear = {PSEUDONYMS.of(str(row["id"])): row["customer"] for row in seen}
    assert all(row["customer"] == PSEUDONYMS.of(in_clear[row["id"]]) for row in told)


def test_what_another_key_or_none_made_is_refused(private, last_words, monkeypatch):
    monkeypatch.delenv(VARIABLE)
    assert private.call("run") == 2
    assert f"{VARIABLE}, and that is not set" in last_words()
    monkeypatch.setenv(VARIABLE, KEY)
    assert private.call("preprocess") == 0
    assert private.call("train") == 0
    monkeypatch.setenv(VARIABLE, KEY[::-1])
    assert private.call("score") == 4
    assert "learned from pseudonyms of 'method' under another key" in last_words()
    assert private.call("train") == 3
    assert "windows, sequence, exclusions or pseudonyms" in last_words()
    assert private.call("preprocess") == 0
    assert private.call("score") == 4
    hiding = private.plain.pop("privacy")
    assert private.call("score") == 4
    assert "other columns as pseudonyms" in last_words()
    private.plain["privacy"] = hiding
    assert private.call("train") == 0
    assert private.call("score") == 0


def test_a_failure_that_quotes_a_row_is_told_without_it(private, spark, capfd):
    rows = spark.sql(
        "select timestamp '2026-03-01 10:00:00' at, cast(x as bigint) amount from "
        "values ('1'), ('CANARY') as t(x)"
    )
    rows.createOrReplaceTempView("quoting")
    private.plain["source"] = {"path": "quoting", "format": "table", "event_time": "at"}
    private.plain["windows"] = []
    private.plain["features"] = "auto"
    private.plain["privacy"]["pseudonymise"] = ["amount"]
    private.plain["source"]["keep"] = ["amount"]
    assert private.call("preprocess", "--json") == 1
    printed = capfd.readouterr()
    said = printed.err.splitlines()[-1]
    assert "NumberFormatException (CAST_INVALID_INPUT; what it says is withheld" in said
    (log,) = (private.root / "work" / "logs").glob("*.log")
    trace = log.read_text("utf-8")
    assert "preprocessing.py" in trace
    told = {**contents(private.root), "out": printed.out.encode(), "err": said.encode()}
    assert_nowhere(CANARY, told)


def test_an_embedded_spark_writes_neither_a_row_nor_the_key_anywhere(private, tmp_path):
    """A lone process with Spark's event log on, whose feedback has a line that cannot be parsed."""
    events = tmp_path / "events"
    events.mkdir()
    (tmp_path / "conf").mkdir()
    settings = f"spark.eventLog.enabled true\nspark.eventLog.dir file:{events}\n"
    (tmp_path / "conf" / "spark-defaults.conf").write_text(settings, "utf-8")
    environment = {**os.environ, "SPARK_CONF_DIR": str(tmp_path / "conf"), VARIABLE: KEY}
    del environment["PYSPARK_SUBMIT_ARGS"]
    verdicts = tmp_path / "verdicts.csv"
    verdicts.write_text(f"id,verdict\n{PSEUDONYMS.of('1')},anomaly\nCANARY,anomaly,3,4\n", "utf-8")
    assert private.call("preprocess") == 0
    settings = f"train.feedback={{path: {verdicts}, format: csv}}"
    for command in (["preprocess"], ["train", "--set", settings]):
        ended = subprocess.run(
            [sys.executable, "-m", "adlib", *command, "--config", str(tmp_path / "config.yaml")],
            env=environment,
            capture_output=True,
            check=False,
            timeout=300,
        )
        told = {**contents(private.root), "out": ended.stdout, "err": ended.stderr}
        del told["verdicts.csv"]
        assert_nowhere(CANARY, told)
        assert_nowhere(re.compile(KEY.encode()), told)
    assert ended.returncode == 3
    assert b"Expected a table of feedback in csv" in ended.stderr
    logged = "".join(file.read_text("utf-8") for file in (private.root / "work").rglob("*.log"))
    assert "Spark WARN TaskSetManager: Lost task" in logged
    assert "\tat org.apache.spark.sql.catalyst.csv" in logged
    assert any(events.iterdir())
