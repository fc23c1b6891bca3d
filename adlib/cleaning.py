"""What may be deleted after some time: models, records, quarantine, reports, logs, leftovers.

Only what this package wrote is ever named: a thing has to have the name and the content that we
give it, and to be where we put it. Everything else stays, and nothing outside of the paths of the
configuration is looked at.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from adlib.errors import ConfigError
from adlib.registry import Registry
from adlib.runs import PUBLISHED, REFUSED

_ID = re.compile(r"[0-9a-f]{16}")
_UNFINISHED = re.compile(r"\.[0-9a-f]{16}\.([0-9a-f]{32}(\.retired)?|cleaned)")
_DATE = re.compile(r"dt=\d{4}-\d{2}-\d{2}")
_RECORD = re.compile(r"run-[0-9a-f]{16}\.parquet")
_QUARANTINED = re.compile(r"quarantine-[0-9a-f]{16}(-\d+)?\.parquet")
_COMPARISON = re.compile(r"compare-[0-9a-f]{16}")
_PREPARING = re.compile(r"preprocess-(table|dt=\d{4}-\d{2}-\d{2})")
_STAGED = {
    *("features", "quarantine", "replaced"),
    *("records", "anomalies", "scores", "record", "daily_summary"),
}
"""What preprocess and score stage below `work.path` until it is moved into place."""
_AGE = re.compile(r"([1-9]\d{0,4})d")
_MODEL_FILES = {"model.json", "tensors.safetensors"}
_COLUMNS = ("status", "ended_at", "model_version", "anomalies_file")


@dataclass(frozen=True)
class Places:
    """Where the things of one configuration are."""

    models: Registry
    output: Path
    staging: Path
    """Below `work.path`; nobody may be at work there while something of it is deleted."""
    logs: Sequence[Path]


@dataclass(frozen=True)
class Leftover:
    """One thing that may go."""

    kind: str
    """model, unfinished model, record, quarantine, report, comparison, unfinished run or log."""
    path: Path
    since: datetime
    """When it was last written."""
    size_bytes: int
    note: str = ""

    def delete(self) -> None:
        """Delete it; what has an id disappears in one step before its files do."""
        if not self.path.is_dir():
            self.path.unlink(missing_ok=True)
            return
        gone = self.path
        if _ID.fullmatch(gone.name):
            gone = gone.rename(gone.with_name(f".{gone.name}.cleaned"))
        shutil.rmtree(gone)


@dataclass(frozen=True)
class _Record:
    """What a row of `runs/` says."""

    path: Path
    day: str
    status: str
    ended_at: datetime
    model: str | None
    in_place: bool
    """Whether the anomalies that it published are still those of its date."""


def parse_age(text: str) -> timedelta:
    """Read an age such as 90d.

    Raises:
        ConfigError: if it is none.
    """
    matched = _AGE.fullmatch(text)
    if matched is None:
        message = f"--older-than takes days as in 90d, found {text!r}. Correct it."
        raise ConfigError(message)
    return timedelta(days=int(matched[1]))


def leftovers(places: Places, before: datetime) -> list[Leftover]:
    """Return what may go of what was last written before a moment."""
    records = list(_records(places.output))
    found = [
        *_models(places.models, records, before),
        *_old_records(records),
        *_dated(places.output / "quarantine"),
        *_reports(places.output / "reports"),
        *_unfinished_runs(places.staging),
        *(_leftover("log", file) for file in places.logs),
    ]
    return [leftover for leftover in found if leftover.since < before]


def _models(registry: Registry, records: list[_Record], before: datetime) -> Iterator[Leftover]:
    """Find models but the promoted one, and those with which a date was published lately."""
    promoted = registry.promoted()
    published: dict[str, list[_Record]] = {}
    for record in records:
        if record.model is not None and record.in_place:
            published.setdefault(record.model, []).append(record)
    for entry in _directories(registry.root):
        if _UNFINISHED.fullmatch(entry.name):
            yield _leftover("unfinished model", entry)
        elif _is_model(entry) and entry.name != promoted:
            dates = published.get(entry.name, [])
            if all(record.ended_at < before for record in dates):
                yield _leftover("model", entry, _published_by(dates))


def _is_model(entry: Path) -> bool:
    """Tell whether a directory is a model of ours and nothing else."""
    return _ID.fullmatch(entry.name) is not None and (
        {file.name for file in entry.iterdir()} == _MODEL_FILES
    )


def _published_by(records: list[_Record]) -> str:
    if not records:
        return ""
    last = max(record.day for record in records)
    return f"{len(records)} published dates name it, the last {last}"


def _records(output: Path) -> Iterator[_Record]:
    """Read the rows of `runs/`; one that cannot be read or is not as we write it stays."""
    for directory in _directories(output / "runs"):
        if not _DATE.fullmatch(directory.name):
            continue
        for file in sorted(directory.iterdir()):
            row = _row(file) if _RECORD.fullmatch(file.name) and not file.is_symlink() else None
            if row is not None:
                yield _record(output, file, row)


def _row(file: Path) -> Mapping[str, Any] | None:
    try:
        with pq.ParquetFile(file) as opened:
            (row,) = opened.read(columns=list(_COLUMNS)).to_pylist()
    except (pa.ArrowException, OSError, ValueError):
        return None
    return dict(row) if set(row) == set(_COLUMNS) and row["ended_at"] is not None else None


def _record(output: Path, file: Path, row: Mapping[str, Any]) -> _Record:
    anomalies = output / "anomalies" / file.parent.name / str(row["anomalies_file"])
    return _Record(
        path=file,
        day=file.parent.name.removeprefix("dt="),
        status=str(row["status"]),
        ended_at=row["ended_at"],
        model=row["model_version"],
        in_place=row["anomalies_file"] is not None and anomalies.is_file(),
    )


def _old_records(records: list[_Record]) -> Iterator[Leftover]:
    """Find records of refusals, and of what has been replaced since."""
    for record in records:
        replaced = record.status == PUBLISHED and not record.in_place
        if replaced or record.status == REFUSED:
            note = f"{record.day} was {'refused' if not replaced else 'published again since'}"
            size = record.path.stat().st_size
            yield Leftover("record", record.path, record.ended_at, size, note)


def _dated(table: Path) -> Iterator[Leftover]:
    """Find the dates of the quarantine."""
    for entry in _directories(table):
        names = [file.name for file in entry.iterdir()]
        if _DATE.fullmatch(entry.name) and names and all(map(_QUARANTINED.fullmatch, names)):
            yield _leftover("quarantine", entry)


def _reports(directory: Path) -> Iterator[Leftover]:
    for entry in _directories(directory):
        page = (entry / "index.html").is_file()
        if _UNFINISHED.fullmatch(entry.name) or (_ID.fullmatch(entry.name) and page):
            yield _leftover("report", entry)
        elif _COMPARISON.fullmatch(entry.name) and (entry / "detectors.csv").is_file():
            yield _leftover("comparison", entry)


def _unfinished_runs(staging: Path) -> Iterator[Leftover]:
    """Find what runs that were killed had staged; one that goes on has written to it lately."""
    for entry in _directories(staging):
        if not any(name.fullmatch(entry.name) for name in (_ID, _PREPARING, _UNFINISHED)):
            continue
        with suppress(FileNotFoundError):  # its run has ended while it was looked at
            if {file.name for file in entry.iterdir()} <= _STAGED:
                yield _leftover("unfinished run", entry)


def _directories(parent: Path) -> list[Path]:
    """Return the directories in a directory, links left out."""
    if not parent.is_dir():
        return []
    return sorted(entry for entry in parent.iterdir() if entry.is_dir() and not entry.is_symlink())


def _leftover(kind: str, path: Path, note: str = "") -> Leftover:
    """Measure a thing; it is as old as its newest file."""
    files = [path] if path.is_file() else _files_below(path)
    stats = [file.lstat() for file in files] or [path.stat()]
    newest = max(stat.st_mtime for stat in stats)
    since = datetime.fromtimestamp(newest).astimezone()
    return Leftover(kind, path, since, sum(stat.st_size for stat in stats) if files else 0, note)


def _files_below(directory: Path) -> list[Path]:
    return [Path(parent, name) for parent, _, names in os.walk(directory) for name in names]
