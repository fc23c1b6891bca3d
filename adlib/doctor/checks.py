"""One thing that was looked at."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Check:
    """What was looked at, and whether it will do."""

    name: str
    ok: bool
    found: str
    """What was found and, where it is not ok, what to do."""
    stops: bool = True
    """Whether a job that finds it so does not start; else it warns and goes on."""
