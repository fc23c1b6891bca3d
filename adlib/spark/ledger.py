"""What preprocess counted, written beside the feature table."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T

from adlib.errors import AdlibError, InputError
from adlib.spark.tables import MALFORMED
from adlib.spark.values import column, content_hash, instant, typed_kind
from adlib.spark.workplace import ledger_file, pattern

EVENT, DATE = "adlib event", "adlib date"
"""Each row's instant and local date, beside the columns of the source."""

_MICROSECOND = timedelta(microseconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_DAY, _LAST_DAY = date(1, 1, 2), date(9999, 12, 31)
_DIGEST_DIGITS = 32


@dataclass(frozen=True)
class DateLedger:
    """The counts of one date, in rows."""

    date: date
    rows_read: int
    features: int
    short_history: int
    quarantined: Mapping[str, int]
    """Problem to rows."""
    input_digest: str
    """Of the content of the date's feature rows, whatever their order."""
    preparation: str = ""
    """Digest of the settings that the date was prepared with."""


@dataclass(frozen=True)
class Ledger:
    """What one run of preprocess read, wrote and left out."""

    dates: tuple[DateLedger, ...]
    context_rows: int
    """Earlier rows that were read for the windows alone; not in `rows_read`."""
    left_out: Mapping[str, str]
    """Column to the reason why it is not in the feature table."""


@dataclass(frozen=True)
class Scope:
    """Which rows a run is about."""

    filed: date
    """Where a row without a date is filed."""
    day: date | None
    """None: all dates."""
    begins: int
    """Microseconds since 1970 of the first instant of `day`."""
    history: int
    """How far back windows and sequence look, in microseconds."""


@dataclass(frozen=True)
class Survey:
    """What a run will read, counted from the event time alone."""

    rows: Mapping[date, int]
    context_rows: int
    first_micros: int | None
    """Of the earliest event known to the run, since 1970."""


def scope_of(filed: date, day: date | None, timezone: str, lookback: timedelta) -> Scope:
    """Return which rows a run is about."""
    history = lookback // _MICROSECOND
    if day is None:
        return Scope(filed, None, 0, history)
    midnight = datetime.combine(day, time(), tzinfo=ZoneInfo(timezone))
    return Scope(filed, day, (midnight - _EPOCH) // _MICROSECOND, history)


def add_times(raw: DataFrame, name: str | None, timezone: str, scope: Scope) -> DataFrame:
    """Add each row's instant and local date, both null where it has none."""
    if name is None:
        nothing = {EVENT: F.lit(None).cast("timestamp"), DATE: F.lit(None).cast("date")}
        return raw.withColumns(nothing)
    data_type = raw.schema[name].dataType
    event = instant(column(name), data_type, timezone)
    usable = event.between(_at(_FIRST_DAY), _at(_LAST_DAY))
    if MALFORMED in raw.columns:
        usable &= column(MALFORMED).isNull()
    near = raw.where(_near(raw, name, scope)) if scope.day else raw
    with_event = near.withColumn(EVENT, F.when(usable, event))
    local = F.from_utc_timestamp(column(EVENT), timezone)
    return with_event.withColumn(DATE, F.to_date(local))


def _at(day: date) -> Column:
    """Return a midnight as a timestamp."""
    return F.lit(day.isoformat()).cast(T.TimestampType())


def _near(raw: DataFrame, name: str, scope: Scope) -> Column:
    """Return a plain comparison that Parquet can skip row groups by.

    It is wider than what is asked for: by a day for the zone, and by the history once more,
    which tells whether a history is short because the table begins there.
    """
    data_type = raw.schema[name].dataType
    if typed_kind(data_type) != "timestamp":
        return F.lit(True)  # noqa: FBT003
    day = scope.day or scope.filed
    days_back = 2 * scope.history // (timedelta(days=1) // _MICROSECOND) + 2
    first = date.fromordinal(max(2, day.toordinal() - days_back))
    last = date.fromordinal(min(_LAST_DAY.toordinal(), day.toordinal() + 2))
    value = column(name)
    bounds = [F.lit(limit.isoformat()).cast(data_type) for limit in (first, last)]
    ends = [F.lit(limit.isoformat()).cast(data_type) for limit in (_FIRST_DAY, _LAST_DAY)]
    near = value.between(*bounds) | value.isNull() | (value < ends[0]) | (value > ends[1])
    return near | column(MALFORMED).isNotNull() if MALFORMED in raw.columns else near


def take_survey(timed: DataFrame, scope: Scope) -> Survey:
    """Count the rows of each date, those without one under `filed`, and find the first event.

    Raises:
        InputError: there is no row, or none of the date asked for.
    """
    micros = F.unix_micros(column(EVENT))
    # A line is malformed or not in the light of all columns, so all of them are read.
    whole = [F.max(content_hash(timed.schema))] if MALFORMED in timed.columns else []
    counted = timed.groupBy(column(DATE).alias("date")).agg(
        F.count(F.lit(1)).alias("rows"),
        F.min(micros).alias("first"),
        F.count_if(micros >= F.lit(scope.begins - scope.history)).alias("recent"),
        *whole,
    )
    day, filed = scope.day, scope.filed
    found = {one["date"]: one for one in counted.collect()}
    if not found or (day is not None and day not in found):
        where = "the source" if day is None else f"the source on {day.isoformat()}"
        raise InputError.nothing_to_read(where, "Check source.path, the date and source.timezone.")
    undated = found.pop(None, None)
    wanted = found if day is None else {day: found[day]}
    rows = Counter({one: row["rows"] for one, row in wanted.items()})
    rows[filed] += undated["rows"] if undated else 0
    before = (row["recent"] for one, row in found.items() if day is not None and one < day)
    first = min((row["first"] for row in found.values()), default=None)
    return Survey({one: count for one, count in rows.items() if count}, sum(before), first)


def count_written(
    spark: SparkSession, staged: Path, schema: T.StructType, survey: Survey
) -> tuple[DateLedger, ...]:
    """Count the rows of each date in the files that were written."""
    features = _count_features(spark, staged / "features", schema, min(survey.rows))
    problems = _count_problems(spark, staged / "quarantine")
    nothing = {"rows": 0, "short": 0, "digest": ""}
    days = sorted({*survey.rows, *features, *problems})
    found = [(day, features.get(day, nothing)) for day in days]
    return tuple(
        DateLedger(
            day,
            survey.rows.get(day, 0),
            counted["rows"],
            counted["short"],
            problems.get(day, {}),
            counted["digest"],
        )
        for day, counted in found
    )


def _count_features(
    spark: SparkSession, directory: Path, schema: T.StructType, undated: date
) -> dict[date, dict[str, Any]]:
    """Count the features of each date and digest their content, whatever their order."""
    table = spark.read.schema(schema).parquet(pattern(directory))
    day = column("dt") if "dt" in schema.names else F.lit(undated)
    hashes = [content_hash(schema, seed) for seed in (0, 1)]
    counted = table.groupBy(day.alias("day")).agg(
        F.count(F.lit(1)).alias("rows"),
        F.count_if(column("short_history")).alias("short"),
        F.sum(hashes[0].cast(T.DecimalType(38, 0))).alias("sum"),
        F.bit_xor(hashes[1]).alias("xor"),
    )
    found = counted.collect()
    return {
        row["day"]: {
            "rows": row["rows"],
            "short": row["short"],
            "digest": _digest(schema, row["rows"], row["sum"], row["xor"]),
        }
        for row in found
    }


def _digest(schema: T.StructType, *parts: object) -> str:
    """Return the digest of a date's rows, their columns included."""
    columns = sorted((field.name, field.dataType.simpleString()) for field in schema.fields)
    text = json.dumps([columns, *map(str, parts)])
    return hashlib.sha256(text.encode()).hexdigest()[:_DIGEST_DIGITS]


def _count_problems(spark: SparkSession, directory: Path) -> dict[date, dict[str, int]]:
    """Count the quarantined rows of each date by problem."""
    found: dict[date, dict[str, int]] = {}
    if not directory.exists():
        return found
    schema = "event_date date, problem string"
    table = spark.read.schema(schema).parquet(pattern(directory))
    for row in table.groupBy("event_date", "problem").count().collect():
        found.setdefault(row["event_date"], {})[row["problem"]] = row["count"]
    return found


def check_identity(ledger: Ledger) -> None:
    """Hold the rows that were read against those that were written.

    Raises:
        AdlibError: a row was lost or came twice.
    """
    for entry in ledger.dates:
        written = entry.features + sum(entry.quarantined.values())
        if entry.rows_read != written:
            message = (
                f"On {entry.date} {entry.rows_read} rows were read and {written} written: "
                f"{entry.features} features and {dict(entry.quarantined)} in quarantine. "
                "Nothing was replaced. The source changed while it was read: run it again, and "
                "report it if it stays."
            )
            raise AdlibError(message)


def write_ledger(work: Path, ledger: Ledger, *, dated: bool) -> None:
    """Write one file a date, or one for a table without dates."""
    (work / "ledger").mkdir(parents=True, exist_ok=True)
    for entry in ledger.dates:
        file = ledger_file(work, entry.date if dated else None)
        document = {
            "date": entry.date.isoformat(),
            **{name: value for name, value in asdict(entry).items() if name != "date"},
            "context_rows": ledger.context_rows,
            "left_out": dict(ledger.left_out),
        }
        unfinished = file.with_suffix(".part")
        unfinished.write_text(json.dumps(document, indent=2, sort_keys=True), encoding="utf-8")
        unfinished.replace(file)


def read_ledger(work: Path, day: date | None) -> Ledger:
    """Read the ledger of one date, or of all that the feature table holds.

    Raises:
        InputError: preprocess has not finished for it.
    """
    files = [ledger_file(work, day)] if day else sorted((work / "ledger").glob("*.json"))
    if not files or not all(file.is_file() for file in files):
        what = f"--date {day}" if day else "the whole table"
        message = (
            f"No finished preprocess of {what} under {work}. Run `adlib preprocess` for it first."
        )
        raise InputError(message)
    found = [_document(file) for file in files]
    return Ledger(
        dates=tuple(_date_ledger(document) for document in found),
        context_rows=max(document["context_rows"] for document in found),
        left_out={name: why for document in found for name, why in document["left_out"].items()},
    )


def _document(file: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(file.read_text(encoding="utf-8")))
    except ValueError as error:
        message = (
            f"The ledger {file} cannot be read: it is damaged or cut short. Run `adlib preprocess` "
            "again, which writes it anew."
        )
        raise InputError(message) from error


def _date_ledger(document: Mapping[str, Any]) -> DateLedger:
    return DateLedger(
        date=date.fromisoformat(document["date"]),
        rows_read=document["rows_read"],
        features=document["features"],
        short_history=document["short_history"],
        quarantined=document["quarantined"],
        input_digest=document["input_digest"],
        preparation=document["preparation"],
    )
