"""What `init` drafts of a table runs as it is, through Spark, to its end."""

import json

import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest

from adlib.cli import main
from tests.jobs.conftest import payments


def run(capfd, root, source):
    """Draft, run unedited, and return the summary."""
    config = str(root / "my.yaml")
    assert main(["init", "--source", str(source), "--output", config]) == 0
    places = [f"{key}.path={root / key}" for key in ("output", "work", "models")]
    settings = [part for place in places for part in ("--set", place)]
    capfd.readouterr()
    assert main(["run", "--config", config, *settings, "--json"]) == 0
    return json.loads(capfd.readouterr().out.splitlines()[-1])


@pytest.mark.parametrize("kind", ["parquet", "csv", "jsonl"])
def test_a_draft_runs_unedited_and_loses_no_row(tmp_path, capfd, kind):
    source = tmp_path / f"payments.{kind}"
    table = payments()
    match kind:
        case "parquet":
            pq.write_table(table, source)
        case "csv":
            pacsv.write_csv(table, source, pacsv.WriteOptions(delimiter=";"))
        case _:
            lines = "".join(json.dumps(row, default=str) + "\n" for row in table.to_pylist())
            source.write_text(lines, "utf-8")
    summary = run(capfd, tmp_path, source)
    assert summary["rows_read"] == table.num_rows == summary["rows_scored"]
    assert summary["metrics"]["labelled_rows"] == table.num_rows


def test_a_csv_whose_first_column_has_no_name_runs(tmp_path, capfd):
    source = tmp_path / "exported.csv"
    payments().to_pandas().to_csv(source)
    summary = run(capfd, tmp_path, source)
    assert summary["rows_quarantined"] == 0
    assert summary["rows_scored"] == payments().num_rows
