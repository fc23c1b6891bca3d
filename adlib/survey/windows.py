"""Which windows may tell what an entity's past says of a row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from adlib.survey.columns import SeenColumn
from adlib.survey.names import amount_rank

_LENGTHS = {"30d": 30.0, "7d": 7.0, "1d": 1.0, "1h": 1 / 24}
_SHARE_OF_SPAN = 4
"""A window is a quarter of the table at most: rows whose windows it does not fill teach nothing."""


@dataclass(frozen=True)
class WindowIdea:
    """One item of `windows`."""

    by: str
    over: str
    take: tuple[str, ...]
    of: str | None
    why: str


def suggest_windows(
    entity: SeenColumn,
    days: float,
    numbers: Sequence[SeenColumn],
    others: Sequence[SeenColumn],
) -> tuple[WindowIdea, ...]:
    """Suggest windows by the entity, then by other identifiers; none where the days are too few."""
    fitting = [name for name, length in _LENGTHS.items() if length * _SHARE_OF_SPAN <= days]
    if not fitting:
        return ()
    over = fitting[0]
    measure = _measure(numbers)
    first = (
        WindowIdea(entity.name, over, ("count", "gap"), None, "how often it comes, how long since")
        if measure is None
        else WindowIdea(
            entity.name,
            over,
            ("count", "ratio"),
            measure.name,
            "how often it comes, and how many times its own usual this row is",
        )
    )
    second = [
        WindowIdea(other.name, over, ("count", "gap"), None, "how busy it is, how long since")
        for other in others
    ]
    return (first, *second)


def _measure(numbers: Sequence[SeenColumn]) -> SeenColumn | None:
    """Return the number that most sounds like an amount, else the one of the most values."""
    return min(
        numbers, key=lambda column: (amount_rank(column.name), -column.distinct), default=None
    )
