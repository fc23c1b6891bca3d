"""One call of a command, and what it works on: feature table, ledger, model."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path
from types import MappingProxyType
from zoneinfo import ZoneInfo

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T

from adlib.artifacts import ModelParts, construct, take_apart
from adlib.config import Config, config_digest
from adlib.encoding import Candidate, without_weekdays
from adlib.errors import ConfigError, InputError, ModelError
from adlib.model import Model
from adlib.pseudonyms import mismatch
from adlib.spark.engines import Engine
from adlib.spark.hygiene import FEEDBACK, Exclusions
from adlib.spark.ledger import Ledger, read_ledger
from adlib.spark.preprocessing import read_features, read_quarantine
from adlib.spark.quarantine import (
    MALFORMED_LINE,
    dates_over,
    refuse_quarantined,
    swallowed_lines,
)
from adlib.spark.sampling import Sample, plan_sample
from adlib.spark.scoring import Carried, Dates, published_type
from adlib.spark.values import column
from adlib.summary import Summary
from adlib.wiring import (
    candidates_of,
    exclusions_of,
    preparation_of,
    pseudonyms_of,
    registry_of,
    sample_request_of,
)

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Job:
    """One call of a command: what to do, where, and for which date."""

    config: Config
    spark: SparkSession
    summary: Summary
    day: date | None = None
    engine: Engine = "auto"

    @property
    def work(self) -> Path:
        """Where the feature table is and what is staged."""
        return self.config.work.path.resolve()

    @property
    def output(self) -> Path:
        """Where the published tables are."""
        return self.config.output.path.resolve()

    @property
    def dated(self) -> bool:
        """Whether rows have dates of their own."""
        return self.config.source.event_time is not None

    @property
    def run_date(self) -> date:
        """The date of what has none: the one asked for, else today where dates begin."""
        return run_date_of(self.config, self.day)


def run_date_of(config: Config, day: date | None) -> date:
    """Return the date of what has none: the one asked for, else today where dates begin."""
    return day or datetime.now(ZoneInfo(config.source.timezone)).date()


def trained_before(job: Job) -> date | None:
    """Return the date that training ends before; None: it takes the whole table.

    Raises:
        ConfigError: if it would reach into the date that is asked for.
    """
    until = job.config.train.until
    if job.day is not None and until is not None and until > job.day:
        message = (
            f"With --date {job.day} train.until is that date or an earlier one, found {until}: "
            "training never sees the rows that it is to judge. Leave train.until out or set it to "
            f"{job.day}."
        )
        raise ConfigError(message)
    return (until or job.day) if job.dated else None


def plan_training(
    job: Job, before: date | None, beside: Mapping[str, Column] = MappingProxyType({})
) -> tuple[tuple[Candidate, ...], Sample]:
    """Say which rows to learn from, and which columns; `beside` are further columns to collect.

    Raises:
        InputError: if there is nothing to learn from, or it was prepared with other settings.
    """
    features, ledger = read_features(job.spark, job.work), read_ledger(job.work, None)
    refuse_other_preparation(job, ledger)
    candidates = candidates_of(job.config, features.schema)
    exclusions = _without_refused(
        job, ledger, exclusions_of(job.config, (before or job.day) if job.day else None)
    )
    request = sample_request_of(job.config, candidates, before, exclusions)
    columns = (*request.columns, *beside)
    sample = plan_sample(features.withColumns({**beside}), replace(request, columns=columns))
    _LOG.info("Drawing %d rows; %d may be learned from.", sample.rows, sample.eligible_rows)
    if job.config.train.feedback is not None and not sample.left_out[FEEDBACK]:
        _LOG.warning(
            "No row is left out by the feedback: none of its keys with the verdict anomaly stands "
            "in the rows that are eligible. Compare its keys with the source's."
        )
    if sample.days is not None:
        candidates = without_weekdays(candidates, sample.days, job.config.source.event_time)
    return candidates, sample


def _without_refused(job: Job, ledger: Ledger, exclusions: Exclusions) -> Exclusions:
    """Leave out the dates that are not published either, for too much of them is in quarantine.

    Raises:
        InputError: if rows have no dates and it is so of the whole table.
    """
    if not job.dated:
        refuse_much_quarantine(job, ledger)
        return exclusions
    refused = dates_over(ledger.dates, job.config.quarantine.limit)
    if refused:
        _LOG.warning(
            "Not learned from, for more of their rows are in quarantine than quarantine.limit "
            "allows: %s. Prepare them again from a source that is put right.",
            ", ".join(map(str, refused)),
        )
    return replace(exclusions, dates=(*exclusions.dates, *((day, day) for day in refused)))


def load_model(job: Job, model_id: str | None) -> tuple[ModelParts, Model]:
    """Return the model asked for, else the promoted one.

    Raises:
        ModelError: if it is not there or refused, or learned from other pseudonyms.
    """
    parts = take_apart(registry_of(job.config).load(model_id))
    model = construct(parts)
    other = other_pseudonyms(job, model)
    if other is not None:
        message = (
            f"The model {parts.model_id} is refused: {other}. Restore the columns and the key that "
            "it was trained with, or train a new model."
        )
        raise ModelError(message)
    return parts, model


def other_pseudonyms(job: Job, model: Model) -> str | None:
    """Say why a model cannot read the job's pseudonyms, None where it can."""
    read = [feature.name for feature in model.columns]
    return mismatch(model.provenance.get("pseudonyms"), read, pseudonyms_of(job.config))


def dates_of(job: Job, first: date | None = None) -> Dates:
    """Return the part of the feature table that the job is about, from a first date on."""
    if not job.dated:
        return Dates(all_rows=load_ledger(job).dates[0].date)
    return Dates(first=job.day or first, last=job.day)


def load_ledger(job: Job) -> Ledger:
    """Read what preprocess counted.

    Raises:
        InputError: if the feature table is of another date or configuration than the job's.
    """
    ledger = read_ledger(job.work, job.day if job.dated else None)
    refuse_other_preparation(job, ledger)
    if not job.dated and job.day is not None and ledger.dates[0].date != job.day:
        message = (
            f"The feature table was made for {ledger.dates[0].date}, not for {job.day}. "
            f"Run `adlib preprocess --date {job.day}` first."
        )
        raise InputError(message)
    return ledger


def refuse_other_preparation(job: Job, ledger: Ledger) -> None:
    """Refuse dates that were prepared with other settings than the job's.

    Raises:
        InputError: naming the first of them.
    """
    expected = preparation_of(job.config).digest
    other = [entry.date for entry in ledger.dates if entry.preparation != expected]
    if other:
        message = (
            f"The feature table of {other[0]} was prepared with another key, event time, time "
            "zone, entity, features, windows, sequence, exclusions or pseudonyms than the "
            "configuration has now. Run `adlib preprocess` again, without --date for the whole "
            "table."
        )
        raise InputError(message)


def refuse_much_quarantine(job: Job, ledger: Ledger) -> None:
    """Refuse to go on where more is in quarantine than the configuration allows.

    Raises:
        InputError: with the share that was found, the limit and the problems.
    """
    swallowed = 0
    if any(MALFORMED_LINE in entry.quarantined for entry in ledger.dates):
        days = [entry.date for entry in ledger.dates]
        swallowed = swallowed_lines(read_quarantine(job.spark, job.work, days))
    limit = job.config.quarantine.limit
    refuse_quarantined(ledger.dates, limit, job.work / "quarantine", swallowed)


def refuse_absent_columns(features: DataFrame, names: Iterable[str]) -> None:
    """Refuse to go on where the configuration names columns that preprocess did not know of.

    Raises:
        InputError: naming them all.
    """
    absent = sorted(set(names) - set(features.columns))
    if absent:
        message = (
            f"The feature table has no column {', '.join(map(repr, absent))}: it was prepared "
            "before the configuration named it. Run `adlib preprocess` again."
        )
        raise InputError(message)


def run_id_of(job: Job, ledger: Ledger, model_id: str) -> str:
    """Return the digest of input, model, configuration and date: the same work has the same id."""
    inputs = [[entry.date.isoformat(), entry.input_digest] for entry in ledger.dates]
    asked = job.day.isoformat() if job.day else "all"
    decisive = [inputs, model_id, config_digest(job.config), asked]
    return hashlib.sha256(json.dumps(decisive).encode()).hexdigest()[:16]


def carried_time(job: Job) -> Carried:
    """Return the time that a row carries."""
    name = job.config.source.event_time
    time = F.lit(None) if name is None else column(name)
    return Carried("event_time", name, time, T.TimestampType())


def carried_columns(names: Sequence[str], schema: T.StructType) -> list[Carried]:
    """Return key and kept columns in the types that the outputs allow."""
    return [
        Carried(name, name, *published_type(column(name), schema[name].dataType)) for name in names
    ]


def key_of(job: Job) -> list[str]:
    """Return what identifies a row."""
    return list(job.config.source.key) or ["row_hash"]
