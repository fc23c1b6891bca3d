"""Where a command says what: to standard error what people want to know, to a file all of it.

A command that works has a log of its own below `work.path`, with Spark's chatter where it starts
Spark itself, and the trace of what failed. The newest logs stay.
"""

from __future__ import annotations

import logging
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from copy import copy
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from adlib.cli.traces import bare_trace

_LOG_NAME = re.compile(r"[a-z-]+-(\d{8}T\d{6}Z)-\d+\.log")
IN_FILE_ALONE = {"in_file_alone": True}
"""What makes a record, given as its `extra`, too long for standard error."""
_KEPT = 30
_FILE_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


class _Told(logging.Handler):
    """Prints a line on what is standard error at that moment, without its trace."""

    def emit(self, record: logging.LogRecord) -> None:
        if hasattr(record, "in_file_alone"):
            return
        moment = datetime.fromtimestamp(record.created).astimezone()
        print(f"{moment:%H:%M:%S} {record.getMessage()}", file=sys.stderr)  # noqa: T201


@contextmanager
def told_on_stderr() -> Iterator[None]:
    """Print what the package logs; what others log goes to the command's file, if it has one."""
    ours, handler = logging.getLogger("adlib"), _Told(logging.INFO)
    kept = ours.level
    ours.addHandler(handler)
    ours.setLevel(logging.DEBUG)
    root, sink = logging.getLogger(), logging.NullHandler()
    root.addHandler(sink)
    try:
        yield
    finally:
        root.removeHandler(sink)
        ours.removeHandler(handler)
        ours.setLevel(kept)


@contextmanager
def silenced() -> Iterator[None]:
    """Print nothing of what the package logs but errors."""
    printing = [found for found in logging.getLogger("adlib").handlers if isinstance(found, _Told)]
    for handler in printing:
        handler.setLevel(logging.ERROR)
    try:
        yield
    finally:
        for handler in printing:
            handler.setLevel(logging.INFO)


class _Reticent(logging.Formatter):
    """Writes traces in which nobody quotes a row."""

    def format(self, record: logging.LogRecord) -> str:
        """Write a record; a trace that another formatter left with it is not taken over."""
        untouched = copy(record)
        untouched.exc_text = None
        return super().format(untouched)

    def formatException(self, ei: tuple[Any, ...]) -> str:  # noqa: N802 - the library's name
        return bare_trace(ei[1])


@contextmanager
def log_file(work: Path, command: str, *, private: bool) -> Iterator[Path]:
    """Lend the file that a command's log goes to; where rows are private no trace quotes one."""
    directory = log_directory(work)
    directory.mkdir(parents=True, exist_ok=True)
    for old in logs_in(directory)[: 1 - _KEPT]:
        old.unlink(missing_ok=True)
    file = directory / f"{command}-{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{os.getpid()}.log"
    handler = logging.FileHandler(file, encoding="utf-8")
    handler.setFormatter((_Reticent if private else logging.Formatter)(_FILE_FORMAT))
    root = logging.getLogger()
    root.addHandler(handler)
    logging.captureWarnings(capture=True)
    try:
        yield file
    finally:
        logging.captureWarnings(capture=False)
        root.removeHandler(handler)
        handler.close()


def log_directory(work: Path) -> Path:
    """Return where the logs of commands with this work path are."""
    return work.resolve() / "logs"


def logs_in(directory: Path) -> list[Path]:
    """Return the logs of a directory, the oldest first."""
    found = {file: _LOG_NAME.fullmatch(file.name) for file in directory.glob("*.log")}
    began = {file: matched[1] for file, matched in found.items() if matched is not None}
    return sorted(began, key=lambda file: began[file])


def trace_file(trace: str) -> Path:
    """Keep the trace of a command that has no log of its own."""
    kept = tempfile.NamedTemporaryFile(  # noqa: SIM115 - closed below, and kept
        "w", encoding="utf-8", prefix="adlib-", suffix=".log", delete=False
    )
    with kept:
        kept.write(trace)
    return Path(kept.name)
