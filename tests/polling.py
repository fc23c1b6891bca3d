"""Readers that poll a table while a date of it is replaced again and again, by who is killed."""

from __future__ import annotations

import json
import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import timedelta
from itertools import cycle
from multiprocessing.process import BaseProcess
from pathlib import Path

from adlib.publishing import Publisher
from tests.publications import DAY, ROWS, StoppingDisk, kill, publish, publish_and_exit, start

BEFORE = DAY - timedelta(days=1)
_PUBLICATIONS = 120
_MOST_STEPS = 260
"""More than a publication has, so that some are killed and some are not."""
_SECONDS_TO_READ = 60.0

Read = Callable[[Path], Sequence[tuple[object, str]]]
"""Returns date and version of each row of a table."""
Errors = tuple[type[Exception], ...]


def poll(read: Read, errors: Errors, table: Path, told: Path) -> None:
    """Read until told to end; tell what was found of the date that is being replaced."""
    found: Counter[str] = Counter()
    while not told.exists():
        try:
            found[_version_of(read(table))] += 1
        except errors:
            found["errors"] += 1
        _told_by(read, told).write_text(json.dumps(found))


def _told_by(read: Read, told: Path) -> Path:
    return told.with_name(read.__name__)


def _version_of(rows: Sequence[tuple[object, str]]) -> str:
    """Return which version of the date is there, whole."""
    of_day = [version for day, version in rows if day == DAY]
    assert len(rows) - len(of_day) == ROWS["third"], "a date that nobody replaces lost rows"
    assert of_day, "nothing, and no word of it"
    assert len(set(of_day)) == 1, f"a mixture: {of_day}"
    assert len(of_day) == ROWS[of_day[0]], f"a part of {of_day[0]}"
    return of_day[0]


def replace_and_crash(output: Path, seed: int) -> None:
    """Publish one version over the other, again and again; some publishers are killed."""
    draw = random.Random(seed)  # noqa: S311 - where to stop
    killed = 0
    for version, _ in zip(cycle(["second", "first"]), range(_PUBLICATIONS), strict=False):
        disk = StoppingDisk(draw.randrange(1, _MOST_STEPS), kill)
        process = start(publish_and_exit, output, version, disk)
        process.join()
        assert process.exitcode in {0, -9}
        killed += process.exitcode == -9
    assert 0 < killed < _PUBLICATIONS


def assert_one_publication_or_an_error_is_read(
    folder: Path, table: str, readers: Sequence[Read], errors: Errors
) -> Path:
    """Let readers poll a table through swaps and crashes; return the output."""
    output, told = folder / "out", folder / "told"
    publish(Publisher(output), "third", folder / "work", [BEFORE])
    publish(Publisher(output), "first", folder / "work", [DAY])
    polls = [start(poll, read, errors, output / table, told) for read in readers]
    try:
        for read, process in zip(readers, polls, strict=True):
            _wait_for_its_first(read, process, told)
        replace_and_crash(output, seed=7)
    finally:
        told.touch()
        for process in polls:
            process.join()
    assert [process.exitcode for process in polls] == [0] * len(readers)
    for read in readers:
        found = json.loads(_told_by(read, told).read_text())
        assert {"first", "second"} <= set(found), f"{read.__name__}: {found}"
    return output


def _wait_for_its_first(read: Read, process: BaseProcess, told: Path) -> None:
    until = time.monotonic() + _SECONDS_TO_READ
    while not _told_by(read, told).exists():
        assert process.is_alive(), f"{read.__name__} ended before it was told to"
        assert time.monotonic() < until, f"{read.__name__} reads nothing"
        time.sleep(0.05)
