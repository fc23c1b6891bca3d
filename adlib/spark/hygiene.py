"""What is not learned from: excluded dates, what people called an anomaly, what was flagged before.

Each row is left out for one reason, the first of these that holds, so that the counts add up. Rows
of excluded dates are gone. Anomalies stay, marked, for the threshold is calibrated with them: it
would otherwise flag the share asked for of what is left besides them, and more with each date.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from functools import reduce
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from py4j.protocol import Py4JJavaError
from pyspark.errors import AnalysisException, PySparkException
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T

from adlib.errors import InputError
from adlib.publishing import date_directory
from adlib.spark.scoring import published_type
from adlib.spark.tables import Source
from adlib.spark.values import column, instant, trimmed
from adlib.spark.workplace import pattern

DATES, FEEDBACK, FLAGGED = "excluded dates", "feedback", "flagged before"
REASONS = (FLAGGED, FEEDBACK, DATES)
SHORT_HISTORY = "short history"
_MOST_SHORT = 0.5
"""Where more of the rows than this have a short history, there is nothing better to learn from."""
VERDICT = "verdict"

LEARNED = "adlib learned"
"""The column that is false of anomalies."""

_WHY, _RANK, _KEY = "adlib why", "adlib rank", "adlib key"
_ANOMALY, _ORDINARY, _FLAGGED = 0, 1, 2
"""What is known of a row; of several things the lowest counts."""
_VERDICTS = {"anomaly": _ANOMALY, "ordinary": _ORDINARY}
_CSV = {
    "header": "true",
    "multiLine": "true",
    "escape": '"',
    # A line that cannot be parsed is an error, whichever columns a query asks for.
    "mode": "FAILFAST",
    "columnPruning": "false",
}


@dataclass(frozen=True)
class Exclusions:
    """Which rows are not learned from; by default none is left out."""

    key: tuple[str, ...] = ()
    """What a row is known by."""
    timezone: str = "UTC"
    """Of timestamps in the feedback that have none."""
    anomalies: Path = Path()
    """The published ones, in a directory for each date."""
    flagged_before: date | None = None
    """Anomalies of earlier dates than this stay out; None: being flagged is no reason."""
    dates: tuple[tuple[date, date], ...] = ()
    """Each the first and the last of some dates in a row."""
    feedback: Source | None = None


def leave_out(features: DataFrame, exclusions: Exclusions) -> tuple[DataFrame, Mapping[str, int]]:
    """Return the rows that count, with `LEARNED`, and why how many are not learned from.

    Raises:
        InputError: if the feedback or a file of anomalies cannot be read, or is not as expected.
    """
    nothing = dict.fromkeys(REASONS, 0)
    known = _known(features, exclusions)
    if known is None and not exclusions.dates:
        return features.withColumn(LEARNED, F.lit(True)), nothing  # noqa: FBT003
    marked = _marked(features, known, exclusions)
    counted = marked.where(column(_WHY).isNotNull()).groupBy(_WHY).count().collect()
    counts = {row[_WHY]: row["count"] for row in counted}
    counting = marked.where(~column(_WHY).eqNullSafe(DATES))
    return counting.withColumn(LEARNED, column(_WHY).isNull()).drop(_WHY), nothing | counts


def with_full_history(features: DataFrame) -> tuple[DataFrame, int]:
    """Return the rows whose windows the table fills, and how many others there are.

    Before a window's length has passed counts are low and means are of few rows, as they will not
    be again: a threshold calibrated with such rows would flag less than it was asked for.
    """
    is_short = column("short_history")
    counted = features.agg(F.count(F.lit(1)), F.count_if(is_short)).first()
    rows, short = (0, 0) if counted is None else counted
    if not 0 < short <= _MOST_SHORT * rows:
        return features, 0
    return features.where(~is_short), int(short)


def _marked(features: DataFrame, known: DataFrame | None, exclusions: Exclusions) -> DataFrame:
    """Say of each row why it is left out, null where it is not."""
    names = features.columns
    why = F.lit(None).cast(T.StringType())
    if known is not None:
        features = features.join(known, _same_key(features.schema, exclusions.key), "left")
        rank = column(_RANK)
        why = F.when(rank == _ANOMALY, FEEDBACK).when(rank == _FLAGGED, FLAGGED)
    for first, last in exclusions.dates:
        excluded = column("dt").between(F.lit(first), F.lit(last))
        why = F.when(excluded, F.lit(DATES)).otherwise(why)
    return features.select(*map(column, names), why.alias(_WHY))


def _same_key(schema: T.StructType, key: Sequence[str]) -> list[Column]:
    """Hold a row's key, as it is published, against a known one."""
    published = [published_type(column(name), schema[name].dataType) for name in key]
    return [
        value.cast(data_type) == column(f"{_KEY} {place}")
        for place, (value, data_type) in enumerate(published)
    ]


def _known(features: DataFrame, exclusions: Exclusions) -> DataFrame | None:
    """Return the keys of which something is known, each once, with what counts of it."""
    spark, key = features.sparkSession, exclusions.key
    wanted = [published_type(column(name), features.schema[name].dataType)[1] for name in key]
    tables = list(_flagged(spark, exclusions, wanted))
    if exclusions.feedback is not None:
        tables.append(_judged(spark, exclusions.feedback, exclusions, wanted))
    if not tables:
        return None
    keys = [column(f"{_KEY} {place}") for place in range(len(key))]
    return reduce(DataFrame.union, tables).groupBy(*keys).agg(F.min(_RANK).alias(_RANK))


def _flagged(
    spark: SparkSession, exclusions: Exclusions, wanted: Sequence[T.DataType]
) -> Iterator[DataFrame]:
    """Open the anomalies of earlier dates, those whose keys are of one type together."""
    alike: dict[tuple[str, ...], list[Path]] = {}
    for file in _published(exclusions.anomalies, exclusions.flagged_before):
        types = _key_types(file, exclusions.key)
        if types is not None:
            alike.setdefault(types, []).append(file)
    for _, files in sorted(alike.items()):
        table = spark.read.parquet(*map(pattern, files))
        yield table.select(*_keys(table, exclusions, wanted), F.lit(_FLAGGED).alias(_RANK))


def _published(anomalies: Path, before: date | None) -> list[Path]:
    """Return the files of anomalies of the dates before one."""
    if before is None:
        return []
    dates = (place for place in anomalies.glob("dt=*") if place.name < date_directory(before))
    return sorted(file for place in dates for file in place.glob("*.parquet"))


def _key_types(file: Path, key: Sequence[str]) -> tuple[str, ...] | None:
    """Return the types of the key in a file, None where it was published under another key."""
    try:
        schema = pq.read_schema(file)
    except (pa.ArrowInvalid, FileNotFoundError) as error:
        message = (
            f"Training leaves out what was flagged before, and {file} cannot be read. Publish its "
            "date again with `adlib score --date`, or set train.exclude_flagged to false."
        )
        raise InputError(message) from error
    known = set(key) <= set(schema.names)
    return tuple(str(schema.field(name).type) for name in key) if known else None


def _keys(table: DataFrame, exclusions: Exclusions, wanted: Sequence[T.DataType]) -> list[Column]:
    """Return the key of another table in the types that it is published in, null if it has none."""
    named = zip(exclusions.key, wanted, strict=True)
    return [
        _as(column(name), table.schema[name].dataType, data_type, exclusions.timezone).alias(
            f"{_KEY} {place}"
        )
        for place, (name, data_type) in enumerate(named)
    ]


def _as(value: Column, found: T.DataType, wanted: T.DataType, timezone: str) -> Column:
    """Return a value in another type, null where that loses something."""
    published, data_type = published_type(value, found)
    if isinstance(wanted, T.TimestampType):
        return instant(value, found, timezone)
    if isinstance(wanted, T.StringType) or data_type == wanted:
        return published.cast(wanted)
    return trimmed(published.cast(T.StringType())).try_cast(wanted)


def _judged(
    spark: SparkSession, feedback: Source, exclusions: Exclusions, wanted: Sequence[T.DataType]
) -> DataFrame:
    """Open the feedback: the keys that people judged, and what they said."""
    with _reading(feedback):
        options = _CSV if feedback.format == "csv" else {}
        table = spark.read.format(feedback.format).options(**options).load(feedback.path)
        _refuse_missing(feedback, table.columns, [*exclusions.key, VERDICT])
        said = F.lower(trimmed(column(VERDICT).cast(T.StringType())))
        rank = F.coalesce(*(F.when(said == word, rank) for word, rank in _VERDICTS.items()))
        keys = _keys(table, exclusions, wanted)
        _refuse_verdicts(feedback, table.where(rank.isNull()))
        _refuse_keys(feedback, table.select(*keys), exclusions.key, wanted)
        return table.select(*keys, rank.alias(_RANK))


@contextmanager
def _reading(feedback: Source) -> Iterator[None]:
    """Turn what Spark says of a feedback table that cannot be read into an error of ours."""
    try:
        yield
    except (PySparkException, Py4JJavaError) as error:
        if not isinstance(error, AnalysisException) and "FAILED_READ_FILE" not in str(error):
            raise
        absent = isinstance(error, AnalysisException) and error.getCondition() == "PATH_NOT_FOUND"
        found = "nothing there" if absent else "a file that is damaged or in another format"
        key = "path" if absent else "format, or restore the file"
        message = (
            f"Expected a table of feedback in {feedback.format} at {feedback.path}, found {found}. "
            f"Correct train.feedback.{key}; or leave train.feedback out."
        )
        raise InputError(message) from error


def _refuse_missing(feedback: Source, found: Sequence[str], expected: Sequence[str]) -> None:
    missing = [name for name in expected if name not in found]
    if missing:
        message = (
            f"The feedback {feedback.path} has the columns {', '.join(expected)}; found "
            f"{', '.join(found) or 'none'}. Add {', '.join(missing)}, or correct train.feedback."
        )
        raise InputError(message)


def _refuse_verdicts(feedback: Source, wrong: DataFrame) -> None:
    rows = wrong.count()
    if rows:
        message = (
            f"Each {VERDICT} in {feedback.path} is one of {', '.join(_VERDICTS)}, found {rows:,} "
            "rows with others. Correct these rows."
        )
        raise InputError(message)


def _refuse_keys(
    feedback: Source, keys: DataFrame, names: Sequence[str], wanted: Sequence[T.DataType]
) -> None:
    unknown = keys.where(reduce(Column.__or__, (column(key).isNull() for key in keys.columns)))
    rows = unknown.count()
    if rows:
        types = ", ".join(
            f"{name} {data_type.simpleString()}"
            for name, data_type in zip(names, wanted, strict=True)
        )
        message = (
            f"Each row of the feedback {feedback.path} has the key as it is published ({types}), "
            f"found {rows} without or with another type. Correct these rows."
        )
        raise InputError(message)
