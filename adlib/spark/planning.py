"""Deciding what becomes of each column of a source, before a row of it is read."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta

from pyspark.sql import Column
from pyspark.sql import functions as F
from pyspark.sql import types as T

from adlib.errors import ConfigError, InputError
from adlib.pseudonyms import Pseudonyms
from adlib.spark.ledger import EVENT
from adlib.spark.sequences import SequenceSpec, past_name
from adlib.spark.tables import MALFORMED
from adlib.spark.values import column, readable, typed, typed_kind
from adlib.spark.windows import WindowSpec, longest, window_columns

OURS = ("dt", "row_hash", "short_history")
"""Columns of the feature table that are not the source's."""

NEW = "new: the dates prepared before do not have it"
"""Why a column is left out that came after other dates were prepared."""

_DECLARED = {
    "numeric": "number",
    "categorical": "text",
    "boolean": "boolean",
    "timestamp": "timestamp",
    "text": "text",
    "vector": "vector",
}
_ACCEPTED: Mapping[str, frozenset[str]] = {
    "number": frozenset({"number", "text", "boolean"}),
    "boolean": frozenset({"number", "text", "boolean"}),
    "text": frozenset({"number", "text", "boolean", "timestamp"}),
    "timestamp": frozenset({"timestamp", "text"}),
    "vector": frozenset({"vector"}),
}
_MEASURABLE = ("number", "boolean")
_WITH_PAST = frozenset({"number", "boolean", "text"})


@dataclass(frozen=True)
class Preparation:
    """How a raw table becomes a feature table."""

    key: tuple[str, ...]
    event_time: str | None
    timezone: str
    entity: str | None
    label: str | None
    exclude: tuple[str, ...]
    carried: tuple[str, ...]
    """Kept for the outputs: no features by themselves."""
    declared: Mapping[str, str] | None
    """Column to numeric, categorical, boolean, timestamp, text or vector; None: as found."""
    windows: tuple[WindowSpec, ...]
    pseudonyms: Pseudonyms | None = None
    """Which columns are hidden; None: no column is."""
    sequence: SequenceSpec | None = None

    @property
    def lookback(self) -> timedelta:
        """How far back a row's windows and sequence look."""
        sequence = timedelta(0) if self.sequence is None else self.sequence.lookback
        return max(longest(self.windows), sequence)

    @property
    def digest(self) -> str:
        """What decides the rows and columns of a feature table, but for what is merely carried."""
        besides = {"label", "carried", "pseudonyms", "sequence"}
        decisive = {name: value for name, value in asdict(self).items() if name not in besides}
        if self.pseudonyms is not None:
            decisive["pseudonyms"] = self.pseudonyms.to_json()
        if self.sequence is not None:
            decisive["sequence"] = asdict(self.sequence)
        text = json.dumps(decisive, sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def used(self) -> tuple[str, ...]:
        """The columns that something is done with, each once."""
        single = [name for name in (self.event_time, self.entity, self.label) if name]
        of_windows = [name for spec in self.windows for name in (spec.by, spec.of) if name]
        one = self.sequence
        of_sequence = [] if one is None else [name for name in (one.by, one.order) if name]
        named = [
            *self.key,
            *single,
            *self.carried,
            *(self.declared or ()),
            *of_windows,
            *of_sequence,
        ]
        return tuple(dict.fromkeys(named))


@dataclass(frozen=True)
class ColumnPlan:
    """A column of the source and what it becomes."""

    name: str
    data_type: T.DataType
    kind: str
    declared: bool
    stored: bool
    calendar: bool
    value: Column


@dataclass(frozen=True)
class Plan:
    """What becomes of each column."""

    preparation: Preparation
    columns: tuple[ColumnPlan, ...]
    left_out: Mapping[str, str]
    calendar: Mapping[str, Column]

    @property
    def with_past(self) -> dict[str, Column]:
        """The columns of the feature table whose earlier values are kept, by what they hold.

        What is no feature, the label above all, has none.
        """
        preparation, sequence = self.preparation, self.preparation.sequence
        roles = {preparation.event_time, preparation.entity, *preparation.key, *preparation.carried}
        roles |= {spec.by for spec in preparation.windows}
        never = {preparation.label, sequence and sequence.by}
        plain = {
            one.name: column(one.name)
            for one in self.columns
            if one.stored and one.kind in _WITH_PAST and one.name not in never
            if one.declared or one.name not in roles
        }
        return plain | dict(self.calendar)


def make_plan(schema: T.StructType, preparation: Preparation, new: Collection[str] = ()) -> Plan:
    """Decide what becomes of each column of the source; new ones are left out as such.

    Raises:
        ConfigError: the preparation contradicts itself or takes a name of ours.
        InputError: naming every column that is missing or of a type that cannot be used.
    """
    fields = [field for field in schema.fields if field.name != MALFORMED]
    _check_uses(preparation)
    check_columns(T.StructType(fields), preparation)
    columns, left_out = [], {}
    for field in fields:
        reason = NEW if field.name in new else _why_not(field, preparation)
        if reason is None:
            columns.append(_column_plan(field, preparation))
        elif field.name not in preparation.exclude:
            left_out[field.name] = reason
    calendar = _calendar(columns, preparation)
    stored = {one.name for one in columns if one.stored}
    hidden = {
        name: f"the source has a column {name!r} of its own" for name in stored & set(calendar)
    }
    kept = {name: unit for name, unit in calendar.items() if name not in stored}
    _check_windows(stored | set(kept), preparation)
    plan = Plan(preparation, tuple(columns), left_out | _calendar_left_out(hidden), kept)
    _check_pasts(stored, plan)
    return plan


def _calendar_left_out(hidden: Mapping[str, str]) -> dict[str, str]:
    """Name the calendar units that give way to columns of the source."""
    return {f"{name} (calendar)": why for name, why in hidden.items()}


def _check_uses(preparation: Preparation) -> None:
    """Refuse uses of columns that contradict each other."""
    ours = [name for name in preparation.used if name in OURS]
    if ours:
        raise ConfigError(
            f"{', '.join(ours)} is a name of ours in the feature table, so a column of the source "
            "with it cannot be used. Rename it in the source, or do not configure it."
        )
    if preparation.label in (preparation.declared or ()):
        raise ConfigError(
            f"The label {preparation.label!r} is listed under features: a model that learns "
            "from it finds what was known already. Remove it there."
        )
    if preparation.windows and preparation.event_time is None:
        raise ConfigError("windows need source.event_time, and none is given. Name it.")
    sequence = preparation.sequence
    if sequence is not None and preparation.event_time is None and sequence.order is None:
        raise ConfigError(
            "sequence needs to know which event came first, and neither sequence.order nor "
            "source.event_time is given. Name one of them."
        )


def check_columns(schema: T.StructType, preparation: Preparation) -> None:
    """Refuse columns that are named and not there, or are used and cannot be, all at once."""
    wanted = dict.fromkeys([*preparation.used, *preparation.exclude])
    missing = [name for name in wanted if name not in schema.names]
    problems = _unusable(schema, preparation)
    if missing or problems:
        raise InputError.differing(
            "The source table",
            (missing, schema.names),
            problems,
            "Name the columns as the table does, convert them in the source, or do not configure "
            "them.",
        )


def _unusable(schema: T.StructType, preparation: Preparation) -> list[str]:
    """Say which columns that are there are of types that do not suit their use."""
    flat = {*preparation.key, *preparation.carried, preparation.label, preparation.entity}
    flat |= {spec.by for spec in preparation.windows}
    sequence = preparation.sequence
    flat |= set() if sequence is None else {sequence.by, sequence.order}
    measured = {spec.of for spec in preparation.windows}
    problems = []
    for name in preparation.used:
        if name not in schema.names:
            continue
        data_type = schema[name].dataType
        kind = typed_kind(data_type)
        declared = (preparation.declared or {}).get(name)
        shown = f"{name!r} is {data_type.simpleString()}"
        if kind is None or (kind == "vector" and name in flat):
            problems.append(f"{shown}, which has no place in a flat table")
        elif declared is not None and kind not in _ACCEPTED[_DECLARED[declared]]:
            problems.append(f"{shown}, which cannot be read as {declared}")
        elif name == preparation.event_time and kind not in _ACCEPTED["timestamp"]:
            problems.append(f"{shown}, which cannot be read as an event time")
        elif name in measured and (_DECLARED[declared] if declared else kind) not in _MEASURABLE:
            problems.append(f"{shown}, which a window cannot measure")
        elif sequence is not None and name == sequence.order and not _orders(kind, declared):
            problems.append(f"{shown}, which says no order: a number or a time does")
    return problems


def _orders(kind: str | None, declared: str | None) -> bool:
    """Tell whether a column's values can be put in order."""
    return (_DECLARED[declared] if declared else kind) in {"number", "timestamp"}


def _check_pasts(names: set[str], plan: Plan) -> None:
    """Refuse columns of the source that are named like arrays of earlier values."""
    sequence = plan.preparation.sequence
    if sequence is None:
        return
    taken = [name for name in plan.with_past if past_name(name, sequence.by) in names]
    if taken:
        named = ", ".join(past_name(name, sequence.by) for name in taken)
        raise InputError(
            f"The source has columns named like pasts of sequence: {named}. Rename them, or add "
            "them to source.exclude."
        )


def _check_windows(names: set[str], preparation: Preparation) -> None:
    """Refuse windows that are named like another column of the feature table."""
    taken = [window.name for window in window_columns(preparation.windows) if window.name in names]
    if taken:
        raise InputError(
            f"The source has columns named like windows: {', '.join(taken)}. Rename them, "
            "add them to source.exclude, or remove those windows."
        )


def _why_not(field: T.StructField, preparation: Preparation) -> str | None:
    """Say why a column is not read, or None where it is."""
    if field.name in OURS:
        return f"{field.name} is a name of ours"
    if field.name in preparation.used:
        return None
    if field.name in preparation.exclude or preparation.declared is not None:
        return "not asked for"
    if typed_kind(field.dataType) is None:
        return f"{field.dataType.simpleString()} has no place in a flat table"
    return None


def _column_plan(field: T.StructField, preparation: Preparation) -> ColumnPlan:
    """Decide what one column becomes."""
    name = field.name
    declared = (preparation.declared or {}).get(name)
    kind = _DECLARED[declared] if declared else str(typed_kind(field.dataType))
    kept = {*preparation.key, *preparation.carried, preparation.label, preparation.event_time}
    feature = preparation.declared is None or declared is not None
    excluded = name in preparation.exclude
    own = {*preparation.key, *preparation.carried, preparation.label}
    timed = kind == "timestamp" or name == preparation.event_time
    return ColumnPlan(
        name,
        field.dataType,
        kind,
        declared is not None,
        stored=name in kept or (not excluded and (feature or name == preparation.entity)),
        calendar=timed
        and not excluded
        and (
            name == preparation.event_time
            or (feature and (declared is not None or name not in own))
        ),
        value=_value(field, kind, preparation),
    )


def _value(field: T.StructField, kind: str, preparation: Preparation) -> Column:
    """Return a column's value in the feature table."""
    if field.name == preparation.event_time:
        return column(EVENT)
    if field.name not in preparation.key:
        return typed(field.name, field.dataType, kind, preparation.timezone)
    whole = isinstance(field.dataType, T.IntegralType | T.BooleanType | T.FloatType | T.DoubleType)
    if whole or typed_kind(field.dataType) == "timestamp":
        return typed(
            field.name, field.dataType, str(typed_kind(field.dataType)), preparation.timezone
        )
    return readable(column(field.name).cast(T.StringType()))


def _calendar(columns: Sequence[ColumnPlan], preparation: Preparation) -> dict[str, Column]:
    """Return the hour and the weekday of each timestamp, the weekday alone of a date."""
    units = {}
    for one in columns:
        if not one.calendar:
            continue
        local = F.from_utc_timestamp(column(one.name), preparation.timezone)
        if isinstance(one.data_type, T.DateType):
            day = local if one.name == preparation.event_time else column(one.name)
            units[f"{one.name}_weekday"] = F.weekday(day).cast(T.DoubleType())
            continue
        minutes = F.minute(local) + F.second(local) / F.lit(60.0)
        units[f"{one.name}_hour"] = F.hour(local) + minutes / F.lit(60.0)
        units[f"{one.name}_weekday"] = F.weekday(local).cast(T.DoubleType())
    return units
