"""Whether so many rows are set aside that what is left cannot be trusted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from adlib.errors import InputError
from adlib.spark.ledger import DateLedger

MALFORMED_LINE = "malformed_line"
"""The problem of a line of CSV or JSON that cannot be parsed."""

FEWEST_TELLING = 10
"""Fewer quarantined rows than these may be chance, whatever share of a small date they are."""
_MOST_NAMED = 5
_WITHOUT_A_DATE = frozenset({"missing_event_time", "bad_event_time", MALFORMED_LINE})
"""Problems of rows that are filed under the run's date, for they have none of their own."""


@dataclass(frozen=True)
class _Part:
    """What is judged: the rows of a run, or those of one of its dates."""

    name: str
    rows: int
    quarantined: Mapping[str, int]

    def exceeds(self, limit: float) -> bool:
        found = sum(self.quarantined.values())
        return found >= FEWEST_TELLING and found > limit * self.rows

    def __str__(self) -> str:
        found = sum(self.quarantined.values())
        problems = ", ".join(f"{why} {rows:,}" for why, rows in sorted(self.quarantined.items()))
        share = _percent(found / self.rows)
        return f"{found:,} of {self.rows:,} rows{self.name}, {share} ({problems})"


def swallowed_lines(quarantined: DataFrame) -> int:
    """Count line breaks within malformed lines: what a quote that is never closed took along."""
    malformed = quarantined.where(F.col("problem") == MALFORMED_LINE)
    breaks = F.regexp_count(F.get_json_object("raw_row", "$.line"), F.lit("\n"))
    (found,) = malformed.agg(F.sum(breaks)).collect()[0]
    return found or 0


def refuse_quarantined(
    dates: Sequence[DateLedger], limit: float, quarantine: Path, swallowed: int = 0
) -> None:
    """Refuse to go on where more than a share of the rows of a run, or of a date, is set aside.

    A date is judged by the rows that have one, so that those without, which are filed under the
    date of the run, do not condemn it; of the run all rows count, and as rows the `swallowed` lines
    that stand within malformed ones.

    Raises:
        InputError: saying of how many rows how many are set aside and why, and what to do.
    """
    over = [part for part in _parts(dates, swallowed) if part.exceeds(limit)]
    if not over:
        return
    message = (
        f"Too many rows are in quarantine: {over[0]}, where quarantine.limit allows "
        f"{_percent(limit)}.{_others(over[1:])}{_unclosed(swallowed)} Nothing was "
        f"published. Look at them in {quarantine}, put right the source or what the configuration "
        "says of its columns and run again; if such rows may be missing, raise quarantine.limit."
    )
    raise InputError(message)


def dates_over(dates: Sequence[DateLedger], limit: float) -> list[date]:
    """Return the dates of which more than a share of the rows that have one is set aside."""
    return [entry.date for entry in dates if _of_date(entry).exceeds(limit)]


def _percent(share: float) -> str:
    return f"{100 * share:.3g}%"


def _others(parts: Sequence[_Part]) -> str:
    """Name a few of the dates that are over the limit as well."""
    if not parts:
        return ""
    more = f" and {len(parts) - _MOST_NAMED} more" if len(parts) > _MOST_NAMED else ""
    return f" Over it too: the rows{','.join(part.name for part in parts[:_MOST_NAMED])}{more}."


def _unclosed(swallowed: int) -> str:
    if not swallowed:
        return ""
    return (
        f" Malformed lines took {swallowed:,} more lines along, up to the next quote; "
        "source.options: {multiLine: false} keeps each to itself."
    )


def _parts(dates: Sequence[DateLedger], swallowed: int) -> Iterator[_Part]:
    """Return the run, then its dates."""
    total = Counter[str]()
    for entry in dates:
        total.update(entry.quarantined)
    if swallowed:
        total[MALFORMED_LINE] += swallowed
    yield _Part("", sum(entry.rows_read for entry in dates) + swallowed, total)
    yield from map(_of_date, dates if len(dates) > 1 else ())


def _of_date(entry: DateLedger) -> _Part:
    own = {why: rows for why, rows in entry.quarantined.items() if why not in _WITHOUT_A_DATE}
    undated = sum(entry.quarantined.values()) - sum(own.values())
    return _Part(f" of {entry.date}", entry.rows_read - undated, own)
