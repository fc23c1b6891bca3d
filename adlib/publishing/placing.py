"""Putting one file into the output in one step: one that is beside the tables, of no date."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from adlib.publishing.places import Area

_LOCK = "files.lock"
_UNFINISHED = "unfinished.part"


def place_file(output: Path, name: str, content: bytes) -> Path:
    """Write a file beside the output and move it in, unless it is there already; return where."""
    final, beside = output / name, Area(output).root
    for directory in (beside, final.parent):
        directory.mkdir(parents=True, exist_ok=True)
    unfinished = beside / _UNFINISHED
    with _alone(beside):
        try:
            if not (final.is_file() and final.read_bytes() == content):
                unfinished.write_bytes(content)
                unfinished.replace(final)
        finally:
            unfinished.unlink(missing_ok=True)  # one of a run that was killed, too
    return final


@contextmanager
def _alone(beside: Path) -> Iterator[None]:
    """Wait until no other run places a file; the system ends the turn of one that was killed.

    Yields:
        When it is this run's turn.
    """
    with (beside / _LOCK).open("w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
