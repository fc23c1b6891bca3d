"""Make a week of traffic, run the main job over it and show what it found: `make demo`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from adlib import cli
from adlib.demo.table import ROWS, make_table, write_table
from adlib.demo.top import show_report, show_top
from adlib.demo.traffic import DAYS

CONFIG = Path(__file__).with_name("demo.yaml")
LEAST_ROWS = 1_000  # fewer would be incidents for the most part


def main(argv: Sequence[str] | None = None) -> int:
    """Make the table, run the main job over it and show what it found; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m adlib.demo", description=__doc__)
    parser.add_argument("--rows", type=int, default=ROWS, help="rows to make")
    parser.add_argument("--out", type=Path, default=Path("demo"), help="where everything goes")
    parser.add_argument("--config", type=Path, default=CONFIG, help="another configuration")
    options = parser.parse_args(argv)
    if options.rows < LEAST_ROWS:
        parser.error(f"--rows {options.rows} is too few: make at least {LEAST_ROWS:,}")
    out: Path = options.out
    console = Console()
    path = write_table(make_table(options.rows), out / "flows")
    console.print(f"{options.rows:,} flows of {DAYS} days with incidents in them: {path}")
    places = {"source": "flows", "output": "out", "work": "work", "models": "models"}
    settings = [f"{key}.path={out / name}" for key, name in places.items()]
    arguments = [part for setting in settings for part in ("--set", setting)]
    code = cli.main(["run", "--config", str(options.config), *arguments])
    if code == 0:
        show_top(console, out / "out")
        show_report(console, out / "out")
    return code


if __name__ == "__main__":
    sys.exit(main())
