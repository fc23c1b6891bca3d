"""How values of the source are printed for a person."""

from __future__ import annotations

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
    if np.isnan(value):
        return None
    if feature.integral and np.isfinite(value):
        return str(int(value))
    return str(np.float32(value)) if feature.single else str(value)


_LARGEST_WHOLE = 1e15
"""A whole number from here on is printed as 1e+15: nobody reads more digits."""


def number_text(value: float, *, integral: bool) -> str:
    """Print a number that a model expects: whole, or with four significant digits."""
    if integral and abs(value) < _LARGEST_WHOLE:
        return str(round(value))
    return f"{value:.4g}"


_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def calendar_text(units: int, period: float) -> str:
    """Print a weekday by its name and an hour as a time of day."""
    return _WEEKDAYS[units % 7] if period == len(_WEEKDAYS) else f"{units:02d} h"
