"""Anomalies planted in ordinary rows, one kind beside the other, for a self-test to look for.

Planting works on a table's columns before they are encoded, so that encoder, detector and threshold
are all put to the test. What is planted depends on the rows and the seed alone, and a kind that the
table has no column for is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from adlib.arrays import (
    Column,
    Columns,
    Flags,
    Floats,
    Ints,
    NumberColumn,
    PastColumn,
    TextColumn,
    VectorColumn,
    event_places,
    row_count,
    take_rows,
)
from adlib.encoding import Feature, Kind

MOST_PLANTED = 200
"""Rows of a kind, if the table has them."""
_SWAPPED_SHARE = 1 / 3
_SHIFT_SPREADS = 6.0
_MAGNITUDE = 50.0
_LEAST_CORRELATION = 0.5
_FEWEST_RELATED = 20
"""A relation that fewer rows show in the open is none."""
_MOST_PAIRS = 20
_CORRELATED_ROWS = 2000
_MOST_VALUES = 500
"""In a category with more values one more is nothing strange."""
_NORMAL_QUARTILES = 1.349
_NEVER_SEEN = "never seen"


@dataclass(frozen=True)
class Planted:
    """Rows in which anomalies were planted."""

    columns: Columns
    rows: Mapping[str, slice | None]
    """Which rows are of each kind; None where the table has no column for it."""
    origins: Ints
    """Which ordinary row each of them was: shape (rows,)."""

    @property
    def kinds(self) -> dict[str, slice]:
        """The rows of each kind that could be planted."""
        return {kind: rows for kind, rows in self.rows.items() if rows is not None}


def plant(columns: Columns, features: Sequence[Feature], seed: int) -> Planted:
    """Plant up to 200 anomalies of each kind in copies of ordinary rows.

    Columns that no feature speaks for come along as they are.
    """
    parts: list[Columns] = [take_rows(columns, slice(0, 0))]
    origins: list[Ints] = [np.empty(0, dtype=np.intp)]
    rows: dict[str, slice | None] = {}
    start = 0
    for place, (kind, planter) in enumerate(PLANTERS.items()):
        part = planter(_Ordinary(columns, features), np.random.default_rng([seed, place]))
        rows[kind] = None if part is None else slice(start, start + len(part.origins))
        if part is not None:
            parts.append(part.columns)
            origins.append(part.origins)
            start += len(part.origins)
    stacked = {name: _stacked([part[name] for part in parts]) for name in columns}
    return Planted(stacked, rows, np.concatenate(origins))


@dataclass(frozen=True)
class _Part:
    """Rows of one kind."""

    columns: Columns
    origins: Ints


@dataclass(frozen=True)
class _Ordinary:
    """The rows that are planted in."""

    columns: Columns
    features: Sequence[Feature]

    @property
    def names(self) -> list[str]:
        return [feature.name for feature in self.features if feature.kind is not Kind.PAST]

    def numbers(self) -> dict[str, NumberColumn]:
        """Return the columns of numbers that vary."""
        chosen = {f.name: self.columns[f.name] for f in self.features if f.kind is Kind.NUMBER}
        return {
            name: column
            for name, column in chosen.items()
            if isinstance(column, NumberColumn) and _spread(column) > 0.0
        }

    def categories(self) -> dict[str, TextColumn]:
        """Return the columns of few values, so that another one is strange."""
        chosen = {f.name: self.columns[f.name] for f in self.features if f.kind is Kind.CATEGORY}
        return {
            name: column
            for name, column in chosen.items()
            if isinstance(column, TextColumn) and _is_closed(column)
        }

    def is_integral(self, name: str) -> bool:
        return any(feature.integral for feature in self.features if feature.name == name)


def _swapped_values(ordinary: _Ordinary, draw: np.random.Generator) -> _Part | None:
    """Take a third of a row's values, at least two, from another row."""
    count, names = row_count(ordinary.columns), ordinary.names
    if len(names) < 2 or count < 2:  # noqa: PLR2004 - one value from elsewhere is an ordinary one
        return None
    rows = draw.permutation(count)[:MOST_PLANTED]
    donors = (rows + draw.integers(1, count, len(rows))) % count
    swapped = max(2, round(len(names) * _SWAPPED_SHARE))
    order = draw.random((len(names), len(rows))).argsort(axis=0)
    planted = take_rows(ordinary.columns, rows)
    for name, place in zip(names, order, strict=True):
        planted[name] = ordinary.columns[name].take(np.where(place < swapped, donors, rows))
    return _Part(planted, rows)


def _shifted_number(ordinary: _Ordinary, draw: np.random.Generator) -> _Part | None:
    """Move one number by six spreads of its column: up, or either way where some are negative."""

    def shifted(values: Floats, column: NumberColumn) -> Floats:
        either_way = bool((column.values < 0.0).any())
        signs = draw.choice([-1.0, 1.0] if either_way else [1.0], len(values))
        return values + signs * _SHIFT_SPREADS * _spread(column)

    return _with_numbers(ordinary, draw, shifted)


def _wrong_magnitude(ordinary: _Ordinary, draw: np.random.Generator) -> _Part | None:
    """Make one number fifty times what it is; a zero becomes fifty spreads."""

    def magnified(values: Floats, column: NumberColumn) -> Floats:
        return _MAGNITUDE * np.where(values == 0.0, _spread(column), values)

    return _with_numbers(ordinary, draw, magnified)


def _broken_relation(ordinary: _Ordinary, draw: np.random.Generator) -> _Part | None:
    """Mirror one of two related numbers at its median, in rank, so that it stays an ordinary one.

    The relation is the strongest rank correlation, of at least 0.5, that enough rows show: both
    numbers beyond the quartiles, on the sides that the relation says.
    """
    numbers = ordinary.numbers()
    for name, other, sign in _related_pairs(numbers):
        sides = _side(numbers[name].values) * _side(numbers[other].values)
        rows = draw.permutation(np.flatnonzero(sides == sign))[:MOST_PLANTED]
        if len(rows) >= _FEWEST_RELATED:
            values = _mirrored(numbers[other].values, rows)
            planted = {**take_rows(ordinary.columns, rows), other: NumberColumn(values)}
            return _Part(planted, rows)
    return None


def _unseen_category(ordinary: _Ordinary, draw: np.random.Generator) -> _Part | None:
    """Give one category a value that no row holds."""
    categories = ordinary.categories()
    present = {name: column.codes >= 0 for name, column in categories.items()}
    rows, chosen = _one_of(present, draw)
    if len(rows) == 0:
        return None
    planted = take_rows(ordinary.columns, rows)
    for name, here in chosen.items():
        planted[name] = _with_unseen(categories[name].take(rows), here)
    return _Part(planted, rows)


PLANTERS: Mapping[str, Callable[[_Ordinary, np.random.Generator], _Part | None]] = MappingProxyType(
    {
        "swapped_values": _swapped_values,
        "shifted_number": _shifted_number,
        "wrong_magnitude": _wrong_magnitude,
        "broken_relation": _broken_relation,
        "unseen_category": _unseen_category,
    }
)
"""Every kind of anomaly, and what plants it."""


def _with_numbers(
    ordinary: _Ordinary,
    draw: np.random.Generator,
    changed: Callable[[Floats, NumberColumn], Floats],
) -> _Part | None:
    """Change one number of each row, of those that it holds; whole numbers stay whole."""
    numbers = ordinary.numbers()
    present = {name: np.isfinite(column.values) for name, column in numbers.items()}
    rows, chosen = _one_of(present, draw)
    if len(rows) == 0:
        return None
    planted = take_rows(ordinary.columns, rows)
    for name, here in chosen.items():
        values = numbers[name].values[rows]
        before = values[here].astype(np.float64)
        with np.errstate(over="ignore"):
            after = changed(before, numbers[name])
            values[here] = _whole(before, after) if ordinary.is_integral(name) else after
        planted[name] = NumberColumn(values)
    return _Part(planted, rows)


def _whole(before: Floats, after: Floats) -> Floats:
    """Return changed numbers as whole ones, rounded away from what they were."""
    return np.where(after > before, np.ceil(after), np.floor(after))


def _one_of(
    present: Mapping[str, Flags], draw: np.random.Generator
) -> tuple[Ints, dict[str, Flags]]:
    """Draw rows that hold a value, and for each row one of the columns in which it holds one."""
    if not present:
        return np.empty(0, dtype=np.intp), {}
    held = np.stack([*present.values()])
    rows = draw.permutation(np.flatnonzero(held.any(axis=0)))[:MOST_PLANTED]
    lots = np.where(held[:, rows], draw.random((len(held), len(rows))), -1.0)
    places = lots.argmax(axis=0)
    return rows, {name: places == place for place, name in enumerate(present)}


def _with_unseen(column: TextColumn, here: Flags) -> TextColumn:
    """Return the column with a value that its dictionary lacks in some rows."""
    unseen, known = _NEVER_SEEN, set(column.values)
    while unseen in known:
        unseen += "!"
    codes = np.where(here, len(column.values), column.codes)
    return TextColumn(codes, np.append(column.values, np.asarray([unseen], dtype=object)))


def _is_closed(column: TextColumn) -> bool:
    """Tell whether a category has few values and most of them more than once."""
    codes = column.codes[column.codes >= 0]
    return 0 < len(np.unique(codes)) <= min(_MOST_VALUES, len(codes) / 2)


def _spread(column: NumberColumn) -> float:
    """Return the interquartile range in standard deviations of a normal, else the deviation."""
    values = column.values[np.isfinite(column.values)].astype(np.float64)
    if len(values) == 0:
        return 0.0
    low, high = np.quantile(values, [0.25, 0.75])
    with np.errstate(over="ignore", invalid="ignore"):
        spread = float(high - low) / _NORMAL_QUARTILES or float(values.std())
    return spread if np.isfinite(spread) else 0.0


def _related_pairs(numbers: Mapping[str, NumberColumn]) -> list[tuple[str, str, float]]:
    """Return pairs of columns by falling rank correlation, with its sign; a missing rank is 0."""
    names = [*numbers]
    if len(names) < 2:  # noqa: PLR2004 - a pair
        return []
    ranks = np.stack([_ranks(numbers[name].values[:_CORRELATED_ROWS]) for name in names])
    lengths = np.linalg.norm(ranks, axis=1)
    correlation = np.triu(ranks @ ranks.T / np.outer(lengths, lengths).clip(1e-12), 1)
    strongest = np.argsort(-np.abs(correlation), axis=None, kind="stable")[:_MOST_PAIRS]
    places = np.unravel_index(strongest, correlation.shape)
    return [
        (names[row], names[other], float(np.sign(correlation[row, other])))
        for row, other in zip(*places, strict=True)
        if abs(correlation[row, other]) >= _LEAST_CORRELATION
    ]


def _ranks(values: Floats) -> Floats:
    """Return ranks less their mean, equal values alike: shape (rows,)."""
    present = np.isfinite(values)
    ordered = np.sort(values[present])
    ranks = np.zeros(len(values))
    middle = _middle_places(ordered, values[present])
    ranks[present] = middle - middle.mean() if len(middle) else middle
    return ranks


def _middle_places(ordered: Floats, values: Floats) -> Floats:
    """Return the middle of the places at which values stand in ordered ones."""
    first = np.searchsorted(ordered, values, side="left")
    return np.asarray((first + np.searchsorted(ordered, values, side="right") - 1) / 2.0)


def _side(values: Floats) -> Floats:
    """Return 1 above the upper quartile, -1 below the lower one, 0 between them or missing."""
    present = np.isfinite(values)
    low, high = np.quantile(values[present], [0.25, 0.75])
    return np.where(present, 1.0 * (values > high) - (values < low), 0.0)


def _mirrored(values: Floats, rows: Ints) -> Floats:
    """Return, for some rows, the column's value that is as far from the other end."""
    ordered = np.sort(values[np.isfinite(values)])
    places = len(ordered) - 1 - _middle_places(ordered, values[rows])
    return ordered[places.astype(np.intp)]


def _stacked(parts: Sequence[Column]) -> Column:
    """Return the rows of several columns of one type, one below the other."""
    if isinstance(parts[0], TextColumn):
        return _stacked_texts([part for part in parts if isinstance(part, TextColumn)])
    if isinstance(parts[0], PastColumn):
        return _stacked_pasts([part for part in parts if isinstance(part, PastColumn)])
    flat = [part for part in parts if isinstance(part, NumberColumn | VectorColumn)]
    values = np.concatenate([part.values for part in flat])
    return VectorColumn(values) if isinstance(parts[0], VectorColumn) else NumberColumn(values)


def _stacked_pasts(parts: Sequence[PastColumn]) -> PastColumn:
    present = np.concatenate([part.present for part in parts], axis=1)
    starts = np.cumsum([0, *(part.present.size for part in parts)])
    places = [
        start + event_places(part.present.shape) for start, part in zip(starts, parts, strict=False)
    ]
    order = np.concatenate(places, axis=1).ravel()
    texts = [part.events for part in parts if isinstance(part.events, TextColumn)]
    if texts:
        return PastColumn(_stacked_texts(texts).take(order), present)
    values = np.concatenate([part.events.values for part in parts])
    return PastColumn(NumberColumn(values[order]), present)


def _stacked_texts(parts: Sequence[TextColumn]) -> TextColumn:
    """Stack strings whose dictionaries begin alike, so that the longest one serves all."""
    longest = max((part.values for part in parts), key=len)
    return TextColumn(np.concatenate([part.codes for part in parts]), longest)
