"""The pandas UDF engine: score the rows of any DataFrame in Python workers.

The rows cross into Python as Arrow batches, the form that pandas UDFs are fed with, their feature
columns packed into few. The model is broadcast; a worker builds it once and keeps it. Only what is
asked for comes back: flagged rows with their reasons, every row's score where that is wanted, and
one tally of scores for each date and partition. The result is a DataFrame of records of these
kinds, to be written once and then taken apart.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pyarrow as pa
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T
from pyspark.sql.utils import is_remote

from adlib.arrays import Floats, Ints
from adlib.artifacts import ModelParts, construct
from adlib.explanations import MOST_REASONS, sentence_of
from adlib.model import Model, ScoredBatch
from adlib.outputs import ANOMALIES, SCHEMA_VERSION
from adlib.spark.columns import Packing
from adlib.spark.writing import arrow_schema

RECORD = "adlib record"
TALLY, ROW, ANOMALY = 0, 1, 2
BINS, COUNTS = "adlib bins", "adlib counts"

_SPARK_TYPES = {
    "BIGINT": T.LongType(),
    "DOUBLE": T.DoubleType(),
    "BOOLEAN": T.BooleanType(),
    "STRING": T.StringType(),
    "DATE": T.DateType(),
    "TIMESTAMP": T.TimestampType(),
}
BINS_PER_FOLD = 300.0
FINEST_SCORE = 1e6


@dataclass(frozen=True)
class Carried:
    """A column that crosses beside the features and comes back unchanged."""

    name: str
    expression: Column
    type: T.DataType


@dataclass(frozen=True)
class Scoring:
    """What a worker needs to know; it travels in the closure."""

    packing: Packing
    carried: tuple[str, ...]
    schema: pa.Schema
    model_id: str
    run_id: str
    every_row: bool


def published_type(value: Column, found: T.DataType) -> tuple[Column, T.DataType]:
    """Return a key or kept column as one of the types that the outputs allow; NaN becomes null."""
    if isinstance(found, T.ByteType | T.ShortType | T.IntegerType | T.LongType):
        return value, T.LongType()
    if isinstance(found, T.FloatType | T.DoubleType):
        return F.when(~F.isnan(value), value), T.DoubleType()
    if isinstance(found, T.BooleanType | T.DateType | T.TimestampType):
        return value, found
    if isinstance(found, T.ArrayType | T.MapType | T.StructType):
        return F.to_json(value), T.StringType()
    return value, T.StringType()


def score_table(
    spark: SparkSession,
    table: DataFrame,
    parts: ModelParts,
    carried: Sequence[Carried],
    *,
    run_id: str,
    every_row: bool,
) -> DataFrame:
    """Score a feature table into records; `event_date` and `event_time` are among the carried."""
    packing = Packing.of(construct(parts).encoder)
    schema = record_schema(carried)
    scoring = Scoring(
        packing,
        tuple(column.name for column in carried),
        arrow_schema(schema),
        parts.model_id,
        run_id,
        every_row,
    )
    load = ship(spark, parts)
    selected = table.select(
        *(column.expression.cast(column.type).alias(column.name) for column in carried),
        *packing.expressions(),
    )

    def score_partition(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        yield from score_batches(batches, worker_model(scoring.model_id, load), scoring)

    return selected.mapInArrow(score_partition, schema)


def record_schema(carried: Sequence[Carried]) -> T.StructType:
    """Return the schema of the records: what is carried, ours, and the tally."""
    present = {column.name for column in carried}
    ours = [column for column in ANOMALIES if column.name not in present]
    return T.StructType(
        [
            T.StructField(RECORD, T.ByteType()),
            *(T.StructField(column.name, column.type) for column in carried),
            *(T.StructField(column.name, _SPARK_TYPES[column.type]) for column in ours),
            T.StructField(BINS, T.ArrayType(T.LongType())),
            T.StructField(COUNTS, T.ArrayType(T.LongType())),
        ]
    )


def ship(spark: SparkSession, parts: ModelParts) -> Callable[[], ModelParts]:
    """Broadcast a model; where there is no broadcast (Spark Connect) the closure carries it."""
    if is_remote():
        return lambda: parts
    broadcast = spark.sparkContext.broadcast((dict(parts.document), dict(parts.tensors)))
    return lambda: ModelParts(*broadcast.value)


_LOADED: dict[str, Model] = {}


def worker_model(model_id: str, load: Callable[[], ModelParts]) -> Model:
    """Return this worker's model, built when it is first asked for."""
    if model_id not in _LOADED:
        _LOADED.clear()
        _LOADED[model_id] = construct(load())
    return _LOADED[model_id]


def score_batches(
    batches: Iterator[pa.RecordBatch], model: Model, scoring: Scoring
) -> Iterator[pa.RecordBatch]:
    """Score batch after batch; end with the tally of what was scored."""
    tally = Tally({})
    for batch in batches:
        if not batch.num_rows:
            continue
        scored = model.score(scoring.packing.unpack(batch))
        tally.add(_days(batch), scored.scores)
        yield _anomaly_records(batch, scored, model, scoring)
        if scoring.every_row:
            yield _row_records(batch, scored, model, scoring)
    yield tally.records(scoring.schema)


def _days(batch: pa.RecordBatch) -> Ints:
    """Return the event dates as days since 1970: shape (rows,)."""
    days: Ints = batch.column("event_date").cast(pa.int32()).to_numpy(zero_copy_only=False)
    return days


def _anomaly_records(
    batch: pa.RecordBatch, scored: ScoredBatch, model: Model, scoring: Scoring
) -> pa.RecordBatch:
    flagged = scored.flagged
    rows = len(flagged.rows)
    columns: dict[str, object] = {
        RECORD: np.full(rows, ANOMALY, dtype=np.int8),
        **_carried(batch, flagged.rows, scoring),
        "anomaly_score": scored.scores[flagged.rows],
        "anomaly_percentile": flagged.percentiles,
        "p_value": flagged.p_values,
        "is_anomaly": np.ones(rows, dtype=bool),
        "severity": flagged.severities.tolist(),
        "reason": [sentence_of(reasons) for reasons in flagged.reasons],
        "missing_columns": flagged.missing_columns,
        "unseen_columns": flagged.unseen_columns,
        "model_name": [model.name] * rows,
        "model_version": [scoring.model_id] * rows,
        "run_id": [scoring.run_id] * rows,
        "schema_version": [SCHEMA_VERSION] * rows,
    }
    for rank in range(MOST_REASONS):
        for part in ("column", "actual", "expected", "share", "direction"):
            columns[f"reason_{rank + 1}_{part}"] = [
                getattr(reasons[rank], part) if rank < len(reasons) else None
                for reasons in flagged.reasons
            ]
    return _records(columns, rows, scoring.schema)


def _row_records(
    batch: pa.RecordBatch, scored: ScoredBatch, model: Model, scoring: Scoring
) -> pa.RecordBatch:
    """Return a record for every row that is not flagged; those that are have theirs."""
    rows = np.flatnonzero(~scored.is_anomaly)
    columns: dict[str, object] = {
        RECORD: np.full(len(rows), ROW, dtype=np.int8),
        **_carried(batch, rows, scoring),
        "anomaly_score": scored.scores[rows],
        "anomaly_percentile": model.threshold.percentiles(scored.scores[rows]),
        "is_anomaly": np.zeros(len(rows), dtype=bool),
    }
    return _records(columns, len(rows), scoring.schema)


def _carried(batch: pa.RecordBatch, rows: Ints, scoring: Scoring) -> dict[str, object]:
    chosen = pa.array(rows)
    return {name: batch.column(name).take(chosen) for name in scoring.carried}


def _records(columns: dict[str, object], rows: int, schema: pa.Schema) -> pa.RecordBatch:
    """Put columns into the order and types of the schema; those not given are null."""
    arrays = []
    for field in schema:
        values = columns.get(field.name)
        if values is None:
            arrays.append(pa.nulls(rows, field.type))
        elif isinstance(values, pa.Array):
            arrays.append(values.cast(field.type))
        else:
            arrays.append(pa.array(values, type=field.type))
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


@dataclass(frozen=True)
class Tally:
    """How many rows of each date fall into each bin of score."""

    counts: dict[int, dict[int, int]]
    """Day since 1970 → bin → rows."""

    def add(self, days: Ints, scores: Floats) -> None:
        """Count a batch."""
        bins = bins_of(scores)
        for day in np.unique(days):
            here = self.counts.setdefault(int(day), {})
            for place, count in zip(*np.unique(bins[days == day], return_counts=True), strict=True):
                here[int(place)] = here.get(int(place), 0) + int(count)

    def records(self, schema: pa.Schema) -> pa.RecordBatch:
        """Return one record a date."""
        days = sorted(self.counts)
        columns: dict[str, object] = {
            RECORD: np.full(len(days), TALLY, dtype=np.int8),
            "event_date": pa.array(days, type=pa.int32()).cast(pa.date32()),
            BINS: [list(self.counts[day]) for day in days],
            COUNTS: [list(self.counts[day].values()) for day in days],
        }
        return _records(columns, len(days), schema)


def bins_of(scores: Floats) -> Ints:
    """Return the bin of each score: 300 to a factor of e, the same for negative ones."""
    folds = np.sign(scores) * np.log1p(np.abs(scores) * FINEST_SCORE)
    bins: Ints = np.floor(folds * BINS_PER_FOLD).astype(np.int64)
    return bins


@lru_cache(maxsize=100_000)
def score_of_bin(place: int) -> float:
    """Return the score in the middle of a bin."""
    folds = (place + 0.5) / BINS_PER_FOLD
    return float(np.sign(folds) * np.expm1(abs(folds)) / FINEST_SCORE)
