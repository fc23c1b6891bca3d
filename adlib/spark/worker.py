"""What a Python worker does with a model, whichever engine brings it the rows.

A worker builds the model once and keeps it. Only what is asked for comes back: flagged rows with
their reasons, every row's score where that is wanted, and one tally of scores for each date and
task. Columns that are carried come back as the feature table holds them; Spark makes of them what
the outputs want, of the few rows that come back.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from adlib.arrays import Columns, Floats, Ints
from adlib.artifacts import ModelParts, construct
from adlib.explanations import MOST_REASONS, Reason, sentence_of
from adlib.model import Model, ScoredBatch
from adlib.outputs import SCHEMA_VERSION
from adlib.spark.tally import Tally

OURS = "adlib "
"""What our own columns begin with, so that none of the feature table's has the same name."""
RECORD, DAY = f"{OURS}record", f"{OURS}event_date"
BINS, COUNTS = f"{OURS}bins", f"{OURS}counts"
TALLY, ROW, ANOMALY = 0, 1, 2


@dataclass(frozen=True)
class Scoring:
    """What a worker needs to know besides the model; it travels in the closure."""

    carried: tuple[str, ...]
    """The feature table's columns that come back of every row that does."""
    of_flagged: tuple[str, ...]
    """Those that come back of flagged rows, all the above among them."""
    schema: pa.Schema
    """Of the records."""
    model_id: str
    run_id: str
    every_row: bool
    cuts: Mapping[int, float] | None
    """By day since 1970, where the model's threshold does not decide."""

    def cuts_of(self, days: Ints | int, rows: int) -> Floats | None:
        """Return the lowest score that is flagged of each row's date: shape (rows,)."""
        if self.cuts is None:
            return None
        cuts = self.cuts
        if isinstance(days, int):
            return np.full(rows, cuts.get(days, np.inf))
        return np.asarray([cuts.get(day, np.inf) for day in days.tolist()], dtype=np.float64)


@dataclass(frozen=True)
class Arrival:
    """Rows that came to a worker."""

    batch: pa.RecordBatch
    """Holds the carried columns."""
    columns: Columns
    """What the model reads."""
    days: Ints | int
    """Event dates as days since 1970: one for each row, or one for all."""


_LOADED: dict[str, Model] = {}


def worker_model(model_id: str, load: Callable[[], ModelParts]) -> Model:
    """Return this worker's model, built when it is first asked for."""
    if model_id not in _LOADED:
        _LOADED.clear()
        _LOADED[model_id] = construct(load())
        # PySpark collects garbage after every task, through all modules ever imported: 7 ms.
        gc.freeze()
    return _LOADED[model_id]


def score_arrivals(
    arrivals: Iterator[Arrival], model: Model, scoring: Scoring
) -> Iterator[pa.RecordBatch]:
    """Score batch after batch; end with the tally of what was scored."""
    tally = Tally()
    for arrival in arrivals:
        if not arrival.batch.num_rows:
            continue
        rows = arrival.batch.num_rows
        scored = model.score(arrival.columns, scoring.cuts_of(arrival.days, rows))
        tally.add(arrival.days, scored.scores)
        if len(scored.flagged.rows):
            yield _anomaly_records(arrival, scored, model, scoring)
        if scoring.every_row:
            yield _row_records(arrival, scored, model, scoring)
    yield _tally_records(tally, scoring.schema)


def _anomaly_records(
    arrival: Arrival, scored: ScoredBatch, model: Model, scoring: Scoring
) -> pa.RecordBatch:
    flagged = scored.flagged
    rows = len(flagged.rows)
    columns: dict[str, object] = {
        RECORD: np.full(rows, ANOMALY, dtype=np.int8),
        **_carried(arrival, flagged.rows, scoring.of_flagged),
        **_ours(
            {
                "anomaly_score": scored.scores[flagged.rows],
                "anomaly_percentile": flagged.percentiles,
                "p_value": flagged.p_values,
                "is_anomaly": np.ones(rows, dtype=bool),
                "severity": flagged.severities.tolist(),
                "missing_columns": flagged.missing_columns,
                "unseen_columns": flagged.unseen_columns,
                "model_name": [model.name] * rows,
                "model_version": [scoring.model_id] * rows,
                "run_id": [scoring.run_id] * rows,
                "schema_version": [SCHEMA_VERSION] * rows,
                **reason_columns(flagged.reasons),
            }
        ),
    }
    return _records(columns, rows, scoring.schema)


def reason_columns(reasons: Sequence[tuple[Reason, ...]]) -> dict[str, object]:
    """Return the columns that say why rows are strange."""
    columns: dict[str, object] = {"reason": [sentence_of(each) for each in reasons]}
    for rank in range(MOST_REASONS):
        ranked = [each[rank] if rank < len(each) else None for each in reasons]
        for part in ("column", "actual", "expected", "share", "direction"):
            columns[f"reason_{rank + 1}_{part}"] = [
                None if reason is None else getattr(reason, part) for reason in ranked
            ]
    return columns


def _row_records(
    arrival: Arrival, scored: ScoredBatch, model: Model, scoring: Scoring
) -> pa.RecordBatch:
    """Return a record for every row that is not flagged; those that are have theirs."""
    rows = np.flatnonzero(~scored.is_anomaly)
    columns: dict[str, object] = {
        RECORD: np.full(len(rows), ROW, dtype=np.int8),
        **_carried(arrival, rows, scoring.carried),
        **_ours(
            {
                "anomaly_score": scored.scores[rows],
                "anomaly_percentile": model.threshold.percentiles(scored.scores[rows]),
                "is_anomaly": np.zeros(len(rows), dtype=bool),
            }
        ),
    }
    return _records(columns, len(rows), scoring.schema)


def _ours(columns: Mapping[str, object]) -> dict[str, object]:
    return {f"{OURS}{name}": values for name, values in columns.items()}


def _carried(arrival: Arrival, rows: Ints, names: Sequence[str]) -> dict[str, object]:
    chosen = pa.array(rows)
    days = arrival.days
    of_rows = np.full(len(rows), days) if isinstance(days, int) else days[rows]
    carried: dict[str, object] = {DAY: _dates(of_rows)}
    for name in names:
        carried[name] = arrival.batch.column(name).take(chosen)
    return carried


def _dates(days: Ints | Sequence[int]) -> pa.Array:
    return pa.array(days, type=pa.int32()).cast(pa.date32())


def _tally_records(tally: Tally, schema: pa.Schema) -> pa.RecordBatch:
    """Return one record a date."""
    days = sorted(tally.counts)
    columns: dict[str, object] = {
        RECORD: np.full(len(days), TALLY, dtype=np.int8),
        DAY: _dates(days),
        BINS: [list(tally.counts[day]) for day in days],
        COUNTS: [list(tally.counts[day].values()) for day in days],
    }
    return _records(columns, len(days), schema)


def _records(columns: Mapping[str, object], rows: int, schema: pa.Schema) -> pa.RecordBatch:
    """Put columns into the order and types of the schema; those not given are null."""
    arrays = []
    for field in schema:
        values = columns.get(field.name)
        if values is None:
            arrays.append(pa.nulls(rows, field.type))
        elif isinstance(values, pa.Array):
            arrays.append(values.cast(field.type))
        else:
            arrays.append(pa.array(values, type=field.type))
    return pa.RecordBatch.from_arrays(arrays, schema=schema)
