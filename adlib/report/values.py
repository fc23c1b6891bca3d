"""What a page says: values without a method that looks anything up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from adlib.arrays import Flags, Floats
from adlib.surrogate import Surrogate


@dataclass(frozen=True)
class Absent:
    """A part of the page that cannot be shown, and why."""

    why: str


@dataclass(frozen=True)
class RunFigures:
    """One run over all dates that it published, from `runs/`: exact."""

    run_id: str
    days: tuple[date, ...]
    superseded: tuple[date, ...]
    """Dates that another run has published since."""
    started_at: datetime
    ended_at: datetime
    rows_read: int
    context_rows: int
    rows_scored: int
    rows_flagged: int
    short_history_rows: int
    quarantined: Mapping[str, int]
    """Problem to rows."""
    asked_fraction: float | None
    scored_days: tuple[date, ...]
    """The dates of which rows were scored; a date may hold quarantined rows alone."""
    thresholds: Mapping[date, float | None]
    """The lowest score that is flagged of each date."""
    model_name: str
    model_version: str
    input_digests: Mapping[date, str]
    anomaly_files: Mapping[date, str]
    seconds: Mapping[str, float]
    over_delivered: tuple[date, ...]
    """Dates of which far more was flagged than was asked for."""

    @property
    def rows_quarantined(self) -> int:
        """How many rows could not be scored."""
        return sum(self.quarantined.values())

    @property
    def delivered_fraction(self) -> float | None:
        """The share of scored rows that was flagged."""
        return self.rows_flagged / self.rows_scored if self.rows_scored else None

    @property
    def cut(self) -> float | None:
        """The lowest score that is flagged of any date."""
        return min((cut for cut in self.thresholds.values() if cut is not None), default=None)


@dataclass(frozen=True)
class DateFigures:
    """One date, from `daily_summary/`: exact, quantiles to one part in 300."""

    day: date
    rows_scored: int
    rows_flagged: int
    severities: Mapping[str, int]
    commonest_first_reason: str | None
    median: float | None
    p99: float | None
    highest: float | None


@dataclass(frozen=True)
class QuarantineFigures:
    """Rows that were set aside for one problem of one column: exact."""

    problem: str
    column: str | None
    rows: int


@dataclass(frozen=True)
class DrivenColumn:
    """How a source column drives the flags of a run, from the reasons of all flagged rows."""

    name: str
    first: int
    """Flagged rows whose first reason it is."""
    named: int
    """Flagged rows that name it among their reasons."""
    share: float
    """Its mean share of the score over all flagged rows, 0 to 1; 0 where it is not named."""
    directions: Mapping[str, int]


@dataclass(frozen=True)
class ReasonPart:
    """One reason of a row."""

    column: str
    actual: str | None
    expected: str | None
    share: float
    direction: str


@dataclass(frozen=True)
class StrangeRow:
    """One of the strangest rows."""

    identity: tuple[tuple[str, str], ...]
    """Key and kept columns with what they hold."""
    day: date
    time: datetime | None
    score: float
    percentile: float
    severity: str
    sentence: str
    reasons: tuple[ReasonPart, ...]


@dataclass(frozen=True)
class FlaggedFigures:
    """All flagged rows counted, and the strangest of them: exact."""

    rows: int
    driven: tuple[DrivenColumn, ...]
    """The columns that reasons name, by share."""
    strangest: tuple[StrangeRow, ...]
    hours: tuple[int, ...]
    """Flagged rows by hour of the day, UTC; empty without an event time."""
    score_edges: tuple[float, ...]
    score_counts: tuple[int, ...]
    """Flagged rows between two edges of score; the last count holds all rows beyond."""


@dataclass(frozen=True, eq=False)
class Axis:
    """One column of a scatter plot."""

    name: str
    values: Floats
    """Shape (rows,): numbers, or places among `labels`; NaN where nothing is."""
    labels: tuple[str, ...] = ()


@dataclass(frozen=True)
class Health:
    """One column of the sample beside what it was in training."""

    name: str
    kind: str
    missing_then: float | None
    missing: float
    unseen_then: float | None
    unseen: float | None
    index: float | None
    """The population stability index; None where nothing is to be compared."""
    by_chance: float | None
    verdict: str
    median_then: float | None = None
    median: float | None = None


@dataclass(frozen=True, eq=False)
class SampleFigures:
    """A bounded sample of the scored rows, looked at with the model."""

    of_rows: int
    """How many rows it was drawn from."""
    scores: Floats
    flagged: Flags
    health: tuple[Health, ...]
    latent: Floats | None
    """Two dimensions of the hidden codes: shape (rows, 2)."""
    explained: tuple[float, float] | None
    """Share of the codes' variance in either dimension."""
    of_codes: bool
    """Whether the codes are a network's; else they are the encoded columns."""
    scatter: tuple[Axis, Axis] | None

    @property
    def rows(self) -> int:
        """How many rows were drawn."""
        return len(self.scores)


@dataclass(frozen=True)
class Evaluation:
    """How well scores agree with labels, as `evaluate` counted."""

    figures: Mapping[str, Any]
    roc: tuple[tuple[float, float], ...] = ()
    """Share of ordinary rows above a score, share of anomalies."""
    precision_recall: tuple[tuple[float, float], ...] = ()
    """Recall and precision."""
    measured_from: str | None = None
    exact: bool = True
    """Whether every score was counted by itself, not by fine bins."""


@dataclass(frozen=True)
class Setting:
    """What the configuration says that the page repeats."""

    name: str
    source: str
    output: str
    label: str | None
    event_time: str | None


@dataclass(frozen=True)
class Report:
    """All that a page says."""

    setting: Setting
    run: RunFigures
    earlier: tuple[RunFigures, ...]
    """Runs that ended before, the latest first."""
    dates: tuple[DateFigures, ...]
    flagged: FlaggedFigures
    quarantine: tuple[QuarantineFigures, ...]
    model: Mapping[str, Any]
    """The model's document."""
    sample: SampleFigures | Absent
    evaluation: Evaluation | Absent
    surrogate: Surrogate | Absent | None = None
    """Rules that repeat the flags; None where nobody asked for them."""
    notes: tuple[str, ...] = field(default=())
