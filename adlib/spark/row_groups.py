"""The row-group engine: Parquet is read where it is scored.

Spark plans and schedules row groups of files; each Python worker reads its own straight into Arrow,
only the columns that are needed, scores them and hands back the few records. That saves turning
columns into rows and rows into columns again between the JVM and Python, which is most of what a
UDF takes. A task is a task like any other: retried, speculated on, started again elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.utils import is_remote

from adlib.artifacts import construct
from adlib.encoding import Encoder, Feature
from adlib.errors import InputError
from adlib.spark.columns import TEXT_KINDS, Dictionaries, columns_from_arrow, vector_lengths
from adlib.spark.footers import RowGroup, open_file, read_row_groups
from adlib.spark.scoring import Request, ship, ship_model
from adlib.spark.worker import Arrival, score_arrivals, worker_model
from adlib.spark.writing import arrow_schema

BATCH_ROWS = 65_536
"""Rows that are decoded at a time: a worker's memory does not grow with the row group."""
_TASKS_A_CORE = 2
_CORES_UNKNOWN = 16
_MOST_BYTES_A_TASK = 128 * 1024 * 1024
_FEWEST_BYTES_A_TASK = 1024 * 1024
_EPOCH_DAY = date(1970, 1, 1).toordinal()

Task = list[RowGroup]


@dataclass(frozen=True)
class _Reading:
    """What a worker needs to know to read; it travels in the closure."""

    features: tuple[Feature, ...]
    lengths: dict[str, int]
    """Of the vectors."""
    columns: tuple[str, ...]
    """All that is read of a file."""
    day: date | None
    """Of all rows; None where the path has it."""

    @property
    def texts(self) -> list[str]:
        """Columns that are read as dictionaries."""
        return [feature.name for feature in self.features if feature.kind in TEXT_KINDS]


def score_by_row_groups(spark: SparkSession, request: Request) -> DataFrame:
    """Score the files of a Parquet table into records.

    Raises:
        InputError: if a file cannot be read or does not hold what the model was trained on.
    """
    encoder, files = construct(request.parts).encoder, files_of(request)
    reading = _reading(request, encoder)
    schema = arrow_schema(request.table.select(*map(_quoted, reading.columns)).schema)
    expected = {field.name: field.type for field in schema}
    tasks = plan_tasks(read_row_groups(spark, files, expected), _cores(spark))
    scoring = request.scoring()
    load, planned = ship_model(spark, request.parts), ship(spark, tasks)

    def score_tasks(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        model = worker_model(scoring.model_id, load)
        numbers = (number for batch in batches for number in batch.column("id").to_pylist())
        arrivals = (
            arrival for number in numbers for arrival in read_arrivals(planned()[number], reading)
        )
        yield from score_arrivals(arrivals, model, scoring)

    spread = spark.range(0, len(tasks), 1, max(1, len(tasks)))
    return request.records(spread.mapInArrow(score_tasks, request.worker_schema()))


def _reading(request: Request, encoder: Encoder) -> _Reading:
    names = (feature.name for feature in encoder.features)
    columns = dict.fromkeys((*names, *request.sources))
    day = request.dates.all_rows
    return _Reading(encoder.features, vector_lengths(encoder), tuple(columns), day)


def _quoted(name: str) -> str:
    return f"`{name.replace('`', '``')}`"


def _cores(spark: SparkSession) -> int:
    return _CORES_UNKNOWN if is_remote() else spark.sparkContext.defaultParallelism


def plan_tasks(row_groups: Sequence[RowGroup], cores: int) -> list[Task]:
    """Share out row groups by bytes; those of one file stay together, the largest tasks first."""
    total = sum(group.bytes for group in row_groups)
    share = min(total // (cores * _TASKS_A_CORE), _MOST_BYTES_A_TASK)
    share = max(share, _FEWEST_BYTES_A_TASK)
    tasks: list[Task] = []
    held = share
    for group in row_groups:
        if not group.rows:
            continue
        if held + group.bytes / 2 > share:
            tasks.append([])
            held = 0
        tasks[-1].append(group)
        held += group.bytes
    return sorted(tasks, key=lambda task: -sum(group.bytes for group in task))


def read_arrivals(task: Task, reading: _Reading) -> Iterator[Arrival]:
    """Read a task's row groups, batch by batch."""
    known = Dictionaries()
    for group in task:
        day = (reading.day or _date_of(group.file)).toordinal() - _EPOCH_DAY
        for batch in _read(group, reading):
            columns = columns_from_arrow(batch, reading.features, reading.lengths, known)
            yield Arrival(batch, columns, day)


def _read(group: RowGroup, reading: _Reading) -> Iterator[pa.RecordBatch]:
    try:
        with (
            open_file(group.file) as source,
            # A bit that flipped on the disk would mostly be read as another value: 261 of 300 were.
            pq.ParquetFile(
                source,
                read_dictionary=reading.texts,
                pre_buffer=False,
                page_checksum_verification=True,
            ) as parquet,
        ):
            yield from parquet.iter_batches(
                BATCH_ROWS, [group.number], list(reading.columns), use_threads=False
            )
    except (OSError, pa.ArrowException) as error:
        message = (
            f"Row group {group.number} of {group.file} cannot be read ({error}). "
            "Run `adlib preprocess` again, or restore the file from a backup."
        )
        raise InputError(message) from error


def files_of(request: Request) -> list[str]:
    """Return the files of the dates that are meant."""
    files = request.table.inputFiles()
    if request.dates.all_rows is not None:
        return files
    return [file for file in files if request.dates.hold(_date_of(file))]


def _date_of(file: str) -> date:
    """Return the date that the directory `dt=YYYY-MM-DD` says."""
    named = [part for part in unquote(file).split("/") if part.startswith("dt=")]
    return date.fromisoformat(named[-1].removeprefix("dt="))
