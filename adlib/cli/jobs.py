"""The commands that tell a story of the pipelines and end with its summary."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from adlib import pipelines
from adlib.cli.app import app
from adlib.cli.options import (
    ConfigOption,
    DateOption,
    EngineOption,
    JsonOption,
    ModelOption,
    PromoteOption,
    SetOption,
    parse_date,
)
from adlib.config import load_config
from adlib.errors import AdlibError, InputError, ModelError
from adlib.job import Job
from adlib.printing import print_summary
from adlib.publishing import refuse_files
from adlib.spark.session import open_session
from adlib.summary import Summary
from adlib.wiring import paths_of


def _story(
    command: str,
    config: Path,
    settings: list[str] | None,
    day: str | None,
    tell: Callable[[Job], object],
    *,
    as_json: bool,
) -> None:
    """Load the configuration, open Spark, run a story and print its summary."""
    loaded = load_config(config, settings or ())
    refuse_files(paths_of(loaded))
    asked = parse_date(day)
    summary = Summary(command, loaded.name, asked)
    spark = open_session(f"adlib {command} {loaded.name}")
    job = Job(loaded, spark, summary, asked)
    try:
        tell(job)
    except AdlibError as error:
        if isinstance(error, InputError | ModelError):
            pipelines.record_refusal(job, error)
        summary.fail(error)
        if as_json:
            print(summary.json_line())  # noqa: T201 - the contract's last line
        raise
    print_summary(summary)
    if as_json:
        print(summary.json_line())  # noqa: T201 - the contract's last line


@app.command()
def preprocess(
    config: ConfigOption,
    settings: SetOption = None,
    day: DateOption = None,
    as_json: JsonOption = False,
) -> None:
    """Turn the raw table into the feature table, quarantine and ledger."""
    _story("preprocess", config, settings, day, pipelines.preprocess, as_json=as_json)


@app.command()
def train(
    config: ConfigOption,
    settings: SetOption = None,
    day: DateOption = None,
    as_json: JsonOption = False,
    promote: PromoteOption = True,
) -> None:
    """Learn a new model version from a sample of the feature table."""

    def tell(job: Job) -> object:
        return pipelines.train(job, promote=promote)

    _story("train", config, settings, day, tell, as_json=as_json)


@app.command()
def score(
    config: ConfigOption,
    settings: SetOption = None,
    day: DateOption = None,
    as_json: JsonOption = False,
    model: ModelOption = None,
    engine: EngineOption = "auto",
) -> None:
    """Score the feature table and publish the anomalies."""

    def tell(job: Job) -> None:
        pipelines.score(replace(job, engine=engine), model)

    _story("score", config, settings, day, tell, as_json=as_json)


@app.command()
def evaluate(
    config: ConfigOption,
    settings: SetOption = None,
    day: DateOption = None,
    as_json: JsonOption = False,
    model: ModelOption = None,
) -> None:
    """Say how well the scores agree with the labels."""

    def tell(job: Job) -> None:
        pipelines.evaluate(job, model)

    _story("evaluate", config, settings, day, tell, as_json=as_json)


@app.command()
def run(
    config: ConfigOption,
    settings: SetOption = None,
    day: DateOption = None,
    as_json: JsonOption = False,
    promote: PromoteOption = True,
) -> None:
    """Preprocess, train, score and evaluate."""

    def tell(job: Job) -> None:
        pipelines.run(job, promote=promote)

    _story("run", config, settings, day, tell, as_json=as_json)
