"""Published files: one a date, in order, in row groups of one size, whatever the batches were."""

from datetime import date

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import functions as F

from adlib.publishing import Disk
from adlib.spark.writing import ROW_GROUP_ROWS, write_batches, write_by_date, write_empty

SCHEMA = pa.schema([("event_date", pa.date32()), ("value", pa.int64())])


def batches(rows: int, size: int):
    days = [date(2026, 3, 1 + (row * 3) // rows) for row in range(rows)]
    table = pa.table({"event_date": days, "value": list(range(rows))}, schema=SCHEMA)
    return iter(table.to_batches(max_chunksize=size))


def test_each_date_gets_one_file_with_its_rows_in_order(tmp_path):
    answer = write_batches(batches(3000, 700), SCHEMA, tmp_path).to_pylist()
    assert [entry["day"] for entry in answer] == [date(2026, 3, day) for day in (1, 2, 3)]
    for place, entry in enumerate(answer):
        table = pq.ParquetFile(entry["file"]).read()
        assert entry["rows"] == 1000
        assert table["value"].to_pylist() == list(range(place * 1000, place * 1000 + 1000))


def test_the_size_of_batches_does_not_change_a_byte(tmp_path):
    rows = ROW_GROUP_ROWS * 4
    names = []
    for size in (rows, 10_000, 999):
        answer = write_batches(batches(rows, size), SCHEMA, tmp_path).to_pylist()
        paths = [tmp_path / entry["file"] for entry in answer]
        names.append([Disk().digest(path) for path in paths])
        assert pq.read_metadata(paths[0]).row_group(0).num_rows == ROW_GROUP_ROWS
    assert names[0] == names[1] == names[2]


def test_no_row_is_no_file_and_an_empty_file_has_the_schema(tmp_path):
    assert write_batches(iter([]), SCHEMA, tmp_path).num_rows == 0
    table = pq.ParquetFile(write_empty(SCHEMA, tmp_path)).read()
    assert table.num_rows == 0
    assert table.schema.names == SCHEMA.names


@pytest.mark.spark
def test_spark_writes_dates_from_its_workers(spark, tmp_path):
    day = F.date_add(F.lit("2026-03-01").cast("date"), (F.col("id") % 3).cast("int"))
    rows = spark.range(900).select(day.alias("event_date"), F.col("id").alias("value"))
    first = write_by_date(rows, [F.col("value").desc()], tmp_path / "first")
    second = write_by_date(rows.repartition(5), [F.col("value").desc()], tmp_path / "second")
    assert sorted(first) == [date(2026, 3, 1), date(2026, 3, 2), date(2026, 3, 3)]
    for written_day, file in first.items():
        values = pq.ParquetFile(file.path).read()["value"].to_pylist()
        assert values == sorted(values, reverse=True)
        assert file.rows == 300
        assert Disk().digest(file.path) == Disk().digest(second[written_day].path)
