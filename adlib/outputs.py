"""The columns of every published table: names, types and meanings, said once.

Key and kept columns of the source stand before these under their own names.
"""

from __future__ import annotations

from dataclasses import dataclass

SCHEMA_VERSION = "1"


@dataclass(frozen=True)
class OutputColumn:
    """One column of a published table."""

    name: str
    type: str
    """BIGINT, DOUBLE, BOOLEAN, STRING, DATE or TIMESTAMP (UTC, microseconds)."""
    meaning: str


def _reason(rank: int) -> tuple[OutputColumn, ...]:
    return (
        OutputColumn(f"reason_{rank}_column", "STRING", "a column of the source"),
        OutputColumn(f"reason_{rank}_actual", "STRING", "what it holds; null where it is missing"),
        OutputColumn(f"reason_{rank}_expected", "STRING", "what the model expected there"),
        OutputColumn(f"reason_{rank}_share", "DOUBLE", "its share of the score, 0 to 1"),
        OutputColumn(f"reason_{rank}_direction", "STRING", "high, low, unusual, unseen or missing"),
    )


ROW_HASH = OutputColumn("row_hash", "STRING", "hash of the row's content, where there is no key")

_EVENT_DATE = OutputColumn("event_date", "DATE", "the date that the row belongs to")
_SCORE = (
    OutputColumn("anomaly_score", "DOUBLE", "higher is stranger"),
    OutputColumn(
        "anomaly_percentile", "DOUBLE", "share of calibration rows at or below the score, 0 to 100"
    ),
)
_IS_ANOMALY = OutputColumn("is_anomaly", "BOOLEAN", "whether the score reaches the threshold")

ANOMALIES = (
    _EVENT_DATE,
    OutputColumn("event_time", "TIMESTAMP", "when it happened; null without an event time"),
    *_SCORE,
    OutputColumn(
        "p_value",
        "DOUBLE",
        "(1 + calibration rows at least as strange) / (1 + calibration rows)",
    ),
    _IS_ANOMALY,
    OutputColumn("severity", "STRING", "low, medium, high or critical"),
    *_reason(1),
    *_reason(2),
    *_reason(3),
    OutputColumn("reason", "STRING", "one sentence for a person"),
    OutputColumn("missing_columns", "BIGINT", "how many feature columns hold no value"),
    OutputColumn("unseen_columns", "BIGINT", "how many hold a value never seen in training"),
    OutputColumn("model_name", "STRING", "the configuration's name"),
    OutputColumn("model_version", "STRING", "the id of the model"),
    OutputColumn("run_id", "STRING", "digest of input, model, configuration and date"),
    OutputColumn("schema_version", "STRING", "the version of these columns"),
)

SCORES = (_EVENT_DATE, *_SCORE, _IS_ANOMALY)

QUARANTINE = (
    _EVENT_DATE,
    ROW_HASH,
    OutputColumn("raw_row", "STRING", "the row as it was read, as JSON"),
    OutputColumn("problem", "STRING", "why it was not scored"),
    OutputColumn("problem_column", "STRING", "the column at fault; null where it is the row"),
)

RUNS = (
    _EVENT_DATE,
    OutputColumn("run_id", "STRING", "digest of input, model, configuration and date"),
    OutputColumn("status", "STRING", "published or refused"),
    OutputColumn("message", "STRING", "why it was refused; null where it was not"),
    OutputColumn("started_at", "TIMESTAMP", "when the run began"),
    OutputColumn("ended_at", "TIMESTAMP", "when the date was published or refused"),
    OutputColumn("rows_read", "BIGINT", "rows of this date in the source"),
    OutputColumn("context_rows", "BIGINT", "earlier rows that windows looked back at"),
    OutputColumn("rows_quarantined", "BIGINT", "rows that were set aside"),
    OutputColumn("quarantined_by_problem", "STRING", "problem to rows, as JSON"),
    OutputColumn("rows_scored", "BIGINT", "rows that were scored"),
    OutputColumn("rows_flagged", "BIGINT", "rows that are anomalies"),
    OutputColumn("short_history_rows", "BIGINT", "rows whose windows looked back less than asked"),
    OutputColumn("asked_fraction", "DOUBLE", "the share of rows asked for; null where none was"),
    OutputColumn("delivered_fraction", "DOUBLE", "the share of scored rows that was flagged"),
    OutputColumn(
        "over_delivered",
        "BOOLEAN",
        "whether far more was flagged than asked for (alert.times_asked); null where none was",
    ),
    OutputColumn("threshold", "DOUBLE", "the lowest score that is flagged"),
    OutputColumn("model_name", "STRING", "the configuration's name"),
    OutputColumn("model_version", "STRING", "the id of the model"),
    OutputColumn("config_digest", "STRING", "digest of the configuration without its paths"),
    OutputColumn("input_digest", "STRING", "digest of the date's feature rows, in any order"),
    OutputColumn("seconds_by_stage", "STRING", "stage to seconds, as JSON"),
    OutputColumn("anomalies_file", "STRING", "the date's file of anomalies"),
    OutputColumn("schema_version", "STRING", "the version of these columns"),
)

DAILY_SUMMARY = (
    _EVENT_DATE,
    OutputColumn("run_id", "STRING", "digest of input, model, configuration and date"),
    OutputColumn("rows_scored", "BIGINT", "rows that were scored"),
    OutputColumn("rows_flagged", "BIGINT", "rows that are anomalies"),
    OutputColumn("low", "BIGINT", "flagged rows of this severity"),
    OutputColumn("medium", "BIGINT", "flagged rows of this severity"),
    OutputColumn("high", "BIGINT", "flagged rows of this severity"),
    OutputColumn("critical", "BIGINT", "flagged rows of this severity"),
    OutputColumn("commonest_first_reason", "STRING", "the column most often named first"),
    OutputColumn("score_median", "DOUBLE", "of all scored rows, to one part in 300"),
    OutputColumn("score_p90", "DOUBLE", "of all scored rows, to one part in 300"),
    OutputColumn("score_p99", "DOUBLE", "of all scored rows, to one part in 300"),
    OutputColumn("score_p999", "DOUBLE", "of all scored rows, to one part in 300"),
    OutputColumn("score_highest", "DOUBLE", "of all; to one part in 300 where none is flagged"),
    OutputColumn("model_version", "STRING", "the id of the model"),
    OutputColumn("schema_version", "STRING", "the version of these columns"),
)

RESERVED_NAMES = frozenset(
    column.name for table in (ANOMALIES, SCORES, QUARANTINE, (ROW_HASH,)) for column in table
) | {"dt", "short_history"}
"""Names of our own, which a key or a kept column of the source may not have."""
