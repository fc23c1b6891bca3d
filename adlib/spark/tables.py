"""Read a source table."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import unquote, urlparse

import pyarrow as pa
import pyarrow.parquet as pq
from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T

from adlib.errors import ConfigError, InputError
from adlib.spark.values import column

FORMATS = ("parquet", "csv", "json", "orc", "table")

MALFORMED = "adlib malformed line"
"""The column of a CSV or JSON table that holds a line that could not be parsed, null elsewhere."""

_WORKING_NAMES = "adlib "
_FILES_AS_TABLES = "spark.sql.runSQLOnFiles"
"""Whether parquet.`/a/path` is a table's name; paths are source.path's, which is looked at."""
_NANOS_AS_LONG = "spark.sql.legacy.parquet.nanosAsLong"
_NANOS_PER_MICRO = 1000
_DEFAULTS: Mapping[str, Mapping[str, str]] = {
    "csv": {
        "header": "true",
        "inferSchema": "true",
        # Quoted values may hold line breaks; without it they would be cut there.
        "multiLine": "true",
        # A quote within quotes is doubled, as RFC 4180 says.
        "escape": '"',
        # A file whose header differs from the first one's is an error, not shifted columns.
        "enforceSchema": "false",
    },
}
_ENFORCED: Mapping[str, str] = {
    "mode": "PERMISSIVE",
    "columnNameOfCorruptRecord": MALFORMED,
    # Whether a line is malformed must not depend on which columns a query asks for.
    "columnPruning": "false",
}
_FIRST_BYTES: Mapping[str, str] = {"parquet": "PAR1", "orc": "ORC"}
_REFUSED_OPTIONS = frozenset({"mode", "columnnameofcorruptrecord", "columnpruning", "path"})

_FAILED_READ = re.compile(
    r"\[FAILED_READ_FILE[.\w]*\] Encountered error while reading file (\S+?)\.?\s"
)
_NOT_FOUND = frozenset({"PATH_NOT_FOUND", "TABLE_OR_VIEW_NOT_FOUND", "DATA_SOURCE_NOT_FOUND"})


@dataclass(frozen=True)
class Source:
    """Where a table is and how to read it."""

    path: str
    """A file, a directory, a glob, or a table's name where the format is `table`."""
    format: str = "parquet"
    options: Mapping[str, str] = field(default_factory=dict)
    """Spark's options for the format."""
    names: Sequence[str] = ()
    """Columns of CSV that are names, not numbers: text as it is written, leading zeros and all."""


def map_in_arrow(
    table: DataFrame,
    function: Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]],
    schema: T.StructType,
) -> DataFrame:
    """Map a table's batches in Python workers, whatever characters its columns' names hold.

    Spark's own `mapInArrow` takes dots and backticks in names for syntax.
    """
    names = table.columns

    def under_their_names(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        yield from function(
            pa.RecordBatch.from_arrays(batch.columns, names=names) for batch in batches
        )

    numbered = table.toDF(*(f"column_{place}" for place in range(len(names))))
    return numbered.mapInArrow(under_their_names, schema)


def read_source(spark: SparkSession, source: Source) -> DataFrame:
    """Open a source table; CSV and JSON get the column `MALFORMED` besides their own.

    Raises:
        ConfigError: the format or an option is not one that can be used.
        InputError: nothing is there, or what is there cannot be read as this format.
    """
    _check(source)
    with reading(source.path):
        table = _opened(spark, source)
    _refuse_working_names(table.columns, lines=source.format in {"csv", "json"})
    return table


def _opened(spark: SparkSession, source: Source) -> DataFrame:
    match source.format:
        case "table":
            return _named_table(spark, source)
        case "csv" | "json":
            return _read_lines(spark, source)
        case "parquet":
            return _read_parquet(spark, source)
        case other:
            return spark.read.format(other).options(**source.options).load(source.path)


def _named_table(spark: SparkSession, source: Source) -> DataFrame:
    """Open a table of the catalog; a name never means the files at a path, as it could in SQL."""
    before = str(spark.conf.get(_FILES_AS_TABLES))
    spark.conf.set(_FILES_AS_TABLES, "false")
    try:
        return spark.read.options(**source.options).table(source.path)
    finally:
        spark.conf.set(_FILES_AS_TABLES, before)


def _refuse_working_names(names: Sequence[str], *, lines: bool) -> None:
    """Refuse columns named as preprocess names its own while it works."""
    ours = [name for name in names if name.lower().startswith(_WORKING_NAMES)]
    ours = [name for name in ours if not (lines and name == MALFORMED)]
    if ours:
        raise InputError(
            f"The source has a column {ours[0]!r}, and names that begin with {_WORKING_NAMES!r} "
            "are used while it is prepared. Rename it in the source."
        )


def _check(source: Source) -> None:
    """Refuse an unknown format and the options that would make rows vanish."""
    if source.format not in FORMATS:
        raise ConfigError(
            f"source.format is one of {', '.join(FORMATS)}; found {source.format!r}. "
            "Choose among these."
        )
    refused = [name for name in source.options if name.lower() in _REFUSED_OPTIONS]
    if refused:
        raise ConfigError(
            f"source.options cannot set {', '.join(refused)}: lines that cannot be parsed go to "
            "quarantine, and the path is source.path. Remove it."
        )


def _read_lines(spark: SparkSession, source: Source) -> DataFrame:
    """Read CSV or JSON so that a line that cannot be parsed is kept beside the parsed ones."""
    given = {name.lower() for name in source.options}
    defaults = _DEFAULTS.get(source.format, {})
    options = {name: value for name, value in defaults.items() if name.lower() not in given}
    options |= {**source.options, **_ENFORCED}
    inferred = spark.read.format(source.format).options(**options).load(source.path).schema
    fields = [found for found in inferred.fields if found.name != MALFORMED]
    if not fields:
        raise InputError.nothing_to_read(
            f"{source.path}, read as {source.format},",
            f"Set source.format to what the files are, or point source.path at {source.format} "
            "files with a header or a first line.",
        )
    for other, mark in _FIRST_BYTES.items():
        if fields[0].name.startswith(mark):
            raise InputError(
                f"Expected {source.format} at {source.path}, found files that begin with {mark!r}, "
                f"as {other} does. Set source.format to {other}."
            )
    if source.format == "csv":
        fields = [
            T.StructField(found.name, T.StringType()) if found.name in source.names else found
            for found in fields
        ]
    schema = T.StructType([*fields, T.StructField(MALFORMED, T.StringType())])
    return spark.read.format(source.format).options(**options).schema(schema).load(source.path)


def _read_parquet(spark: SparkSession, source: Source) -> DataFrame:
    """Read Parquet; timestamps in nanoseconds, which Spark refuses, are cut to microseconds."""
    reader = spark.read.format("parquet").options(**source.options)
    spark.conf.set(_NANOS_AS_LONG, "true")
    table = reader.load(source.path)
    found = {one.name for one in table.schema.fields if isinstance(one.dataType, T.LongType)}
    files = table.inputFiles() if found else []
    if files and not files[0].startswith("file:"):
        spark.conf.set(_NANOS_AS_LONG, "false")  # out of sight: Spark refuses them by itself
        return reader.load(source.path)
    zones = _nanosecond_zones(files[0]) if files else {}
    return table.withColumns(
        {name: _from_nanos(name, zone=zone) for name, zone in zones.items() if name in found}
    )


def _from_nanos(name: str, *, zone: bool) -> Column:
    """Return a BIGINT of nanoseconds as a timestamp, an instant where it has a zone."""
    nanos = column(name)
    micros = F.call_function("div", nanos, F.lit(_NANOS_PER_MICRO))  # towards zero
    floor = micros - F.when(nanos % F.lit(_NANOS_PER_MICRO) < F.lit(0), 1).otherwise(0)
    instant = F.timestamp_micros(floor)
    return instant if zone else instant.cast(T.TimestampNTZType())


def _nanosecond_zones(uri: str) -> dict[str, bool]:
    """Return the columns of one local file that hold nanoseconds, and whether each has a zone."""
    path = unquote(urlparse(uri).path)
    try:
        schema = pq.read_schema(path)
    except pa.ArrowInvalid as error:
        raise _damaged(path, uri) from error
    return {
        one.name: one.type.tz is not None
        for one in schema
        if pa.types.is_timestamp(one.type) and one.type.unit == "ns"
    }


@contextmanager
def reading(where: str) -> Iterator[None]:
    """Turn Spark's complaints about the source into errors that say what to do.

    Raises:
        InputError: nothing is there, a file is damaged, or the name cannot be one.
    """
    try:
        yield
    except (PySparkException, Py4JJavaError) as error:
        damaged = _FAILED_READ.search(str(error))
        if damaged is not None:
            raise _damaged(damaged.group(1), where) from error
        if isinstance(error, Py4JJavaError) or error.getCondition() is None:
            raise
        raise _unreadable(where, error) from error


def _damaged(file: str, where: str) -> InputError:
    """Return what to raise for a file that is there and cannot be read."""
    which = (
        file if file.removeprefix("file:") == where.removeprefix("file:") else f"{file} of {where}"
    )
    return InputError(
        f"The file {which} cannot be read: it is damaged, cut short, gone or not of the "
        "format that source.format says. Restore it or leave it out of source.path."
    )


def _unreadable(where: str, error: PySparkException) -> Exception:
    """Return what to raise for a source that Spark could not resolve."""
    condition = str(error.getCondition())
    if condition in _NOT_FOUND:
        return nothing_there(where)
    if condition == "PARSE_SYNTAX_ERROR":
        return InputError(
            f"Expected the name of a table, found {where!r}. Write source.path as name, "
            "schema.name or catalog.schema.name."
        )
    if condition == "UNABLE_TO_INFER_SCHEMA":
        return InputError.nothing_to_read(
            where, "Point source.path at files of the format that source.format says."
        )
    first_line = str(error).splitlines()[0]
    advice = "Check source.path, source.format and source.options."
    return InputError(f"{where} cannot be read: {first_line} {advice}")


def nothing_there(where: str) -> InputError:
    """Say that there is no table where one is expected."""
    return InputError(
        f"Expected a table at {where}, found nothing there. Check source.path and "
        "source.format, and that the place is reachable from here."
    )
