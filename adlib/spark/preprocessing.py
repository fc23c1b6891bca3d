"""From the raw table to the feature table, the quarantine and the ledger.

Two passes over the source: a survey that reads the event time alone and counts the rows of each
date, and the one that writes the features. A third, for the quarantine, runs where rows are missing
from the features. What the ledger says was written is counted in the files.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from pyspark.errors import AnalysisException
from pyspark.sql import Column, DataFrame, SparkSession, Window
from pyspark.sql import functions as F
from pyspark.sql import types as T

from adlib.errors import InputError
from adlib.spark.contract import Prepared, prepared_like
from adlib.spark.hiding import check_hiding, pseudonymised
from adlib.spark.ledger import (
    DATE,
    EVENT,
    Ledger,
    Scope,
    Survey,
    add_times,
    check_identity,
    count_written,
    scope_of,
    take_survey,
    write_ledger,
)
from adlib.spark.planning import Plan, Preparation, make_plan
from adlib.spark.quarantine import MALFORMED_LINE
from adlib.spark.sequences import add_past, past_name
from adlib.spark.tables import MALFORMED
from adlib.spark.values import as_json, column, content_digest, is_missing, readable
from adlib.spark.windows import add_windows, longest, window_columns
from adlib.spark.workplace import pattern, replace_tables, staging, write_parquet

_REJECTIONS = {
    "number": "not_a_number",
    "boolean": "not_a_boolean",
    "timestamp": "not_a_timestamp",
}

_MICROSECOND = dt.timedelta(microseconds=1)
_PROBLEM = "adlib problem"
_RAW_ROW = "adlib raw row"
_COPY = "adlib copy"


def preprocess(
    spark: SparkSession,
    raw: DataFrame,
    preparation: Preparation,
    work: Path,
    run_date: dt.date,
    date: dt.date | None,
) -> Ledger:
    """Write features, quarantine and ledger of one date, or of all, and return the ledger.

    Raises:
        ConfigError: the preparation contradicts itself or takes a name of ours.
        InputError: a column is missing, or of a type that cannot be used or that other dates do
            not have, or there is no row.
        BusyError: another run is preparing the same.
        AdlibError: rows read and rows written differ; nothing was replaced.
    """
    day = date if preparation.event_time else None
    plan = plan_of(raw, preparation, None if day is None else prepared_like(work, preparation, day))
    scope = scope_of(date or run_date, day, preparation.timezone, preparation.lookback)
    with staging(work, day) as staged:
        dated = add_times(raw, preparation.event_time, preparation.timezone, scope)
        timed = pseudonymised(dated, preparation)
        survey = take_survey(timed, scope)
        features = _features(timed, plan, scope, survey)
        write_parquet(features, staged / "features", dated=preparation.event_time is not None)
        kept = count_written(spark, staged, features.schema, survey)
        if sum(entry.features for entry in kept) != sum(survey.rows.values()):
            write_parquet(_quarantine(timed, plan, scope), staged / "quarantine", dated=True)
            kept = count_written(spark, staged, features.schema, survey)
        prepared = tuple(replace(entry, preparation=preparation.digest) for entry in kept)
        ledger = Ledger(prepared, survey.context_rows, plan.left_out)
        check_identity(ledger)
        replace_tables(work, staged, None if day is None else [day])
        write_ledger(work, ledger, dated=preparation.event_time is not None)
    return ledger


def read_features(spark: SparkSession, work: Path) -> DataFrame:
    """Open the feature table that preprocess wrote.

    Raises:
        InputError: there is none, or no row passed into it.
    """
    try:
        return spark.read.parquet(pattern(work / "features"))
    except AnalysisException as error:
        if error.getCondition() not in ("PATH_NOT_FOUND", "UNABLE_TO_INFER_SCHEMA"):
            raise
        raise InputError.nothing_to_read(
            f"the feature table under {work}",
            "Run `adlib preprocess`; if it ran, see in quarantine/ why no row passed.",
        ) from error


def read_quarantine(spark: SparkSession, work: Path, days: Sequence[dt.date]) -> DataFrame:
    """Open the quarantined rows of these dates."""
    table = spark.read.parquet(pattern(work / "quarantine"))
    return table.where(column("event_date").isin(*days))


def _prepared(timed: DataFrame, plan: Plan, scope: Scope, *, with_raw: bool) -> DataFrame:
    """Return the rows with typed columns, their hash, their problem and the date they count for."""
    raw_names = [name for name in timed.columns if name not in (EVENT, DATE, MALFORMED)]
    schema = T.StructType([field for field in timed.schema.fields if field.name in raw_names])
    kept = [_raw_row(timed, raw_names)] if with_raw else []
    return timed.select(
        _row_hash(timed, schema).alias("row_hash"),
        _problem(timed, plan).alias(_PROBLEM),
        column(EVENT),
        F.coalesce(column(DATE), F.lit(scope.filed)).alias(DATE),
        *(one.value.alias(one.name) for one in plan.columns),
        *kept,
    )


def _row_hash(timed: DataFrame, schema: T.StructType) -> Column:
    """Return the hash of a row's content; of a line that could not be parsed, of the line."""
    parsed = content_digest(schema)
    if MALFORMED not in timed.columns:
        return parsed
    line = content_digest(T.StructType([timed.schema[MALFORMED]]))
    return F.when(column(MALFORMED).isNull(), parsed).otherwise(line)


def _raw_row(timed: DataFrame, names: Sequence[str]) -> Column:
    """Return a row as it was read, as one JSON object."""
    whole = as_json(names)
    if MALFORMED in timed.columns:
        line = F.to_json(F.struct(column(MALFORMED).alias("line")))
        whole = F.when(column(MALFORMED).isNotNull(), line).otherwise(whole)
    return readable(whole).alias(_RAW_ROW)


def _problem(timed: DataFrame, plan: Plan) -> Column:
    """Return the first problem of a row and its column, null where it has none."""
    found: list[tuple[Column, str, str | None]] = []
    if MALFORMED in timed.columns:
        found.append((column(MALFORMED).isNotNull(), MALFORMED_LINE, None))
    event_time = plan.preparation.event_time
    if event_time is not None:
        missing = is_missing(timed.schema[event_time])
        found.append((missing, "missing_event_time", event_time))
        found.append((column(EVENT).isNull(), "bad_event_time", event_time))
    found += [
        (is_missing(timed.schema[name]), "missing_key", name) for name in plan.preparation.key
    ]
    for one in plan.columns:
        if one.declared and one.kind in _REJECTIONS and one.name != event_time:
            lost = ~is_missing(timed.schema[one.name]) & one.value.isNull()
            found.append((lost, _REJECTIONS[one.kind], one.name))
    return F.coalesce(*(_when(*one) for one in found)) if found else _when(F.lit(False), "", None)  # noqa: FBT003


def _when(condition: Column, problem: str, name: str | None) -> Column:
    """Return a problem where the condition holds."""
    where = F.lit(name).cast(T.StringType()).alias("column")
    return F.when(condition, F.struct(F.lit(problem).alias("problem"), where))


def _copies(rows: DataFrame, preparation: Preparation) -> DataFrame:
    """Number the rows of each key by their hash: the first is the one to keep."""
    same_key = Window.partitionBy(*map(column, preparation.key)).orderBy(column("row_hash"))
    return rows.withColumn(_COPY, F.row_number().over(same_key))


def _in_scope(rows: DataFrame, scope: Scope) -> DataFrame:
    """Return the sound rows of the dates asked for and of the history before."""
    sound = rows.where(column(_PROBLEM).isNull())
    if scope.day is None:
        return sound
    oldest = F.unix_micros(column(EVENT)) >= F.lit(scope.begins - scope.history)
    return sound.where((oldest & (column(DATE) < F.lit(scope.day))) | _is_day(scope.day))


def _is_day(day: dt.date) -> Column:
    return column(DATE) == F.lit(day)


def _features(timed: DataFrame, plan: Plan, scope: Scope, survey: Survey) -> DataFrame:
    """Return the feature table."""
    preparation = plan.preparation
    rows = _in_scope(_prepared(timed, plan, scope, with_raw=False), scope)
    if preparation.key:
        rows = _copies(rows, preparation).where(column(_COPY) == F.lit(1))
    windows = window_columns(preparation.windows)
    if preparation.event_time is not None and windows:
        rows = add_windows(rows, preparation.event_time, preparation.windows)
    sequence = preparation.sequence
    pasts = [] if sequence is None else [past_name(name, sequence.by) for name in plan.with_past]
    if sequence is not None:
        rows = add_past(rows, sequence, plan.with_past)
    if scope.day is not None:
        rows = rows.where(_is_day(scope.day))
    dated = [column(DATE).alias("dt")] if preparation.event_time else []
    return rows.select(
        *(column(one.name) for one in plan.columns if one.stored),
        *(column(window.name) for window in windows),
        *(value.alias(name) for name, value in plan.calendar.items()),
        *map(column, pasts),
        column("row_hash"),
        _short_history(preparation, survey, pasts[:1]).alias("short_history"),
        *dated,
    )


def plan_of(raw: DataFrame, preparation: Preparation, other: Prepared | None = None) -> Plan:
    """Compare a source with what is asked of it, and decide what becomes of each column.

    With another date's features, so that those of this one are one table with them. The whole
    table is planned as it is found, for it replaces all dates.

    Raises:
        ConfigError: the preparation contradicts itself or takes a name of ours.
        InputError: a column is missing, or of a type that cannot be used or that the other date
            does not have.
    """
    check_hiding(raw.schema, preparation)
    shown = pseudonymised(raw, preparation)
    if other is None:
        return make_plan(shown.schema, preparation)
    plan = make_plan(shown.schema, preparation, other.new_columns(raw.schema, preparation))
    timed = shown.withColumn(EVENT, F.lit(None).cast("timestamp"))
    stored = (one.value.alias(one.name) for one in plan.columns if one.stored)
    other.refuse_drift(raw.schema, timed.select(*stored).schema, plan)
    return plan


def _short_history(preparation: Preparation, survey: Survey, pasts: Sequence[str]) -> Column:
    """Tell whether the table begins within a row's longest window, or within a past not yet full.

    `pasts` names a column of earlier values, if there is one.
    """
    is_short = F.lit(False)  # noqa: FBT003
    if survey.first_micros is None:
        return is_short
    since_first = F.unix_micros(column(EVENT)) - F.lit(survey.first_micros)
    window = longest(preparation.windows)
    if window:
        is_short = since_first < F.lit(window // _MICROSECOND)
    sequence = preparation.sequence
    if sequence is not None and pasts:
        is_within = since_first < F.lit(sequence.lookback // _MICROSECOND)
        is_short |= is_within & (F.size(column(pasts[0])) < F.lit(sequence.steps))
    return is_short


def _quarantine(timed: DataFrame, plan: Plan, scope: Scope) -> DataFrame:
    """Return the rows that are no features, as they were read, with their problems."""
    rows = _prepared(timed, plan, scope, with_raw=True)
    rejected = rows.where(column(_PROBLEM).isNotNull())
    if plan.preparation.key:
        key = F.lit(", ".join(plan.preparation.key))
        copies = _copies(_in_scope(rows, scope), plan.preparation).where(column(_COPY) > F.lit(1))
        duplicate = F.struct(F.lit("duplicate").alias("problem"), key.alias("column"))
        rejected = rejected.unionByName(copies.withColumn(_PROBLEM, duplicate).drop(_COPY))
    if scope.day is not None:
        rejected = rejected.where(_is_day(scope.day))
    return rejected.select(
        column(DATE).alias("event_date"),
        column("row_hash"),
        column(_RAW_ROW).alias("raw_row"),
        column(_PROBLEM)["problem"].alias("problem"),
        column(_PROBLEM)["column"].alias("problem_column"),
        column(DATE).alias("dt"),
    )
