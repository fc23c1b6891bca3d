"""The command that writes a run's page."""

from __future__ import annotations

from adlib import pipelines
from adlib.cli.app import app
from adlib.cli.jobs import story
from adlib.cli.options import (
    ConfigOption,
    DateOption,
    JsonOption,
    QuietOption,
    SetOption,
)


@app.command()
def report(
    config: ConfigOption,
    settings: SetOption = None,
    day: DateOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Write the page of the run that published a date, else of the last run."""
    story("report", config, settings, day, pipelines.report, as_json=as_json, quiet=quiet)
