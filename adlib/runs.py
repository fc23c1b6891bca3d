"""The record of runs: one row for each run and date, the mark that a date is published.

Each record is a small Parquet file of its own, named by its run, so that the history stays.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pyarrow as pa
import pyarrow.parquet as pq

from adlib.outputs import SCHEMA_VERSION, OutputColumn
from adlib.publishing import RUNS as RUNS_TABLE
from adlib.publishing import Area, examine

_FEWEST_TELLING = 10
PUBLISHED, REFUSED = "published", "refused"

_ARROW_TYPES = {
    "BIGINT": pa.int64(),
    "DOUBLE": pa.float64(),
    "BOOLEAN": pa.bool_(),
    "STRING": pa.string(),
    "DATE": pa.date32(),
    "TIMESTAMP": pa.timestamp("us", tz="UTC"),
}


@dataclass(frozen=True)
class RunRecord:
    """What happened to one date in one run; the fields are the columns of `runs/`."""

    event_date: date
    run_id: str
    status: str
    started_at: datetime
    ended_at: datetime
    message: str | None = None
    rows_read: int | None = None
    context_rows: int | None = None
    quarantined_by_problem: Mapping[str, int] | None = None
    rows_scored: int | None = None
    rows_flagged: int | None = None
    short_history_rows: int | None = None
    asked_fraction: float | None = None
    over_delivered: bool | None = None
    threshold: float | None = None
    model_name: str | None = None
    model_version: str | None = None
    config_digest: str | None = None
    input_digest: str | None = None
    seconds_by_stage: Mapping[str, float] | None = None
    anomalies_file: str | None = None
    manifest_digest: str | None = None

    def row(self) -> dict[str, Any]:
        """Return the record as a row of `runs/`."""
        quarantined, scored = self.quarantined_by_problem, self.rows_scored
        flagged = self.rows_flagged
        return {
            **asdict(self),
            "rows_quarantined": None if quarantined is None else sum(quarantined.values()),
            "quarantined_by_problem": _json(quarantined),
            "delivered_fraction": flagged / scored if scored and flagged is not None else None,
            "seconds_by_stage": _json(self.seconds_by_stage),
            "schema_version": SCHEMA_VERSION,
        }


def over_delivers(flagged: int, scored: int, asked: float | None, times: float) -> bool | None:
    """Tell whether far more rows were flagged than asked for; None where no share was asked for.

    Fewer than ten flagged rows may be chance, whatever share of a small date they are.
    """
    if asked is None:
        return None
    return flagged >= _FEWEST_TELLING and flagged > times * asked * scored


def _json(plain: Mapping[str, Any] | None) -> str | None:
    return None if plain is None else json.dumps(plain, sort_keys=True)


def arrow_schema(columns: tuple[OutputColumn, ...]) -> pa.Schema:
    """Return the Arrow schema of a published table."""
    return pa.schema([(column.name, _ARROW_TYPES[column.type]) for column in columns])


def write_rows(
    rows: list[dict[str, Any]], columns: tuple[OutputColumn, ...], directory: Path
) -> Path:
    """Write rows of a published table as one Parquet file and return it."""
    directory.mkdir(parents=True, exist_ok=True)
    file = directory / f"{uuid4().hex}.parquet"
    table = pa.Table.from_pylist(rows, schema=arrow_schema(columns))
    pq.write_table(table, file, compression="zstd")
    return file


@dataclass(frozen=True)
class Verdict:
    """What was found of a published date."""

    day: date
    run_id: str | None
    """The run whose files are published."""
    files: int
    problem: str | None
    """What is not as it was published; None where all is intact."""


def verify(output: Path, day: date) -> Verdict:
    """Hash what was published for a date again, and look for the mark that it belongs together."""
    found = examine(output, day)
    manifest, problem = found.manifest, found.problem
    if manifest is None:
        return Verdict(day, None, 0, problem)
    files = sum(len(files) for files in manifest.tables.values())
    if problem is None and manifest.digest not in _marks(output, day):
        directory = Area(output).final(RUNS_TABLE, day)
        problem = f"{directory} holds no record of run {manifest.run_id} with this manifest"
    return Verdict(day, manifest.run_id, files, problem)


def published_run(output: Path, day: date) -> str | None:
    """Return the id of the run whose files are published for a date, if all are as published."""
    verdict = verify(output, day)
    return verdict.run_id if verdict.problem is None else None


def _marks(output: Path, day: date) -> set[str]:
    """Return the digests of the manifests that were published for a date."""
    directory = Area(output).final(RUNS_TABLE, day)
    return {
        str(row["manifest_digest"])
        for file in sorted(directory.glob("run-*.parquet"))
        for row in _rows_of(file)
        if row["status"] == PUBLISHED and row.get("manifest_digest")
    }


def _rows_of(file: Path) -> list[dict[str, Any]]:
    """Read a record; one that cannot be read marks nothing, so its date is published again."""
    try:
        with pq.ParquetFile(file) as opened:
            rows: list[dict[str, Any]] = opened.read().to_pylist()
    except (pa.ArrowException, OSError):
        return []
    return rows
