"""What dashboards ask of the published tables, in SQL that DuckDB, Spark and Trino all take.

Each query reads the tables and the queries before it by their names.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from adlib.outputs import RUNS, OutputColumn

_RANK = """\
CASE a.severity
         WHEN 'critical' THEN 4 WHEN 'high' THEN 3 WHEN 'medium' THEN 2 ELSE 1
       END"""


@dataclass(frozen=True)
class Query:
    """A view to be made."""

    name: str
    answers: str
    """What it is for, one sentence."""
    sql: str


def queries(tables: Collection[str], anomalies: Collection[OutputColumn]) -> list[Query]:
    """Return the views over these tables; `anomalies` are the columns of that one."""
    taken = {column.name.lower() for column in anomalies}
    views = [_published_runs(), _published_anomalies(taken), _latest_anomalies(taken)]
    views += [_daily_totals(), _alert_volume()]
    return views + ([_quarantine_by_problem()] if "quarantine" in tables else [])


def _published_runs() -> Query:
    columns = ",\n       ".join(column.name for column in RUNS)
    return Query(
        "published_runs",
        "of each date the run that its published tables are of",
        f"""\
SELECT {columns}
FROM (
  SELECT r.*, row_number() OVER (PARTITION BY event_date ORDER BY ended_at DESC) AS recency
  FROM runs r
  WHERE status = 'published'
) ranked
WHERE recency = 1""",
    )


def _published_anomalies(taken: Collection[str]) -> Query:
    rank, at, rows, share = (
        _free(name, taken)
        for name in ("severity_rank", "published_at", "rows_scored", "delivered_fraction")
    )
    return Query(
        "published_anomalies",
        "every anomaly with its severity as a number and the run that published it",
        f"""\
SELECT a.*,
       {_RANK} AS {rank},
       r.ended_at AS {at}, r.rows_scored AS {rows}, r.delivered_fraction AS {share}
FROM anomalies a
JOIN published_runs r ON r.event_date = a.event_date AND r.run_id = a.run_id""",
    )


def _latest_anomalies(taken: Collection[str]) -> Query:
    rank = _free("severity_rank", taken)
    return Query(
        "latest_anomalies",
        "the anomalies of the last date that has scored rows, the most severe first",
        f"""\
SELECT *
FROM published_anomalies
WHERE event_date = (SELECT max(event_date) FROM published_runs WHERE rows_scored > 0)
ORDER BY {rank} DESC, anomaly_score DESC""",
    )


def _daily_totals() -> Query:
    return Query(
        "daily_totals",
        "of each date what was read, set aside, scored and flagged, and how severe",
        """\
SELECT r.event_date, r.rows_read, r.rows_quarantined, r.rows_scored, r.rows_flagged,
       s.low, s.medium, s.high, s.critical, r.asked_fraction, r.delivered_fraction,
       s.commonest_first_reason, s.score_median, s.score_p99, s.score_highest,
       r.model_version, r.run_id, r.ended_at AS published_at
FROM published_runs r
JOIN daily_summary s ON s.event_date = r.event_date AND s.run_id = r.run_id""",
    )


def _alert_volume() -> Query:
    return Query(
        "alert_volume",
        "how many rows each date flagged, beside the date before and the mean of the seven before",
        """\
SELECT event_date, rows_scored, rows_flagged, delivered_fraction,
       lag(rows_flagged) OVER (ORDER BY event_date) AS rows_flagged_before,
       avg(CAST(rows_flagged AS DOUBLE)) OVER (
         ORDER BY event_date ROWS BETWEEN 7 PRECEDING AND 1 PRECEDING
       ) AS mean_rows_flagged_before
FROM published_runs
WHERE rows_scored > 0""",
    )


def _quarantine_by_problem() -> Query:
    return Query(
        "quarantine_by_problem",
        "how many rows of each date were set aside, and why",
        """\
SELECT event_date, problem, problem_column, count(*) AS quarantined_rows
FROM quarantine
GROUP BY event_date, problem, problem_column""",
    )


def _free(name: str, taken: Collection[str]) -> str:
    """Return a name that no key or kept column of the source has."""
    while name in taken:
        name += "_"
    return name
