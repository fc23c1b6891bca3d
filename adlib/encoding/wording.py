"""How values of the source, and what a model expects in their place, are printed for a person."""

from __future__ import annotations

import math
import re
import unicodedata

import numpy as np

from adlib.arrays import Floats
from adlib.encoding.features import Feature
from adlib.encoding.words import LONGEST_VALUE

_MOST_DECIMALS = 6
_LARGEST_WHOLE = 1e15
"""A number from here on is printed as 1e+15: nobody reads more digits."""
_EXACT_DIGITS = 15
"""A double holds as many decimal digits; what comes after them is noise of its binary form."""
_SINGLE_DIGITS = 7
_NOISE, _SINGLE_NOISE = 1e-14, 1e-7
"""Share of itself by which a decimal number misses its binary form, a few times over."""
_ODD_SHARE = 1e-3
_READ_DIGITS = 6
"""Of a measurement that has no last decimal."""
_EXPECTED_DIGITS = 4
_PLAIN = re.compile(r"[\w.:/@+%$-]+")


def shortened(text: str | None) -> str | None:
    """Return a string short enough to read: long ones end in an ellipsis."""
    if text is None or len(text) <= LONGEST_VALUE:
        return text
    return text[: LONGEST_VALUE - 1] + "…"


def spoken(text: str) -> str:
    """Return a name or a value as it stands within a sentence.

    In quotes where it could be taken for a part of the sentence; what cannot be seen is escaped, so
    that a sentence stays one line that reads from left to right.
    """
    if _PLAIN.fullmatch(text):
        return text
    seen = "".join(map(_visible, text))
    return f"'{seen}'"


def _visible(character: str) -> str:
    hidden = unicodedata.category(character) in {"Cc", "Cf", "Cs", "Zl", "Zp"}
    return repr(character)[1:-1] if hidden else character


def decimals_of(values: Floats) -> int | None:
    """Return after how many decimals all but one in a thousand numbers end, None: they do not."""
    finite = values[np.abs(values) < _LARGEST_WHOLE].astype(np.float64)
    noise = np.abs(finite) * (_SINGLE_NOISE if values.dtype == np.float32 else _NOISE)
    for decimals in range(_MOST_DECIMALS + 1):
        ends = np.abs(np.round(finite, decimals) - finite) <= noise
        if np.count_nonzero(~ends) <= len(finite) * _ODD_SHARE:
            return decimals
    return None


def exact_text(feature: Feature, value: float, decimals: int | None) -> str | None:
    """Print a source's number with the digits it has and none that it has not.

    `decimals` are those of its column; a number with more of them is printed with its own.
    """
    if math.isnan(value):
        return None
    if not math.isfinite(value) or abs(value) >= _LARGEST_WHOLE:
        return str(int(value)) if feature.integral and math.isfinite(value) else f"{value:.6g}"
    if feature.integral:
        return str(int(value))
    digits = _SINGLE_DIGITS if feature.single else _EXACT_DIGITS
    exact = float(f"{value:.{digits}g}")
    if decimals is None:
        return _measured_text(exact)
    text = f"{exact:.{decimals}f}"
    return text if float(text) == exact else _measured_text(exact, digits)


def _measured_text(value: float, digits: int = _READ_DIGITS) -> str:
    """Print a number with some significant digits, its whole part at any rate, no zeros behind."""
    whole = len(str(int(abs(value)))) if abs(value) >= 1.0 else 0
    text = f"{value:.{max(digits, whole)}g}"
    return text if "e" not in text or abs(value) < 1.0 else f"{value:.0f}"


def number_text(value: float, decimals: int | None = None, apart_from: float = math.nan) -> str:
    """Print a number that a model expects: no finer than its column, with four significant digits.

    With more of them where it takes more to tell it from another number.
    """
    if abs(value) >= _LARGEST_WHOLE or not math.isfinite(value):
        return f"{value:.4g}"
    value = value if decimals is None else round(value, decimals)
    for digits in range(_EXPECTED_DIGITS, _EXACT_DIGITS):
        short = float(f"{value:.{digits}g}")
        if math.isnan(apart_from) or short != float(f"{apart_from:.{digits}g}"):
            break
    return _measured_text(short, digits) if short else "0"


def duration_text(seconds: float) -> str:
    """Print a time span in the largest unit that it fills."""
    for unit, length in (("day", 86_400.0), ("hour", 3600.0), ("minute", 60.0)):
        if abs(seconds) >= length:
            return _counted(seconds / length, unit)
    return _counted(seconds, "second")


def _counted(count: float, unit: str) -> str:
    text = f"{count:.3g}"
    return f"{text} {unit}" if text == "1" else f"{text} {unit}s"


_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def calendar_text(units: float, period: float) -> str:
    """Print a weekday by its name and hours as a time of day."""
    if period == len(_WEEKDAYS):
        return _WEEKDAYS[int(units) % 7]
    minutes = int(units * 60.0)
    return f"{minutes // 60:02d}:{minutes % 60:02d}"
