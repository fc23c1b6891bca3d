"""`adlib explain`: everything about one row, wherever it ended up."""

import pyarrow as pa
import pytest

from tests.jobs.conftest import payments


def test_a_published_row_is_explained_by_what_was_published(finished, summary_of):
    row = finished.table("anomalies").to_pylist()[0]
    told = summary_of(finished, "explain", "--key", str(row["id"]))
    for name in ("anomaly_score", "anomaly_percentile", "p_value", "severity", "reason"):
        assert told[name] == row[name]
    assert told["is_anomaly"]
    assert told["event_date"] == str(row["event_date"])
    assert told["published"]["run_id"] == row["run_id"]
    first = told["columns"][0]
    assert (first["column"], first["share"]) == (row["reason_1_column"], row["reason_1_share"])
    assert {column["column"] for column in told["columns"]} == {"amount", "at", "fee", "method"}
    assert sum(column["share"] for column in told["columns"]) == pytest.approx(1.0, abs=1e-5)


def test_an_ordinary_row_is_explained_as_well(finished, summary_of):
    flagged = set(finished.table("anomalies")["id"].to_pylist())
    told = summary_of(finished, "explain", "--key", str(min(set(range(100)) - flagged)))
    assert not told["is_anomaly"]
    assert told["severity"] is told["published"] is None
    assert told["anomaly_score"] < told["threshold"]


def test_a_quarantined_row_is_told_with_its_problem(workplace, summary_of):
    table = payments(300)
    workplace.write(pa.concat_tables([table, table.slice(5, 1)]))
    del workplace.plain["windows"]
    broken = table.slice(7, 1).to_pylist()[0] | {"id": 900, "at": None}
    workplace.write(pa.Table.from_pylist([broken], schema=table.schema), "broken.parquet")
    assert workplace.call("run") == 0
    assert summary_of(workplace, "explain", "--key", "3", "--date", "2026-03-01")["columns"]
    told = summary_of(workplace, "explain", "--key", "900")
    assert told["problem"] == "missing_event_time"
    assert '"id":900' in told["raw_row"]


@pytest.mark.parametrize(
    ("keys", "code", "said"),
    [
        (["nobody"], 3, "No row with id 'nobody' is in the feature table"),
        (["1", "2"], 2, "give --key once; found 2"),
    ],
)
def test_a_row_that_is_not_there_is_a_sentence(finished, last_words, keys, code, said):
    arguments = [part for key in keys for part in ("--key", key)]
    assert finished.call("explain", *arguments) == code
    assert said in last_words()
