"""Whether there is room where files are written, and whether they may be written there."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from adlib.config import Config
from adlib.doctor.checks import Check
from adlib.errors import AdlibError
from adlib.publishing import Area, refuse_files, refuse_overlap, refuse_unwritable
from adlib.wiring import paths_of, source_path

LEAST_FREE_BYTES = 1 << 30


def examine_places(config: Config) -> list[Check]:
    """Look at the directories of a configuration: writable, with room, none inside another."""
    named = paths_of(config)
    output = config.output.path.resolve()
    checks = [_writable(name, path) for name, path in named.items()]
    beside = Area(output).root
    checks += [_writable("beside output.path", beside), _one_disk(output, beside)]
    try:
        refuse_overlap(
            {**named, "what is prepared beside output.path": beside}, source_path(config)
        )
    except AdlibError as error:
        return [*checks, Check("paths", ok=False, found=str(error))]
    return [*checks, Check("paths", ok=True, found="none inside another")]


def _writable(name: str, path: Path) -> Check:
    try:
        refuse_files({name: path})
        refuse_unwritable({name: path})
    except AdlibError as error:
        return Check(name, ok=False, found=str(error))
    there = _existing(path)
    return room(name, there, "" if there == path.resolve() else f"{path}, made when it is needed")


def _one_disk(output: Path, beside: Path) -> Check:
    """Look whether what is prepared beside the output can be renamed into it."""
    if _existing(output).stat().st_dev == _existing(beside).stat().st_dev:
        return Check("publishing", ok=True, found=f"prepared in {beside}, on the output's disk")
    advice = f"name a directory on it, such as {output}/published"
    found = (
        f"output.path ({output}) is a disk of its own, and dates are prepared beside it; {advice}"
    )
    return Check("publishing", ok=False, found=found)


def room(name: str, directory: Path, said: str = "") -> Check:
    """Look at the free space of a directory that is there."""
    free = shutil.disk_usage(directory).free
    return judged_room(name, said or str(directory), free)


def judged_room(name: str, said: str, free_bytes: int) -> Check:
    """Say how much is free; too little for most tables is warned of."""
    found = f"{said}, {free_bytes / 1e9:.1f} GB free"
    if free_bytes < LEAST_FREE_BYTES:
        advice = "free at least 1 GB there, or name another disk"
        return Check(name, ok=False, found=f"{found}; {advice}", stops=False)
    return Check(name, ok=True, found=found)


def examine_local_directories(directories: Sequence[str], *, named: bool) -> list[Check]:
    """Look at where Spark of this machine spills what does not fit into memory.

    Those that nobody named may not be the ones, so that nothing is refused for them.
    """
    checks = []
    for directory in directories:
        there = _existing(Path(directory))
        if os.access(there, os.W_OK | os.X_OK):
            checks.append(room("spark.local.dir", there, directory))
        else:
            found = f"{directory} cannot be written to; change its owner, or set spark.local.dir"
            checks.append(Check("spark.local.dir", ok=False, found=found, stops=named))
    return checks


def _existing(path: Path) -> Path:
    """Return the nearest directory that is there."""
    found = path.resolve()
    while not found.exists():
        found = found.parent
    return found
