"""How values of the source are printed for a person."""

from __future__ import annotations

import math

import numpy as np

from adlib.encoding.features import Feature
from adlib.encoding.words import LONGEST_VALUE


def shortened(text: str | None) -> str | None:
    """Return a string short enough to read: long ones end in an ellipsis."""
    if text is None or len(text) <= LONGEST_VALUE:
        return text
    return text[: LONGEST_VALUE - 1] + "…"


def exact_text(feature: Feature, value: float) -> str | None:
    """Print a source's number with all the digits it has and none that it has not."""
    if math.isnan(value):
        return None
    if feature.integral and math.isfinite(value):
        return str(int(value))
    return str(np.float32(value)) if feature.single else str(value)


_LARGEST_WHOLE = 1e15
"""A number from here on is printed as 1e+15: nobody reads more digits."""
_FOUR_DIGITS = 1e4


def number_text(value: float, *, integral: bool) -> str:
    """Print a number that a model expects: whole, or with four significant digits."""
    if abs(value) >= _LARGEST_WHOLE or not math.isfinite(value):
        return f"{value:.4g}"
    if integral:
        return str(round(value))
    short = f"{value:.4g}"
    return str(round(float(short))) if abs(value) >= _FOUR_DIGITS else short


def duration_text(seconds: float) -> str:
    """Print a time span in the largest unit that it fills."""
    for unit, length in (("days", 86_400.0), ("hours", 3600.0), ("minutes", 60.0)):
        if abs(seconds) >= length:
            return f"{seconds / length:.3g} {unit}"
    return f"{seconds:.3g} seconds"


_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def calendar_text(units: int, period: float) -> str:
    """Print a weekday by its name and an hour as a time of day."""
    return _WEEKDAYS[units % 7] if period == len(_WEEKDAYS) else f"{units:02d} h"
