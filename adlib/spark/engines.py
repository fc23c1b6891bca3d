"""Which engine scores: the one that reads Parquet in the workers, where they can open it."""

from __future__ import annotations

import logging
from typing import Literal

import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import DataFrame, SparkSession

from adlib.errors import ConfigError
from adlib.spark.footers import open_file
from adlib.spark.row_groups import files_of, score_by_row_groups
from adlib.spark.scoring import Request, score_by_pandas_udf

Engine = Literal["auto", "pandas_udf", "row_groups"]

_LOG = logging.getLogger(__name__)


def score_table(spark: SparkSession, request: Request, engine: Engine = "auto") -> DataFrame:
    """Score a feature table into records, which are the same whatever the engine.

    Raises:
        ConfigError: if the row-group engine is asked for and cannot read the table.
        InputError: if a file cannot be read or does not hold what the model was trained on.
    """
    if engine == "pandas_udf":
        _LOG.info("Scoring by the pandas UDF engine, as asked for.")
        return score_by_pandas_udf(spark, request)
    why_not = _against_row_groups(files_of(request))
    if why_not is None:
        _LOG.info("Scoring by the row-group engine: the table is Parquet that opens here.")
        return score_by_row_groups(spark, request)
    if engine == "row_groups":
        message = f"The row-group engine cannot read this table: {why_not}. Use --engine auto."
        raise ConfigError(message)
    _LOG.info("Scoring by the pandas UDF engine: %s.", why_not)
    return score_by_pandas_udf(spark, request)


def _against_row_groups(files: list[str]) -> str | None:
    """Say why PyArrow in the workers cannot read the table, judged by its first file."""
    if not files:
        return "it is not read from files"
    try:
        with open_file(files[0]) as source:
            if source.read(4) != b"PAR1":
                return f"{files[0]} is not Parquet"
            source.seek(0)
            pq.read_metadata(source)
    except (OSError, pa.ArrowException) as error:
        return f"PyArrow cannot open {files[0]} ({error})"
    return None
