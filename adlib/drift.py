"""What each column looked like in training, kept small, and how far a later look has moved from it.

A number is kept as its tenths, a category as its commonest values; beside them the shares of rows
that held nothing or a value never learned. The later look is compared by the population stability
index over the same bins, what is missing among them: sum of (q - p) ln(q / p), the divergence of
Jeffreys (1946); 0.1 and 0.25 are the usual marks (Siddiqi, Credit Risk Scorecards, 2006). By chance
alone it is about (1/n + 1/m) times a chi-squared of one degree less than there are bins (Yurdakul,
Statistical Properties of the Population Stability Index, 2018), so no index within that is a shift.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from adlib.arrays import Column, Columns, Flags, Floats, NumberColumn, TextColumn, row_count
from adlib.encoding import ColumnEncoding, Encoder, Kind
from adlib.encoding.words import vocabulary_form

MOST_COLUMNS = 300
"""Columns of a wider table that a reference is kept of: the first."""
_TENTHS = np.linspace(0.1, 0.9, 9)
_MOST_VALUES = 20
_LONGEST_VALUE = 64
"""A longer value counts among all others, so that a reference stays small."""
_LARGEST = 1e300
_MOVED, _SHIFTED = 0.1, 0.25
_CERTAINTY = 0.999


@dataclass(frozen=True)
class ColumnReference:
    """One column in training."""

    missing: float
    """Share of rows without a value."""
    unseen: float
    """Share of held-out rows with a value that was not learned from."""
    shares: tuple[float, ...]
    """Of all rows, by bin; empty for a kind that is not compared."""
    edges: tuple[float, ...] = ()
    """Of a number: the upper bounds of all bins but the last."""
    values: tuple[str, ...] = ()
    """Of a category: a bin each; the last bin holds all others."""
    median: float | None = None


@dataclass(frozen=True)
class Reference:
    """The columns of a feature table in training."""

    rows: int
    columns: Mapping[str, ColumnReference]

    @classmethod
    def of(cls, encoder: Encoder, learned: Columns, held_out: Columns) -> Reference:
        """Look at the rows that were learned from, and at others for what was not learned."""
        unseen = encoder.unseen(held_out)
        found = {}
        for encoding in encoder.encodings[:MOST_COLUMNS]:
            feature = encoding.feature
            share = _share(unseen[feature.source]) if feature.source in unseen else 0.0
            found[feature.name] = _reference(encoding, learned[feature.name], share)
        return cls(row_count(learned), found)

    def to_json(self) -> dict[str, Any]:
        """Return the reference as plain JSON values."""
        columns = {
            name: {
                field: list(part) if isinstance(part, tuple) else part
                for field, part in asdict(column).items()
            }
            for name, column in self.columns.items()
        }
        return {"rows": self.rows, "columns": columns}

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> Reference:
        """Build a reference from what `to_json` wrote."""
        columns = {name: _column_from_json(own) for name, own in plain["columns"].items()}
        return cls(int(plain["rows"]), columns)


def _column_from_json(plain: Mapping[str, Any]) -> ColumnReference:
    fields: dict[str, Any] = {
        name: tuple(part) if isinstance(part, list) else part for name, part in plain.items()
    }
    return ColumnReference(**fields)


@dataclass(frozen=True)
class Movement:
    """How far a column has moved from what it was in training."""

    index: float
    """The population stability index, >= 0."""
    by_chance: float
    """What the index of equal columns stays below, 999 times in 1,000."""

    @property
    def verdict(self) -> str:
        """Steady, moved or shifted."""
        if self.index <= max(_MOVED, self.by_chance):
            return "steady"
        return "shifted" if self.index > _SHIFTED else "moved"


def movement(reference: Reference, encoding: ColumnEncoding, column: Column) -> Movement | None:
    """Compare a column with its reference; None where it has none or no row is there."""
    before = reference.columns.get(encoding.feature.name)
    if not isinstance(column, NumberColumn | TextColumn) or not len(column):
        return None
    if before is None or not before.shares:
        return None
    missing = encoding.is_missing(column)
    now = np.append(_bins(before, column, missing), missing.sum())
    then = np.append(before.shares, before.missing) * reference.rows
    p, q = _smoothed(then), _smoothed(now)
    index = float(((q - p) * np.log(q / p)).sum())
    return Movement(index, _by_chance(len(now), reference.rows, len(column)))


def _smoothed(counts: Floats) -> Floats:
    """Return shares, none of them zero: half a row more in every bin."""
    shares: Floats = (counts + 0.5) / (counts.sum() + 0.5 * len(counts))
    return shares


def _by_chance(bins: int, before: int, now: int) -> float:
    from scipy.stats import chi2

    return float(chi2.ppf(_CERTAINTY, bins - 1)) * (1.0 / max(1, before) + 1.0 / now)


def _reference(encoding: ColumnEncoding, column: Column, unseen: float) -> ColumnReference:
    missing = encoding.is_missing(column)
    bare = ColumnReference(_share(missing), unseen, ())
    if isinstance(column, NumberColumn):
        present = _finite(column.values[~missing])
        edges = np.unique(np.quantile(present, _TENTHS)) if len(present) else np.zeros(0)
        median = float(np.median(present)) if len(present) else None
        bare = ColumnReference(bare.missing, unseen, (), tuple(edges.tolist()), (), median)
    elif isinstance(column, TextColumn) and encoding.feature.kind is Kind.CATEGORY:
        bare = ColumnReference(bare.missing, unseen, (), (), _commonest(column))
    else:
        return bare
    shares = _bins(bare, column, missing) / max(1, len(column))
    return ColumnReference(**{**asdict(bare), "shares": tuple(shares.tolist())})


def _bins(reference: ColumnReference, column: NumberColumn | TextColumn, missing: Flags) -> Floats:
    """Count the rows of each bin: shape (bins,)."""
    if isinstance(column, TextColumn):
        bin_of = {value: place for place, value in enumerate(reference.values)}
        others = len(reference.values)
        places = np.asarray([bin_of.get(vocabulary_form(value), others) for value in column.values])
        found = places[column.codes[~missing]] if len(places) else np.zeros(0, dtype=np.int64)
        return np.bincount(found, minlength=others + 1).astype(np.float64)
    values = _finite(np.asarray(column.values)[~missing])
    found = np.searchsorted(np.asarray(reference.edges), values, side="left")
    return np.bincount(found, minlength=len(reference.edges) + 1).astype(np.float64)


def _commonest(column: TextColumn) -> tuple[str, ...]:
    counts = np.bincount(column.codes[column.codes >= 0], minlength=len(column.values))
    ranked = sorted(zip(counts.tolist(), map(str, column.values), strict=True), reverse=True)
    short = [value for count, value in ranked if count and len(value) <= _LONGEST_VALUE]
    return tuple(short[:_MOST_VALUES])


def _finite(values: Floats) -> Floats:
    return np.clip(values.astype(np.float64), -_LARGEST, _LARGEST)


def _share(flags: Flags) -> float:
    return float(flags.mean()) if len(flags) else 0.0
