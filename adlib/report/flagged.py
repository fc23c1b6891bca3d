"""Counting all flagged rows of a run batch by batch, and keeping the strangest few."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from adlib.arrays import Floats
from adlib.publishing import date_directory
from adlib.report.published import BATCH_ROWS
from adlib.report.values import DrivenColumn, FlaggedFigures, ReasonPart, RunFigures, StrangeRow

MOST_ROWS = 25
_RANKS = (1, 2, 3)
BINS_BELOW_CUT = 40
_MOST_BINS = 80
_HOURS = 24


def scan_flagged(output: Path, run: RunFigures, highest: float | None) -> FlaggedFigures:
    """Count the flagged rows of a run; `highest` is the highest score there is."""
    edges = _edges(run.cut, highest)
    counting = _Counting(edges)
    strangest: list[StrangeRow] = []
    for file in _anomaly_files(output, run):
        for batch in file.iter_batches(BATCH_ROWS, columns=_counted_columns(file)):
            counting.add(pa.Table.from_batches([batch]))
        ranked = sorted([*strangest, *_first_rows(file)], key=lambda row: -row.score)
        strangest = ranked[:MOST_ROWS]
    return FlaggedFigures(
        rows=counting.rows,
        driven=counting.driven(),
        strangest=tuple(strangest),
        hours=tuple(counting.hours.tolist()) if counting.timed else (),
        score_edges=tuple(edges.tolist()),
        score_counts=tuple(counting.scores.tolist()),
    )


def _anomaly_files(output: Path, run: RunFigures) -> Iterator[pq.ParquetFile]:
    for day in run.days:
        file = output / "anomalies" / date_directory(day) / run.anomaly_files[day]
        if file.is_file():
            yield pq.ParquetFile(file)


def _edges(cut: float | None, highest: float | None) -> Floats:
    """Return bounds of score from the cut on: shape (bins + 1,), one bound where no row is.

    Bins are a fortieth of the cut wide, so that as many lie below it; the last takes all beyond.
    """
    if cut is None or highest is None or highest < cut:
        return np.zeros(1)
    width = abs(cut) / BINS_BELOW_CUT or max(highest - cut, 1.0) / BINS_BELOW_CUT
    bins = min(_MOST_BINS, int((highest - cut) / width) + 1)
    return cut + width * np.arange(bins + 1)


def _counted_columns(file: pq.ParquetFile) -> list[str]:
    parts = [
        f"reason_{rank}_{part}" for rank in _RANKS for part in ("column", "share", "direction")
    ]
    known = set(file.schema_arrow.names)
    return [name for name in ("event_time", "anomaly_score", *parts) if name in known]


class _Counting:
    """What is counted of flagged rows; it grows with the columns alone."""

    def __init__(self, edges: Floats) -> None:
        self.rows = 0
        self.timed = False
        self.hours = np.zeros(_HOURS, dtype=np.int64)
        self.edges = edges
        self.scores = np.zeros(max(0, len(edges) - 1), dtype=np.int64)
        self.first: Counter[str] = Counter()
        self.named: Counter[str] = Counter()
        self.shares: defaultdict[str, float] = defaultdict(float)
        self.directions: defaultdict[str, Counter[str]] = defaultdict(Counter)

    def add(self, batch: pa.Table) -> None:
        """Take up a batch of flagged rows."""
        self.rows += len(batch)
        if len(self.scores):
            values = batch["anomaly_score"].to_numpy()
            places = np.searchsorted(self.edges[1:-1], values, side="right")
            self.scores += np.bincount(places, minlength=len(self.scores))
        times = batch["event_time"].drop_null()
        if len(times):
            self.timed = True
            self.hours += np.bincount(pc.hour(times).to_numpy(), minlength=_HOURS)
        for rank in _RANKS:
            if f"reason_{rank}_column" in batch.column_names:
                self._add_reasons(batch, rank)

    def _add_reasons(self, batch: pa.Table, rank: int) -> None:
        column, share, direction = (
            f"reason_{rank}_{part}" for part in ("column", "share", "direction")
        )
        grouped = batch.group_by([column, direction]).aggregate([(share, "sum"), ([], "count_all")])
        for row in grouped.to_pylist():
            name, rows = row[column], row["count_all"]
            if name is None:
                continue
            self.named[name] += rows
            self.shares[name] += row[f"{share}_sum"] or 0.0
            self.directions[name][row[direction] or ""] += rows
            if rank == 1:
                self.first[name] += rows

    def driven(self) -> tuple[DrivenColumn, ...]:
        """Return the columns by their mean share."""
        ranked = sorted(self.named, key=lambda name: (-self.shares[name], name))
        return tuple(
            DrivenColumn(
                name,
                self.first[name],
                self.named[name],
                self.shares[name] / self.rows,
                dict(self.directions[name].most_common()),
            )
            for name in ranked
        )


def _first_rows(file: pq.ParquetFile) -> Iterator[StrangeRow]:
    """Read the head of a file, which is ordered by score."""
    names = file.schema_arrow.names
    identity = names[: names.index("event_date")]
    for batch in file.iter_batches(MOST_ROWS):
        for row in batch.to_pylist():
            yield _strange(row, identity)
        return


def _strange(row: Mapping[str, Any], identity: list[str]) -> StrangeRow:
    return StrangeRow(
        identity=tuple((name, "–" if row[name] is None else str(row[name])) for name in identity),
        day=row["event_date"],
        time=row["event_time"],
        score=row["anomaly_score"],
        percentile=row["anomaly_percentile"],
        severity=row["severity"],
        sentence=row["reason"] or "",
        reasons=tuple(
            ReasonPart(
                row[f"reason_{rank}_column"],
                row[f"reason_{rank}_actual"],
                row[f"reason_{rank}_expected"],
                row[f"reason_{rank}_share"] or 0.0,
                row[f"reason_{rank}_direction"] or "",
            )
            for rank in _RANKS
            if row.get(f"reason_{rank}_column") is not None
        ),
    )
