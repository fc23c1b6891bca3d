"""Scoring a feature table into records, by either of two engines that give the same.

A record is a flagged row, or any row's score where that is asked for, or a tally of one date. The
pandas UDF engine takes any DataFrame: its rows cross into Python as Arrow batches, the form that
pandas UDFs are fed with, their feature columns packed into few. The row-group engine
(`row_groups`) lets the Python workers read Parquet themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T
from pyspark.sql.utils import is_remote

from adlib.arrays import Ints
from adlib.artifacts import ModelParts, construct
from adlib.outputs import ANOMALIES
from adlib.spark.columns import Dictionaries, Packing
from adlib.spark.tables import map_in_arrow
from adlib.spark.values import column
from adlib.spark.worker import (
    BINS,
    COUNTS,
    DAY,
    OURS,
    RECORD,
    Arrival,
    Scoring,
    score_arrivals,
    worker_model,
)
from adlib.spark.writing import arrow_schema

_EPOCH = date(1970, 1, 1)
_SPARK_TYPES = {
    "BIGINT": T.LongType(),
    "DOUBLE": T.DoubleType(),
    "BOOLEAN": T.BooleanType(),
    "STRING": T.StringType(),
    "DATE": T.DateType(),
    "TIMESTAMP": T.TimestampType(),
}


@dataclass(frozen=True)
class Carried:
    """A column of the records beside ours."""

    name: str
    source: str | None
    """The feature table's column that it is made of; None where it is the same for all rows."""
    expression: Column
    """Of that column; taken of the rows that come back."""
    type: T.DataType


@dataclass(frozen=True)
class Dates:
    """Which dates of a feature table are meant."""

    all_rows: date | None = None
    """The date of all rows; None where it is in the column `dt`, the name of a directory."""
    first: date | None = None
    """In `dt`; None: the earliest."""
    last: date | None = None
    """In `dt`; None: the latest."""

    def of(self, table: DataFrame) -> DataFrame:
        """Return the rows that are meant."""
        if self.first is not None:
            table = table.where(F.col("dt") >= F.lit(self.first))
        if self.last is not None:
            table = table.where(F.col("dt") <= F.lit(self.last))
        return table

    def hold(self, day: date) -> bool:
        """Tell whether a date is meant."""
        return (self.first or day) <= day <= (self.last or day)


@dataclass(frozen=True)
class Request:
    """What is to be scored, with what, into what."""

    table: DataFrame
    """A feature table as it lies."""
    dates: Dates
    parts: ModelParts
    carried: tuple[Carried, ...]
    run_id: str
    every_row: bool
    cuts: Mapping[date, float] | None = None
    """The lowest score that is flagged of each date, none of a date that is not named; None: what
    the model's threshold says."""
    of_flagged: tuple[Carried, ...] = ()
    """What flagged rows carry besides."""

    @property
    def sources(self) -> tuple[str, ...]:
        """The feature table's columns that come back, each once."""
        return tuple(dict.fromkeys((*_sources(self.carried), *_sources(self.of_flagged))))

    def worker_schema(self) -> T.StructType:
        """Return the schema of what the workers hand back."""
        ours = [
            entry for entry in ANOMALIES if entry.name not in {"event_date", *self._made_by_spark}
        ]
        return T.StructType(
            [
                T.StructField(RECORD, T.ByteType()),
                T.StructField(DAY, T.DateType()),
                *(T.StructField(name, self.table.schema[name].dataType) for name in self.sources),
                *(T.StructField(f"{OURS}{entry.name}", _SPARK_TYPES[entry.type]) for entry in ours),
                T.StructField(BINS, T.ArrayType(T.LongType())),
                T.StructField(COUNTS, T.ArrayType(T.LongType())),
            ]
        )

    @property
    def _made_by_spark(self) -> set[str]:
        return {carried.name for carried in self.carried}

    def scoring(self) -> Scoring:
        """Return what the workers need to know."""
        schema = arrow_schema(self.worker_schema())
        cuts = None
        if self.cuts is not None:
            cuts = {(day - _EPOCH).days: cut for day, cut in self.cuts.items()}
        return Scoring(
            carried=_sources(self.carried),
            of_flagged=self.sources,
            schema=schema,
            model_id=self.parts.model_id,
            run_id=self.run_id,
            every_row=self.every_row,
            cuts=cuts,
        )

    def records(self, handed_back: DataFrame) -> DataFrame:
        """Make records of what the workers hand back: under their names, in their types."""
        made = [
            carried.expression.cast(carried.type).alias(carried.name)
            for carried in (*self.carried, *self.of_flagged)
        ]
        ours = [
            column(f"{OURS}{entry.name}").alias(entry.name)
            for entry in ANOMALIES
            if entry.name not in self._made_by_spark
        ]
        return handed_back.select(column(RECORD), *made, *ours, column(BINS), column(COUNTS))


def _sources(carried: Sequence[Carried]) -> tuple[str, ...]:
    """Return the columns that carried ones are made of, each once."""
    return tuple(dict.fromkeys(entry.source for entry in carried if entry.source is not None))


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


def score_by_pandas_udf(spark: SparkSession, request: Request) -> DataFrame:
    """Score the rows of any DataFrame into records."""
    packing = Packing.of(construct(request.parts).encoder, request.table.schema)
    scoring = request.scoring()
    load = ship_model(spark, request.parts)
    day = F.col("dt") if request.dates.all_rows is None else F.lit(request.dates.all_rows)
    selected = request.dates.of(request.table).select(
        day.cast("date").alias(DAY), *map(column, request.sources), *packing.expressions()
    )

    def score_partition(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        known = Dictionaries()
        arrivals = (Arrival(batch, packing.unpack(batch, known), _days(batch)) for batch in batches)
        yield from score_arrivals(arrivals, worker_model(scoring.model_id, load), scoring)

    return request.records(map_in_arrow(selected, score_partition, request.worker_schema()))


def ship_model(spark: SparkSession, parts: ModelParts) -> Callable[[], ModelParts]:
    """Broadcast a model; where there is no broadcast (Spark Connect) the closure carries it."""
    load = ship(spark, (dict(parts.document), dict(parts.tensors)))
    return lambda: ModelParts(*load())


def ship(spark: SparkSession, value: Any) -> Callable[[], Any]:
    """Send a value to the workers once."""
    if is_remote():
        return lambda: value
    broadcast = spark.sparkContext.broadcast(value)
    return lambda: broadcast.value


def _days(batch: pa.RecordBatch) -> Ints | int:
    """Return the event dates as days since 1970: one where all rows have the same."""
    days: Ints = batch.column(DAY).cast(pa.int32()).to_numpy(zero_copy_only=False)
    same = len(days) > 0 and bool(np.all(days == days[0]))
    return int(days[0]) if same else days
