"""The options that commands share."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from typing import Annotated

import typer

from adlib.errors import ConfigError
from adlib.spark.engines import Engine

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
QuietOption = Annotated[
    bool, typer.Option("--quiet", help="Print nothing but errors, and JSON if asked for.")
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

_LONGEST_FOUND = 40
"""Characters of a wrong date that a message repeats."""


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
        found = text[:_LONGEST_FOUND]
        message = f"--date takes a day of the calendar as YYYY-MM-DD, found {found!r}. Correct it."
        raise ConfigError(message) from error
