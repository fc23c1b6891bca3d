"""The record of a run is the mark that a date is published, and says what happened."""

import json
from datetime import timedelta

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from adlib.outputs import ANOMALIES, DAILY_SUMMARY, QUARANTINE, RESERVED_NAMES, RUNS, SCORES
from adlib.publishing import Publisher
from adlib.runs import PUBLISHED, REFUSED, RunRecord, arrow_schema, published_run, write_rows
from tests.publications import DAY, NOON, publish


def record_of(run_id="one", *, status=PUBLISHED, minutes=0, **fields):
    return RunRecord(DAY, run_id, status, NOON, NOON + timedelta(minutes=minutes), **fields)


@pytest.fixture
def output(tmp_path):
    return tmp_path / "out"


def place(output, record):
    """Put a record into `runs/` as a refusal is."""
    file = write_rows([record.row()], RUNS, output.with_name("staging"))
    Publisher(output).place_record(DAY, file, record.run_id)
    return output / "runs" / "dt=2024-02-29" / f"run-{record.run_id}.parquet"


class TestPublishedRun:
    def test_nothing_is_published_before_the_first_record(self, output):
        assert published_run(output, DAY) is None
        (output / "runs" / "dt=2024-02-29").mkdir(parents=True)
        assert published_run(output, DAY) is None

    def test_a_published_date_names_its_run(self, output, tmp_path):
        publish(Publisher(output), "first", tmp_path / "work")
        assert published_run(output, DAY) == "first"
        assert published_run(output, DAY + timedelta(days=1)) is None

    def test_a_run_that_comes_back_is_the_one_that_is_published(self, output, tmp_path):
        for version in ("first", "second", "first"):
            publish(Publisher(output), version, tmp_path / "work")
        assert published_run(output, DAY) == "first"

    def test_an_altered_file_is_not_published(self, output, tmp_path):
        publish(Publisher(output), "first", tmp_path / "work")
        (file,) = (output / "anomalies" / "dt=2024-02-29").iterdir()
        file.write_bytes(file.read_bytes() + b"x")
        assert published_run(output, DAY) is None

    def test_a_refusal_is_no_publication_and_takes_none_back(self, output, tmp_path):
        place(output, record_of("zero", status=REFUSED))
        assert published_run(output, DAY) is None
        publish(Publisher(output), "first", tmp_path / "work")
        place(output, record_of("two", status=REFUSED, minutes=2, message="no column"))
        assert published_run(output, DAY) == "first"

    def test_a_record_cut_short_is_no_mark(self, output, tmp_path):
        publish(Publisher(output), "first", tmp_path / "work")
        (output / "runs" / "dt=2024-02-29" / "run-first.parquet").write_bytes(b"PAR1")
        assert published_run(output, DAY) is None


class TestRecords:
    def test_a_record_has_exactly_the_columns_of_the_table(self):
        assert set(record_of().row()) == {column.name for column in RUNS}

    def test_a_record_is_read_back_as_it_was_written(self, output):
        record = record_of(
            rows_read=12,
            quarantined_by_problem={"no date": 1, "duplicate": 2},
            rows_scored=8,
            rows_flagged=2,
            asked_fraction=0.25,
            seconds_by_stage={"score": 1.5},
            model_version="0123456789abcdef",
        )
        (row,) = pq.ParquetFile(place(output, record)).read().to_pylist()
        assert row["rows_quarantined"] == 3
        assert json.loads(row["quarantined_by_problem"]) == {"no date": 1, "duplicate": 2}
        assert row["delivered_fraction"] == 0.25
        assert row["started_at"] == NOON
        assert row["event_date"] == DAY

    def test_the_same_run_again_replaces_its_record_and_another_keeps_it(self, output):
        for run_id in ("one", "two", "one"):
            place(output, record_of(run_id))
        names = [file.name for file in sorted((output / "runs" / "dt=2024-02-29").iterdir())]
        assert names == ["run-one.parquet", "run-two.parquet"]

    def test_a_run_that_scored_nothing_delivered_no_share(self):
        assert record_of(rows_scored=0, rows_flagged=0).row()["delivered_fraction"] is None
        assert record_of().row()["rows_quarantined"] is None


class TestSchemas:
    TABLES = (ANOMALIES, SCORES, QUARANTINE, RUNS, DAILY_SUMMARY)

    @pytest.mark.parametrize("table", TABLES)
    def test_columns_are_flat_named_once_and_of_the_types_of_the_contract(self, table):
        names = [column.name for column in table]
        assert len(set(names)) == len(names)
        assert all(name == name.lower() for name in names)
        schema = arrow_schema(table)
        assert not any(pa.types.is_nested(field.type) for field in schema)

    def test_columns_beside_the_key_may_not_be_used_by_the_source(self):
        for table in (ANOMALIES, SCORES, QUARANTINE):
            assert {column.name for column in table} <= RESERVED_NAMES
        assert {"dt", "row_hash"} <= RESERVED_NAMES

    def test_a_file_has_statistics_on_every_column(self, tmp_path):
        file = write_rows([record_of(rows_read=1).row()], RUNS, tmp_path)
        group = pq.ParquetFile(file).metadata.row_group(0)
        assert all(group.column(place).is_stats_set for place in range(group.num_columns))
