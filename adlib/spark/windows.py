"""Columns that need other rows: counts, sums, gaps and ratios over an entity's own past.

Every frame is trailing and ends one microsecond before the row's own time, so a row sees neither
the future nor the rows that share its time. All windows of one entity column go through one shuffle
and one sort. Rows of equal time are sorted by the values that are aggregated, so that the sums do
not depend on how the table was partitioned; what remains, the association of floating-point sums,
which depends on how much history was read, is cut off by keeping nine significant digits.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import WindowSpec as Frame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from adlib.errors import ConfigError
from adlib.spark.values import column

TAKES = ("count", "sum", "mean", "std", "max", "gap", "ratio")
TAKES_OF_NUMBERS = frozenset({"sum", "mean", "std", "max", "ratio"})

_UNITS = {"d": timedelta(days=1), "h": timedelta(hours=1), "m": timedelta(minutes=1)}
_MICROSECOND = timedelta(microseconds=1)
_MICROS_PER_SECOND = 1_000_000
_SIGNIFICANT_DIGITS = 9
_LARGEST_EXPONENT = 300
_NULL_ENTITY_GROUPS = 1009

_MICROS = "adlib window micros"
_SPREAD = "adlib window spread"
_PRESENT = "adlib window present"


@dataclass(frozen=True)
class WindowSpec:
    """What to take, of which column, over which durations, by which entity column."""

    by: str
    over: tuple[str | timedelta, ...]
    take: tuple[str, ...]
    of: str | None = None


@dataclass(frozen=True)
class WindowColumn:
    """One column that `add_windows` adds.

    `count` counts the entity's rows; `gap` is the seconds since the one before, at most `over`;
    `ratio` is the row's own value over the entity's mean before it.
    """

    name: str
    source: str
    """The source's column that a reason names."""
    by: str
    of: str | None
    take: str
    over: timedelta


def parse_duration(text: str) -> timedelta:
    """Return the duration that `7d`, `12h` or `30m` says.

    Raises:
        ConfigError: the text is not a positive whole number and one of these units.
    """
    found = re.fullmatch(r"([1-9][0-9]{0,6})([dhm])", text)
    if found is None:
        raise ConfigError(
            f"Expected a duration such as 30m, 12h or 7d, found {text!r}. Write a positive whole "
            "number followed by d, h or m."
        )
    return int(found.group(1)) * _UNITS[found.group(2)]


def window_columns(specs: Sequence[WindowSpec]) -> tuple[WindowColumn, ...]:
    """Return the columns that the specs ask for, in their order.

    Raises:
        ConfigError: a duration or a take is unknown, a take needs `of`, or two columns would have
            one name.
    """
    found = tuple(
        _window_column(spec, over, take)
        for spec in specs
        for over in spec.over
        for take in spec.take
    )
    names = [window.name for window in found]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise ConfigError(
            f"Each window may be asked for once, found {', '.join(repeated)} more than once. "
            "Remove the repetition from windows."
        )
    return found


def _window_column(spec: WindowSpec, over: str | timedelta, take: str) -> WindowColumn:
    """Return one column, named after what it holds."""
    if take not in TAKES:
        raise ConfigError(
            f"A window takes {', '.join(TAKES)}; found {take!r}. Choose among these in windows."
        )
    if take in TAKES_OF_NUMBERS and spec.of is None:
        raise ConfigError(
            f"A window that takes {take} needs the column it is taken of, and the one by "
            f"{spec.by!r} has none. Add of: COLUMN to it."
        )
    duration = parse_duration(over) if isinstance(over, str) else _checked(over)
    label = over if isinstance(over, str) else _label(duration)
    prefix = "" if spec.of is None else f"{spec.of}_"
    name = f"{prefix}{take}_{label}_by_{spec.by}"
    return WindowColumn(name, spec.of or spec.by, spec.by, spec.of, take, duration)


def _checked(over: timedelta) -> timedelta:
    """Return a duration that is at least one minute and whole in minutes."""
    if over < _UNITS["m"] or over % _UNITS["m"]:
        raise ConfigError(
            f"Expected a duration of whole minutes, found {over}. Write 30m, 12h or 7d."
        )
    return over


def _label(over: timedelta) -> str:
    """Write a duration in the largest unit that divides it."""
    unit = next(unit for unit, length in _UNITS.items() if not over % length)
    return f"{over // _UNITS[unit]}{unit}"


def longest(specs: Sequence[WindowSpec]) -> timedelta:
    """Return the longest duration of the specs, or zero where there is none."""
    return max((window.over for window in window_columns(specs)), default=timedelta(0))


def add_windows(table: DataFrame, event_time: str, specs: Sequence[WindowSpec]) -> DataFrame:
    """Add the columns that the specs ask for to a table whose `event_time` is a TIMESTAMP.

    Counts are BIGINT, everything else DOUBLE. Columns are null where the entity is, or the event
    time is. A sum over no event is 0; a mean, a maximum and a ratio over none are null, and so is a
    standard deviation over fewer than two. Values that are not finite count as missing.

    Raises:
        ConfigError: see `window_columns`.
    """
    windows = window_columns(specs)
    wide = table.withColumn(_MICROS, F.unix_micros(column(event_time)))
    for by in dict.fromkeys(window.by for window in windows):
        wide = _with_windows_by(wide, by, [window for window in windows if window.by == by])
    return wide.select(*map(column, table.columns), *(column(window.name) for window in windows))


def _with_windows_by(table: DataFrame, by: str, windows: Sequence[WindowColumn]) -> DataFrame:
    """Add the windows of one entity column, by one shuffle and one sort."""
    measured = dict.fromkeys(window.of for window in windows if window.of is not None)
    values = {of: f"adlib window value {number}" for number, of in enumerate(measured)}
    prepared = table.withColumns(
        {_SPREAD: _spread(by), _PRESENT: _present(by)}
        | {value: _finite(of) for of, value in values.items()}
    )
    grouping = [column(by), column(_SPREAD)]
    tie_breaks = map(column, values.values())
    ordered = prepared.repartition(*grouping).sortWithinPartitions(
        *grouping, column(_MICROS), *tie_breaks
    )
    entity = Window.partitionBy(*grouping).orderBy(column(_MICROS))
    aggregates = _Aggregates(entity, values)
    finished = {window.name: aggregates.finish(window) for window in windows}
    return (
        ordered.select("*", *aggregates.columns())
        .withColumns({name: value * column(_PRESENT) for name, value in finished.items()})
        .drop(_SPREAD, _PRESENT, *values.values(), *aggregates.names())
    )


class _Aggregates:
    """The window aggregates that some columns are made of, each computed once."""

    def __init__(self, entity: Frame, values: dict[str, str]) -> None:
        self._entity = entity
        self._values = values
        self._found: dict[tuple[str, str | None, timedelta], tuple[str, Column]] = {}

    def columns(self) -> Iterable[Column]:
        """Return the aggregates under their own names."""
        return (aggregate.alias(name) for name, aggregate in self._found.values())

    def names(self) -> list[str]:
        """Return the names of the aggregates."""
        return [name for name, _ in self._found.values()]

    def finish(self, window: WindowColumn) -> Column:
        """Return a window's column as an expression over the aggregates."""
        of, over = window.of, window.over
        match window.take:
            case "count":
                return self._aggregate("count", None, over)
            case "gap":
                return _gap(self._aggregate("last", None, over), over)
            case "sum":
                return _rounded(F.coalesce(self._aggregate("sum", of, over), F.lit(0.0)))
            case "ratio":
                return _rounded(F.try_divide(self._value(of), self._aggregate("mean", of, over)))
            case "max":
                return self._aggregate("max", of, over)
            case take:
                return _rounded(self._aggregate(take, of, over))

    def _value(self, of: str | None) -> Column:
        """Return the row's own value of a measured column."""
        return column(self._values[str(of)])

    def _aggregate(self, take: str, of: str | None, over: timedelta) -> Column:
        """Return the column that an aggregate over the frame will be found in."""
        if (take, of, over) not in self._found:
            frame = self._entity.rangeBetween(-(over // _MICROSECOND), -1)
            name = f"adlib window aggregate {len(self._found)}"
            self._found[take, of, over] = (name, self._measure(take, of).over(frame))
        return column(self._found[take, of, over][0])

    def _measure(self, take: str, of: str | None) -> Column:
        """Return an aggregate function of a measured column or of the rows."""
        match take:
            case "count":
                return F.count(F.lit(1))
            case "last":
                return F.max(column(_MICROS))
            case "sum":
                return F.sum(self._value(of))
            case "mean":
                return F.avg(self._value(of))
            case "std":
                return F.stddev_samp(self._value(of))
            case _:
                return F.max(self._value(of))


def _spread(by: str) -> Column:
    """Scatter the rows without an entity, which would otherwise be one enormous entity."""
    return F.when(column(by).isNull(), F.pmod(column(_MICROS), F.lit(_NULL_ENTITY_GROUPS)))


def _finite(of: str) -> Column:
    """Return a column as DOUBLE with null for NaN and infinities, and one kind of zero."""
    value = column(of).cast(T.DoubleType())
    return F.when(F.abs(value) < F.lit(math.inf), value + F.lit(0.0))


def _present(by: str) -> Column:
    """Return 1 where there is an entity and a time, else null: a factor that keeps or removes."""
    return F.when(column(by).isNotNull() & column(_MICROS).isNotNull(), F.lit(1))


def _gap(last_micros: Column, over: timedelta) -> Column:
    """Return the seconds since the last event, or the window's length where there is none."""
    since = (column(_MICROS) - last_micros) / F.lit(_MICROS_PER_SECOND)
    return F.coalesce(since, F.lit(over.total_seconds()))


def _rounded(value: Column) -> Column:
    """Keep nine significant decimal digits; null where the value left the range of a double.

    Written without conditions, for Spark computes a repeated part once only where none guards it.
    """
    finite = F.nullif(F.nullif(value, F.lit(math.inf)), F.lit(-math.inf))
    places = F.lit(_SIGNIFICANT_DIGITS - 1) - F.floor(F.log10(F.abs(finite)))
    power = F.pow(F.lit(10.0), F.least(places, F.lit(_LARGEST_EXPONENT)).cast(T.DoubleType()))
    return F.coalesce(F.rint(finite * power) / power, finite)
