"""The command that drafts a configuration for a table."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Annotated, Literal

import typer

from adlib.cli.app import app
from adlib.cli.options import JsonOption
from adlib.config import json_schema, load_config
from adlib.errors import ConfigError
from adlib.survey import Place, Survey, draft, print_survey, survey, take_glimpse

SCHEMA_FILE = "adlib.schema.json"
SourceFormat = Literal["parquet", "csv", "json", "orc", "table"]


@app.command()
def init(
    source: Annotated[
        str, typer.Option("--source", help="The table: a file, a directory, a glob or a name.")
    ],
    named_format: Annotated[
        SourceFormat | None, typer.Option("--format", help="What it is; else told by its name.")
    ] = None,
    output: Annotated[Path, typer.Option("--output", help="Where the configuration goes.")] = Path(
        "my.yaml"
    ),
    name: Annotated[
        str | None, typer.Option("--name", help="The configuration's name; else the table's.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite what is there.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Look at a table and draft a configuration for it, with a comment on every guess."""
    schema = output.parent / SCHEMA_FILE
    if output.is_symlink():
        raise ConfigError(
            f"{output} is a symbolic link, and what it leads to is not overwritten. Name a file "
            "with --output."
        )
    if output.exists() and not force:
        raise ConfigError(
            f"{output} is there already. Name another file with --output, or overwrite it with "
            "--force."
        )
    glimpse = take_glimpse(source, named_format)
    found = survey(glimpse)
    place = Place(name or _name_of(source), source, glimpse.format, SCHEMA_FILE, glimpse.options)
    _write(output, draft(found, place))
    load_config(output)
    if force or not schema.exists():
        _write(schema, json.dumps(json_schema(), indent=2) + "\n")
    print_survey(found, output)
    if as_json:
        print(json.dumps(_plain(found, output)))  # noqa: T201 - the contract's last line


def _write(file: Path, text: str) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")
    except OSError as error:
        raise ConfigError(
            f"{file} cannot be written: {error.strerror}. Name another file with --output."
        ) from error


def _name_of(source: str) -> str:
    """Make a configuration's name of a path: its last part that says something."""
    parts = [part.partition(".")[0] for part in Path(source).parts]
    clean = [re.sub(r"[^A-Za-z0-9._-]+", "-", part).strip("-._")[:64] for part in parts]
    return next((part for part in reversed(clean) if part), "table")


def _plain(found: Survey, output: Path) -> dict[str, object]:
    return {
        "command": "init",
        "config": str(output),
        "rows_looked_at": found.rows,
        "whole_table": found.whole,
        "columns": {
            guess.column: {"role": guess.role.value, "why": guess.why} for guess in found.guesses
        },
    }
