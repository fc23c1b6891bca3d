"""The commands that tell a story of the pipelines and end with its summary."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

from adlib import pipelines
from adlib.cli.app import app
from adlib.cli.endings import explained, unexpected
from adlib.cli.logs import IN_FILE_ALONE, log_file, silenced
from adlib.cli.options import (
    ConfigOption,
    DateOption,
    EngineOption,
    JsonOption,
    ModelOption,
    PromoteOption,
    QuietOption,
    SetOption,
    parse_date,
)
from adlib.cli.traces import bare_words
from adlib.config import Config, load_config
from adlib.doctor import preflight, refuse_unready_source
from adlib.errors import AdlibError, InputError, ModelError
from adlib.job import Job
from adlib.printing import print_summary
from adlib.progress import shown
from adlib.spark.session import open_session
from adlib.spark.watching import watched
from adlib.summary import INTERRUPTED, Summary
from adlib.tracking import track

_LOG = logging.getLogger(__name__)
_TRACKED = frozenset({"train", "run"})
"""The commands that MLflow is told of, where the configuration asks for it."""
_READ_THE_SOURCE = frozenset({"preprocess", "run"})
"""Commands that end at once where the source is not there or lacks a column."""
_PUBLISH_NOTHING = {"report", "compare"}
"""Commands that have no date to be refused."""


def story(
    command: str,
    config: Path,
    settings: list[str] | None,
    day: str | None,
    tell: Callable[[Job], object],
    *,
    as_json: bool,
    quiet: bool,
) -> None:
    """Load the configuration, open Spark, run a story and print its summary."""
    loaded = load_config(config, settings or ())
    preflight(loaded, command)
    summary = Summary(command, loaded.name, parse_date(day))
    private = loaded.privacy is not None
    logged = log_file(loaded.work.path, command, private=private)
    with silenced() if quiet else nullcontext(), logged as log:
        summary.log = log
        try:
            _tell(loaded, summary, tell, quiet=quiet)
        except Exception as error:
            failure = _failure(error, log, private=private)
            summary.fail(failure)
            raise failure from error
        except KeyboardInterrupt:
            summary.status = INTERRUPTED
            raise
        finally:
            _end(summary, as_json=as_json, quiet=quiet)


def _tell(loaded: Config, summary: Summary, tell: Callable[[Job], object], *, quiet: bool) -> None:
    """Run a story, showing how far it is; leave a record of what refused it."""
    try:
        if summary.command in _READ_THE_SOURCE:
            refuse_unready_source(loaded)
        spark = open_session(f"adlib {summary.command} {loaded.name}", summary.log)
        with shown(quiet=quiet) as meter, watched(spark, meter.at):
            summary.meter = meter
            job = Job(loaded, spark, summary, summary.day)
            tell(job)
            if summary.command in _TRACKED:
                track(job)
    except Exception as error:
        known = explained(error)
        publishes = summary.command not in _PUBLISH_NOTHING
        if publishes and isinstance(known, InputError | ModelError):
            pipelines.record_refusal(loaded, summary, known)
        raise


def _failure(error: Exception, log: Path, *, private: bool) -> AdlibError:
    """Log the trace of what failed, say where, and return what to say of it."""
    _LOG.error("The command failed.", exc_info=error, extra=IN_FILE_ALONE)
    _LOG.error("The log of this run, with the trace: %s", log)
    words = bare_words(error) if private else None
    return explained(error) or unexpected(error, f"The trace is in {log}.", words)


def _end(summary: Summary, *, as_json: bool, quiet: bool) -> None:
    """Print what there is to say at the end: a table of what went well, and a line of JSON."""
    _LOG.debug("Summary: %s", summary.json_line())
    if summary.is_complete and not quiet:
        print_summary(summary)
    if as_json:
        print(summary.json_line())  # noqa: T201 - the contract's last line


@app.command()
def preprocess(
    config: ConfigOption,
    settings: SetOption = None,
    day: DateOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Turn the raw table into the feature table, quarantine and ledger."""
    story("preprocess", config, settings, day, pipelines.preprocess, as_json=as_json, quiet=quiet)


@app.command()
def train(
    config: ConfigOption,
    settings: SetOption = None,
    day: DateOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    promote: PromoteOption = True,
) -> None:
    """Learn a new model version from a sample of the feature table."""

    def tell(job: Job) -> object:
        return pipelines.train(job, promote=promote)

    story("train", config, settings, day, tell, as_json=as_json, quiet=quiet)


@app.command()
def score(
    config: ConfigOption,
    settings: SetOption = None,
    day: DateOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    model: ModelOption = None,
    engine: EngineOption = "auto",
) -> None:
    """Score the feature table and publish the anomalies."""

    def tell(job: Job) -> None:
        pipelines.score(replace(job, engine=engine), model)

    story("score", config, settings, day, tell, as_json=as_json, quiet=quiet)


@app.command()
def evaluate(
    config: ConfigOption,
    settings: SetOption = None,
    day: DateOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    model: ModelOption = None,
) -> None:
    """Say how well the scores agree with the labels."""

    def tell(job: Job) -> None:
        pipelines.evaluate(job, model)

    story("evaluate", config, settings, day, tell, as_json=as_json, quiet=quiet)


@app.command()
def run(
    config: ConfigOption,
    settings: SetOption = None,
    day: DateOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    promote: PromoteOption = True,
) -> None:
    """Preprocess, train, score, evaluate and report."""

    def tell(job: Job) -> None:
        pipelines.run(job, promote=promote)

    story("run", config, settings, day, tell, as_json=as_json, quiet=quiet)
