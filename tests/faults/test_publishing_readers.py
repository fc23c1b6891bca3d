"""Readers that poll while dates are replaced: the old rows, the new or an error, never less."""

import json
import random
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from itertools import cycle
from pathlib import Path

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.dataset
import pyarrow.parquet as pq
import pytest

from adlib.publishing import Publisher
from adlib.runs import verify
from tests.publications import (
    DAY,
    ROWS,
    StoppingDisk,
    kill,
    publish,
    publish_and_exit,
    start,
)

BEFORE = DAY - timedelta(days=1)
PUBLICATIONS = 120
MOST_STEPS = 260
"""More than a publication has, so that some are killed and some are not."""

Read = Callable[[Path], list[tuple[object, str]]]


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


def poll(read: Read, table: Path, told: Path) -> None:
    """Read until told to end; tell what was found of the date that is being replaced."""
    found: Counter[str] = Counter()
    while not told.exists():
        try:
            rows = read(table)
        except READ_ERRORS:
            found["errors"] += 1
            continue
        of_day = [version for day, version in rows if day == DAY]
        assert len(rows) - len(of_day) == ROWS["third"], "a date that nobody replaces lost rows"
        assert len(set(of_day)) == 1, f"a mixture or nothing: {of_day}"
        assert len(of_day) == ROWS[of_day[0]], f"a part of {of_day[0]}"
        found[of_day[0]] += 1
    told.with_name(read.__name__).write_text(json.dumps(found))


def replace_and_crash(output: Path, seed: int) -> int:
    """Publish one version over the other, again and again; return how many were killed."""
    draw = random.Random(seed)  # noqa: S311 - where to stop
    killed = 0
    for version, _ in zip(cycle(["second", "first"]), range(PUBLICATIONS), strict=False):
        disk = StoppingDisk(draw.randrange(1, MOST_STEPS), kill)
        process = start(publish_and_exit, output, version, disk)
        process.join()
        assert process.exitcode in {0, -9}
        killed += process.exitcode == -9
    return killed


@pytest.mark.parametrize("table", ["anomalies", "scores"])
def test_readers_see_one_publication_or_an_error_through_swaps_and_crashes(tmp_path, table):
    output, told = tmp_path / "out", tmp_path / "told"
    publish(Publisher(output), "third", tmp_path / "work", [BEFORE])
    publish(Publisher(output), "first", tmp_path / "work", [DAY])
    polls = [start(poll, read, output / table, told) for read in READERS]
    try:
        killed = replace_and_crash(output, seed=7)
    finally:
        told.touch()
        for one in polls:
            one.join()
    assert 0 < killed < PUBLICATIONS
    assert [one.exitcode for one in polls] == [0] * len(READERS)
    for read in READERS:
        found = json.loads(told.with_name(read.__name__).read_text())
        assert {"first", "second"} <= set(found), f"{read.__name__}: {found}"
    publish(Publisher(output), "second", tmp_path / "work")
    assert verify(output, DAY).run_id == "second"
