"""The story: preprocess, train, score, evaluate, and all of them in order."""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T

from adlib.artifacts import ModelParts, StoredModel, construct, document_of, take_apart
from adlib.config import Config, config_digest
from adlib.errors import AdlibError, InputError
from adlib.evaluation import evaluate_rows
from adlib.model import Model
from adlib.publication import Publication, check_counts, publish
from adlib.publishing import date_directory, refuse_overlap
from adlib.runs import REFUSED, RunRecord, published_run, write_record
from adlib.spark.contract import check_features
from adlib.spark.evaluating import GROUP, LABEL, count_rows, label_of
from adlib.spark.ledger import Ledger, read_ledger, sole_run
from adlib.spark.preprocessing import preprocess as prepare_table
from adlib.spark.preprocessing import read_features, read_quarantine
from adlib.spark.records import (
    DateCounts,
    anomaly_names,
    count_records,
    settle,
    write_anomalies,
    write_quarantine,
    write_scores,
)
from adlib.spark.sampling import plan_sample
from adlib.spark.scoring import Carried, published_type, score_table
from adlib.spark.tables import column, read_source
from adlib.spark.training import train_on_driver, train_on_executor
from adlib.spark.writing import arrow_schema
from adlib.summary import NOTHING_TO_DO, Summary
from adlib.wiring import (
    candidates_of,
    preparation_of,
    registry_of,
    sample_request_of,
    source_of,
    source_path,
    training_of,
)

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Job:
    """One call of a command: what to do, where, and for which date."""

    config: Config
    spark: SparkSession
    summary: Summary
    day: date | None = None

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
        return self.day or datetime.now(ZoneInfo(self.config.source.timezone)).date()


def run(job: Job, *, promote: bool) -> None:
    """Preprocess, train, score and evaluate.

    The first run of a date has nothing earlier to train on, so it prepares the whole table first.
    """
    if job.dated and job.day is not None and not _has_earlier_date(job.work, job.day):
        _LOG.info("No date before %s is prepared yet: preparing the whole table.", job.day)
        preprocess(replace(job, day=None))
    preprocess(job)
    model_id = train(job, promote=promote)
    score(job, model_id)
    evaluate(job, model_id)


def preprocess(job: Job) -> Ledger:
    """Turn the raw table into the feature table, quarantine and ledger."""
    refuse_overlap(
        {
            "output.path": job.output,
            "work.path": job.work,
            "models.path": job.config.models.path,
        },
        source_path(job.config),
    )
    with job.summary.stage("preprocess"):
        raw = read_source(job.spark, source_of(job.config))
        ledger = prepare_table(
            job.spark, raw, preparation_of(job.config), job.work, job.run_date, job.day
        )
    for name, why in ledger.left_out.items():
        _LOG.info("Column %r is left out: %s", name, why)
    _note_ledger(job, ledger)
    return ledger


def train(job: Job, *, promote: bool) -> str:
    """Learn from a sample of the feature table; return the id of the model."""
    before = min(filter(None, (job.day, job.config.train.until)), default=None)
    with job.summary.stage("train"):
        features = read_features(job.spark, job.work)
        candidates = candidates_of(job.config, features.schema)
        request = sample_request_of(job.config, candidates, before if job.dated else None)
        sample = plan_sample(features, request)
        training = training_of(job.config, candidates, sample)
        _LOG.info("Training on %d of %d rows.", sample.rows, sample.eligible_rows)
        if job.config.train.on == "executor":
            stored = train_on_executor(sample, training)
        else:
            stored = train_on_driver(sample, training, _log_step)
    registry = registry_of(job.config)
    registry.add(stored)
    if promote:
        registry.promote(stored.model_id)
    _note_model(job, stored, promoted=promote)
    return stored.model_id


def score(job: Job, model_id: str | None) -> None:
    """Score the feature table and publish the flagged rows of each date."""
    parts, model = _load_model(job, model_id)
    features = _features(job)
    check_features(features.schema, model.columns)
    ledger = _ledger(job)
    _note_ledger(job, ledger)
    run_id = _run_id(job, ledger, parts.model_id)
    job.summary.add(run_id=run_id, model=parts.model_id, output=str(job.output))
    if all(published_run(job.output, entry.date) == run_id for entry in ledger.dates):
        job.summary.status = NOTHING_TO_DO
        return
    with sole_run(job.work, "score", job.day if job.dated else None):
        publication = _publish_all(job, features, parts, model, ledger)
    _note_scored(job, model, publication.counts)


def evaluate(job: Job, model_id: str | None) -> None:
    """Score the labelled rows again and say how well the scores agree with the labels."""
    parts, model = _load_model(job, model_id)
    features = _features(job)
    check_features(features.schema, model.columns)
    until = job.config.train.until
    if job.day is None and until is not None:
        features = features.where(F.col("dt") >= F.lit(until))
        job.summary.add(measured_from=until.isoformat())
    with job.summary.stage("evaluate"):
        rows = features.count()
        carried = [*_dates(job), *_judged(job, features)]
        records = score_table(
            job.spark, features, parts, carried, run_id="evaluate", every_row=True
        )
        figures = evaluate_rows(count_rows(records, rows), model.threshold.asked_fraction)
    job.summary.add(model=parts.model_id, metrics=figures)


def _log_step(step: int, steps: int, loss: float) -> None:
    """Say how far the training is."""
    _LOG.info("Training, step %d of at most %d: validation loss %.5f", step, steps, loss)


def record_refusal(job: Job, error: AdlibError) -> None:
    """Leave a row in `runs/` that says why a run published nothing."""
    message = str(error)
    parts = [config_digest(job.config), str(job.day), job.summary.command, message]
    record = RunRecord(
        event_date=job.run_date,
        run_id=hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16],
        status=REFUSED,
        started_at=job.summary.started_at,
        ended_at=datetime.now(UTC),
        message=message,
        config_digest=config_digest(job.config),
    )
    write_record(job.output, record, job.work / "staging" / "refused")


def _publish_all(
    job: Job, features: DataFrame, parts: ModelParts, model: Model, ledger: Ledger
) -> Publication:
    """Score, check that the counts add up, and publish date by date."""
    run_id = str(job.summary.figures["run_id"])
    staging = _fresh_directory(job.work / "staging" / run_id)
    with job.summary.stage("score"):
        records = _score_into(job, features, parts, run_id, staging)
        publication = _take_apart(job, records, model, ledger, staging)
    check_counts(publication)
    with job.summary.stage("publish"):
        for entry in ledger.dates:
            publish(publication, entry, job.summary)
    shutil.rmtree(staging)
    return publication


def _load_model(job: Job, model_id: str | None) -> tuple[ModelParts, Model]:
    """Return the model asked for, else the promoted one."""
    parts = take_apart(registry_of(job.config).load(model_id))
    return parts, construct(parts)


def _fresh_directory(directory: Path) -> Path:
    """Return an empty directory; what an earlier attempt left there goes."""
    if directory.exists():
        shutil.rmtree(directory)
    directory.mkdir(parents=True)
    return directory


def _has_earlier_date(work: Path, day: date) -> bool:
    """Tell whether the feature table holds a date before this one."""
    prepared = (entry.name for entry in (work / "features").glob("dt=*"))
    return any(name < date_directory(day) for name in prepared)


def _features(job: Job) -> DataFrame:
    """Open the part of the feature table that the job is about."""
    features = read_features(job.spark, job.work)
    if job.dated and job.day is not None:
        features = features.where(F.col("dt") == F.lit(job.day))
    return features


def _ledger(job: Job) -> Ledger:
    """Read what preprocess counted.

    Raises:
        InputError: if the feature table is of another date than the one asked for.
    """
    ledger = read_ledger(job.work, job.day if job.dated else None)
    if not job.dated and job.day is not None and ledger.dates[0].date != job.day:
        message = (
            f"The feature table was made for {ledger.dates[0].date}, not for {job.day}. "
            f"Run `adlib preprocess --date {job.day}` first."
        )
        raise InputError(message)
    return ledger


def _run_id(job: Job, ledger: Ledger, model_id: str) -> str:
    """Return the digest of input, model, configuration and date: the same work has the same id."""
    inputs = [[entry.date.isoformat(), entry.input_digest] for entry in ledger.dates]
    asked = job.day.isoformat() if job.day else "all"
    decisive = [inputs, model_id, config_digest(job.config), asked]
    return hashlib.sha256(json.dumps(decisive).encode()).hexdigest()[:16]


def _score_into(
    job: Job, features: DataFrame, parts: ModelParts, run_id: str, staging: Path
) -> DataFrame:
    """Score every row once; return the records, read back from where they were written."""
    identity = [*_key(job), *job.config.source.keep]
    carried = [*_dates(job), *_identity(identity, features.schema)]
    every_row = job.config.output.scores
    scored = score_table(job.spark, features, parts, carried, run_id=run_id, every_row=every_row)
    return settle(job.spark, scored, staging / "records")


def _take_apart(
    job: Job, records: DataFrame, model: Model, ledger: Ledger, staging: Path
) -> Publication:
    """Write the files of each date and count what is in them."""
    key = _key(job)
    identity = [*key, *job.config.source.keep]
    rows = records.select(*map(column, anomaly_names(identity)))
    files = {
        "anomalies": write_anomalies(records, identity, staging / "anomalies"),
        "scores": {},
        "quarantine": {},
    }
    if job.config.output.scores:
        files["scores"] = write_scores(records, key, staging / "scores")
    if any(entry.quarantined for entry in ledger.dates):
        quarantine = read_quarantine(job.spark, job.work, [entry.date for entry in ledger.dates])
        files["quarantine"] = write_quarantine(quarantine, staging / "quarantine")
    return Publication(
        config=job.config,
        model=model,
        model_id=str(job.summary.figures["model"]),
        run_id=str(job.summary.figures["run_id"]),
        ledger=ledger,
        counts=count_records(records),
        files=files,
        anomalies_schema=arrow_schema(rows.schema),
        staging=staging,
    )


def _key(job: Job) -> list[str]:
    """Return what identifies a row."""
    return list(job.config.source.key) or ["row_hash"]


def _dates(job: Job) -> list[Carried]:
    """Return the date and the time that a row carries."""
    if not job.dated:
        day = _ledger(job).dates[0].date
        return [
            Carried("event_date", F.lit(day), T.DateType()),
            Carried("event_time", F.lit(None), T.TimestampType()),
        ]
    time = column(str(job.config.source.event_time))
    return [
        Carried("event_date", F.col("dt"), T.DateType()),
        Carried("event_time", time, T.TimestampType()),
    ]


def _identity(names: Sequence[str], schema: T.StructType) -> list[Carried]:
    """Return key and kept columns in the types that the outputs allow."""
    return [Carried(name, *published_type(column(name), schema[name].dataType)) for name in names]


def _judged(job: Job, features: DataFrame) -> list[Carried]:
    """Return the label and the group that evaluate needs."""
    label, group = job.config.source.label, job.config.evaluate.by
    judged = F.lit(None) if label is None else label_of(label, features.schema)
    grouped = F.lit(None) if group is None else column(group)
    return [Carried(LABEL, judged, T.DoubleType()), Carried(GROUP, grouped, T.StringType())]


def _note_ledger(job: Job, ledger: Ledger) -> None:
    quarantined: dict[str, int] = {}
    for entry in ledger.dates:
        for problem, rows in entry.quarantined.items():
            quarantined[problem] = quarantined.get(problem, 0) + rows
    job.summary.add(
        rows_read=sum(entry.rows_read for entry in ledger.dates),
        context_rows=ledger.context_rows,
        rows_quarantined=sum(quarantined.values()),
        quarantined_by_problem=quarantined,
        short_history_rows=sum(entry.short_history for entry in ledger.dates),
    )


def _note_model(job: Job, stored: StoredModel, *, promoted: bool) -> None:
    document = document_of(stored)
    provenance = document["provenance"]
    for name, note in provenance["columns"].items():
        _LOG.info("Column %r: %s", name, note)
    job.summary.add(
        model=stored.model_id,
        promoted=promoted,
        training_rows=provenance["rows"],
        threshold=document["threshold"]["cut"],
    )
    if job.day is None and job.config.train.until is None:
        job.summary.add(trained_on="a sample of the whole table that is scored")


def _note_scored(job: Job, model: Model, counts: Mapping[date, DateCounts]) -> None:
    scored = sum(entry.rows_scored for entry in counts.values())
    flagged = sum(entry.rows_flagged for entry in counts.values())
    job.summary.add(
        rows_scored=scored,
        rows_flagged=flagged,
        asked_fraction=model.threshold.asked_fraction,
        delivered_fraction=flagged / scored if scored else None,
        dates=len(counts),
    )
