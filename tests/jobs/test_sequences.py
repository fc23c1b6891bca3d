"""Payments out of turn, from a raw table to the anomalies: each of them ordinary by itself."""

import json
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest

from tests.jobs.conftest import Workplace
from tests.sequences import KINDS, PAYMENTS, payments

CUSTOMERS = 120
SEQUENCE = {"by": "customer", "length": 6, "within": "12d"}
LAST_DAY = "2026-03-10"


def table() -> pa.Table:
    """One payment a customer and day; on the last day some are out of turn."""
    made = payments(CUSTOMERS, seed=1, out_of_turn=0.1)
    start = datetime(2026, 3, 1, 12, tzinfo=UTC)
    count = CUSTOMERS * PAYMENTS
    return pa.table(
        {
            "id": np.arange(count),
            "at": [start + timedelta(days=n % PAYMENTS, seconds=n // 40) for n in range(count)],
            "customer": [f"c{n // PAYMENTS}" for n in range(count)],
            "kind": KINDS[made.kinds.ravel()].tolist(),
            "amount": made.amounts.ravel(),
            "late": made.is_out_of_turn.ravel().astype(np.int64),
        }
    ).take(np.random.default_rng(3).permutation(count))


def workplace_at(root, kind="recurrent_autoencoder") -> Workplace:
    made = Workplace(root)
    made.write(table())
    made.plain["source"] |= {"label": "late", "exclude": []}
    made.plain |= {"windows": [], "sequence": SEQUENCE, "detector": {"kind": kind}}
    made.plain["threshold"] = {"kind": "budget", "fraction": 0.05}
    return made


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """A workplace in which the last day was learned for from the days before, and scored."""
    made = workplace_at(tmp_path_factory.mktemp("sequences"))
    run_last_day(made)
    return made


def run_last_day(made):
    assert made.call("preprocess") == 0
    assert made.call("train", "--date", LAST_DAY) == 0
    assert made.call("run", "--date", LAST_DAY) == 0


def test_payments_out_of_turn_are_flagged_for_their_kind(done):
    late = {row["id"] for row in table().to_pylist() if row["late"]}
    found = done.table("anomalies").to_pylist()
    assert {row["id"] for row in found[: len(late)]} == late
    assert {row["reason_1_column"] for row in found[: len(late)]} == {"kind"}
    assert {row["reason_1_expected"] for row in found[: len(late)]} <= set(KINDS)


def test_both_engines_publish_the_same_file(done):
    (before,) = done.anomaly_files().values()
    assert done.call("score", "--date", LAST_DAY, "--engine", "pandas_udf") == 0
    assert [*done.anomaly_files().values()] == [before]


def test_the_files_and_the_order_of_the_source_change_neither_model_nor_anomalies(done, tmp_path):
    other, rows = workplace_at(tmp_path), table()
    shuffled = rows.take(np.random.default_rng(11).permutation(len(rows)))
    other.write(shuffled.slice(0, 500))
    other.write(shuffled.slice(500), "other.parquet")
    run_last_day(other)
    models = [file.name for file in (other.root / "models" / "payments").iterdir()]
    assert sorted(models) == sorted(
        file.name for file in (done.root / "models" / "payments").iterdir()
    )
    assert other.anomaly_files() == done.anomaly_files()


def test_the_past_of_a_date_is_read_with_it(done, tmp_path):
    other = workplace_at(tmp_path)
    other.plain["models"] = done.plain["models"]
    assert other.call("preprocess", "--date", LAST_DAY) == 0
    assert other.call("score", "--date", LAST_DAY) == 0
    assert other.anomaly_files() == done.anomaly_files()


def test_reasons_found_after_scoring_are_of_a_row_with_its_past(done, tmp_path):
    other = workplace_at(tmp_path)
    other.plain["explain"] = {"method": "shap"}
    run_last_day(other)
    late = {row["id"] for row in table().to_pylist() if row["late"]}
    found = other.table("anomalies").to_pylist()
    scores = [row["anomaly_score"] for row in found]
    assert scores == [row["anomaly_score"] for row in done.table("anomalies").to_pylist()]
    told = [row["reason_1_column"] for row in found[: len(late)]]
    assert told.count("kind") > 0.5 * len(late)


def test_a_detector_of_single_rows_takes_the_same_table_and_misses_them(tmp_path, capfd):
    other = workplace_at(tmp_path, "isolation_forest")
    assert other.call("run", "--json") == 0
    summary = json.loads(capfd.readouterr().out.splitlines()[-1])
    assert summary["metrics"]["recall"] < 0.2


def test_one_row_is_explained_beside_its_past(done, capfd, summary_of):
    first = done.table("anomalies").to_pylist()[0]
    assert done.call("explain", "--key", str(first["id"])) == 0
    said = capfd.readouterr().out
    assert f"kind is {first['reason_1_actual']} where {first['reason_1_expected']}" in said
    assert "earlier events, the oldest first" in said
    told = summary_of(done, "explain", "--key", str(first["id"]))["earlier_events"]
    own = sorted(
        (row for row in table().to_pylist() if row["customer"] == first["customer"]),
        key=lambda row: row["at"],
    )
    assert [event["kind"] for event in told] == [row["kind"] for row in own[-6:-1]]


def test_a_network_that_learned_nothing_is_not_saved(done, capfd):
    before = sorted((done.root / "models").rglob("*"))
    settings = ("--set", "detector.steps=40", "--set", "detector.learning_rate=10")
    assert done.call("train", "--date", LAST_DAY, *settings) == 4
    assert "the validation loss did not fall" in capfd.readouterr().err.splitlines()[-1]
    assert sorted((done.root / "models").rglob("*")) == before
