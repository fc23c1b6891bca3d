"""The commands that look at a machine or a configuration and change nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated

import typer

from adlib.cli.app import app
from adlib.cli.logs import log_file
from adlib.cli.options import JsonOption, SetOption
from adlib.config import Config, json_schema, load_config
from adlib.doctor import examine
from adlib.errors import ConfigError
from adlib.printing import print_checks
from adlib.reference import configuration_reference


@app.command()
def doctor(
    config: Annotated[Path | None, typer.Option("--config", help="Examine its paths too.")] = None,
    settings: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Examine driver, executors, paths, source and model; each line says ok or what to do."""
    loaded = None if config is None else load_config(config, settings or ())
    with _log_of(loaded) as log:
        checks = examine(loaded, log)
    print_checks(checks, log)
    if as_json:
        found = [{"name": check.name, "ok": check.ok, "found": check.found} for check in checks]
        plain = {"command": "doctor", "checks": found, "log": None if log is None else str(log)}
        print(json.dumps(plain))  # noqa: T201 - the contract's last line
    if not all(check.ok for check in checks):
        message = "Some checks failed; each line above says what to do."
        raise ConfigError(message)


@contextmanager
def _log_of(loaded: Config | None) -> Iterator[Path | None]:
    """Lend the log of an examination, None where there is no place for one."""
    stack = ExitStack()
    try:
        log = (
            None
            if loaded is None
            else stack.enter_context(
                log_file(loaded.work.path, "doctor", private=loaded.privacy is not None)
            )
        )
    except OSError:  # which a line of the examination says
        log = None
    with stack:
        yield log


@app.command()
def schema(
    markdown: Annotated[
        bool, typer.Option("--markdown", help="Print the reference for people instead.")
    ] = False,
) -> None:
    """Print the JSON Schema of the configuration, with which editors complete and check it."""
    printed = configuration_reference() if markdown else json.dumps(json_schema(), indent=2)
    print(printed.rstrip("\n"))  # noqa: T201 - the command's output
