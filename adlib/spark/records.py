"""Taking scored records apart: anomalies and scores by date, and what is counted of them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import numpy as np
from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F

from adlib.outputs import ANOMALIES, QUARANTINE, SCORES
from adlib.spark.tally import score_of_bin
from adlib.spark.values import column
from adlib.spark.worker import ANOMALY, BINS, COUNTS, RECORD, ROW, TALLY
from adlib.spark.workplace import pattern, write_parquet
from adlib.spark.writing import WrittenFile, write_by_date
from adlib.thresholds import SEVERITIES


@dataclass(frozen=True)
class DateCounts:
    """What was scored of one date."""

    rows_scored: int = 0
    severities: Mapping[str, int] = field(default_factory=dict)
    commonest_first_reason: str | None = None
    quantiles: Mapping[str, float] = field(default_factory=dict)
    lowest_flagged: float | None = None

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
    found: dict[date, _Counting] = defaultdict(_Counting)
    for entry in _counted(records).collect():
        found[entry["event_date"]].add(entry)
    return {day: counting.result() for day, counting in found.items()}


def counted_bins(records: DataFrame) -> dict[date, dict[int, int]]:
    """Return how many rows of each date fall into each bin of score."""
    entry = F.explode(F.arrays_zip(F.col(BINS), F.col(COUNTS)))
    tallied = (
        records.where(F.col(RECORD) == TALLY)
        .select("event_date", entry.alias("entry"))
        .select("event_date", F.col("entry").getField(BINS), F.col("entry").getField(COUNTS))
        .toDF("event_date", "bin", "rows")
        .groupBy("event_date", "bin")
        .agg(F.sum("rows").alias("rows"))
    )
    bins: dict[date, dict[int, int]] = defaultdict(dict)
    for row in tallied.collect():
        bins[row["event_date"]][row["bin"]] = row["rows"]
    return bins


def _counted(records: DataFrame) -> DataFrame:
    """Count flagged rows by severity and first reason, and add up the tallies, in one pass."""
    bins = F.explode_outer(F.arrays_zip(F.col(BINS), F.col(COUNTS)))
    return (
        records.where(F.col(RECORD).isin(ANOMALY, TALLY))
        .select("event_date", "severity", "reason_1_column", "anomaly_score", bins.alias("entry"))
        .select("*", F.col("entry").getField(BINS), F.col("entry").getField(COUNTS))
        .toDF("event_date", "severity", "reason", "score", "entry", "bin", "tallied")
        .groupBy("event_date", "severity", "reason", "bin")
        .agg(
            F.sum(F.coalesce("tallied", F.lit(1))).alias("rows"),
            F.max("score").alias("highest"),
            F.min("score").alias("lowest"),
        )
    )


@dataclass
class _Counting:
    """The counts of one date, as they come together."""

    severities: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    bins: Counter[int] = field(default_factory=Counter)
    highest: float | None = None
    lowest: float | None = None

    def add(self, entry: Row) -> None:
        """Take up a bin of the tallies, or the flagged rows of one severity and first reason."""
        if entry["severity"] is None:
            self.bins[entry["bin"]] += entry["rows"]
            return
        self.severities[entry["severity"]] += entry["rows"]
        if entry["reason"] is not None:
            self.reasons[entry["reason"]] += entry["rows"]
        self.highest = max(entry["highest"], self.highest or entry["highest"])
        self.lowest = min(entry["lowest"], entry["lowest"] if self.lowest is None else self.lowest)

    def result(self) -> DateCounts:
        """Return the counts; of reasons that are equally common the first by name."""
        counted = {severity: self.severities[severity] for severity in SEVERITIES}
        commonest = min(self.reasons, key=lambda name: (-self.reasons[name], name), default=None)
        quantiles = _quantiles(self.bins)
        if self.highest is not None:
            quantiles = {name: min(score, self.highest) for name, score in quantiles.items()}
            quantiles["score_highest"] = self.highest
        return DateCounts(
            self.bins.total(),
            counted if self.severities else {},
            commonest,
            quantiles,
            self.lowest,
        )


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
