"""What a command did: one value, printed as a short table for people and as JSON for machines."""

from __future__ import annotations

import json
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, TypeVar

from adlib.errors import AdlibError
from adlib.progress import Meter, Silent

_Item = TypeVar("_Item")

DONE, NOTHING_TO_DO, FAILED, INTERRUPTED = "done", "already published", "failed", "interrupted"


@dataclass
class Summary:
    """What a command did, filled in stage by stage."""

    command: str
    name: str
    day: date | None
    meter: Meter = field(default_factory=Silent)
    log: Path | None = None
    """Where everything is said that was not printed."""
    status: str = DONE
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    figures: dict[str, Any] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time a stage, and show that it is at work."""
        self.meter.begin(name)
        began = time.monotonic()
        yield
        self.seconds[name] = round(time.monotonic() - began, 3)
        self.meter.end(name, self.seconds[name])

    def over(self, items: Collection[_Item], what: str) -> Iterator[_Item]:
        """Go through items, showing how many are done."""
        for done, item in enumerate(items, 1):
            yield item
            self.meter.at(done, len(items), what)

    def add(self, **figures: object) -> None:
        """Note figures; a later one of the same name takes the place of an earlier one."""
        self.figures.update(figures)

    def fail(self, error: AdlibError) -> None:
        """Note that the command was refused, and why."""
        self.status = FAILED
        self.add(message=str(error), exit_code=error.exit_code)

    @property
    def is_complete(self) -> bool:
        """Whether the command came to its end, so that its figures hold."""
        return self.status in {DONE, NOTHING_TO_DO}

    def plain(self) -> dict[str, Any]:
        """Return the summary as plain JSON values."""
        return {
            "command": self.command,
            "name": self.name,
            "date": self.day.isoformat() if self.day else None,
            "status": self.status,
            "started_at": self.started_at.isoformat(),
            "ended_at": datetime.now(UTC).isoformat(),
            **self.figures,
            "seconds": self.seconds,
            "log": None if self.log is None else str(self.log),
        }

    def json_line(self) -> str:
        """Return the summary as one line of JSON."""
        return json.dumps(self.plain(), default=str, ensure_ascii=False)
