"""What kind of feature each column is that has no other role, decided as training would."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc

from adlib.encoding import Candidate, Feature, Kind, choose_features
from adlib.spark.columns import columns_from_arrow
from adlib.survey.columns import SeenColumn, has_time_of_day
from adlib.survey.found import Guess, Role
from adlib.survey.names import sounds_like_code

_ROLES: Mapping[Kind, Role] = {
    Kind.NUMBER: Role.NUMERIC,
    Kind.BOOLEAN: Role.BOOLEAN,
    Kind.CATEGORY: Role.CATEGORICAL,
    Kind.TEXT: Role.TEXT,
    Kind.VECTOR: Role.VECTOR,
}
_KINDS: Mapping[str, Kind] = {
    "number": Kind.NUMBER,
    "boolean": Kind.BOOLEAN,
    "text": Kind.CATEGORY,
    "vector": Kind.VECTOR,
}


def guess_features(rest: Mapping[str, SeenColumn], *, timed: bool) -> list[Guess]:
    """Decide of all others what kind of feature each is, as training would."""
    guesses = [
        Guess(column.name, Role.TIMESTAMP, _said_of_time(column))
        for column in rest.values()
        if column.kind == "timestamp" and column.distinct > 1
    ]
    dull = [
        Guess(column.name, Role.LEFT_OUT, "holds one value or none")
        for column in rest.values()
        if column.kind == "timestamp" and column.distinct <= 1
    ]
    untimed = [column for column in rest.values() if column.kind != "timestamp"]
    if not untimed and (guesses or timed):
        return [*guesses, *dull]
    return [*guesses, *dull, *_untimed_features([_as_code(column) for column in untimed])]


def _said_of_time(column: SeenColumn) -> str:
    return "a time: hour and weekday" if has_time_of_day(column) else "a date: its weekday"


def _as_code(column: SeenColumn) -> SeenColumn:
    """Take whole numbers that are called codes for words."""
    if column.integral and column.distinct > 2 and sounds_like_code(column.name):  # noqa: PLR2004
        return replace(column, kind="text", array=column.array.cast(pa.string()))
    return column


def _untimed_features(columns: Sequence[SeenColumn]) -> list[Guess]:
    features = [
        Feature(column.name, _KINDS[column.kind], column.name, integral=column.integral)
        for column in columns
    ]
    table = pa.table([column.array for column in columns], [column.name for column in columns])
    choice = choose_features(
        columns_from_arrow(table, features, {}), [Candidate(feature) for feature in features]
    )
    chosen = {feature.name: _ROLES[feature.kind] for feature in choice.features}
    return [
        Guess(column.name, chosen.get(column.name, Role.LEFT_OUT), _said(column, choice.notes))
        for column in columns
    ]


def _said(column: SeenColumn, notes: Mapping[str, str]) -> str:
    note = notes[column.name].removeprefix("left out: ").removeprefix("categorical: ")
    some = 0 < column.missing < column.rows
    missing = f", {column.missing / column.rows:.0%} missing" if some else ""
    if column.kind == "text" and column.stored.startswith("int"):
        return f"{note}: a code, not an amount{missing}"
    if note == "numeric":
        return f"{_range(column)}{missing}"
    if note in {"boolean", "vector"}:
        return f"stored as {column.stored}{missing}"
    return f"{note}{missing}"


def _range(column: SeenColumn) -> str:
    """Say what numbers a column holds."""
    bounds = pc.min_max(column.array).as_py()
    span = f"{bounds['min']:.6g} to {bounds['max']:.6g}"
    whole = f"whole numbers, {span}" if column.integral else span
    return f"{whole}, stored as text" if "string" in column.stored else whole
