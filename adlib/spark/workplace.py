"""How the files of preprocess and score get into place under `work.path`, one run at a time."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import date
from pathlib import Path

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from adlib.errors import BusyError

_DOING = {"preprocess": "preparing", "score": "scoring"}
"""What whoever holds the lock of a command is at, be it the command, `run` or `clean`."""


def staging_directory(work: Path) -> Path:
    """Return where runs stage what they write, each in a directory of its own."""
    return work / "staging"


def ledger_file(work: Path, day: date | None) -> Path:
    """Return where the counts of a date stand, or those of a table without dates."""
    return work / "ledger" / ("table.json" if day is None else f"dt={day.isoformat()}.json")


@contextmanager
def staging(work: Path, day: date | None) -> Iterator[Path]:
    """Lend an empty directory to the one run that prepares this date, or the whole table.

    Yields:
        The directory; it goes when the run is done.

    Raises:
        BusyError: another run is preparing it.
    """
    directory = staging_directory(work) / f"preprocess-{_date_name(day)}"
    with sole_run(work, "preprocess", day):
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir(parents=True)
        try:
            yield directory
        finally:
            shutil.rmtree(directory, ignore_errors=True)


@contextmanager
def sole_run(work: Path, command: str, day: date | None) -> Iterator[None]:
    """Be the only run of a command for this date; a run of the whole table excludes all dates.

    Raises:
        BusyError: another run is at it.
    """
    with ExitStack() as stack:
        stack.enter_context(_locked(work, command, None, shared=day is not None))
        if day is not None:
            stack.enter_context(_locked(work, command, day, shared=False))
        yield


def _date_name(day: date | None) -> str:
    return "table" if day is None else f"dt={day.isoformat()}"


@contextmanager
def _locked(work: Path, command: str, day: date | None, *, shared: bool) -> Iterator[None]:
    """Hold a lock that the system releases when the process ends, however it ends."""
    locks = staging_directory(work) / "locks"
    locks.mkdir(parents=True, exist_ok=True)
    with (locks / f"{command}-{_date_name(day)}").open("w", encoding="utf-8") as file:
        try:
            fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError as error:
            whole = "the whole table" if shared else "the table or a date of it"
            message = (
                f"Another process is {_DOING[command]} {day or whole} under {work}. Wait until it "
                "has ended, then run this command again."
            )
            raise BusyError(message) from error
        yield


def replace_tables(work: Path, staged: Path, days: Sequence[date] | None) -> None:
    """Move what was staged into place: of these dates, or everything.

    The ledger of what is replaced goes first and comes back last, so that a run that was killed in
    between leaves no ledger rather than a wrong one.
    """
    tables = ("features", "quarantine")
    names = [""] if days is None else [f"dt={day.isoformat()}" for day in days]
    if days is None:
        shutil.rmtree(work / "ledger", ignore_errors=True)
    for day in days or ():
        ledger_file(work, day).unlink(missing_ok=True)
    for table in tables:
        for name in names:
            _replace(staged / table / name, work / table / name, staged / "replaced" / table / name)


def _replace(staged: Path, final: Path, retired: Path) -> None:
    """Put one directory in another's place; where nothing was staged, only the old one goes."""
    for place in (final, retired):
        place.parent.mkdir(parents=True, exist_ok=True)
    if final.exists():
        os.rename(final, retired)  # noqa: PTH104 - fails where it would leave the file system
    if staged.exists():
        os.rename(staged, final)  # noqa: PTH104 - as above


def write_parquet(table: DataFrame, directory: Path, *, dated: bool) -> None:
    """Write Parquet, the rows of a date together so that a date is few files."""
    gathered = table.hint("rebalance", F.col("dt")) if dated else table
    writer = gathered.write.option("mapreduce.fileoutputcommitter.marksuccessfuljobs", "false")
    (writer.partitionBy("dt") if dated else writer).parquet(uri(directory))


def pattern(directory: Path) -> str:
    """Return the pattern that matches exactly this directory: Spark takes what it reads for one."""
    return re.sub(r"([\\\[\]{}*?])", r"\\\1", uri(directory))


def uri(directory: Path) -> str:
    """Return a path of this machine as Spark wants it, whatever its default file system is."""
    return f"file:{directory.resolve()}"
