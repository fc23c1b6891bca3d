"""From a finished run to MLflow: what was asked for, what came of it, the page and the model.

MLflow is an extra: it is imported where it is used, after everything else is done. Its autologging,
which would listen to Spark, is left off, and what it reports to its makers is turned off.
"""

from __future__ import annotations

import json
import logging
import os
import re
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from adlib import __version__
from adlib.artifacts import document_of
from adlib.config import Config, config_digest
from adlib.errors import ConfigError, TransientError
from adlib.job import Job
from adlib.report import choose_run, read_history
from adlib.summary import NOTHING_TO_DO
from adlib.wiring import registry_of

_LOG = logging.getLogger(__name__)
LOADER = "adlib.mlflow_model"
"""The module by which `mlflow.pyfunc.load_model` opens a logged model."""
_MODEL = "adlib.model"
_LONGEST_PARAMETER = 500
"""What every store takes."""
_APART = frozenset({"metrics", "self_test"})
_NAMED_BY_VALUES = frozenset({"by_date", "by_group"})
"""Figures of an evaluation whose names are values of the source."""


@dataclass(frozen=True)
class TrackedRun:
    """What is logged of one command."""

    name: str
    parameters: Mapping[str, str]
    metrics: Mapping[str, float]
    tags: Mapping[str, str]
    model: Path
    """The directory of the stored model."""
    page: Path | None
    """Where the run's page is; None where it has none."""


def refuse_untracked(config: Config) -> None:
    """Refuse to begin what could not be logged at its end.

    Raises:
        ConfigError: if the configuration asks for MLflow and not all that it needs is installed.
    """
    if config.mlflow is None:
        return
    missing = [name for name in _needed(config.mlflow.tracking_uri) if not find_spec(name)]
    if missing:
        message = (
            "The configuration has a section mlflow, which needs what is not installed: "
            f"{', '.join(missing)}. Run `pip install 'adlib[mlflow]'`, or take the section out."
        )
        raise ConfigError(message)


def _needed(tracking_uri: str) -> tuple[str, ...]:
    """Return the packages that talk to a store: a server needs fewer than a database."""
    served = tracking_uri.startswith(("http", "databricks"))
    return ("mlflow",) if served else ("mlflow", "sqlalchemy", "alembic")


def track(job: Job) -> None:
    """Log what a command did, with the model it ended with, where the configuration says so.

    Raises:
        TransientError: if the store does not take it, whatever the reason.
    """
    asked = job.config.mlflow
    if asked is None:
        return
    with job.summary.stage("track"):
        run = _tracked(job)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # what MLflow says of its own inside
                mlflow_run = _log(run, asked.tracking_uri, asked.experiment)
        except Exception as error:  # stores and artifact stores have errors of their own
            raise _not_taken(asked.tracking_uri, error) from error
    job.summary.add(mlflow_run=mlflow_run)


def _tracked(job: Job) -> TrackedRun:
    figures, registry = _figures(job), registry_of(job.config)
    model_id, page = str(figures["model"]), figures.get("report")
    told = {
        "command": job.summary.command,
        "date": job.day,
        "model": model_id,
        "run_id": figures.get("run_id"),
        "output": job.output,
        "config_digest": config_digest(job.config),
    }
    return TrackedRun(
        name=job.config.name,
        parameters=parameters_of(job.config),
        metrics=metrics_of(document_of(registry.load(model_id)), figures),
        tags={f"adlib.{name}": str(value) for name, value in told.items() if value is not None},
        model=registry.root.resolve() / model_id,
        page=None if page is None else Path(page),
    )


def _figures(job: Job) -> Mapping[str, Any]:
    """Return what the summary says; of a run that was published earlier, what it published then."""
    figures = job.summary.figures
    if job.summary.status != NOTHING_TO_DO:
        return figures
    run = choose_run(read_history(job.output), job.output, None, figures["run_id"])
    return {
        **figures,
        "rows_scored": run.rows_scored,
        "rows_flagged": run.rows_flagged,
        "asked_fraction": run.asked_fraction,
        "delivered_fraction": run.delivered_fraction,
        "dates": len(run.days),
    }


def parameters_of(config: Config) -> dict[str, str]:
    """Return what was asked for under flat names, without what may be a secret."""
    plain = config.model_dump(
        mode="json", exclude={"source": {"options"}, "mlflow": True}, exclude_none=True
    )
    return {
        name: value if isinstance(value, str) else json.dumps(value)
        for name, value in _flattened(plain)
    }


def metrics_of(document: Mapping[str, Any], figures: Mapping[str, Any]) -> dict[str, float]:
    """Return the numbers of a model's fit and self-test and of a summary under flat names."""
    provenance, measured = document["provenance"], figures.get("metrics") or {}
    parts = {
        **{name: value for name, value in figures.items() if name not in _APART},
        "fit": provenance["fit"],
        "self_test": provenance.get("self_test") or {},
        "evaluation": {name: measured[name] for name in measured.keys() - _NAMED_BY_VALUES},
    }
    return {
        name: float(value)
        for name, value in _flattened(parts)
        if isinstance(value, int | float) and not isinstance(value, bool)
    }


def _flattened(plain: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in plain.items():
        if isinstance(value, Mapping):
            yield from _flattened(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _log(run: TrackedRun, tracking_uri: str, experiment: str) -> str:
    """Return the id of a run in the tracking store, which is told of it unless it knows it."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # read when MLflow is imported
    import mlflow  # noqa: PLC0415 - an extra, and seconds

    for talkative in ("mlflow", "alembic"):
        logging.getLogger(talkative).setLevel(logging.WARNING)
    mlflow.set_tracking_uri(tracking_uri)
    experiment_id = str(mlflow.set_experiment(experiment).experiment_id)
    known = _known(run, experiment_id)
    if known is not None:
        _LOG.info("MLflow has this run already, as %s.", known)
        return known
    shortened = {name: text[:_LONGEST_PARAMETER] for name, text in run.parameters.items()}
    with mlflow.start_run(run_name=run.name, tags=dict(run.tags)) as opened:
        mlflow.log_params(shortened)
        mlflow.log_metrics(dict(run.metrics))
        if run.page is not None:
            mlflow.log_artifact(str(run.page), "report")
        mlflow.pyfunc.log_model(
            name="model",
            loader_module=LOADER,
            data_path=str(run.model),
            pip_requirements=[f"adlib=={__version__}"],
        )
    return str(opened.info.run_id)


def _known(run: TrackedRun, experiment_id: str) -> str | None:
    """Return the id of a finished run with the same tags: the same work has the same ones."""
    import mlflow  # noqa: PLC0415

    same_model = f"attributes.status = 'FINISHED' AND tags.`{_MODEL}` = '{run.tags[_MODEL]}'"
    found = mlflow.search_runs([experiment_id], same_model, output_format="list")
    same = (each for each in found if run.tags.items() <= each.data.tags.items())
    return next((str(each.info.run_id) for each in same), None)


def _not_taken(tracking_uri: str, error: Exception) -> TransientError:
    store = _without_password(tracking_uri)
    said = _without_password(str(error).replace(tracking_uri, store))
    why = next(iter(said.splitlines()), type(error).__name__).rstrip(".")
    return TransientError(
        f"The run is done, and what it published and stored stays; MLflow at {store} did not take "
        f"it: {why}. See that the store can be reached and written to, then run the same command "
        "again: it logs, and what is published already is not written again."
    )


def _without_password(said: str) -> str:
    """Leave out of each address who asks, and what follows a question mark."""
    return re.sub(r"(?<=://)[^\s@]*@|(?<=\w)\?\S*", "", said)
