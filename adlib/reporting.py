"""From a finished run to its page: what was published, a bounded sample, the evaluation."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from adlib.arrays import Floats
from adlib.artifacts import construct, take_apart
from adlib.errors import InputError
from adlib.evaluation import CountedRows, curves_of
from adlib.job import Job
from adlib.model import Model
from adlib.report import (
    Absent,
    Evaluation,
    Report,
    RunFigures,
    SampledRows,
    SampleFigures,
    Setting,
    choose_run,
    look_at,
    place_page,
    quarantine_of,
    read_dates,
    read_history,
    render,
    scan_flagged,
)
from adlib.spark.columns import columns_from_arrow, vector_lengths
from adlib.spark.contract import check_features
from adlib.spark.evaluating import MOST_EXACT_ROWS
from adlib.spark.ledger import read_ledger
from adlib.spark.preprocessing import read_features
from adlib.spark.sampling import DRAW, ROW_HASH, SampleRequest, plan_glimpse
from adlib.surrogate import FEWEST_FLAGGED, Surrogate, fit_surrogate
from adlib.wiring import registry_of

SAMPLE_ROWS = 20_000
_SAMPLE_MEGABYTES = 32
_DAY = "dt"


def write_report(job: Job, run_id: str | None = None) -> tuple[str, Path]:
    """Write the page of a run: the one named, else the published one of the date, else the last.

    Returns:
        the run's id and where its page is.

    Raises:
        InputError: if there is no such run.
        ModelError: if the model that it scored with is gone or altered.
    """
    history = read_history(job.output)
    run = choose_run(history, job.output, job.day, run_id)
    parts = take_apart(registry_of(job.config).load(run.model_version))
    model = construct(parts)
    dates = read_dates(job.output, run)
    highest = max((day.highest for day in dates if day.highest is not None), default=None)
    flagged = scan_flagged(job.output, run, highest)
    sampled = _sample(job, run, model)
    seen = sampled if isinstance(sampled, Absent) else look_at(sampled, model, flagged.driven)
    report = Report(
        setting=_setting(job),
        run=run,
        earlier=tuple(entry for entry in history if entry.ended_at < run.ended_at),
        dates=dates,
        flagged=flagged,
        quarantine=quarantine_of(job.output, run),
        model=parts.document,
        sample=seen,
        evaluation=read_evaluation(job.work, run.run_id),
        surrogate=_surrogate(job, model, sampled, seen),
    )
    return run.run_id, place_page(job.output, run.run_id, render(report))


def _setting(job: Job) -> Setting:
    source = job.config.source
    return Setting(job.config.name, source.path, str(job.output), source.label, source.event_time)


def _sample(job: Job, run: RunFigures, model: Model) -> SampledRows | Absent:
    """Draw some of the rows that a run scored, if they are still there as they were."""
    try:
        features = read_features(job.spark, job.work)
        ledger = read_ledger(job.work, None)
        check_features(features.schema, model.columns)
    except InputError as error:
        return Absent(f"The rows that were scored are not there to be looked at. {error}")
    digests = {entry.date: entry.input_digest for entry in ledger.dates}
    if not run.days or any(digests.get(day) != run.input_digests[day] for day in run.days):
        return Absent(
            f"The feature table under {job.work} has been prepared anew since this run, so that "
            "the rows that were scored are not there to be looked at."
        )
    return _drawn(job, run, model, features)


def _drawn(job: Job, run: RunFigures, model: Model, features: DataFrame) -> SampledRows:
    names = tuple(feature.name for feature in model.columns)
    if job.dated:
        features = features.where(F.col(_DAY).isin(list(run.days)))
    request = SampleRequest(
        key=job.config.source.key,
        columns=(*names, _DAY) if job.dated else names,
        rows=SAMPLE_ROWS,
        megabytes=_SAMPLE_MEGABYTES,
        seed=job.config.seed,
        before=None,
        has_dates=False,
    )
    sample = plan_glimpse(features, request)
    order = [(DRAW, "ascending"), (ROW_HASH, "ascending")]
    table = sample.table.toArrow().sort_by(order).slice(0, sample.rows)
    columns = columns_from_arrow(table, model.columns, vector_lengths(model.encoder))
    return SampledRows(columns, _cuts(table, run), sample.eligible_rows)


def _surrogate(
    job: Job, model: Model, sampled: SampledRows | Absent, seen: SampleFigures | Absent
) -> Surrogate | Absent | None:
    """Read rules off the flags of the sample, where they are asked for."""
    if job.config.explain.method != "surrogate":
        return None
    if isinstance(sampled, Absent) or isinstance(seen, Absent):
        return Absent("There is no sample of scored rows to read rules off.")
    found = fit_surrogate(sampled.columns, model.columns, seen.flagged, job.config.seed)
    return found or Absent(
        f"Of {seen.rows:,} rows in the sample {int(seen.flagged.sum()):,} are flagged. Rules need "
        f"{FEWEST_FLAGGED} flagged rows among the two thirds that they are read off, and columns "
        "other than free text and vectors."
    )


def _cuts(table: pa.Table, run: RunFigures) -> Floats:
    """Return the lowest score that is flagged of each row's date, infinity where none is."""
    known = {day: np.inf if cut is None else cut for day, cut in run.thresholds.items()}
    if _DAY not in table.column_names:
        return np.full(len(table), next(iter(known.values())))
    return np.asarray([known[day] for day in table.column(_DAY).to_pylist()], dtype=np.float64)


def keep_evaluation(
    job: Job, run_id: str, counted: CountedRows, figures: Mapping[str, Any]
) -> None:
    """Keep what evaluate found of a run, so that its page can show it without scoring again."""
    file = _evaluation_file(job.work, run_id)
    file.parent.mkdir(parents=True, exist_ok=True)
    plain = {
        "figures": figures,
        "curves": curves_of(counted),
        "measured_from": job.summary.figures.get("measured_from"),
        "exact": counted.total <= MOST_EXACT_ROWS,
    }
    staged = file.with_suffix(".new")
    staged.write_text(json.dumps(plain), encoding="utf-8")
    staged.replace(file)


def read_evaluation(work: Path, run_id: str) -> Evaluation | Absent:
    """Return what evaluate found of a run."""
    file = _evaluation_file(work, run_id)
    if not file.is_file():
        return Absent(
            "The scores of this run have not been held against the labels. Run `adlib evaluate` "
            "and then `adlib report` again."
        )
    plain = json.loads(file.read_text(encoding="utf-8"))
    curves = plain["curves"] or {}
    return Evaluation(
        plain["figures"],
        tuple((x, y) for x, y in curves.get("roc", ())),
        tuple((x, y) for x, y in curves.get("precision_recall", ())),
        plain["measured_from"],
        plain["exact"],
    )


def _evaluation_file(work: Path, run_id: str) -> Path:
    return work / "evaluations" / f"{run_id}.json"
