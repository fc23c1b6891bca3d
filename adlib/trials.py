"""Several detectors on one sample: drawn once, then fitted and measured one after the other."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from adlib.arrays import Floats
from adlib.comparison import Comparison, Outcome, Trial, compare_outcomes, measure
from adlib.config import config_digest
from adlib.detectors import DETECTORS
from adlib.errors import ConfigError
from adlib.job import Job, plan_training, refuse_absent_columns, trained_before
from adlib.progress import training_shown
from adlib.report import place_tables
from adlib.spark.columns import number_column
from adlib.spark.evaluating import LABEL, label_of, refuse_unread_labels
from adlib.spark.preprocessing import read_features
from adlib.spark.training import Drawn, Training
from adlib.thresholds import DEFAULT_FRACTION
from adlib.wiring import detector_of, training_of

_NO_PAST = (
    "It reads an entity's earlier events, and the configuration has no section sequence. Add one, "
    "such as sequence: {by: CUSTOMER, length: 8}, and preprocess again."
)


def detector_kinds(named: str | None) -> list[str]:
    """Read names of detectors, parted by commas, in the order of the alphabet; all if left out.

    Raises:
        ConfigError: if a name is none.
    """
    if named is None:
        return sorted(DETECTORS)
    kinds = sorted({name.strip() for name in named.split(",")})
    unknown = [kind for kind in kinds if kind not in DETECTORS]
    if unknown:
        message = (
            f"--detectors takes names parted by commas out of {', '.join(sorted(DETECTORS))}, "
            f"found {', '.join(map(repr, unknown))}. Correct it, or leave it out for all of them."
        )
        raise ConfigError(message)
    return kinds


def compare(job: Job, kinds: Sequence[str]) -> None:
    """Fit detectors on the sample that `train` would learn from, and say how well each does.

    What the configuration sets for its own detector holds for that one; the others keep their
    defaults. No model is stored.

    Raises:
        ConfigError: if the configuration keeps rows off the driver.
        ModelError: if no detector can be fitted.
    """
    if job.config.train.on == "executor":
        message = (
            "compare fits detectors on the driver, found train.on: executor, which keeps rows off "
            "it. Allow it for this call with --set train.on=driver."
        )
        raise ConfigError(message)
    with job.summary.stage("sample"):
        drawn, training, labels = _draw(job)
    asked = training.threshold.asked_fraction(training.rows_per_day)
    budget = DEFAULT_FRACTION if asked is None else asked
    trial = Trial(drawn.columns, drawn.learns_from, labels, budget, training.seed)
    outcomes = []
    for kind in kinds:
        if DETECTORS[kind].reads_past and job.config.sequence is None:
            outcomes.append(Outcome(kind, problem=_NO_PAST))
            continue
        tried = replace(training, detector=detector_of(job.config, kind))
        with job.summary.stage(kind):
            fit = partial(drawn.fit, tried, training_shown(job.summary.meter))
            outcomes.append(measure(trial, kind, fit))
    _keep(job, compare_outcomes(trial, outcomes), [drawn.digest, kinds])


def _draw(job: Job) -> tuple[Drawn, Training, Floats | None]:
    """Collect the sample, and the labels of its rows."""
    features = read_features(job.spark, job.work)
    label, beside = job.config.source.label, {}
    if label is not None:
        refuse_absent_columns(features, [label])
        refuse_unread_labels(features, label)
        beside[LABEL] = label_of(label, features.schema)
    candidates, sample = plan_training(job, trained_before(job), beside)
    training = training_of(job.config, candidates, sample, None)
    drawn = Drawn.of(sample.table.toArrow(), training)
    labels = None if label is None else number_column(drawn.table.column(LABEL)).values
    return drawn, training, labels


def _keep(job: Job, comparison: Comparison, decisive: list[object]) -> None:
    """Write the tables to where the same comparison has them again, and note it all."""
    told = comparison.to_json()
    text = json.dumps([*decisive, config_digest(job.config)])
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    tables = {name: told[name] for name in ("detectors", "agreement")}
    where = place_tables(job.output, f"compare-{digest}", tables)
    job.summary.add(**told, comparison=str(where))
