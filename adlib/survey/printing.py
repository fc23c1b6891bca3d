"""A survey as a short table for people."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from adlib.survey.found import Guess, Role, Survey

_MOST_NAMED = 6


def print_survey(found: Survey, written: Path) -> None:
    """Print what a table is taken for, a line a role, and what to do next."""
    console = Console()
    seen = "all" if found.whole else "not all"
    console.print(Text(f"Looked at {found.rows:,} rows, {seen} of the table."))
    table = Table(show_header=False, box=None, pad_edge=False)
    for role in Role:
        guesses = found.of(role)
        if guesses:
            table.add_row(Text(role.value.replace("_", " ")), Text(_named(guesses)), _why(guesses))
    console.print(table)
    console.print(Text(f"Wrote {written}, which says why of every column. Next:"))
    for command in ("doctor", "run"):
        console.print(Text(f"  adlib {command} --config {written}"), soft_wrap=True)


def _named(guesses: tuple[Guess, ...]) -> str:
    names = ", ".join(_printable(one.column) for one in guesses[:_MOST_NAMED])
    more = len(guesses) - _MOST_NAMED
    return f"{names} and {more} more" if more > 0 else names


def _printable(name: str) -> str:
    return name if name.isprintable() else ascii(name)[1:-1]


def _why(guesses: tuple[Guess, ...]) -> Text:
    return Text(guesses[0].why if len(guesses) == 1 else f"{len(guesses)} columns")
