"""Holding what is published against its manifest."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path

from adlib.publishing.disk import Disk
from adlib.publishing.manifest import AlteredError, Manifest, read_manifest
from adlib.publishing.places import CLEANABLE, MANIFESTS, Area, date_of
from adlib.publishing.swapping import difference


@dataclass(frozen=True)
class Examined:
    """A date's manifest, as far as it can be read, and the first thing that is not as it says."""

    manifest: Manifest | None
    problem: str | None = None


def published_dates(output: Path, disk: Disk | None = None) -> list[date]:
    """Return the dates that have a manifest or a file of anomalies."""
    reading = disk or Disk()
    names = (reading.names(output / table) or [] for table in (MANIFESTS, "anomalies"))
    days = {date_of(name) for found in names for name in found if name.startswith("dt=")}
    return sorted(day for day in days if day is not None)


def examine(output: Path, day: date, disk: Disk | None = None) -> Examined:
    """Hash the files of a date again and compare them with its manifest."""
    reading, area = disk or Disk(), Area(output)
    directory = area.final(MANIFESTS, day)
    names = reading.names(directory) or []
    if len(names) != 1:
        found = "no manifest" if not names else f"{len(names)} files, expected one"
        return Examined(None, f"{directory} holds {found}")
    file = directory / names[0]
    try:
        manifest = read_manifest(reading.read(file))
    except AlteredError as error:
        return Examined(None, f"{file} was altered: {error}")
    if (manifest.file_name, manifest.day) != (file.name, day):
        return Examined(None, f"{file} was altered: its content has another name or date")
    for table, files in manifest.tables.items():
        if table in CLEANABLE and reading.names(area.final(table, day)) is None:
            continue
        wanted = {one.name: one.sha256 for one in files}
        problem = difference(reading, area.final(table, day), wanted)
        if problem:
            return Examined(manifest, problem)
    return Examined(manifest)
