"""The command line: parse, run a story, print its summary, end with the right exit code."""

from __future__ import annotations

import errno
import json
import logging
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from typing import Annotated

import typer
from typer.exceptions import Exit, TyperException

from adlib import pipelines
from adlib.artifacts import document_of
from adlib.config import Config, json_schema, load_config
from adlib.doctor import examine
from adlib.errors import AdlibError, ConfigError, InputError, ModelError, TransientError
from adlib.job import Job
from adlib.printing import print_checks, print_models, print_summary
from adlib.publishing import refuse_files
from adlib.spark.engines import Engine
from adlib.spark.failures import translated
from adlib.spark.session import open_session
from adlib.summary import Summary
from adlib.wiring import paths_of, registry_of

_INTERRUPTED = 130
"""What Typer returns of an interrupt."""
_INTERRUPTION = "Interrupted. Nothing half-done was published; run the command again."
_TRANSIENT = {errno.ENOSPC, errno.EIO, errno.EDQUOT, errno.EMFILE, errno.ENFILE, errno.ESTALE}

app = typer.Typer(
    name="adlib",
    help="Find the strange rows of a very large table, and say why each is strange.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
models_app = typer.Typer(help="The registry: list, show, promote and verify models.")
app.add_typer(models_app, name="models")

ConfigOption = Annotated[Path, typer.Option("--config", help="The YAML configuration.")]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set", help="Set a key: key.path=value. May be given again.", metavar="KEY=VALUE"
    ),
]
DateOption = Annotated[
    str | None, typer.Option("--date", help="Read this date alone.", metavar="YYYY-MM-DD")
]
JsonOption = Annotated[
    bool, typer.Option("--json", help="End standard output with one JSON object.")
]
ModelOption = Annotated[
    str | None, typer.Option("--model", help="A model's id; the promoted one if left out.")
]
PromoteOption = Annotated[
    bool, typer.Option("--promote/--no-promote", help="Promote the new model.")
]
EngineOption = Annotated[
    Engine,
    typer.Option(
        "--engine", help="How rows reach the model: row_groups reads Parquet in the workers."
    ),
]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code; standard error's last line says what it means."""
    logging.basicConfig(stream=sys.stderr, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    logging.getLogger("adlib").setLevel(logging.INFO)
    try:
        ended = app(args=arguments, standalone_mode=False)
    except Exit as ending:
        return int(ending.exit_code)
    except TyperException as error:
        return _ended(2, f"{error.format_message()} See `adlib --help`.")
    except (KeyboardInterrupt, typer.Abort):
        ended = _INTERRUPTED
    except AdlibError as error:
        return _ended(error.exit_code, str(error))
    except Exception as error:  # noqa: BLE001 - the door: whatever comes gets a sentence and a code
        return _unexpected(error)
    return _ended(1, _INTERRUPTION) if ended == _INTERRUPTED else 0


def _ended(code: int, message: str) -> int:
    """Print why a command ended, the last line of standard error."""
    sys.stdout.flush()
    print(f"adlib: {message} (exit code {code})", file=sys.stderr)  # noqa: T201
    return code


def _unexpected(error: Exception) -> int:
    known = translated(error)
    if known is None and isinstance(error, OSError) and error.errno in _TRANSIENT:
        known = TransientError(
            f"The system failed: {error}. Free space or wait, then run the command again."
        )
    if known is not None:
        return _ended(known.exit_code, str(known))
    traceback.print_exception(error)
    words = " ".join(str(error).split())[:300]
    return _ended(1, f"Unexpected {type(error).__name__}: {words}. The trace above says where.")


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


def parse_date(text: str | None) -> date | None:
    """Read a date.

    Raises:
        ConfigError: if it is not written YYYY-MM-DD.
    """
    if text is None:
        return None
    try:
        return datetime.strptime(text, "%Y-%m-%d").date()  # noqa: DTZ007 - a date has no zone
    except ValueError as error:
        message = f"--date takes a day of the calendar as YYYY-MM-DD, found {text!r}. Correct it."
        raise ConfigError(message) from error


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


@app.command()
def doctor(
    config: Annotated[Path | None, typer.Option("--config", help="Examine its paths too.")] = None,
    settings: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Examine Java, Python, packages and paths; each line says ok or what to do."""
    checks = examine(None if config is None else load_config(config, settings or ()))
    print_checks(checks)
    if as_json:
        plain = [{"name": check.name, "ok": check.ok, "found": check.found} for check in checks]
        print(json.dumps({"command": "doctor", "checks": plain}))  # noqa: T201
    if not all(check.ok for check in checks):
        message = "Some checks failed; each line above says what to do."
        raise ConfigError(message)


@app.command()
def schema() -> None:
    """Print the JSON Schema of the configuration."""
    print(json.dumps(json_schema(), indent=2))  # noqa: T201 - the command's output


def _registry_config(config: Path, settings: list[str] | None) -> Config:
    return load_config(config, settings or ())


@models_app.command("list")
def list_models(
    config: ConfigOption, settings: SetOption = None, as_json: JsonOption = False
) -> None:
    """List the models of the configuration's name."""
    registry = registry_of(_registry_config(config, settings))
    documents = [document_of(registry.load(model_id)) for model_id in registry.ids()]
    promoted = registry.promoted()
    print_models(documents, promoted)
    if as_json:
        ids = [document["id"] for document in documents]
        print(json.dumps({"models": ids, "promoted": promoted}))  # noqa: T201


@models_app.command("show")
def show_model(
    model_id: Annotated[str, typer.Argument(help="The model's id.")],
    config: ConfigOption,
    settings: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print a model's document, with --json in one line."""
    stored = registry_of(_registry_config(config, settings)).load(model_id)
    indent = None if as_json else 2
    print(json.dumps(document_of(stored), indent=indent, ensure_ascii=False))  # noqa: T201


@models_app.command("promote")
def promote_model(
    model_id: Annotated[str, typer.Argument(help="The model's id.")],
    config: ConfigOption,
    settings: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a model the one that score takes."""
    registry_of(_registry_config(config, settings)).promote(model_id)
    print(json.dumps({"promoted": model_id}) if as_json else f"Promoted {model_id}.")  # noqa: T201


@models_app.command("verify")
def verify_models(
    config: ConfigOption, settings: SetOption = None, as_json: JsonOption = False
) -> None:
    """Check every model, byte for byte; say of each whether it is intact."""
    registry = registry_of(_registry_config(config, settings))
    found = {model_id: registry.problem_with(model_id) for model_id in registry.ids()}
    for model_id, problem in found.items():
        print(f"{model_id} is intact." if problem is None else problem)  # noqa: T201
    if as_json:
        intact = [model_id for model_id, problem in found.items() if problem is None]
        print(json.dumps({"intact": intact, "models": list(found)}))  # noqa: T201
    broken = [model_id for model_id, problem in found.items() if problem is not None]
    if broken:
        message = (
            f"{len(broken)} of {len(found)} models are refused: {', '.join(broken)}. Restore them "
            "from a backup, or remove them and train again."
        )
        raise ModelError(message)
