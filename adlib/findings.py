"""What one column says of a row: its value, what was expected there, and a part of a sentence.

A finding of a window column speaks of the source's column and of the entity's past.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

from adlib.arrays import Column, Columns, Floats, NumberColumn
from adlib.encoding import ColumnEncoding, Encoder, Kind
from adlib.encoding.category_columns import CategoryEncoding
from adlib.encoding.columns import NOTHING
from adlib.encoding.number_columns import ANOTHER_TIME
from adlib.encoding.wording import duration_text, number_text, spoken

_SECONDS = {"minute": 60.0, "hour": 3600.0, "day": 86_400.0}
_STATISTICS = {"sum": "sum", "mean": "mean", "std": "standard deviation", "max": "maximum"}
_FEW = 10.0
"""A whole number below this is said without 'about'."""


class Finding(NamedTuple):
    """What one column of the feature table says: the material of a reason."""

    actual: str | None
    expected: str
    direction: str
    """high, low, unusual, unseen or missing."""
    sentence: str


def finding(  # noqa: PLR0913 - a value, what was expected, and two ways to say it
    encoder: Encoder,
    index: int,
    columns: Columns,
    row: int,
    expected: Floats,
    *,
    unseen: bool,
    of_source: bool = True,
) -> Finding:
    """Compare a value with what was expected of it, in the words of the source.

    `index` is an encoding's, `expected` a reconstruction of its span; `unseen` says whether
    training never saw the value, `of_source` whether a ratio speaks of the source's amount or of
    itself.
    """
    encoding = encoder.encodings[index]
    if encoding.feature.entity is not None:
        return _Window(encoder, encoding, columns, row, expected).finding(of_source=of_source)
    column, name = columns[encoding.feature.name], spoken(encoding.feature.source)
    actual = encoding.text_at(column, row)
    usual = encoding.expected_text(expected, column, row)
    if actual is None:
        return Finding(None, usual, "missing", _missing(name, encoding.feature.kind, usual))
    if unseen:
        return Finding(actual, usual, "unseen", f"{name} is {spoken(actual)}, not seen before")
    if encoding.feature.kind is Kind.NUMBER:
        return _number(encoding, column, row, expected, (actual, usual))
    return Finding(actual, usual, "unusual", _unusual(encoding, actual, usual))


def _missing(name: str, kind: Kind, usual: str) -> str:
    if usual in {NOTHING, ANOTHER_TIME} or kind in {Kind.TEXT, Kind.VECTOR}:
        return f"{name} is missing, which is unusual here"
    said = usual if kind is Kind.NUMBER else spoken(usual)
    return f"{name} is missing where {said} is expected"


def _number(
    encoding: ColumnEncoding, column: Column, row: int, expected: Floats, said: tuple[str, str]
) -> Finding:
    (actual, usual), name = said, spoken(encoding.feature.source)
    value, wanted = encoding.number_at(column, row), encoding.expected_number(expected)
    if float(actual) == float(usual):  # to all digits that the column has
        return Finding(actual, usual, "unusual", f"{name} is {actual}, which is unusual here")
    sentence = f"{name} is {actual} where {_about(usual)} is expected"
    return Finding(actual, usual, _direction(value, wanted), sentence)


def _about(usual: str) -> str:
    """Say that a number is a rough one, unless it is a small whole one."""
    value = float(usual)
    return usual if value.is_integer() and abs(value) < _FEW else f"about {usual}"


def _unusual(encoding: ColumnEncoding, actual: str, usual: str) -> str:
    """Say how a value that is no number differs from the one expected."""
    kind, name = encoding.feature.kind, spoken(encoding.feature.source)
    if kind is Kind.CYCLE:
        on = "on a" if encoding.feature.period < 24 else "at"  # noqa: PLR2004 - hours
        where = "which is unusual here" if usual == ANOTHER_TIME else f"usually around {usual}"
        return f"{name} is {on} {actual}, {where}"
    if kind in {Kind.TEXT, Kind.VECTOR}:
        quoted = spoken(actual) if kind is Kind.TEXT else actual
        verb = "are" if kind is Kind.TEXT else "is"
        return f"{name} has {quoted} where {usual} {verb} expected"
    if actual == usual:  # the likeliest value, and yet not likely enough
        return f"{name} is {spoken(actual)}, which is unusual here"
    once = isinstance(encoding, CategoryEncoding) and encoding.is_rare(actual)
    seen = ", seen only once before," if once else ""
    return f"{name} is {spoken(actual)}{seen} where {spoken(usual)} is expected"


def _direction(actual: float, expected: float) -> str:
    if actual > expected:
        return "high"
    return "low" if actual < expected else "unusual"


@dataclass(frozen=True)
class _Window:
    """A window column's value in one row."""

    encoder: Encoder
    encoding: ColumnEncoding
    columns: Columns
    row: int
    expected: Floats

    def finding(self, *, of_source: bool) -> Finding:
        value = self.encoding.number_at(self.columns[self.encoding.feature.name], self.row)
        if math.isnan(value):
            return self._missing()
        match self.encoding.feature.take:
            case "ratio":
                return self._ratio(value) if of_source else self._times(value)
            case "count":
                return self._count(value)
            case "gap":
                return self._gap(value)
            case take:
                return self._statistic(value, _STATISTICS[str(take)])

    @property
    def _source(self) -> str:
        return spoken(self.encoding.feature.source)

    @property
    def _entity(self) -> str:
        return f"this {spoken(str(self.encoding.feature.entity))}"

    @property
    def _subject(self) -> str:
        """Name the source's column, and whose past it is unless that is the column itself."""
        feature = self.encoding.feature
        own = feature.source == feature.entity
        return self._source if own else f"{self._source}: {self._entity}"

    @property
    def _usual(self) -> float:
        return self.encoding.expected_number(self.expected)

    def _said(self, value: float, *, whole: bool = False, apart_from: float = math.nan) -> str:
        return number_text(value, 0 if whole else None, apart_from)

    def _count(self, value: float) -> Finding:
        over = self.encoding.feature.over
        usual = self._said(self._usual, whole=True, apart_from=value)
        actual = _counted(value)
        seen = actual if value else "no row"
        sentence = f"{self._subject} has {seen} in the {over} before where {_about(usual)}"
        return Finding(
            f"{actual} in {over}",
            f"{_counted(float(usual))} in {over}",
            _direction(value, float(usual)),
            f"{sentence} {'is' if usual == '1' else 'are'} usual",
        )

    def _gap(self, value: float) -> Finding:
        over, usual = str(self.encoding.feature.over), duration_text(self._usual)
        actual, seen = duration_text(value), f"was last seen {duration_text(value)} before"
        if value >= _seconds(over):
            actual, seen = f"over {over}", f"was not seen in the {over} before"
        sentence = f"{self._subject} {seen} where about {usual} is usual"
        if actual == usual:
            sentence = f"{self._subject} {seen}, which is unusual here"
        return Finding(actual, usual, _direction(value, self._usual), sentence)

    def _statistic(self, value: float, name: str) -> Finding:
        over = self.encoding.feature.over
        actual, usual = self._said(value), self._said(self._usual, apart_from=value)
        what = f"{name} over {over}"
        sentence = f"{self._source} has a {what} of {actual} for {self._entity}"
        return Finding(
            f"{actual} ({what})",
            f"{usual} ({what})",
            _direction(value, self._usual),
            f"{sentence} where {_about(usual)} is usual",
        )

    def _ratio(self, ratio: float) -> Finding:
        """Say the amount itself and the entity's own mean, where the amount is at hand."""
        names, source = self.encoder.names, self.encoding.feature.source
        column = self.columns.get(source)
        if source not in names or not isinstance(column, NumberColumn):
            return self._times(ratio)
        plain = self.encoder.encodings[names.index(source)]
        amount, actual = plain.number_at(column, self.row), plain.text_at(column, self.row)
        if ratio == 0.0:  # the mean is not known, only that it is not zero
            said = f"{self._source} is {actual}, which is not usual for {self._entity}"
            return Finding(actual, "not 0", "unusual", said)
        mean = amount / ratio
        usual = self._said(mean, apart_from=amount)
        sentence = f"{self._source} is {actual} where {_about(usual)} is usual for {self._entity}"
        return Finding(actual, usual, _direction(amount, mean), sentence)

    def _times(self, ratio: float) -> Finding:
        mean = f"times the mean of {self.encoding.feature.over}"
        actual, usual = self._said(ratio), self._said(self._usual, apart_from=ratio)
        said = (
            f"{self._source} is {actual} {mean} for {self._entity} where {_about(usual)} is usual"
        )
        return Finding(f"{actual} {mean}", f"{usual} {mean}", _direction(ratio, self._usual), said)

    def _missing(self) -> Finding:
        """Say what keeps a window from being known: no entity, no value of its own, no past."""
        feature, own = self.encoding.feature, self.columns.get(self.encoding.feature.source)
        expected = "an earlier value"
        said = f"{self._source} has no earlier value for {self._entity} in {feature.over}"
        if feature.take in {"count", "gap", "sum"}:
            expected = "a value"
            said = f"{spoken(str(feature.entity))} is missing, so nothing is known of its past"
        elif feature.take == "std":
            said = f"{self._source} has less than two earlier values for {self._entity}"
        elif isinstance(own, NumberColumn) and math.isnan(own.values[self.row]):
            expected, said = "a value", f"{self._source} is missing, which is unusual here"
        return Finding(None, expected, "missing", said)


def _counted(rows: float) -> str:
    return "1 row" if rows == 1.0 else f"{rows:.0f} rows"


def _seconds(over: str) -> float:
    """Return the seconds of a window's length as it is printed: 7 days, 1 hour."""
    count, unit = over.split()
    return float(count) * _SECONDS[unit.removesuffix("s")]
