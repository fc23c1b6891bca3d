"""The story: preprocess, train, score, evaluate, report, and all of them in order."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from pyspark.sql import functions as F
from pyspark.sql import types as T

from adlib.artifacts import StoredModel, document_of, unpack
from adlib.config import Config, config_digest
from adlib.encoding import LEFT_OUT
from adlib.errors import AdlibError
from adlib.evaluation import evaluate_rows
from adlib.figures import figures_of_ledger, figures_of_model, figures_of_scores, gate_of
from adlib.job import (
    Job,
    carried_columns,
    carried_time,
    dates_of,
    key_of,
    load_ledger,
    load_model,
    other_pseudonyms,
    plan_training,
    refuse_absent_columns,
    refuse_much_quarantine,
    run_date_of,
    run_id_of,
    trained_before,
)
from adlib.model import Model
from adlib.outputs import RUNS
from adlib.progress import training_shown
from adlib.publication import guide_readers, publish_scored
from adlib.publishing import Publisher, date_directory, refuse_overlap
from adlib.reporting import keep_evaluation, write_report
from adlib.runs import REFUSED, RunRecord, published_run, write_rows
from adlib.selftest import FEWEST_HELD_OUT
from adlib.spark.contract import check_features
from adlib.spark.evaluating import GROUP, LABEL, count_rows, label_of, refuse_unread_labels
from adlib.spark.explaining import refuse_absent_packages
from adlib.spark.ledger import Ledger, read_ledger
from adlib.spark.planning import NEW
from adlib.spark.preprocessing import preprocess as prepare_table
from adlib.spark.preprocessing import read_features
from adlib.spark.scoring import Carried, Request
from adlib.spark.second_pass import score_dates
from adlib.spark.tables import read_source
from adlib.spark.training import train_on_driver, train_on_executor
from adlib.spark.values import column
from adlib.spark.workplace import sole_run, staging_directory
from adlib.summary import NOTHING_TO_DO, Summary
from adlib.wiring import (
    candidates_of,
    learned_otherwise,
    paths_of,
    preparation_of,
    registry_of,
    source_of,
    source_path,
    training_of,
)

_LOG = logging.getLogger(__name__)
_MOST_NOTED = 8


def run(job: Job, *, promote: bool) -> None:
    """Preprocess, train, score, evaluate where there is a label, and report.

    The first run of a date has nothing earlier to train on, so it prepares the whole table first.
    """
    trained_before(job)
    refuse_absent_packages(job.spark, job.config.explain.method)
    if job.dated and job.day is not None and not _has_earlier_date(job.work, job.day):
        _LOG.info("No date before %s is prepared yet: preparing the whole table.", job.day)
        _prepare(replace(job, day=None))
    preprocess(job)
    _check_label(job)
    model_id = train(job, promote=promote)
    score(job, model_id)
    if job.config.source.label is not None:
        evaluate(job, model_id)
    report(job)


def preprocess(job: Job) -> Ledger:
    """Turn the raw table into the feature table, quarantine and ledger.

    Raises:
        InputError: if too much is in quarantine, which stands there to be looked at.
    """
    ledger = _prepare(job)
    refuse_much_quarantine(job, ledger)
    return ledger


def _prepare(job: Job) -> Ledger:
    """Write feature table, quarantine and ledger, and tell what they hold."""
    refuse_overlap(paths_of(job.config), source_path(job.config))
    with job.summary.stage("preprocess"):
        raw = read_source(job.spark, source_of(job.config))
        ledger = prepare_table(
            job.spark, raw, preparation_of(job.config), job.work, job.run_date, job.day
        )
    left_out = {name: why for name, why in ledger.left_out.items() if why != NEW}
    if left_out:
        _LOG.info("Not prepared: %s.", _few(_noted(left_out)))
    job.summary.add(**figures_of_ledger(ledger))
    return ledger


def train(job: Job, *, promote: bool) -> str:
    """Learn from a sample of the feature table; return the id of the model to score with.

    That is the new one, unless the gate keeps the promoted one in its place.
    """
    registry = registry_of(job.config)
    incumbent, refused = _incumbent(job) if promote else (None, None)
    before = trained_before(job)
    with job.summary.stage("train"):
        candidates, sample = plan_training(job, before)
        training = training_of(job.config, candidates, sample, incumbent)
        if job.config.train.on == "executor":
            stored = train_on_executor(sample, training)
        else:
            stored = train_on_driver(sample, training, training_shown(job.summary.meter))
    registry.add(stored)
    passed = gate_of(document_of(stored)).get("passed", True)
    if promote and passed:
        registry.promote(stored.model_id)
    _tell_of_model(job, stored, promoted=promote and passed)
    if refused is not None:
        job.summary.add(gate=f"not compared with the promoted model: {refused}")
    return stored.model_id if passed or incumbent is None else incumbent.model_id


def _incumbent(job: Job) -> tuple[StoredModel | None, str | None]:
    """Return the promoted model to compare with, or None, and why where it cannot be."""
    incumbent, refused = registry_of(job.config).incumbent()
    other = None if incumbent is None else other_pseudonyms(job, unpack(incumbent))
    return (incumbent, refused) if other is None else (None, other)


def score(job: Job, model_id: str | None) -> None:
    """Score the feature table and publish the flagged rows of each date."""
    refuse_overlap(paths_of(job.config), source_path(job.config))
    parts, model = load_model(job, model_id)
    features = read_features(job.spark, job.work)
    check_features(features.schema, model.columns)
    refuse_absent_columns(features, [*job.config.source.key, *job.config.source.keep])
    ledger = load_ledger(job)
    job.summary.add(**figures_of_ledger(ledger))
    _tell_of_new_columns(job, parts.document, features.schema)
    _tell_of_other_settings(job, model)
    refuse_much_quarantine(job, ledger)
    run_id = run_id_of(job, ledger, parts.model_id)
    job.summary.add(run_id=run_id, model=parts.model_id, output=str(job.output))
    Publisher(job.output).recover()
    if all(published_run(job.output, entry.date) == run_id for entry in ledger.dates):
        job.summary.status = NOTHING_TO_DO
        guide_readers(job, features.schema)
        return
    if model.explainer is not None:
        refuse_absent_packages(job.spark, model.explainer.method)
    with sole_run(job.work, "score", job.day if job.dated else None):
        counts = publish_scored(job, features, parts, ledger, run_id)
        guide_readers(job, features.schema)
    _tell_of_left_dates(job, ledger)
    job.summary.add(**figures_of_scores(counts, model.threshold, job.config.alert.times_asked))
    _tell_of_over_delivery(job)


def _tell_of_new_columns(job: Job, document: Mapping[str, Any], schema: T.StructType) -> None:
    """Note which columns that could be features came after the model was trained."""
    known = document["provenance"]["columns"]
    features = (candidate.feature for candidate in candidates_of(job.config, schema))
    new = {one.source for one in features if one.name not in known and one.entity is None}
    job.summary.add(new_columns=sorted({*job.summary.figures["new_columns"], *new}))


def _tell_of_other_settings(job: Job, model: Model) -> None:
    """Warn of what the configuration asks for and the model has learned otherwise."""
    kept = learned_otherwise(job.config, model)
    if kept:
        _LOG.warning(
            "The model was trained with another %s than the configuration's, and keeps its own. "
            "Train again for the configuration's to count.",
            " and another ".join(kept),
        )


def _check_label(job: Job) -> None:
    """Refuse labels that evaluate cannot read, before anything is published."""
    features = read_features(job.spark, job.work)
    label = job.config.source.label
    if label is not None and label in features.columns:
        refuse_unread_labels(features, label)


def _tell_of_over_delivery(job: Job) -> None:
    """Warn of the dates of which far more was flagged than was asked for."""
    dates = job.summary.figures["over_delivered_dates"]
    if dates:
        _LOG.warning(
            "More than %g times the share asked for was flagged on %s. Look at what came in then; "
            "train again if it is the new usual.",
            job.config.alert.times_asked,
            _few(dates),
        )


def evaluate(job: Job, model_id: str | None) -> None:
    """Score the labelled rows again and say how well the scores agree with the labels."""
    parts, model = load_model(job, model_id)
    features = read_features(job.spark, job.work)
    check_features(features.schema, model.columns)
    until = job.config.train.until
    if job.day is None and until is not None:
        job.summary.add(measured_from=until.isoformat())
    judged = [name for name in (job.config.source.label, job.config.evaluate.by) if name]
    refuse_absent_columns(features, judged)
    _check_label(job)
    with job.summary.stage("evaluate"):
        dates = dates_of(job, first=until)
        key = key_of(job) if model.threshold.settings.date_rule() else []
        told = carried_columns(key, features.schema)
        carried = (carried_time(job), *told, *_judged(job, features.schema))
        request = Request(features, dates, parts, carried, "evaluate", every_row=True)
        records = score_dates(job.spark, request, job.engine, key)
        rows = dates.of(features).count()
        counted = count_rows(records, rows)
        figures = evaluate_rows(counted, model.threshold.asked_fraction)
    run_id = run_id_of(job, read_ledger(job.work, job.day if job.dated else None), parts.model_id)
    keep_evaluation(job, run_id, counted, figures)
    job.summary.add(model=parts.model_id, metrics=figures)


def report(job: Job) -> None:
    """Write the page of this run, else of the one that published the date, else of the last."""
    with job.summary.stage("report"):
        run_id, page = write_report(job, job.summary.figures.get("run_id"))
    job.summary.add(run_id=run_id, report=str(page))


def _noted(notes: Mapping[str, str]) -> list[str]:
    """Return what there is to say of each column."""
    return [f"{name!r}: {note.removeprefix(LEFT_OUT)}" for name, note in notes.items()]


def _few(lines: Sequence[str]) -> str:
    """Return a few of many things to say in one line."""
    more = f"; and {len(lines) - _MOST_NOTED} more" if len(lines) > _MOST_NOTED else ""
    return "; ".join(lines[:_MOST_NOTED]) + more


def _tell_of_left_dates(job: Job, ledger: Ledger) -> None:
    """Say which published dates the source no longer has: they stay as they are."""
    known = {date_directory(entry.date) for entry in ledger.dates}
    published = {entry.name for entry in (job.output / "anomalies").glob("dt=*")}
    left = sorted(name.removeprefix("dt=") for name in published - known)
    if left and job.day is None and job.dated:
        _LOG.warning("Published earlier and no longer in the source: %s.", ", ".join(left))
        job.summary.add(dates_no_longer_in_the_source=len(left))


def record_refusal(config: Config, summary: Summary, error: AdlibError) -> None:
    """Leave a row in `runs/` that says why a run published nothing."""
    message, output = str(error), config.output.path.resolve()
    parts = [config_digest(config), str(summary.day), summary.command, message]
    record = RunRecord(
        event_date=run_date_of(config, summary.day),
        run_id=hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16],
        status=REFUSED,
        started_at=summary.started_at,
        ended_at=datetime.now(UTC),
        message=message,
        config_digest=config_digest(config),
        rows_read=summary.figures.get("rows_read"),
        context_rows=summary.figures.get("context_rows"),
        quarantined_by_problem=summary.figures.get("quarantined_by_problem"),
    )
    try:
        staging = staging_directory(config.work.path.resolve())
        file = write_rows([record.row()], RUNS, staging / "refused")
        Publisher(output).place_record(record.event_date, file, record.run_id)
    except (AdlibError, OSError) as unusable:  # the refusal is what matters, and it is raised
        _LOG.warning("The refusal is not recorded in runs/: %s", unusable)


def _has_earlier_date(work: Path, day: date) -> bool:
    """Tell whether the feature table holds a date before this one."""
    prepared = (entry.name for entry in (work / "features").glob("dt=*"))
    return any(name < date_directory(day) for name in prepared)


def _tell_of_model(job: Job, stored: StoredModel, *, promoted: bool) -> None:
    """Log what became of each column, and note what was trained."""
    document = document_of(stored)
    notes = document["provenance"]["columns"]
    for line in _noted(notes):
        _LOG.debug("Column %s", line)
    left = {name: note for name, note in notes.items() if note.startswith(LEFT_OUT)}
    if left:
        _LOG.info("Not learned from: %s.", _few(_noted(left)))
    job.summary.add(**figures_of_model(document, promoted=promoted))
    if document["provenance"].get("self_test") is None:
        _LOG.warning(
            "Model %s is not tested: a self-test needs %d held-out rows, and a column to plant "
            "anomalies in; %d rows were held out.",
            document["id"],
            FEWEST_HELD_OUT,
            document["provenance"]["rows"]["calibration"],
        )
    gate = gate_of(document)
    if not gate.get("passed", True):
        _LOG.warning("Model %s is stored and not promoted: %s.", document["id"], gate["why"])
    if job.day is None and job.config.train.until is None:
        job.summary.add(trained_on="a sample of the whole table that is scored")


def _judged(job: Job, schema: T.StructType) -> list[Carried]:
    """Return the label and the group that evaluate needs."""
    label, group = job.config.source.label, job.config.evaluate.by
    judged = F.lit(None) if label is None else label_of(label, schema)
    grouped = F.lit(None) if group is None else column(group)
    return [
        Carried(LABEL, label, judged, T.DoubleType()),
        Carried(GROUP, group, grouped, T.StringType()),
    ]
