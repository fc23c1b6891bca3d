"""The columns of a glimpse, typed as preprocess would type them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from adlib.arrays import Floats

ColumnKind = Literal["number", "boolean", "text", "timestamp", "vector"]
_NUMBER = r"^[+-]?(0|[1-9][0-9]{0,17})(\.[0-9]+)?([eE][+-]?[0-9]+)?$"
"""No leading zero: 00123 is a code, not an amount."""
_TIME = (
    r"^[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9]{2}:[0-9]{2}(:[0-9]{2}([.][0-9]+)?)?)?"
    r"(Z|[+-][0-9:]{4,6})?$"
)
_BOOLEAN = r"^(?i)(true|false)$"
_FEWEST_STEPS, _FEWEST_ROWS, _SAME_TIME = 3, 100, 0.999
"""From how many values and rows on, and from which correlation, a number is the time again."""
_FEWEST_LABELS = 20
"""With fewer rows of a label's value, that some column tells them apart may be chance."""
_INT64_DIGITS = 18
_DAY_MICROSECONDS = 86_400_000_000


@dataclass(frozen=True)
class SeenColumn:
    """One column of the rows looked at."""

    name: str
    kind: ColumnKind
    array: pa.Array
    """int64, float64, bool, string, timestamp or lists of numbers."""
    stored: str
    """Its type in the source."""
    missing: int
    distinct: int
    """0 of vectors."""

    @property
    def rows(self) -> int:
        """How many rows were looked at."""
        return len(self.array)

    @property
    def integral(self) -> bool:
        """Whether it holds whole numbers."""
        return bool(pa.types.is_integer(self.array.type))

    @property
    def unique(self) -> bool:
        """Whether every row has a value of its own."""
        return self.missing == 0 and self.distinct == self.rows

    def numbers(self) -> Floats:
        """Return numbers, or microseconds of a timestamp, as float64; NaN where missing."""
        values = self.array
        if self.kind == "timestamp":
            values = values.cast(pa.int64())
        floats: Floats = values.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
        return floats


def see_columns(table: pa.Table) -> tuple[list[SeenColumn], dict[str, str]]:
    """Type each column; return them, and the types of those that fit no flat table, by name."""
    seen: list[SeenColumn] = []
    unusable: dict[str, str] = {}
    for name in table.column_names:
        array = table.column(name)
        typed = _typed(_plain(array))
        if typed is None:
            unusable[name] = str(array.type)
        else:
            kind, values = typed
            distinct = 0 if kind == "vector" else len(pc.unique(values.drop_null()))
            stored = str(array.type)
            seen.append(SeenColumn(name, kind, values, stored, values.null_count, distinct))
    return seen, unusable


def _plain(column: pa.ChunkedArray) -> pa.Array:
    """Return one array, dictionaries written out."""
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    return column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)


def _typed(array: pa.Array) -> tuple[ColumnKind, pa.Array] | None:
    kind = array.type
    if pa.types.is_boolean(kind):
        return "boolean", array
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        return "timestamp", array.cast(pa.timestamp("us", getattr(kind, "tz", None)), safe=False)
    if _is_text(kind):
        return _typed_text(array.cast(pa.string()))
    if _is_vector(kind):
        return "vector", array
    number = _number(array)
    return None if number is None else ("number", number)


def _number(array: pa.Array) -> pa.Array | None:
    """Return whole numbers as int64, others as float64 with NaN as null; None of no numbers."""
    kind = array.type
    small = pa.types.is_decimal(kind) and kind.scale == 0 and kind.precision <= _INT64_DIGITS
    if pa.types.is_integer(kind) or small:
        return array.cast(pa.int64(), safe=False)
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        values = array.cast(pa.float64(), safe=False)
        return pc.if_else(pc.is_nan(values), pa.scalar(None, pa.float64()), values)
    return None


def _is_text(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_string(kind)
        or pa.types.is_large_string(kind)
        or pa.types.is_string_view(kind)
        or pa.types.is_null(kind)
    )


def _is_vector(kind: pa.DataType) -> bool:
    listed = (
        pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
    )
    return bool(
        listed and (pa.types.is_integer(kind.value_type) or pa.types.is_floating(kind.value_type))
    )


def _typed_text(array: pa.Array) -> tuple[ColumnKind, pa.Array]:
    """Type strings by what they hold: all numbers, all times, all true or false, else text."""
    trimmed = pc.utf8_trim_whitespace(array)
    values = pc.if_else(pc.equal(trimmed, ""), pa.scalar(None, pa.string()), trimmed)
    present = values.drop_null()
    if len(present) and _all_match(present, _NUMBER):
        return "number", _numbers_of(values, present)
    if len(present) and _all_match(present, _BOOLEAN):
        return "boolean", pc.equal(pc.utf8_lower(values), "true")
    if len(present) and _all_match(present, _TIME):
        times = pd.to_datetime(values.to_pandas(), utc=True, format="ISO8601", errors="coerce")
        return "timestamp", pa.array(times).cast(pa.timestamp("us", "UTC"), safe=False)
    return "text", values


def _numbers_of(values: pa.Array, present: pa.Array) -> pa.Array:
    whole = _all_match(present, r"^[+-]?[0-9]+$")
    return values.cast(pa.int64() if whole else pa.float64())


def _all_match(present: pa.Array, pattern: str) -> bool:
    return bool(pc.all(pc.match_substring_regex(present, pattern)).as_py())


def follows(column: SeenColumn, time: SeenColumn) -> bool:
    """Tell whether a number is the time again, in another unit: their correlation is nearly 1."""
    values, times = column.numbers(), time.numbers()
    both = np.isfinite(values) & np.isfinite(times)
    if column.distinct < _FEWEST_STEPS or both.sum() < _FEWEST_ROWS or np.ptp(times[both]) == 0.0:
        return False
    if np.ptp(values[both]) == 0.0:
        return False
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):  # squares of huge numbers
        return bool(np.corrcoef(values[both], times[both])[0, 1] > _SAME_TIME)


def tells_apart(column: SeenColumn, label: SeenColumn) -> bool:
    """Tell whether every value of a column stands with one value of the label, both occurring."""
    marks = label.array.to_pandas().astype("string")
    if marks.value_counts().min() < _FEWEST_LABELS or marks.nunique() < 2:  # noqa: PLR2004
        return False
    groups = column.array.to_pandas().astype("string").fillna("")
    return int(marks.groupby(groups).nunique().max()) == 1


def has_time_of_day(column: SeenColumn) -> bool:
    """Tell whether a timestamp says more than the day."""
    microseconds = column.array.drop_null().cast(pa.int64()).to_numpy()
    return bool((microseconds % _DAY_MICROSECONDS != 0).any())


def span_days(column: SeenColumn) -> float:
    """Return how many days lie between the first and the last time."""
    present = column.array.drop_null().cast(pa.int64()).to_numpy()
    return float(np.ptp(present)) / _DAY_MICROSECONDS if len(present) else 0.0
