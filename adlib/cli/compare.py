"""The command that puts detectors side by side."""

from __future__ import annotations

from typing import Annotated

import typer

from adlib.cli.app import app
from adlib.cli.jobs import story
from adlib.cli.options import (
    ConfigOption,
    DateOption,
    JsonOption,
    QuietOption,
    SetOption,
)
from adlib.job import Job
from adlib.trials import compare as compare_detectors
from adlib.trials import detector_kinds


@app.command()
def compare(
    config: ConfigOption,
    settings: SetOption = None,
    day: DateOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    detectors: Annotated[
        str | None,
        typer.Option(
            "--detectors", help="Which, parted by commas; all if left out.", metavar="A,B,..."
        ),
    ] = None,
) -> None:
    """Fit detectors on one sample and say how well each does; no model is stored."""
    kinds = detector_kinds(detectors)

    def tell(job: Job) -> None:
        compare_detectors(job, kinds)

    story("compare", config, settings, day, tell, as_json=as_json, quiet=quiet)
