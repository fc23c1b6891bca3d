"""What each column of an unknown table may be, and why it is taken for that."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc

from adlib.outputs import RESERVED_NAMES
from adlib.spark.planning import OURS
from adlib.survey.columns import SeenColumn, follows, see_columns, span_days, tells_apart
from adlib.survey.found import Guess, Role, Survey
from adlib.survey.glimpse import Glimpse
from adlib.survey.kinds import guess_features
from adlib.survey.names import (
    entity_rank,
    event_time_rank,
    sounds_like_identifier,
    sounds_like_label,
    sounds_like_time,
)
from adlib.survey.windows import suggest_windows

_IDENTIFYING_ROWS = 1000
"""With fewer rows, a column without the name of an identifier is unique by chance."""
_MOST_MISSING_TIMES = 0.01
_MOST_MISSING_ENTITIES = 0.05
_FEWEST_ENTITIES = 5
_ROWS_AN_ENTITY = 2
_MOST_LEAKING_VALUES = 100
_MOST_LABEL_VALUES = 20
_MANY_NUMBERS, _MANY_WORDS = 50, 1000
"""More different identifiers than this are carried along, not learned by heart."""
_EPOCHS = (946_684_800, 4_102_444_800)
"""2000 to 2100, in seconds since 1970."""
_CAST = "Store it as a timestamp to make it the event time"
_LABEL_WORDS = frozenset({"true", "false", "yes", "no", "t", "f", "y", "n", "0", "1"})
_NAME_OF_OURS = "its name is one of the feature table's own; rename it in the source to use it"

_Rest = dict[str, SeenColumn]
"""The columns that have no role yet; each step takes out those it gives one."""


def survey(glimpse: Glimpse) -> Survey:
    """Guess what each column is.

    Raises:
        InputError: if no column is left to learn from.
    """
    columns, unusable = see_columns(glimpse.table)
    rest = {column.name: column for column in columns}
    seen = dict(rest)
    guesses = [
        Guess(name, Role.LEFT_OUT, f"{kind} has no place in a flat table")
        for name, kind in unusable.items()
    ]
    steps: Sequence[Callable[[_Rest], list[Guess]]] = (
        _ours,
        _labels,
        _event_time,
        _epochs,
        _key,
        _entity,
        _other_identifiers,
    )
    for step in steps:
        guesses += _taken(step(rest), rest)
    by_role = {guess.role: seen[guess.column] for guess in guesses if guess.column in seen}
    label, time = by_role.get(Role.LABEL), by_role.get(Role.EVENT_TIME)
    if label is not None:
        guesses += _taken(_leaks(rest, label), rest)
    if time is not None:
        guesses += _taken(_times_again(rest, time), rest)
    guesses += guess_features(rest, timed=time is not None)
    return _survey(glimpse, guesses, seen, label)


def _survey(
    glimpse: Glimpse,
    guesses: Sequence[Guess],
    seen: Mapping[str, SeenColumn],
    label: SeenColumn | None,
) -> Survey:
    order = {name: place for place, name in enumerate(glimpse.table.column_names)}
    ordered = tuple(sorted(guesses, key=lambda guess: order[guess.column]))
    found = Survey(glimpse.table.num_rows, glimpse.whole, ordered, (), None)
    kinds = [
        guess.column
        for guess in found.of(Role.EXCLUDE)
        if label is not None
        and seen[guess.column].distinct <= _MOST_LEAKING_VALUES
        and tells_apart(seen[guess.column], label)
    ]
    entity, time = found.column_of(Role.ENTITY), found.column_of(Role.EVENT_TIME)
    windows = (
        suggest_windows(
            seen[entity],
            glimpse.days.get(time, span_days(seen[time])),
            [seen[guess.column] for guess in found.of(Role.NUMERIC)],
            [seen[guess.column] for guess in found.of(Role.KEEP) if guess.column != entity],
        )
        if entity is not None and time is not None
        else ()
    )
    return replace(found, windows=windows, by=kinds[0] if kinds else None)


def _taken(guesses: list[Guess], rest: _Rest) -> list[Guess]:
    for guess in guesses:
        rest.pop(guess.column)
    return guesses


def _ours(rest: _Rest) -> list[Guess]:
    return [Guess(name, Role.LEFT_OUT, _NAME_OF_OURS) for name in rest if name.lower() in OURS]


def _labels(rest: _Rest) -> list[Guess]:
    """Find the column that looks like the answer, and set aside others that give it away."""
    suspects = [
        column
        for column in rest.values()
        if sounds_like_label(column.name)
        and column.kind in {"number", "boolean", "text"}
        and 1 <= column.distinct <= _MOST_LABEL_VALUES
    ]
    readable = [column for column in suspects if _reads_as_label(column)]
    label = readable[0] if readable else None
    return [
        _label_guess(column) if column is label else _suspect_guess(column) for column in suspects
    ]


def _reads_as_label(column: SeenColumn) -> bool:
    if column.kind == "boolean":
        return True
    values = {str(value).lower() for value in pc.unique(column.array.drop_null()).to_pylist()}
    return {value.removesuffix(".0") for value in values} <= _LABEL_WORDS


def _label_guess(column: SeenColumn) -> Guess:
    words = pc.utf8_lower(column.array.cast(pa.string())).drop_null().to_pylist()
    yes = sum(word.removesuffix(".0") in {"true", "yes", "t", "y", "1"} for word in words)
    share = yes / max(1, len(words))
    why = f"looks like the answer: by its name, and {share:.2%} of the rows are marked"
    return Guess(column.name, Role.LABEL, f"{why}; evaluate reads it, training never does")


def _suspect_guess(column: SeenColumn) -> Guess:
    why = f"may give the answer away: by its name, and it has {column.distinct} values"
    return Guess(column.name, Role.EXCLUDE, why)


def _event_time(rest: _Rest) -> list[Guess]:
    """Take the time that most sounds like an event's and is hardly ever missing."""
    times = [
        column
        for column in rest.values()
        if column.kind == "timestamp"
        and column.distinct > 1
        and column.missing <= _MOST_MISSING_TIMES * column.rows
        and event_time_rank(column.name) >= 0
    ]
    if not times:
        return []
    best = max(times, key=lambda column: (event_time_rank(column.name), column.distinct))
    gone = (
        f"; {best.missing:,} rows without go to quarantine" if best.missing else ", never missing"
    )
    others = [column.name for column in times if column is not best]
    also = f"; {', '.join(map(_quoted, others))} could be it too" if others else ""
    return [Guess(best.name, Role.EVENT_TIME, f"a time of many values{gone}{also}")]


def _quoted(name: str) -> str:
    return ascii(name) if not name.isprintable() else f"'{name}'"


def _key(rest: _Rest) -> list[Guess]:
    """Take a column that is different in every row and looks like an identifier."""
    unique = [
        column
        for column in rest.values()
        if column.unique
        and column.rows > 1
        and (column.integral or column.kind == "text")
        and column.name.lower() not in RESERVED_NAMES
    ]
    named = [column for column in unique if sounds_like_identifier(column.name)]
    first = [
        column
        for column in unique
        if column.name == next(iter(rest)) and column.rows >= _IDENTIFYING_ROWS
    ]
    if not named and not first:
        return []
    column = [*named, *first][0]
    return [Guess(column.name, Role.KEY, "different in every row and never missing")]


def _epochs(rest: _Rest) -> list[Guess]:
    """Set aside times that are stored as numbers: they only ever grow."""
    return [
        Guess(
            column.name, Role.EXCLUDE, f"looks like {unit} since 1970: it grows for ever. {_CAST}"
        )
        for column in rest.values()
        if column.kind == "number" and sounds_like_time(column.name)
        for unit in _epoch_unit(column)
    ]


def _epoch_unit(column: SeenColumn) -> list[str]:
    if column.distinct < 2:  # noqa: PLR2004 - one value is no time series
        return []
    bounds = pc.min_max(column.array).as_py()
    least, most = _EPOCHS
    for unit, scale in {"seconds": 1, "milliseconds": 1e3, "microseconds": 1e6}.items():
        if least * scale <= bounds["min"] and bounds["max"] <= most * scale:
            return [unit]
    return []


def _entity(rest: _Rest) -> list[Guess]:
    """Take whom the rows are about: an identifier that comes again and again."""
    ranked = [
        (rank, column)
        for column in rest.values()
        if _repeats(column) and (rank := _rank(column)) is not None
    ]
    if not ranked:
        return []
    _, best = min(ranked, key=lambda pair: pair[0])
    rows = best.rows / best.distinct
    why = f"whom a row seems to be about: {best.distinct:,} of them, {rows:,.0f} rows each"
    return [Guess(best.name, Role.ENTITY, why)]


def _rank(column: SeenColumn) -> int | None:
    """Return how likely an entity is, the lower the likelier; numbers need an identifier's name."""
    rank = entity_rank(column.name)
    named = sounds_like_identifier(column.name)
    if rank is None or (column.kind == "number" and not named):
        return None
    return rank


def _repeats(column: SeenColumn) -> bool:
    return (
        (column.integral or column.kind == "text")
        and column.missing <= _MOST_MISSING_ENTITIES * column.rows
        and _FEWEST_ENTITIES <= column.distinct <= column.rows / _ROWS_AN_ENTITY
        and column.name.lower() not in RESERVED_NAMES
    )


def _other_identifiers(rest: _Rest) -> list[Guess]:
    """Carry identifiers that come again along, so that a person sees them."""
    return [
        Guess(column.name, Role.KEEP, f"an identifier, {column.distinct:,} values: to be seen")
        for column in rest.values()
        if _repeats(column)
        and sounds_like_identifier(column.name)
        and column.distinct > (_MANY_NUMBERS if column.integral else _MANY_WORDS)
    ]


def _leaks(rest: _Rest, label: SeenColumn) -> list[Guess]:
    """Set aside columns of few values that say what the label says."""
    return [
        Guess(
            column.name,
            Role.EXCLUDE,
            f"gives the label {_quoted(label.name)} away: each of its "
            f"{column.distinct} values stands with one value of it alone",
        )
        for column in rest.values()
        if column.kind in {"text", "boolean"} or column.integral
        if 1 < column.distinct <= _MOST_LEAKING_VALUES and tells_apart(column, label)
    ]


def _times_again(rest: _Rest, time: SeenColumn) -> list[Guess]:
    return [
        Guess(column.name, Role.EXCLUDE, f"is {_quoted(time.name)} again in another unit")
        for column in rest.values()
        if column.kind == "number" and follows(column, time)
    ]
