"""Processes of this machine, as the system lists them: whose child each is, and how to end them."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pytest

_Seen = TypeVar("_Seen")

_SECONDS_TO_APPEAR = 180.0
_POLL_SECONDS = 0.002
_ENDED = frozenset({"Z", "X"})
_ENDED_UNREAPED = os.WEXITED | os.WNOWAIT
"""How to ask whether a child has ended, so that its number stays its own."""


@dataclass(frozen=True)
class Process:
    """One process."""

    id: int
    parent: int
    session: int
    words: tuple[str, ...]
    """How it was called."""

    def libraries(self) -> str:
        """Return what it has loaded."""
        try:
            return Path(f"/proc/{self.id}/maps").read_text()
        except OSError:  # it has ended
            return ""

    def kill(self) -> None:
        """End it as the system would."""
        with suppress(ProcessLookupError):
            os.kill(self.id, signal.SIGKILL)


def running(*, ended: bool = False) -> dict[int, Process]:
    """Return the processes that run now, by their ids; if asked, ended ones not waited for too."""
    found = (_process(entry, ended=ended) for entry in Path("/proc").glob("[0-9]*"))
    return {process.id: process for process in found if process is not None}


def _process(entry: Path, *, ended: bool) -> Process | None:
    try:
        state, parent, _, session = (entry / "stat").read_text().rpartition(")")[2].split()[:4]
        words = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:  # it has ended
        return None
    if state in _ENDED and not ended:
        return None
    return Process(int(entry.name), int(parent), int(session), tuple(words))


def of_session(session: int) -> list[Process]:
    """Return the processes that the first one of a session started, and theirs."""
    return [process for process in running().values() if process.session == session]


def end_session(session: int) -> None:
    """Kill every process of a session."""
    while left := of_session(session):
        for process in left:
            process.kill()
        time.sleep(_POLL_SECONDS)


def python_workers(among: Mapping[int, Process]) -> list[Process]:
    """Return Spark's Python workers that are at work: they have loaded PyArrow.

    Each is the child of a daemon that was called as it was.
    """
    daemons = {process.id: process for process in among.values() if _is_daemon(process)}
    workers = [process for process in daemons.values() if process.parent in daemons]
    return [worker for worker in workers if "libarrow" in worker.libraries()]


def _is_daemon(process: Process) -> bool:
    return process.words[1:3] == ("-m", "pyspark.daemon")


class RunningJob:
    """A command in a session of its own, its words in a file."""

    def __init__(self, command: list[str], root: Path, environment: Mapping[str, str]) -> None:
        self._said = root / "said.txt"
        with self._said.open("wb") as said:
            self._process = subprocess.Popen(
                command,
                cwd=root,
                env=dict(environment),
                stdout=said,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def session(self) -> int:
        """All of its processes: the driver, the JVM, the Python workers."""
        return self._process.pid

    def said(self) -> str:
        """Return its standard output and error so far."""
        return self._said.read_text("utf-8", "replace")

    def wait_until(self, seen: Callable[[], _Seen]) -> _Seen:
        """Wait for something to be seen while it runs."""
        until = time.monotonic() + _SECONDS_TO_APPEAR
        while time.monotonic() < until:
            if found := seen():
                return found
            if os.waitid(os.P_PID, self.session, _ENDED_UNREAPED | os.WNOHANG):
                pytest.fail(f"the job ended before it could be disturbed:\n{self.said()}")
            time.sleep(_POLL_SECONDS)
        pytest.fail(f"nothing to disturb after {_SECONDS_TO_APPEAR:.0f} s:\n{self.said()}")

    def kill(self) -> None:
        """Kill driver, JVM and Python workers; the job must not have ended by itself."""
        assert self.stop() == -signal.SIGKILL, self.said()

    def ended(self) -> int:
        """Wait for its end; return its exit code."""
        if self._process.returncode is None:
            os.waitid(os.P_PID, self.session, _ENDED_UNREAPED)
        return self.stop()

    def stop(self) -> int:
        """End what is left of it; return its exit code."""
        if self._process.returncode is None:  # else its number may be somebody else's by now
            end_session(self.session)
        return self._process.wait()
