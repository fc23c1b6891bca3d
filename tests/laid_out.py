"""Published tables made by hand, without a run: for tests of those who read them."""

from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from adlib.outputs import ANOMALIES, DAILY_SUMMARY, QUARANTINE, RUNS, OutputColumn
from adlib.readers import Published
from adlib.runs import arrow_schema

FIRST, SECOND = date(2026, 3, 1), date(2026, 3, 2)


def lay_out(
    output: Path, key: str = "id", *, quarantine: bool = False, scored: int = 100
) -> Published:
    """Write two dates, of which the first was run twice and the second flags nothing.

    `scored` is how many rows the second date has.
    """
    flagged = [
        {key: "a", "severity": "low", "anomaly_score": 2.0},
        {key: "b", "severity": "critical", "anomaly_score": 1.5},
    ]
    told = [{"event_date": FIRST, "run_id": "new", **row} for row in flagged]
    with_key = (OutputColumn(key, "STRING", ""), *ANOMALIES)
    _write(output, "anomalies", FIRST, with_key, told)
    _write(output, "anomalies", SECOND, with_key, [])
    for day, run_id, hour, status, counts in (
        (FIRST, "old", 1, "published", (100, 1)),
        (FIRST, "new", 2, "published", (100, 2)),
        (FIRST, "bad", 3, "refused", (None, None)),
        (SECOND, "new", 2, "published", (scored, 0)),
    ):
        ended = datetime(2026, 3, 3, hour, tzinfo=UTC)
        row = {"event_date": day, "run_id": run_id, "status": status, "ended_at": ended}
        row |= zip(("rows_scored", "rows_flagged"), counts, strict=True)
        _write(output, "runs", day, RUNS, [row], run_id)
    for day, count in ((FIRST, 2), (SECOND, 0)):
        row = {"event_date": day, "run_id": "new", "rows_flagged": count, "critical": count // 2}
        _write(output, "daily_summary", day, DAILY_SUMMARY, [row])
    if quarantine:
        rows = [{"event_date": SECOND, "problem": "bad number", "problem_column": "AMOUNT"}] * 3
        _write(output, "quarantine", SECOND, QUARANTINE, rows)
    return Published("card-payments", output, {key: "STRING"}, {})


def _write(
    output: Path,
    table: str,
    day: date,
    columns: tuple[OutputColumn, ...],
    rows: list[dict[str, object]],
    name: str = "part",
) -> None:
    directory = output / table / f"dt={day}"
    directory.mkdir(parents=True, exist_ok=True)
    pq.write_table(
        pa.Table.from_pylist(rows, schema=arrow_schema(columns)), directory / f"{name}.parquet"
    )
