"""The peak of memory that processes hold resident, as the kernel has noted it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

_SECONDS_BETWEEN_LOOKS = 0.5
"""A process that ends is missed only if it lived shorter: the kernel notes the peak of the rest."""
_BYTES_A_MEGABYTE = 1_000_000
_DAEMON = "pyspark.daemon"

Processes = Callable[[], Iterable[psutil.Process]]


class Peaks:
    """The peak of each process, in bytes."""

    def __init__(self) -> None:
        self.by_process: dict[int, int] = {}

    def look(self, processes: Iterable[psutil.Process]) -> None:
        """Take note of the peaks so far."""
        for process in processes:
            peak = _peak_bytes(process.pid)
            self.by_process[process.pid] = max(peak, self.by_process.get(process.pid, 0))

    @property
    def largest_mb(self) -> float:
        """The peak of the process that held most."""
        return round(max(self.by_process.values(), default=0) / _BYTES_A_MEGABYTE, 1)

    @property
    def total_mb(self) -> float:
        """The sum of all peaks."""
        return round(sum(self.by_process.values()) / _BYTES_A_MEGABYTE, 1)


@contextmanager
def peak_memory(processes: Processes) -> Iterator[Peaks]:
    """Measure the peaks of processes, those that are started meanwhile too."""
    for process in processes():
        _forget_peak(process.pid)
    peaks, ended = Peaks(), threading.Event()

    def watch() -> None:
        while not ended.wait(_SECONDS_BETWEEN_LOOKS):
            peaks.look(processes())

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield peaks
    finally:
        ended.set()
        watcher.join()
        peaks.look(processes())


def python_workers(mark: str | None = None) -> list[psutil.Process]:
    """Return the Python workers of this process's Spark, or those whose environment has a mark."""
    found = psutil.Process().children(recursive=True)
    daemons = {process.pid for process in found if _is_daemon(process)}
    workers = [process for process in found if process.pid in daemons and _ppid(process) in daemons]
    return [process for process in workers if mark is None or _has(process, mark)]


def driver_processes() -> list[psutil.Process]:
    """Return this process and its JVM."""
    own = psutil.Process()
    return [own, *(child for child in own.children() if _name(child) == "java")]


def end(processes: Iterable[psutil.Process]) -> None:
    """Kill processes; Spark starts new Python workers in the place of dead ones."""
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.kill()


def _is_daemon(process: psutil.Process) -> bool:
    try:
        return _DAEMON in process.cmdline()
    except psutil.Error:
        return False


def _ppid(process: psutil.Process) -> int:
    try:
        return int(process.ppid())
    except psutil.Error:
        return 0


def _name(process: psutil.Process) -> str:
    try:
        return str(process.name())
    except psutil.Error:
        return ""


def _has(process: psutil.Process, mark: str) -> bool:
    try:
        return mark in process.environ().values()
    except psutil.Error:
        return False


def _peak_bytes(pid: int) -> int:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    lines = [line for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(lines[0].split()[1]) * 1024 if lines else 0


def _forget_peak(pid: int) -> None:
    """Set the peak back to what is held now."""
    try:
        Path(f"/proc/{pid}/clear_refs").write_text("5")
    except OSError:
        return
