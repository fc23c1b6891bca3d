"""The configurations on real tables, by their protocols and by both engines."""

import json
from pathlib import Path

import pytest

from adlib.cli import main

pytestmark = pytest.mark.real

CONF = Path(__file__).parents[2] / "conf"


ENGINES = ("row_groups", "pandas_udf")


def _anomaly_files(root: Path, engine: str, arguments: list[str]) -> set[str]:
    """Score by an engine; return the names of the files, which are digests of their content."""
    out = root / engine
    scored = main(["score", *arguments, "--set", f"output.path={out}", "--engine", engine])
    assert scored == 0
    return {str(file.relative_to(out)) for file in (out / "anomalies").rglob("*.parquet")}


@pytest.fixture(scope="module")
def ran(spark, real_data, tmp_path_factory):  # noqa: ARG001 - one session for all
    """Run a configuration on a table, and hold both engines to the same files."""

    def run(name: str, table: str, commands: tuple[str, ...], *settings: str):
        root = tmp_path_factory.mktemp(name)
        places = {"output": "out", "work": "work", "models": "models"}
        arguments = [f"source.path={real_data / table}", *settings]
        arguments += [f"{key}.path={root / place}" for key, place in places.items()]
        options = [part for setting in arguments for part in ("--set", setting)]
        config = ["--config", str(CONF / f"{name}.yaml"), "--json"]
        for command in commands:
            assert main([command, *config, *options]) == 0
        found = [_anomaly_files(root, engine, [*config, *options]) for engine in ENGINES]
        assert found[0]
        assert found[0] == found[1]

    return run


def last_summary(capfd):
    """Return what the commands before the comparison of the engines ended with."""
    summaries = [line for line in capfd.readouterr().out.splitlines() if line.startswith("{")]
    return json.loads(summaries[-1 - len(ENGINES)])


def test_kdd_traffic_is_ranked_well_and_no_row_is_lost(ran, capfd):
    ran("traffic", "traffic/kdd99_train.parquet", ("run",))
    summary = last_summary(capfd)
    assert summary["rows_read"] == 98_260
    assert summary["rows_read"] == summary["rows_scored"] + summary["rows_quarantined"]
    assert summary["metrics"]["auroc"] >= 0.97


def test_thyroid_patients_are_read_from_csv_and_no_row_is_lost(ran, capfd):
    ran("medical", "medical/thyroid.csv", ("run",))
    summary = last_summary(capfd)
    assert summary["rows_read"] == 7_200
    assert summary["rows_read"] == summary["rows_scored"] + summary["rows_quarantined"]
    assert summary["metrics"]["auroc"] > 0.7


@pytest.mark.parametrize(
    ("table", "rows", "settings"),
    [
        ("traffic/unsw_nb15_backdoor.parquet", 95_329, ("source.format=parquet",)),
        ("transactions/payment_fraud.csv", 39_221, ()),
    ],
)
def test_other_tables_score_the_same_by_both_engines(ran, capfd, table, rows, settings):
    usual = ("encoding.scale=asinh", "detector.kind=blend", "source.label=label")
    ran("medical", table, ("preprocess", "train", "score"), *usual, *settings)
    summary = last_summary(capfd)
    assert summary["rows_read"] == rows
    assert summary["rows_read"] == summary["rows_scored"] + summary["rows_quarantined"]


def test_card_frauds_against_the_customers_own_past_are_found(ran, capfd):
    commands = ("preprocess", "train", "score", "evaluate")
    table = "transactions/card_transactions.parquet"
    ran("transactions", table, commands, "train.until=2018-07-01")
    summary = last_summary(capfd)
    assert summary["measured_from"] == "2018-07-01"
    metrics = summary["metrics"]
    assert metrics["labelled_rows"] == 881_360
    assert metrics["by_group"]["3"]["recall"] >= 0.5
    assert metrics["flagged_fraction"] == pytest.approx(0.005, rel=0.25)
