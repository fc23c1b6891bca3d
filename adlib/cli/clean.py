"""The command that deletes what nobody needs any more."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from adlib.cleaning import Leftover, Places, leftovers, parse_age
from adlib.cli.app import app
from adlib.cli.logs import log_directory, logs_in
from adlib.cli.options import ConfigOption, JsonOption, QuietOption, SetOption
from adlib.config import load_config
from adlib.printing import print_leftovers
from adlib.spark.workplace import sole_run, staging_directory
from adlib.wiring import registry_of


@app.command()
def clean(
    config: ConfigOption,
    older_than: Annotated[
        str, typer.Option("--older-than", help="Days since it was written.", metavar="90d")
    ],
    settings: SetOption = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would go, and delete nothing.")
    ] = False,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Delete old models, records of runs, quarantine, reports, logs and what killed runs left.

    The promoted model stays, and one with which a date was published since then.
    """
    loaded = load_config(config, settings or ())
    before = datetime.now(UTC) - parse_age(older_than)
    work, output = loaded.work.path.resolve(), loaded.output.path.resolve()
    logs = logs_in(log_directory(work))
    places = Places(registry_of(loaded), output, staging_directory(work), logs)
    with nullcontext() if dry_run else _nobody_else(work):
        found = leftovers(places, before)
        if not quiet:
            print_leftovers(found, dry_run=dry_run)
        if not dry_run:
            for leftover in found:
                leftover.delete()
    if as_json:
        print(json.dumps(_plain(found, dry_run=dry_run)))  # noqa: T201 - the contract's last line


@contextmanager
def _nobody_else(work: Path) -> Iterator[None]:
    """Keep every run from preparing or scoring while things are deleted."""
    with sole_run(work, "preprocess", None), sole_run(work, "score", None):
        yield


def _plain(found: Sequence[Leftover], *, dry_run: bool) -> dict[str, Any]:
    gone = [
        {
            "kind": leftover.kind,
            "path": str(leftover.path),
            "since": leftover.since.astimezone(UTC).isoformat(),
            "size_bytes": leftover.size_bytes,
            "note": leftover.note,
        }
        for leftover in found
    ]
    return {
        "command": "clean",
        "dry_run": dry_run,
        "deleted": [] if dry_run else gone,
        "found": gone,
    }
