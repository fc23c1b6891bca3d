"""The command that says everything about one row."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from adlib.cli.app import app
from adlib.cli.options import (
    ConfigOption,
    DateOption,
    JsonOption,
    ModelOption,
    SetOption,
    parse_date,
)
from adlib.config import load_config
from adlib.lookup import look_up
from adlib.printing import print_row


@app.command()
def explain(
    config: ConfigOption,
    key: Annotated[
        list[str],
        typer.Option(
            "--key", help="The row's key, or row_hash; once for each column of a composite key."
        ),
    ],
    settings: SetOption = None,
    day: DateOption = None,
    as_json: JsonOption = False,
    model: ModelOption = None,
) -> None:
    """Say everything about one row: its score, and every column beside what was expected."""
    found = look_up(load_config(config, settings or ()), key, parse_date(day), model)
    print_row(found)
    if as_json:
        print(json.dumps({"command": "explain", **found.plain()}, default=str))  # noqa: T201
