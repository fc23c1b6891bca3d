"""Taking scored records apart: anomalies and scores by date, and what is counted of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import numpy as np
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from adlib.outputs import ANOMALIES, QUARANTINE, SCORES
from adlib.spark.ledger import pattern, write_parquet
from adlib.spark.tables import column
from adlib.spark.tally import score_of_bin
from adlib.spark.worker import ANOMALY, BINS, COUNTS, RECORD, ROW, TALLY
from adlib.spark.writing import WrittenFile, write_by_date
from adlib.thresholds import SEVERITIES


@dataclass(frozen=True)
class DateCounts:
    """What was scored of one date."""

    rows_scored: int = 0
    severities: Mapping[str, int] = field(default_factory=dict)
    commonest_first_reason: str | None = None
    quantiles: Mapping[str, float] = field(default_factory=dict)

    @property
    def rows_flagged(self) -> int:
        """How many rows are anomalies."""
        return sum(self.severities.values())


def settle(spark: SparkSession, records: DataFrame, directory: Path) -> DataFrame:
    """Score: write the records once, and return them as they were written."""
    write_parquet(records, directory, dated=False)
    return spark.read.schema(records.schema).parquet(pattern(directory))


def write_anomalies(
    records: DataFrame, identity: Sequence[str], directory: Path
) -> dict[date, WrittenFile]:
    """Write the flagged rows, ordered by score and then by what identifies a row.

    `identity` names the key, or `row_hash`, and the kept columns.
    """
    flagged = records.where(F.col(RECORD) == ANOMALY)
    return _write(flagged, anomaly_names(identity), identity, directory)


def anomaly_names(identity: Sequence[str]) -> list[str]:
    """Return the columns of the anomalies, in order."""
    return [*identity, *(entry.name for entry in ANOMALIES)]


def write_scores(
    records: DataFrame, key: Sequence[str], directory: Path
) -> dict[date, WrittenFile]:
    """Write every row's score, ordered like the anomalies."""
    rows = records.where(F.col(RECORD).isin(ROW, ANOMALY))
    return _write(rows, [*key, *(entry.name for entry in SCORES)], key, directory)


def _write(
    rows: DataFrame, named: Sequence[str], identity: Sequence[str], directory: Path
) -> dict[date, WrittenFile]:
    order = [F.col("anomaly_score").desc(), *(column(name).asc() for name in identity)]
    return write_by_date(rows.select(*(column(name) for name in named)), order, directory)


def write_quarantine(quarantine: DataFrame, directory: Path) -> dict[date, WrittenFile]:
    """Write the quarantined rows, in an order of their own content."""
    named = [entry.name for entry in QUARANTINE]
    order = [column(name).asc() for name in named]
    return write_by_date(quarantine.select(*named), order, directory)


def count_records(records: DataFrame) -> dict[date, DateCounts]:
    """Count what was scored and flagged of each date; collect in proportion to the dates alone."""
    flagged = records.where(F.col(RECORD) == ANOMALY)
    severities, reasons = _severities(flagged), _first_reasons(flagged)
    strangest = flagged.groupBy("event_date").agg(F.max("anomaly_score")).collect()
    highest = {day: {"score_highest": score} for day, score in strangest}
    return {
        day: DateCounts(
            sum(bins.values()),
            severities.get(day, {}),
            reasons.get(day),
            _quantiles(bins) | highest.get(day, {}),
        )
        for day, bins in _tallies(records).items()
    }


def _severities(flagged: DataFrame) -> dict[date, dict[str, int]]:
    """Count the flagged rows of each date by severity."""
    counted: dict[date, dict[str, int]] = defaultdict(lambda: dict.fromkeys(SEVERITIES, 0))
    for day, severity, rows in flagged.groupBy("event_date", "severity").count().collect():
        counted[day][severity] = rows
    return counted


def _first_reasons(flagged: DataFrame) -> dict[date, str]:
    """Return the column most often named first on each date; of equals the first by name."""
    named = flagged.where(F.col("reason_1_column").isNotNull())
    counted = named.groupBy("event_date", "reason_1_column").count().collect()
    ranked = sorted(counted, key=lambda row: (-row["count"], row["reason_1_column"]))
    commonest: dict[date, str] = {}
    for row in ranked:
        commonest.setdefault(row["event_date"], row["reason_1_column"])
    return commonest


def _tallies(records: DataFrame) -> dict[date, dict[int, int]]:
    tallied = (
        records.where(F.col(RECORD) == TALLY)
        .select("event_date", F.explode(F.arrays_zip(F.col(BINS), F.col(COUNTS))).alias("entry"))
        .select("event_date", F.col("entry").getField(BINS), F.col("entry").getField(COUNTS))
        .toDF("event_date", "bin", "rows")
        .groupBy("event_date", "bin")
        .agg(F.sum("rows").alias("rows"))
    )
    tallies: dict[date, dict[int, int]] = defaultdict(dict)
    for day, place, rows in tallied.collect():
        tallies[day][place] = rows
    return tallies


_QUANTILES = {
    "score_median": 0.5,
    "score_p90": 0.9,
    "score_p99": 0.99,
    "score_p999": 0.999,
    "score_highest": 1.0,
}


def _quantiles(bins: Mapping[int, int]) -> dict[str, float]:
    """Return quantiles of the score from a histogram."""
    places = sorted(bins, key=score_of_bin)
    reached = np.cumsum([bins[place] for place in places])
    return {
        name: score_of_bin(places[int(np.searchsorted(reached, share * reached[-1]))])
        for name, share in _QUANTILES.items()
    }
