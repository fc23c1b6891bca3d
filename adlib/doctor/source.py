"""What can be said of the source before Spark starts: whether it is there and has its columns."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.errors import PySparkException
from pyspark.sql import types as T
from pyspark.sql.pandas.types import from_arrow_schema

from adlib.config import Config
from adlib.spark.planning import check_columns
from adlib.spark.session import starts_embedded
from adlib.spark.tables import nothing_there
from adlib.wiring import preparation_of, source_path

_SUMMARIES = {"_metadata", "_common_metadata"}
"""Files that Spark takes the columns from where they are."""


def refuse_unready_source(config: Config) -> None:
    """Refuse a source on this machine that is not there or lacks a column, with no wait for Spark.

    Only what Spark would refuse as well; what cannot be told without it is left to it.

    Raises:
        InputError: if nothing is there, or a column that is named is not.
    """
    place = source_path(config)
    if place is None or not (config.source.path.startswith("file:") or starts_embedded()):
        return
    if not place.exists():
        raise nothing_there(config.source.path)
    preparation, schema = preparation_of(config), _schema(config, place)
    named = {*preparation.used, *preparation.exclude}
    if schema is not None and not named <= set(schema.names):
        check_columns(schema, preparation)


def _schema(config: Config, place: Path) -> T.StructType | None:
    """Return the columns by the footer that Spark would take them from; None where that is open."""
    globbed = str(place) != str(Path(config.source.path.removeprefix("file:")))
    if config.source.format != "parquet" or config.source.options or globbed:
        return None
    file = place if place.is_file() else _first_file(place)
    if file is None:
        return None
    try:
        return from_arrow_schema(pq.read_schema(file))
    except (pa.ArrowException, OSError, PySparkException):
        return None


def _first_file(directory: Path) -> Path | None:
    """Return the first file by name of a directory of files alone."""
    entries = list(directory.iterdir())
    if any(entry.name in _SUMMARIES for entry in entries):
        return None
    seen = [entry for entry in entries if not entry.name.startswith(".")]
    seen = [entry for entry in seen if not entry.name.startswith("_") or "=" in entry.name]
    return min(seen, default=None) if all(entry.is_file() for entry in seen) else None
