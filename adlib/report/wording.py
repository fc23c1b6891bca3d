"""How figures and foreign text are written on a page."""

from __future__ import annotations

import math
import re
from datetime import date, datetime

LONGEST = 160
"""Characters of a foreign text that a page shows."""
NOTHING = "–"
_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)
"""Characters that XML or UTF-8 cannot hold, nobody can see, or that turn the text after them."""
_SCALES = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))
_PLAIN = (1e-3, 1e5)


def foreign(text: object, longest: int = LONGEST) -> str:
    """Return a text of the table's as a page shows it: visible characters, not too many."""
    clean = _UNSEEN.sub("\N{REPLACEMENT CHARACTER}", str(text)).replace("\t", " ")
    return clean if len(clean) <= longest else f"{clean[: longest - 1]}…"


def count(rows: float | None) -> str:
    """Write a number of rows: 1,234,567."""
    return NOTHING if rows is None else f"{rows:,.0f}"


def share(fraction: float | None) -> str:
    """Write a share as percent, to three digits: 0.512%, 12.3%, 100%."""
    if fraction is None:
        return NOTHING
    percent = 100.0 * fraction
    if percent in {0.0, 100.0}:
        return f"{percent:.0f}%"
    if abs(percent) < 0.001:  # noqa: PLR2004 - beyond three digits
        return "<0.001%"
    digits = max(0, min(3, 2 - math.floor(math.log10(abs(percent)))))
    return f"{percent:.{digits}f}%"


def measure(value: float | None) -> str:
    """Write a measure to four digits, without an exponent where it can be read without."""
    if value is None or not math.isfinite(value):
        return NOTHING
    if value == 0.0 or _PLAIN[0] <= abs(value) < _PLAIN[1]:
        return f"{value:,.4g}" if abs(value) < 1e4 else f"{value:,.0f}"  # noqa: PLR2004
    return f"{value:.3g}"


def compact(value: float) -> str:
    """Write a tick of an axis: 250, 2.5k, 10M, 1e+20."""
    for size, letter in _SCALES:
        if size <= abs(value) < 1e15:  # noqa: PLR2004 - beyond a thousand of the largest scale
            return f"{value / size:.3g}{letter}"
    return f"{value:.3g}"


def moment(time: datetime | None) -> str:
    """Write a time in UTC, to the second."""
    return NOTHING if time is None else f"{time:%Y-%m-%d %H:%M:%S}"


def days(found: tuple[date, ...]) -> str:
    """Write which dates: one, or from the first to the last."""
    if not found:
        return "no date"
    return str(found[0]) if len(found) == 1 else f"{found[0]} to {found[-1]}"


def of_rows(rows: int, noun: str = "row") -> str:
    """Write a number with its noun: 1 row, 2 rows."""
    return f"{rows:,} {noun}{'' if rows == 1 else 's'}"
