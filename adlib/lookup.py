"""One row, looked up by its key: what it scored, why, and what became of it.

Reads the feature table, the model and the published tables as files, without Spark.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from adlib.artifacts import unpack
from adlib.config import Config
from adlib.errors import ConfigError, InputError
from adlib.explanations import Reason, explain_whole, sentence_of
from adlib.model import Model
from adlib.spark.columns import columns_from_arrow, vector_lengths
from adlib.wiring import registry_of

_DATE = "event_date"


@dataclass(frozen=True)
class ScoredRow:
    """Everything about a row of the feature table."""

    key: Mapping[str, str]
    event_date: str | None
    model: str
    anomaly_score: float
    threshold: float | None
    """None where each date has its own."""
    is_anomaly: bool | None
    """By the model's threshold; None where each date has its own."""
    anomaly_percentile: float
    p_value: float
    severity: str | None
    missing_columns: int
    unseen_columns: int
    reason: str
    columns: tuple[Reason, ...]
    """Every column of the source that the model reads, the largest share first."""
    published: Mapping[str, Any] | None
    """Run and severity with which it is in the published anomalies, None where it is not."""

    def plain(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        told = {name: value for name, value in asdict(self).items() if name != "columns"}
        return {**told, "columns": [reason._asdict() for reason in self.columns]}


@dataclass(frozen=True)
class QuarantinedRow:
    """A row that was not scored."""

    event_date: str
    problem: str
    problem_column: str | None
    raw_row: str

    def plain(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        return asdict(self)


def look_up(
    config: Config, values: Sequence[str], day: date | None, model_id: str | None
) -> ScoredRow | QuarantinedRow:
    """Find the row with this key, or with this `row_hash` where rows have no key.

    Raises:
        ConfigError: if the key has another number of columns.
        InputError: if there is no such row.
    """
    names = list(config.source.key) or ["row_hash"]
    if len(values) != len(names):
        message = (
            f"A row is known by {', '.join(names)}: give --key {len(names)} times, in that order; "
            f"found {len(values)}."
        )
        raise ConfigError(message)
    key = dict(zip(names, values, strict=True))
    found = _matching(config.work.path / "features", key, day)
    if found is not None and found.num_rows:
        stored = registry_of(config).load(model_id)
        return _scored(config, unpack(stored), stored.model_id, key, found.slice(0, 1))
    quarantined = _quarantined(config.output.path / "quarantine", key, day)
    if quarantined is None:
        raise _nothing(config, key, day, has_table=found is not None)
    return quarantined


def _open(directory: Path) -> ds.Dataset | None:
    if not any(directory.rglob("*.parquet")):
        return None
    partitions = ds.partitioning(pa.schema([("dt", pa.string())]), flavor="hive")
    return ds.dataset(directory, format="parquet", partitioning=partitions)


def _matching(directory: Path, key: Mapping[str, str], day: date | None) -> pa.Table | None:
    """Return the rows with a key, None where there is no table."""
    table = _open(directory)
    if table is None or any(name not in table.schema.names for name in key):
        return None
    by_date = day is not None and any(directory.glob("dt=*"))
    wanted = pc.field("dt") == str(day) if by_date else None
    for name, value in key.items():
        same = pc.field(name).cast(pa.string()) == value
        wanted = same if wanted is None else wanted & same
    return table.to_table(filter=wanted)


def _scored(
    config: Config, model: Model, model_id: str, key: Mapping[str, str], row: pa.Table
) -> ScoredRow:
    columns = columns_from_arrow(row, model.columns, vector_lengths(model.encoder))
    judged = model.detector.judge(model.encoder.transform(columns, np.float64))
    scores, threshold = model.exact_scores(columns), model.threshold
    by_date = threshold.settings.date_rule() is not None
    strange = None if by_date else bool(scores[0] >= threshold.cut)
    reasons = explain_whole(model.encoder, judged, columns)
    day = row["dt"][0].as_py() if "dt" in row.column_names else None
    return ScoredRow(
        key=key,
        event_date=day,
        model=model_id,
        anomaly_score=float(scores[0]),
        threshold=None if by_date else float(threshold.cut),
        is_anomaly=strange,
        anomaly_percentile=float(threshold.percentiles(scores)[0]),
        p_value=float(threshold.p_values(scores)[0]),
        severity=str(threshold.severities(scores)[0]) if strange else None,
        missing_columns=_count(model.encoder.missing(columns)),
        unseen_columns=_count(model.encoder.unseen(columns)),
        reason=sentence_of(tuple(one for one in reasons[: model.reasons] if one.share > 0.0)),
        columns=reasons,
        published=_published(config.output.path / "anomalies", key, day),
    )


def _count(flags: Mapping[str, Any]) -> int:
    return sum(bool(here[0]) for here in flags.values())


def _published(
    directory: Path, key: Mapping[str, str], day: str | None
) -> Mapping[str, Any] | None:
    found = _matching(directory, key, None if day is None else date.fromisoformat(day))
    if found is None or not found.num_rows:
        return None
    return {name: found[name][0].as_py() for name in ("run_id", "severity", "anomaly_score")}


def _quarantined(
    directory: Path, key: Mapping[str, str], day: date | None
) -> QuarantinedRow | None:
    """Find a quarantined row by what its raw JSON says, or by its hash."""
    table = _open(directory)
    if table is None:
        return None
    if "row_hash" in key:
        wanted = pc.field("row_hash") == key["row_hash"]
    else:
        wanted = pc.match_substring(pc.field("raw_row"), next(iter(key.values())))
    if day is not None:
        wanted &= pc.field("dt") == day.isoformat()
    for row in table.to_table(filter=wanted).to_pylist():
        raw = json.loads(row["raw_row"] or "{}")
        if "row_hash" in key or all(str(raw.get(name)) == said for name, said in key.items()):
            return QuarantinedRow(
                str(row[_DATE]), row["problem"], row["problem_column"], row["raw_row"]
            )
    return None


def _nothing(
    config: Config, key: Mapping[str, str], day: date | None, *, has_table: bool
) -> InputError:
    if not has_table:
        return InputError.nothing_to_read(
            f"the feature table under {config.work.path}", "Run `adlib preprocess` first."
        )
    said = ", ".join(f"{name} {value!r}" for name, value in key.items())
    when = "" if day is None else f" of {day}"
    message = (
        f"No row{when} with {said} is in the feature table under {config.work.path} or in the "
        "quarantine. Look at the spelling, or run `adlib preprocess` for its date."
    )
    return InputError(message)
