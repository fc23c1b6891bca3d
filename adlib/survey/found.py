"""What a survey finds: for each column what it is taken for, and why."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from adlib.survey.windows import WindowIdea


class Role(Enum):
    """What a column is taken for."""

    KEY = "key"
    EVENT_TIME = "event_time"
    ENTITY = "entity"
    LABEL = "label"
    EXCLUDE = "exclude"
    KEEP = "keep"
    NUMERIC = "numeric"
    CATEGORICAL = "categorical"
    BOOLEAN = "boolean"
    TIMESTAMP = "timestamp"
    TEXT = "text"
    VECTOR = "vector"
    LEFT_OUT = "left out"


FEATURE_ROLES = (
    Role.NUMERIC,
    Role.CATEGORICAL,
    Role.BOOLEAN,
    Role.TIMESTAMP,
    Role.TEXT,
    Role.VECTOR,
)


@dataclass(frozen=True)
class Guess:
    """What one column is taken for, and why."""

    column: str
    role: Role
    why: str


@dataclass(frozen=True)
class Survey:
    """What a table is taken for."""

    rows: int
    whole: bool
    """Whether all rows were looked at."""
    guesses: tuple[Guess, ...]
    windows: tuple[WindowIdea, ...]
    by: str | None
    """A column that says what kind of anomaly a labelled row is."""

    def of(self, role: Role) -> tuple[Guess, ...]:
        """Return the guesses of one role, in the order of the columns."""
        return tuple(guess for guess in self.guesses if guess.role is role)

    def column_of(self, role: Role) -> str | None:
        """Return the one column of a role, if there is one."""
        return next((guess.column for guess in self.of(role)), None)
