"""What every executor has, asked by a small job; nothing of this package has to be there."""

from __future__ import annotations

import importlib.metadata
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession

_TASKS_A_SLOT = 2
_SECONDS_A_TASK = 0.3
"""So long a task keeps its slot, so that those beside it go to others."""


@dataclass(frozen=True)
class Probe:
    """One Python of one machine, as a task found it."""

    host: str
    executable: str
    python: str
    versions: Mapping[str, str | None]
    has_adlib: bool
    sees_work: bool
    """Whether a file that the driver wrote below work.path is there."""
    seconds_ahead: float
    """Of the driver's clock, as far as it cannot be the time that the task took."""
    local_directories: Mapping[str, int]
    """Where Spark spills there, and the bytes that are free."""


def installed_version(name: str) -> str | None:
    """Return a package's version, or None where it is not installed."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def probe_executors(
    spark: SparkSession, packages: Sequence[str], written: Path | None
) -> list[Probe]:
    """Ask every task slot, and return what each Python of each machine said."""
    seconds, names = _SECONDS_A_TASK, tuple(packages)
    file = None if written is None else str(written)

    def ask(_: Iterable[int]) -> Iterator[tuple[Any, ...]]:
        # It travels by value: what it needs it imports there, from Python's own library.
        import importlib.util as modules  # noqa: PLC0415
        import os  # noqa: PLC0415
        import platform  # noqa: PLC0415
        import shutil  # noqa: PLC0415
        import socket  # noqa: PLC0415
        import sys  # noqa: PLC0415
        import time  # noqa: PLC0415
        from importlib import metadata  # noqa: PLC0415

        now = time.time()
        found = {distribution.metadata["Name"].lower() for distribution in metadata.distributions()}
        versions = {name: metadata.version(name) if name in found else None for name in names}
        spilled = os.environ.get("SPARK_LOCAL_DIRS", "").split(",")
        room = {place: shutil.disk_usage(place).free for place in spilled if os.path.isdir(place)}  # noqa: PTH112
        time.sleep(seconds)
        yield (
            *(socket.gethostname(), sys.executable, platform.python_version(), versions),
            modules.find_spec("adlib") is not None,
            file is None or os.path.exists(file),  # noqa: PTH110
            *(now, room),
        )

    context = spark.sparkContext
    tasks = _TASKS_A_SLOT * max(2, context.defaultParallelism)
    began = time.time()
    answers = context.parallelize(range(tasks), tasks).mapPartitions(ask).collect()
    ended = time.time()
    probes: dict[tuple[str, str], Probe] = {}
    for host, executable, python, versions, has_adlib, sees_work, moment, room in answers:
        ahead = moment - min(max(moment, began), ended)
        probe = Probe(host, executable, python, versions, has_adlib, sees_work, ahead, room)
        probes[host, executable] = probe
    return [probes[place] for place in sorted(probes)]
