"""Our two engines over the benchmark's table, from call to finished write."""

from __future__ import annotations

import os
from datetime import date
from pathlib import Path

from pyspark.sql import SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T

from adlib.artifacts import ModelParts
from adlib.spark.engines import Engine, score_table
from adlib.spark.records import settle
from adlib.spark.scoring import Carried, Dates, Request
from adlib.spark.session import open_session

_HERE = Path(__file__).parent
_DAY = date(2026, 3, 1)
_BYTES_A_PARTITION = 64_000_000
_MARK = "ADLIB_BENCHMARK_CASE"


def open_benchmark_session() -> SparkSession:
    """Open a session whose Python workers find these modules.

    Spark splits files by bytes; with its default of 128 MB a file of the benchmark would be one
    task, and five tasks on two cores leave one idle at the end. All ways share this setting.
    """
    os.environ["PYTHONPATH"] = str(_HERE)
    spark = open_session("benchmark")
    spark.conf.set("spark.sql.files.maxPartitionBytes", _BYTES_A_PARTITION)
    return spark


def own_workers(spark: SparkSession, name: str) -> None:
    """Let what is run next have Python workers of its own, known by their environment."""
    spark.sparkContext.environment[_MARK] = name


def score_by_engine(
    spark: SparkSession, engine: Engine, table: Path, parts: ModelParts, directory: Path
) -> None:
    """Score a table and write its records: flagged rows with their reasons, and the tallies."""
    carried = (
        Carried("event_time", None, F.lit(None), T.TimestampType()),
        Carried("key", "key", F.col("key"), T.LongType()),
    )
    features = spark.read.parquet(str(table))
    request = Request(features, Dates(_DAY), parts, carried, "benchmark", every_row=False)
    settle(spark, score_table(spark, request, engine), directory)
