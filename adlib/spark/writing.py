"""Writing a published table from the executors: one file a date, the same bytes for the same rows.

Spark's own Parquet writer lists encodings in the order of a hash that every JVM draws anew, so
that equal tables differ in their footers. PyArrow in the Python workers does not. A file gets a
name that nobody else has; the task that succeeds tells it, and what a failed or a slower attempt
left behind is never named.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from uuid import uuid4

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import Column, DataFrame
from pyspark.sql import types as T

from adlib.spark.tables import map_in_arrow

ROW_GROUP_ROWS = 65_536
"""Rows of a row group, so that its bounds do not depend on how the rows arrived."""
_DAY = "event_date"
_WRITTEN = T.StructType(
    [
        T.StructField("day", T.DateType()),
        T.StructField("file", T.StringType()),
        T.StructField("rows", T.LongType()),
    ]
)


@dataclass(frozen=True)
class WrittenFile:
    """A finished file of one date."""

    path: Path
    rows: int


def write_by_date(
    rows: DataFrame, order: Sequence[Column], directory: Path
) -> dict[date, WrittenFile]:
    """Write rows, which have an `event_date`, into one file a date, in this order."""
    directory.mkdir(parents=True, exist_ok=True)
    schema, root = arrow_schema(rows.schema), str(directory)

    def write(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        yield write_batches(batches, schema, Path(root))

    arranged = rows.repartition(_DAY).sortWithinPartitions(_DAY, *order)
    written = map_in_arrow(arranged, write, _WRITTEN).collect()
    return {row["day"]: WrittenFile(Path(row["file"]), row["rows"]) for row in written}


def arrow_schema(schema: T.StructType) -> pa.Schema:
    """Return the Arrow schema of a Spark schema, times in UTC."""
    from pyspark.sql.pandas.types import to_arrow_schema  # noqa: PLC0415 - heavy, driver only

    return to_arrow_schema(schema, timezone="UTC")


def write_batches(
    batches: Iterator[pa.RecordBatch], schema: pa.Schema, directory: Path
) -> pa.RecordBatch:
    """Write rows that come ordered by date; return the date, file and rows of each file."""
    finished: list[_DateFile] = []
    for batch in batches:
        for day, part in _by_day(batch):
            if not finished or finished[-1].day != day:
                if finished:
                    finished[-1].close()
                finished.append(_DateFile(day, directory, schema))
            finished[-1].add(part)
    if finished:
        finished[-1].close()
    return pa.RecordBatch.from_arrays(
        [
            pa.array([file.day for file in finished], pa.int32()).cast(pa.date32()),
            pa.array([str(file.path) for file in finished], pa.string()),
            pa.array([file.rows for file in finished], pa.int64()),
        ],
        names=_WRITTEN.fieldNames(),
    )


def _by_day(batch: pa.RecordBatch) -> Iterator[tuple[int, pa.RecordBatch]]:
    """Cut an ordered batch where the date changes; a date is days since 1970."""
    days = batch.column(_DAY).cast(pa.int32()).to_numpy(zero_copy_only=False)
    starts = np.flatnonzero(np.diff(days, prepend=days[:1] - 1))
    for start, stop in zip(starts, [*starts[1:], len(days)], strict=True):
        yield int(days[start]), batch.slice(start, stop - start)


class _DateFile:
    """A Parquet file that is being written, in row groups of one size."""

    def __init__(self, day: int, directory: Path, schema: pa.Schema) -> None:
        self.day = day
        self.path = directory / f"{uuid4().hex}.parquet"
        self.rows = 0
        self._schema = schema
        self._waiting: list[pa.RecordBatch] = []
        self._writer = parquet_writer(self.path, schema)

    def add(self, part: pa.RecordBatch) -> None:
        """Take rows, and write as many whole row groups as there are."""
        self._waiting.append(part.cast(self._schema))
        self.rows += part.num_rows
        if sum(batch.num_rows for batch in self._waiting) >= ROW_GROUP_ROWS:
            table = pa.Table.from_batches(self._waiting)
            whole = len(table) - len(table) % ROW_GROUP_ROWS
            self._writer.write_table(table.slice(0, whole), row_group_size=ROW_GROUP_ROWS)
            self._waiting = table.slice(whole).combine_chunks().to_batches()

    def close(self) -> None:
        """Write what is left."""
        if self._waiting:
            rest = pa.Table.from_batches(self._waiting).combine_chunks()
            self._writer.write_table(rest, row_group_size=ROW_GROUP_ROWS)
        self._writer.close()


def parquet_writer(path: Path, schema: pa.Schema) -> pq.ParquetWriter:
    """Open a file with the format that every reader takes."""
    return pq.ParquetWriter(path, schema, compression="zstd", store_schema=False)


def write_empty(schema: pa.Schema, directory: Path) -> Path:
    """Write a file without rows, so that a date without anomalies says so."""
    path = directory / f"{uuid4().hex}.parquet"
    parquet_writer(path, schema).close()
    return path
