"""The demonstration's table is realistic, the same every time, and dirty on purpose."""

import os
import tomllib
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from rich.console import Console

from adlib.config import load_config
from adlib.demo.__main__ import main
from adlib.demo.incidents import INCIDENTS
from adlib.demo.table import make_table, write_table
from adlib.demo.top import show_report, show_top

ROWS = 20_000
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def table() -> pa.Table:
    return make_table(ROWS)


def rows_where(table: pa.Table, column: str, value: object) -> pa.Table:
    return table.filter(pc.equal(table[column], value))


def median(table: pa.Table, column: str) -> float:
    return float(pc.quantile(table[column], 0.5)[0].as_py())


def test_the_same_seed_makes_the_same_table(table):
    assert make_table(ROWS).equals(table)


def test_another_seed_makes_another_table(table):
    assert not make_table(ROWS, seed=8).equals(table)


def test_about_one_row_in_two_hundred_is_in_an_incident(table):
    assert 0.004 < pc.mean(table["is_incident"]).as_py() < 0.006


def test_every_kind_of_incident_is_there_and_only_incidents_have_a_kind(table):
    incidents = rows_where(table, "is_incident", 1)
    assert set(incidents["incident"].to_pylist()) == set(INCIDENTS)
    assert rows_where(table, "is_incident", 0)["incident"].null_count == len(table) - len(incidents)


def test_columns_have_the_types_that_the_configuration_expects(table):
    types = {field.name: str(field.type) for field in table.schema}
    assert types == {
        "flow_id": "string",
        "started_at": "timestamp[us, tz=UTC]",
        "src_ip": "string",
        "dst_ip": "string",
        "dst_port": "int32",
        "protocol": "string",
        "service": "string",
        "duration_seconds": "double",
        "bytes_out": "int64",
        "bytes_in": "int64",
        "packets_out": "int64",
        "packets_in": "int64",
        "failed_logins": "int32",
        "tcp_flags": "string",
        "country": "string",
        "is_incident": "int32",
        "incident": "string",
    }


def test_some_rows_miss_their_key_or_time_and_some_are_repeated(table):
    assert table["flow_id"].null_count > 0
    assert table["started_at"].null_count > 0
    keys = table["flow_id"].drop_null()
    assert len(keys) > len(keys.unique())
    assert len(table) > ROWS


def test_a_few_values_are_missing_but_no_amount_is_negative(table):
    for name in ("duration_seconds", "bytes_in", "country"):
        assert 0 < table[name].null_count < 0.03 * ROWS
    for name in ("duration_seconds", "bytes_out", "bytes_in", "packets_out", "packets_in"):
        assert pc.min(table[name]).as_py() >= 0


def test_days_are_busier_than_nights_and_workdays_than_weekends(table):
    times = table["started_at"].drop_null()
    hours, days = pc.hour(times), pc.day_of_week(times)
    noon = pc.sum(pc.equal(hours, 12)).as_py()
    night = pc.sum(pc.equal(hours, 3)).as_py()
    assert noon > 5 * night
    assert pc.sum(pc.equal(days, 1)).as_py() > 2 * pc.sum(pc.equal(days, 6)).as_py()
    assert pc.max(days).as_py() == 6


def test_sizes_have_heavy_tails_and_go_with_packets(table):
    assert pc.mean(table["bytes_out"]).as_py() > 10 * median(table, "bytes_out")
    assert pc.all(pc.greater_equal(table["bytes_out"], table["packets_out"])).as_py()


def test_incidents_are_unusual_but_overlap_what_is_ordinary(table):
    ordinary = rows_where(table, "is_incident", 0)
    sent = rows_where(table, "incident", "exfiltration")
    assert median(sent, "bytes_out") > 1_000 * median(ordinary, "bytes_out")
    assert pc.max(ordinary["bytes_out"]).as_py() > median(sent, "bytes_out")
    guesses = rows_where(table, "incident", "brute_force")
    worst_of_ordinary = pc.max(ordinary["failed_logins"]).as_py()
    assert pc.min(guesses["failed_logins"]).as_py() <= worst_of_ordinary
    assert worst_of_ordinary < pc.max(guesses["failed_logins"]).as_py()


def test_the_table_is_written_in_several_row_groups(table, tmp_path):
    path = write_table(pa.concat_tables([table] * 3), tmp_path / "flows")
    assert pq.ParquetFile(path).num_row_groups > 1
    assert pq.read_table(path).num_rows == 3 * len(table)


def test_the_strangest_rows_are_shown_with_their_reasons_across_dates(tmp_path, capsys):
    for day, score in (("2026-03-02", 1.5), ("2026-03-03", 9.25)):
        directory = tmp_path / "anomalies" / f"dt={day}"
        directory.mkdir(parents=True)
        flagged = {
            "flow_id": [f"F{score}"],
            "src_ip": ["10.1.0.13"],
            "anomaly_score": [score],
            "severity": ["high"],
            "reason": ["bytes_out is high"],
        }
        pq.write_table(pa.table(flagged), directory / "anomalies-0a.parquet")
    show_top(Console(width=120), tmp_path)
    shown = capsys.readouterr().out
    assert shown.index("9.250") < shown.index("1.500")
    assert "bytes_out is high" in shown
    assert "2 dates" in shown


def test_no_flagged_row_is_said_rather_than_shown(tmp_path, capsys):
    show_top(Console(width=120), tmp_path)
    assert "No flow was flagged" in capsys.readouterr().out


def test_the_demonstration_brings_its_configuration_wherever_it_is_started(tmp_path, monkeypatch):
    called: list[list[str]] = []

    def not_now(arguments):
        called.append(arguments)
        return 3

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("adlib.demo.__main__.cli.main", not_now)
    assert main(["--rows", "1000", "--out", "here"]) == 3
    ((command, _, config, *settings),) = called
    assert command == "run"
    loaded = load_config(Path(config), [text for text in settings if text != "--set"])
    assert loaded.source.path == "here/flows"
    packed = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"]
    assert f"demo/{Path(config).name}" in packed["package-data"]["adlib"]


def test_the_page_of_the_last_run_is_named(tmp_path, capsys):
    for age, run_id in ((0, "earlier"), (60, "last")):
        page = tmp_path / "reports" / run_id / "index.html"
        page.parent.mkdir(parents=True)
        page.write_text("page")
        os.utime(page, (1_000 + age, 1_000 + age))
    show_report(Console(width=60), tmp_path)
    assert str(tmp_path / "reports" / "last" / "index.html") in capsys.readouterr().out
