"""Publications of little tables, without a JVM: as a run makes them, and as others may stop them."""

import os
import signal
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from adlib.errors import AdlibError
from adlib.outputs import RUNS
from adlib.publishing import Bundle, CountedTable, Disk, Publisher
from adlib.runs import PUBLISHED, RunRecord, write_rows

DAY = date(2024, 2, 29)
OURS = pa.schema([("event_date", pa.date32()), ("version", pa.string()), ("row", pa.int64())])
VERSIONS = ("first", "second")
NOON = datetime(2024, 3, 1, 12, tzinfo=UTC)


def rows_of(version: str) -> int:
    """Return how many rows each table of a version has: no two versions have as many."""
    return 5 + 2 * int.from_bytes(version.encode()[:2]) % 89 + len(version)


def tables_of(version: str, work: Path, day: date = DAY) -> dict[str, CountedTable]:
    """Write the tables of a version as a run leaves them; the second has no quarantine."""
    tables = {}
    for name in ("anomalies", "scores", "quarantine", "daily_summary"):
        rows = 0 if (name, version) == ("quarantine", "second") else rows_of(version)
        files = [_write(work / name / f"{version}.parquet", version, rows, day)] if rows else []
        tables[name] = CountedTable(files, rows, OURS)
    return tables


def _write(file: Path, version: str, rows: int, day: date) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    numbers = list(range(rows))
    columns = {"event_date": [day] * rows, "version": [version] * rows, "row": numbers}
    pq.write_table(pa.table(columns, schema=OURS), file)
    return file


def prepare(publisher: Publisher, version: str, work: Path, day: date = DAY) -> Bundle:
    """Stage and seal a version of a date."""
    bundle = publisher.open(day)
    manifest = publisher.stage(bundle, f"{version:0>16}", tables_of(version, work, day))
    record = RunRecord(day, version, PUBLISHED, NOON, NOON, manifest_digest=manifest.digest)
    file = write_rows([record.row()], RUNS, work / "record")
    publisher.seal(bundle, manifest, file, version)
    return bundle


def publish(publisher: Publisher, version: str, work: Path, days: Sequence[date] = (DAY,)) -> None:
    """Recover, then publish a version of some dates, as `adlib score` does."""
    publisher.recover()
    bundles: list[Bundle] = []
    try:
        for day in days:
            bundles.append(prepare(publisher, version, work / day.isoformat(), day))
        publisher.publish(bundles)
    finally:
        publisher.discard(bundles)
