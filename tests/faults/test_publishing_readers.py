"""Readers that poll while dates are replaced: the old rows, the new or an error, never less."""

from pathlib import Path

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.dataset
import pyarrow.parquet as pq
import pytest

from adlib.publishing import Publisher
from adlib.runs import verify
from tests.polling import Read, assert_one_publication_or_an_error_is_read
from tests.publications import DAY, publish


def by_duckdb(table: Path) -> list[tuple[object, str]]:
    query = f"SELECT event_date, version FROM '{table}/*/*.parquet'"  # noqa: S608 - our own path
    with duckdb.connect() as connection:
        return connection.sql(query).fetchall()


def by_polars(table: Path) -> list[tuple[object, str]]:
    return pl.read_parquet(f"{table}/*/*.parquet").select("event_date", "version").rows()


def by_arrow_dataset(table: Path) -> list[tuple[object, str]]:
    found = pyarrow.dataset.dataset(table, format="parquet").to_table()
    return list(zip(*(found[name].to_pylist() for name in ("event_date", "version")), strict=True))


def by_arrow_files(table: Path) -> list[tuple[object, str]]:
    files = sorted(table.glob("*/*.parquet"))
    found = pa.concat_tables([pq.ParquetFile(file).read() for file in files])
    return list(zip(*(found[name].to_pylist() for name in ("event_date", "version")), strict=True))


READERS: tuple[Read, ...] = (by_duckdb, by_polars, by_arrow_dataset, by_arrow_files)
READ_ERRORS = (OSError, duckdb.Error, pl.exceptions.PolarsError, pa.ArrowException)


@pytest.mark.parametrize("table", ["anomalies", "scores"])
def test_readers_see_one_publication_or_an_error_through_swaps_and_crashes(tmp_path, table):
    output = assert_one_publication_or_an_error_is_read(tmp_path, table, READERS, READ_ERRORS)
    publish(Publisher(output), "second", tmp_path / "work")
    assert verify(output, DAY).run_id == "second"
