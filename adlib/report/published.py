"""Reading the small published tables: which runs there were, and what each date came to."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from adlib.errors import InputError
from adlib.publishing import date_directory
from adlib.report.values import DateFigures, QuarantineFigures, RunFigures

_PUBLISHED = "published"
_SEVERITIES = ("low", "medium", "high", "critical")
_SHOWN_DATES = 6
BATCH_ROWS = 65_536


def read_history(output: Path) -> tuple[RunFigures, ...]:
    """Return every run that published a date, the one that ended last first."""
    records = [row for row in _records(output) if row["status"] == _PUBLISHED]
    latest: dict[date, Mapping[str, Any]] = {}
    by_run: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for record in sorted(records, key=lambda row: row["ended_at"]):
        latest[record["event_date"]] = record
        by_run[record["run_id"]].append(record)
    owners = {day: record["run_id"] for day, record in latest.items()}
    runs = [_run(run_id, records, owners) for run_id, records in by_run.items()]
    return tuple(sorted(runs, key=lambda run: run.ended_at, reverse=True))


def choose_run(
    history: Sequence[RunFigures], output: Path, day: date | None, run_id: str | None = None
) -> RunFigures:
    """Return the run that is named, else the one that published a date, else the last.

    Raises:
        InputError: if there is none.
    """
    if not history:
        message = (
            f"Nothing to report: no run has published anything under {output}. "
            "Run `adlib run` with this configuration first."
        )
        raise InputError(message)
    for run in history:
        if run_id == run.run_id or (run_id is None and (day is None or day in run.days)):
            return run
    known = sorted({published for run in history for published in run.days})
    message = (
        f"No run has published {day or run_id} under {output}; published are "
        f"{_listed(known)}. Name one of them, or run `adlib run --date {day or 'DATE'}`."
    )
    raise InputError(message)


def read_dates(output: Path, run: RunFigures) -> tuple[DateFigures, ...]:
    """Return the dates of a run of which rows were scored, in order."""
    rows = {
        row["event_date"]: row
        for row in _rows(output / "daily_summary", run.days)
        if row["run_id"] == run.run_id
    }
    return tuple(_date(rows[day]) for day in run.scored_days if day in rows)


def quarantine_of(output: Path, run: RunFigures) -> tuple[QuarantineFigures, ...]:
    """Count the quarantined rows of a run by problem and column, batch by batch."""
    counted: Counter[tuple[str, str | None]] = Counter()
    for day in run.days:
        for file in _files(output / "quarantine", day):
            names = ["problem", "problem_column"]
            for batch in pq.ParquetFile(file).iter_batches(BATCH_ROWS, columns=names):
                for row in (
                    pa.Table.from_batches([batch])
                    .group_by(names)
                    .aggregate([([], "count_all")])
                    .to_pylist()
                ):
                    counted[row["problem"], row["problem_column"]] += row["count_all"]
    return tuple(QuarantineFigures(*names, rows) for names, rows in counted.most_common())


def _records(output: Path) -> Iterator[dict[str, Any]]:
    directory = output / "runs"
    days = directory.glob("dt=*") if directory.is_dir() else ()
    for entry in sorted(days):
        for file in sorted(entry.glob("run-*.parquet")):
            yield from pq.ParquetFile(file).read().to_pylist()


def _rows(table: Path, days: Iterable[date]) -> Iterator[dict[str, Any]]:
    for day in days:
        for file in _files(table, day):
            yield from pq.ParquetFile(file).read().to_pylist()


def _files(table: Path, day: date) -> list[Path]:
    directory = table / date_directory(day)
    return sorted(directory.glob("*.parquet")) if directory.is_dir() else []


def _run(
    run_id: str, records: Sequence[Mapping[str, Any]], owners: Mapping[date, str]
) -> RunFigures:
    own = {record["event_date"]: record for record in records}
    kept = {day: own[day] for day in sorted(own) if owners[day] == run_id}
    used = kept or own  # a run that lost all of its dates still tells what it did
    last = max(records, key=lambda record: record["ended_at"])
    quarantined: Counter[str] = Counter()
    for record in used.values():
        quarantined.update(json.loads(record["quarantined_by_problem"] or "{}"))
    return RunFigures(
        run_id=run_id,
        days=tuple(kept),
        superseded=tuple(day for day in sorted(own) if day not in kept),
        started_at=min(record["started_at"] for record in records),
        ended_at=last["ended_at"],
        rows_read=_sum(used, "rows_read"),
        context_rows=max(record["context_rows"] or 0 for record in used.values()),
        rows_scored=_sum(used, "rows_scored"),
        rows_flagged=_sum(used, "rows_flagged"),
        short_history_rows=_sum(used, "short_history_rows"),
        quarantined=dict(quarantined.most_common()),
        asked_fraction=_asked(used),
        scored_days=tuple(day for day, record in used.items() if record["rows_scored"]),
        thresholds={day: record["threshold"] for day, record in used.items()},
        model_name=last["model_name"],
        model_version=last["model_version"],
        input_digests={day: record["input_digest"] for day, record in used.items()},
        anomaly_files={day: record["anomalies_file"] for day, record in used.items()},
        seconds=json.loads(last["seconds_by_stage"] or "{}"),
        over_delivered=tuple(day for day, record in used.items() if record.get("over_delivered")),
    )


def _sum(records: Mapping[date, Mapping[str, Any]], name: str) -> int:
    return sum(record[name] or 0 for record in records.values())


def _asked(records: Mapping[date, Mapping[str, Any]]) -> float | None:
    """Return the share of rows that was asked for over all dates, None where none was."""
    asked = [
        (record["asked_fraction"], record["rows_scored"] or 0)
        for record in records.values()
        if record["asked_fraction"] is not None
    ]
    rows = sum(scored for _, scored in asked)
    return sum(share * scored for share, scored in asked) / rows if rows else None


def _date(row: Mapping[str, Any]) -> DateFigures:
    return DateFigures(
        day=row["event_date"],
        rows_scored=row["rows_scored"],
        rows_flagged=row["rows_flagged"],
        severities={severity: row[severity] for severity in _SEVERITIES},
        commonest_first_reason=row["commonest_first_reason"],
        median=row["score_median"],
        p99=row["score_p99"],
        highest=row["score_highest"],
    )


def _listed(days: Sequence[date]) -> str:
    if len(days) <= _SHOWN_DATES:
        return ", ".join(map(str, days)) or "none"
    return f"{len(days)} dates from {days[0]} to {days[-1]}"
