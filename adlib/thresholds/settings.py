"""The ways to find a cut from calibration scores: a value, a share, a number of deviations.

Quantiles are exact order statistics, never approximations.
"""

from __future__ import annotations

import abc
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from adlib.arrays import Floats
from adlib.errors import ModelError
from adlib.thresholds.dates import DateRule, TopRows

_FRACTION_DIGITS = 12
DEFAULT_FRACTION = 0.005
"""What is flagged where nobody says how much."""


@dataclass(frozen=True)
class ThresholdSettings(abc.ABC):
    """How a threshold is to be found."""

    kind: ClassVar[str]

    @abc.abstractmethod
    def cut(self, scores: Floats, rows_per_day: float | None) -> float:
        """Return the lowest score that is flagged, from calibration scores in ascending order."""

    def asked_fraction(self, rows_per_day: float | None) -> float | None:  # noqa: ARG002
        """Return the share of rows that is asked for, or None where none is."""
        return None

    def date_rule(self) -> DateRule | None:
        """Return what decides date by date once all of its scores are known, or None.

        Where there is one, the cut is where a date is likely to be cut.
        """
        return None


@dataclass(frozen=True)
class FixedThreshold(ThresholdSettings):
    """A score known beforehand."""

    value: float
    kind: ClassVar[str] = "fixed"

    def cut(self, scores: Floats, rows_per_day: float | None) -> float:  # noqa: ARG002, D102
        return self.value


@dataclass(frozen=True)
class FractionThreshold(ThresholdSettings):
    """A share of the calibration rows: the contamination that is assumed."""

    fraction: float = 0.01
    kind: ClassVar[str] = "fraction"

    def cut(self, scores: Floats, rows_per_day: float | None) -> float:  # noqa: ARG002, D102
        return cut_for_fraction(scores, self.fraction)

    def asked_fraction(self, rows_per_day: float | None) -> float | None:  # noqa: ARG002, D102
        return self.fraction


@dataclass(frozen=True)
class PercentileThreshold(ThresholdSettings):
    """A percentile of the calibration scores, 0 to 100."""

    value: float = 99.0
    kind: ClassVar[str] = "percentile"

    def cut(self, scores: Floats, rows_per_day: float | None) -> float:  # noqa: D102
        return cut_for_fraction(scores, self.asked_fraction(rows_per_day))

    def asked_fraction(self, rows_per_day: float | None) -> float:  # noqa: ARG002, D102
        return round(1.0 - self.value / 100.0, _FRACTION_DIGITS)


@dataclass(frozen=True)
class BudgetThreshold(ThresholdSettings):
    """As many rows as people can look at: a share of all, or a number a day."""

    fraction: float | None = None
    rows_a_day: float | None = None
    kind: ClassVar[str] = "budget"

    def cut(self, scores: Floats, rows_per_day: float | None) -> float:  # noqa: D102
        return cut_for_fraction(scores, self.asked_fraction(rows_per_day))

    def asked_fraction(self, rows_per_day: float | None) -> float:  # noqa: D102
        if self.fraction is not None:
            return self.fraction
        if self.rows_a_day is None or not rows_per_day:
            message = (
                "threshold.rows_a_day needs to know how many rows a day has, and the training "
                "table has no days. Set threshold.fraction instead, or source.event_time."
            )
            raise ModelError(message)
        return min(1.0, self.rows_a_day / rows_per_day)

    def date_rule(self) -> DateRule | None:  # noqa: D102
        return None if self.rows_a_day is None else TopRows(max(1, int(self.rows_a_day)))


@dataclass(frozen=True)
class TopKThreshold(ThresholdSettings):
    """The k strangest rows of each date, whatever they score."""

    k: int = 100
    kind: ClassVar[str] = "top_k"

    def cut(self, scores: Floats, rows_per_day: float | None) -> float:  # noqa: D102
        fraction = self.asked_fraction(rows_per_day)
        return cut_for_fraction(scores, DEFAULT_FRACTION if fraction is None else fraction)

    def asked_fraction(self, rows_per_day: float | None) -> float | None:  # noqa: D102
        return min(1.0, self.k / rows_per_day) if rows_per_day else None

    def date_rule(self) -> DateRule:  # noqa: D102
        return TopRows(self.k)


@dataclass(frozen=True)
class ZScoreThreshold(ThresholdSettings):
    """So many standard deviations above the mean of the calibration scores."""

    value: float = 3.0
    kind: ClassVar[str] = "zscore"

    def cut(self, scores: Floats, rows_per_day: float | None) -> float:  # noqa: ARG002, D102
        return float(scores.mean() + self.value * scores.std())


def cut_for_fraction(scores: Floats, fraction: float) -> float:
    """Return the cut whose share of scores at or above it is nearest to `fraction`.

    Equal scores stay together, so a share can be out of reach; of two as near the smaller is taken.
    A fraction that is nearer to nothing than to one row asks for more than every score.
    """
    distinct, first = np.unique(scores, return_index=True)
    shares = 1.0 - np.concatenate([first, [len(scores)]]) / len(scores)
    cuts = np.append(distinct, np.nextafter(distinct[-1], np.inf))
    distance = np.abs(shares - fraction)
    nearest = np.flatnonzero(distance <= distance.min() + 1e-12)
    return float(cuts[nearest[-1]])
