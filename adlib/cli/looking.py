"""The commands that look at a machine or a configuration and change nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from adlib.cli.app import app
from adlib.cli.options import JsonOption, SetOption
from adlib.config import json_schema, load_config
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
def schema(
    markdown: Annotated[
        bool, typer.Option("--markdown", help="Print the reference for people instead.")
    ] = False,
) -> None:
    """Print the JSON Schema of the configuration, with which editors complete and check it."""
    printed = configuration_reference() if markdown else json.dumps(json_schema(), indent=2)
    print(printed.rstrip("\n"))  # noqa: T201 - the command's output
