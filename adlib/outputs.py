"""The published tables and their columns: names, types and meanings, said once.

Key and kept columns of the source stand before these under their own names.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

SCHEMA_VERSION = "1"


@dataclass(frozen=True)
class OutputColumn:
    """One column of a published table."""

    name: str
    type: str
    """BIGINT, DOUBLE, BOOLEAN, STRING, DATE or TIMESTAMP (UTC, microseconds)."""
    meaning: str


Identity = Literal["none", "key", "key and kept"]
"""Which columns of the source stand before ours; without a key it is `row_hash`."""


@dataclass(frozen=True)
class OutputTable:
    """One published table."""

    name: str
    rows: str
    """What a row is, and which there are."""
    identity: Identity
    columns: tuple[OutputColumn, ...]


def _reason(rank: int) -> tuple[OutputColumn, ...]:
    return (
        OutputColumn(f"reason_{rank}_column", "STRING", "a column of the source"),
        OutputColumn(f"reason_{rank}_actual", "STRING", "what it holds; null where it is missing"),
        OutputColumn(
            f"reason_{rank}_expected",
            "STRING",
            "what the model expected there; of a window, what is usual",
        ),
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
    OutputColumn(
        "severity",
        "STRING",
        "low: at the threshold; medium, high, critical: a third, a tenth, a hundredth of its "
        "p-value, or beyond every calibration row",
    ),
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
    OutputColumn("problem", "STRING", "why it was not scored, in a word or two"),
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
    OutputColumn("short_history_rows", "BIGINT", "rows with less of a past than asked for"),
    OutputColumn("asked_fraction", "DOUBLE", "the share of rows asked for; null where none was"),
    OutputColumn("delivered_fraction", "DOUBLE", "the share of scored rows that was flagged"),
    OutputColumn(
        "over_delivered",
        "BOOLEAN",
        "whether far more was flagged than asked for (alert.times_asked); null where none was",
    ),
    OutputColumn(
        "threshold", "DOUBLE", "the lowest score that is flagged; null where none is known"
    ),
    OutputColumn("model_name", "STRING", "the configuration's name"),
    OutputColumn("model_version", "STRING", "the id of the model"),
    OutputColumn("config_digest", "STRING", "digest of the configuration without its paths"),
    OutputColumn("input_digest", "STRING", "digest of the date's feature rows, in any order"),
    OutputColumn("seconds_by_stage", "STRING", "stage to seconds, as JSON"),
    OutputColumn("anomalies_file", "STRING", "the date's file of anomalies"),
    OutputColumn("manifest_digest", "STRING", "SHA-256 of the date's manifest"),
    OutputColumn("schema_version", "STRING", "the version of these columns"),
)

DAILY_SUMMARY = (
    _EVENT_DATE,
    OutputColumn("run_id", "STRING", "digest of input, model, configuration and date"),
    OutputColumn("rows_scored", "BIGINT", "rows that were scored"),
    OutputColumn("rows_flagged", "BIGINT", "rows that are anomalies"),
    OutputColumn("low", "BIGINT", "flagged rows of low severity"),
    OutputColumn("medium", "BIGINT", "flagged rows of medium severity"),
    OutputColumn("high", "BIGINT", "flagged rows of high severity"),
    OutputColumn("critical", "BIGINT", "flagged rows of critical severity"),
    OutputColumn("commonest_first_reason", "STRING", "the column most often named first"),
    OutputColumn("score_median", "DOUBLE", "half of the scored rows are below; to one part in 300"),
    OutputColumn(
        "score_p90", "DOUBLE", "nine tenths of the scored rows are below; to one part in 300"
    ),
    OutputColumn(
        "score_p99", "DOUBLE", "99 of 100 of the scored rows are below; to one part in 300"
    ),
    OutputColumn(
        "score_p999", "DOUBLE", "999 of 1,000 of the scored rows are below; to one part in 300"
    ),
    OutputColumn(
        "score_highest", "DOUBLE", "the highest; to one part in 300 where none is flagged"
    ),
    OutputColumn("model_version", "STRING", "the id of the model"),
    OutputColumn("schema_version", "STRING", "the version of these columns"),
)

TABLES = (
    OutputTable(
        "anomalies",
        "the flagged rows, the strangest first; one file a date, empty where none is flagged",
        "key and kept",
        ANOMALIES,
    ),
    OutputTable(
        "scores",
        "every scored row; there with `output.scores: true` alone",
        "key",
        SCORES,
    ),
    OutputTable(
        "quarantine",
        "the rows that could not be scored; no file of a date that has none",
        "none",
        QUARANTINE,
    ),
    OutputTable(
        "daily_summary",
        "one row a date: how many were scored and flagged, and how scores are distributed",
        "none",
        DAILY_SUMMARY,
    ),
    OutputTable(
        "runs",
        "one row for each run and date; the latest published one of a date marks which run its "
        "other tables are of",
        "none",
        RUNS,
    ),
)
"""Each lies in a directory of its name under `output.path`, and its dates in `dt=YYYY-MM-DD`."""

_KEY, _KEPT = "key of the row, from the source", "kept column of the source"


def columns_before_ours(
    table: OutputTable, key: Mapping[str, str], kept: Mapping[str, str]
) -> tuple[OutputColumn, ...]:
    """Return the columns of the source that stand before ours; both map names to types.

    `key` is empty where the source has none.
    """
    if table.identity == "none":
        return ()
    own = tuple(OutputColumn(name, kind, _KEY) for name, kind in key.items()) or (ROW_HASH,)
    if table.identity == "key":
        return own
    return (*own, *(OutputColumn(name, kind, _KEPT) for name, kind in kept.items()))


RESERVED_NAMES = frozenset(
    column.name for table in (ANOMALIES, SCORES, QUARANTINE, (ROW_HASH,)) for column in table
) | {"dt", "short_history"}
"""Names of our own, which a key or a kept column of the source may not have."""
