"""How far a command is, shown as it goes: bars on a terminal, plain lines elsewhere, or nothing."""

from __future__ import annotations

import logging
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn
from rich.progress import TimeElapsedColumn as Elapsed

_LOG = logging.getLogger(__name__)

_LINE_SECONDS = 5.0
"""No line follows another sooner."""
_QUIET_SECONDS = 60.0
"""Nor later, while anything happens."""
_LINE_PERCENT = 10
"""In between, a line is due when so much more is done, or something else is being done."""


class Meter(ABC):
    """What is told how far a command is."""

    @abstractmethod
    def begin(self, stage: str) -> None:
        """A stage begins."""

    @abstractmethod
    def at(self, done: int, total: int, what: str, note: str = "") -> None:
        """So much of a part of the stage is done, such as `steps`; a note says how it goes."""

    @abstractmethod
    def end(self, stage: str, seconds: float) -> None:
        """A stage has ended well."""


class Silent(Meter):
    """Shows nothing."""

    def begin(self, stage: str) -> None:
        """Show nothing."""

    def at(self, done: int, total: int, what: str, note: str = "") -> None:
        """Show nothing."""

    def end(self, stage: str, seconds: float) -> None:
        """Show nothing."""


class Lines(Meter):
    """Logs a line now and then: few of a short stage, a dozen or one a minute of a long part."""

    def __init__(self) -> None:
        self._stage, self._what = "", ""
        self._percent, self._told_at = 0, 0.0

    def begin(self, stage: str) -> None:
        """Log that a stage begins."""
        self._stage, self._what, self._told_at = stage, "", time.monotonic()
        _LOG.info("%s ...", stage)

    def at(self, done: int, total: int, what: str, note: str = "") -> None:
        """Log how far it is, if a line is due."""
        percent, now = 100 * done // max(total, 1), time.monotonic()
        waited = now - self._told_at
        moved = what != self._what or percent >= self._percent + _LINE_PERCENT
        if waited >= _QUIET_SECONDS or (waited >= _LINE_SECONDS and moved):
            self._what, self._percent, self._told_at = what, percent, now
            said = f"{percent}%, {done:,} of {total:,} {what}{note}"
            _LOG.info("%s: %s", self._stage, said)

    def end(self, stage: str, seconds: float) -> None:
        """Log how long it took."""
        _LOG.info("%s: done in %.1f seconds", stage, seconds)


class Bars(Meter):
    """Draws a bar for each stage."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._bar = TaskID(0)

    def begin(self, stage: str) -> None:
        """Add a bar."""
        self._bar = self._progress.add_task(stage, total=None, detail="")

    def at(self, done: int, total: int, what: str, note: str = "") -> None:
        """Draw it as far as the part is done."""
        detail = f"{done:,} of {total:,} {what}{note}"
        self._progress.update(self._bar, completed=done, total=total, detail=detail)

    def end(self, stage: str, seconds: float) -> None:
        """Draw it whole; Rich keeps the time beside it."""
        del stage, seconds
        self._progress.update(self._bar, completed=1, total=1, detail="")


def training_shown(meter: Meter) -> Callable[[int, int, float], None]:
    """Return what shows how far a training is; the log has each loss."""

    def show(step: int, steps: int, loss: float) -> None:
        _LOG.debug("Training, step %d of at most %d: validation loss %.5f", step, steps, loss)
        meter.at(step, steps, "steps at most", f", validation loss {loss:.5f}")

    return show


@contextmanager
def shown(*, quiet: bool) -> Iterator[Meter]:
    """Lend the meter that suits standard error."""
    console = Console(stderr=True)
    if quiet:
        yield Silent()
    elif console.is_terminal and not console.is_dumb_terminal:
        with _bars(console) as progress:
            yield Bars(progress)
    else:
        yield Lines()


def _bars(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        Elapsed(),
        TextColumn("{task.fields[detail]}", markup=False),
        console=console,
    )
