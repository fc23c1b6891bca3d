"""One row, looked up by its key: what it scored, why, and what became of it.

Reads the feature table, the model and the published tables as files, without Spark.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import date
from itertools import product
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
from pyspark.sql.pandas.types import from_arrow_schema

from adlib.artifacts import unpack
from adlib.config import Config
from adlib.errors import ConfigError, InputError
from adlib.explanations import Whole, explain_whole, sentence_of
from adlib.model import Model
from adlib.pseudonyms import Pseudonyms, is_pseudonym
from adlib.spark.columns import columns_from_arrow, vector_lengths
from adlib.spark.contract import check_features
from adlib.wiring import pseudonyms_of, registry_of

_DATE = "dt"


@dataclass(frozen=True)
class ScoredRow:
    """Everything about a row of the feature table."""

    key: Mapping[str, str]
    about: Mapping[str, str]
    """Its time, its entity and the columns that are kept."""
    event_date: str | None
    rows_with_this_key: int
    """In the feature table; the one that is told is of the latest date."""
    model: str
    anomaly_score: float
    threshold: float | None
    """None where each date has its own."""
    is_anomaly: bool | None
    """By the model's threshold; None where each date has its own."""
    anomaly_percentile: float
    p_value: float
    severity: str | None
    missing_columns: tuple[str, ...]
    unseen_columns: tuple[str, ...]
    """Those that hold a value that training never saw."""
    reason: str
    whole: Whole
    earlier_events: tuple[Mapping[str, str | None], ...]
    """What the entity's events before it held, the oldest first, where the model reads them."""
    published: Mapping[str, Any] | None
    """Run, model, score and severity of the row among the published anomalies, if it is there."""

    def plain(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        told = {name: value for name, value in asdict(self).items() if name != "whole"}
        columns = [reason._asdict() for reason in self.whole.sources]
        return {
            **told,
            "columns": columns,
            "derived_columns": [reason._asdict() for reason in self.whole.derived],
        }


@dataclass(frozen=True)
class PublishedRow:
    """A row that is among the anomalies and no longer in the feature table."""

    key: Mapping[str, str]
    published: Mapping[str, Any]
    """The row as it was published."""

    def plain(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        return asdict(self)


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


Found = ScoredRow | PublishedRow | QuarantinedRow


def look_up(config: Config, values: Sequence[str], day: date | None, model_id: str | None) -> Found:
    """Find the row with this key, or with this `row_hash` where rows have no key.

    Raises:
        ConfigError: if the key has another number of columns.
        InputError: if there is no such row, or the model does not fit the feature table.
    """
    names = _names_of(config, values)
    dated = day if config.source.event_time is not None else None  # else a date names the run's
    keys = [dict(zip(names, told, strict=True)) for told in _meant(config, names, values)]
    for key in keys:
        found = _found(config, key, day, dated, model_id)
        if found is not None:
            return found
    has_table = _matching(config.work.path / "features", keys[0], dated) is not None
    raise _nothing(config, keys[0], day, has_table=has_table)


def _found(
    config: Config,
    key: Mapping[str, str],
    day: date | None,
    dated: date | None,
    model_id: str | None,
) -> Found | None:
    """Find the row with exactly this key wherever it ended up."""
    rows = _matching(config.work.path / "features", key, dated)
    if rows is not None and rows.num_rows:
        stored = registry_of(config).load(model_id)
        return _scored(config, unpack(stored), stored.model_id, key, rows)
    published = _published(config, key, day)
    if published is not None:
        return PublishedRow(key, published)
    for directory in (config.output.path, config.work.path):
        quarantined = _quarantined(directory / "quarantine", key, day)
        if quarantined is not None:
            return quarantined
    return None


def _names_of(config: Config, values: Sequence[str]) -> list[str]:
    names = list(config.source.key) or ["row_hash"]
    if len(values) != len(names):
        times = "once" if len(names) == 1 else f"{len(names)} times, in that order"
        message = f"A row is known by {', '.join(names)}: give --key {times}; found {len(values)}."
        raise ConfigError(message)
    return names


def _meant(
    config: Config, names: Sequence[str], values: Sequence[str]
) -> Iterator[tuple[str, ...]]:
    """Return what the key may be in the tables: a hidden value is told as it was, or as it is.

    Raises:
        ConfigError: if a value was told as it was, and the key of the pseudonyms is not there.
    """
    private = config.privacy
    hidden = [private is not None and name in private.pseudonymise for name in names]
    told = [value for value, here in zip(values, hidden, strict=True) if here]
    has_key = private is not None and private.key_env in os.environ
    pseudonyms = None if all(map(is_pseudonym, told)) and not has_key else pseudonyms_of(config)
    meanings = zip(values, hidden, strict=True)
    return product(*(_meanings(value, pseudonyms if here else None) for value, here in meanings))


def _meanings(value: str, pseudonyms: Pseudonyms | None) -> tuple[str, ...]:
    """Return a value and its pseudonym, whichever it may be."""
    if pseudonyms is None:
        return (value,)
    made = pseudonyms.of(value)
    return (value, made) if is_pseudonym(value) else (made,)


def _open(directory: Path) -> ds.Dataset | None:
    if not any(directory.rglob("*.parquet")):
        return None
    partitions = ds.partitioning(pa.schema([(_DATE, pa.string())]), flavor="hive")
    with _readable(directory):
        return ds.dataset(directory, format="parquet", partitioning=partitions)


@contextmanager
def _readable(directory: Path) -> Iterator[None]:
    """Say in a sentence that a file is cut short or altered."""
    try:
        yield
    except (OSError, pa.ArrowException) as error:
        message = (
            f"A file under {directory} cannot be read ({error}). Try again, in case a run is "
            "replacing it just now; if it stays, restore it from a backup, or run the command "
            "again that wrote it."
        )
        raise InputError(message) from error


def _read(directory: Path, wanted: pc.Expression) -> pa.Table:
    """Read the rows that are wanted, the latest date first."""
    table = _open(directory)
    with _readable(directory):
        rows = pa.table({}) if table is None else table.to_table(filter=wanted)
    return rows.sort_by([(_DATE, "descending")]) if _DATE in rows.column_names else rows


def _matching(directory: Path, key: Mapping[str, str], day: date | None) -> pa.Table | None:
    """Return the rows with a key, None where there is no table."""
    table = _open(directory)
    if table is None or any(name not in table.schema.names for name in key):
        return None
    wanted = _of_day(day)
    for name, value in key.items():
        wanted &= pc.field(name).cast(pa.string()) == value
    return _read(directory, wanted)


def _of_day(day: date | None) -> pc.Expression:
    return pc.scalar(True) if day is None else pc.field(_DATE) == day.isoformat()  # noqa: FBT003


def _scored(
    config: Config, model: Model, model_id: str, key: Mapping[str, str], rows: pa.Table
) -> ScoredRow:
    row = rows.slice(0, 1)
    check_features(from_arrow_schema(row.schema), model.columns)
    columns = columns_from_arrow(row, model.columns, vector_lengths(model.encoder))
    judged = model.judge(columns)
    scores, threshold = model.exact_scores(columns), model.threshold
    by_date = threshold.settings.date_rule() is not None
    strange = None if by_date else bool(scores[0] >= threshold.cut)
    whole = explain_whole(model.encoder, judged, columns)
    day = row[_DATE][0].as_py() if _DATE in row.column_names else None
    return ScoredRow(
        key=key,
        about=_about(config, row, key),
        event_date=day,
        rows_with_this_key=rows.num_rows,
        model=model_id,
        anomaly_score=float(scores[0]),
        threshold=None if by_date else float(threshold.cut),
        is_anomaly=strange,
        anomaly_percentile=float(threshold.percentiles(scores)[0]),
        p_value=float(threshold.p_values(scores)[0]),
        severity=str(threshold.severities(scores)[0]) if strange else None,
        missing_columns=_named(model.encoder.missing(columns)),
        unseen_columns=_named(model.encoder.unseen(columns)),
        reason=sentence_of(tuple(one for one in whole.sources[: model.reasons] if one.share > 0.0)),
        whole=whole,
        earlier_events=model.encoder.earlier_events(columns, 0),
        published=_where(_published(config, key, None if day is None else date.fromisoformat(day))),
    )


def _about(config: Config, row: pa.Table, key: Mapping[str, str]) -> dict[str, str]:
    """Return what tells a person which row it is, besides its key."""
    source = config.source
    names = dict.fromkeys(filter(None, (source.event_time, source.entity, *source.keep)))
    return {
        name: str(row[name][0].as_py())
        for name in names
        if name in row.column_names and name not in key
    }


def _named(flags: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(name for name, here in flags.items() if bool(here[0]))


def _published(
    config: Config, key: Mapping[str, str], day: date | None
) -> Mapping[str, Any] | None:
    """Return the anomaly that a row was published as, the latest one."""
    found = _matching(config.output.path / "anomalies", key, day)
    return found.slice(0, 1).to_pylist()[0] if found is not None and found.num_rows else None


def _where(published: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return where a row was published, and as what."""
    names = ("event_date", "run_id", "model_version", "severity", "anomaly_score")
    return None if published is None else {name: published[name] for name in names}


def _quarantined(
    directory: Path, key: Mapping[str, str], day: date | None
) -> QuarantinedRow | None:
    """Find a quarantined row by what its raw JSON says, or by its hash."""
    wanted = _of_day(day)
    if "row_hash" in key:
        wanted &= pc.field("row_hash") == key["row_hash"]
    else:
        for value in key.values():  # to read no more rows than may be it
            written = json.dumps(value, ensure_ascii=False)[1:-1]
            wanted &= pc.match_substring(pc.field("raw_row"), written)
    for row in _read(directory, wanted).to_pylist():
        if "row_hash" in key or _says(row["raw_row"], key):
            said = (row["problem"], row["problem_column"], row["raw_row"])
            return QuarantinedRow(str(row["event_date"]), *said)
    return None


def _says(raw_row: str, key: Mapping[str, str]) -> bool:
    """Tell whether a raw row has this key, but for spaces around it."""
    raw = json.loads(raw_row)
    return all(str(raw.get(name)).strip() == value for name, value in key.items())


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
        f"No row{when} with {said} is in the feature table under {config.work.path}, among the "
        "published anomalies or in the quarantine. Look at the spelling, or run `adlib "
        "preprocess` for its date."
    )
    return InputError(message)
