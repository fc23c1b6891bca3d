"""Where strange begins: thresholds, and the ways to calibrate one.

Scores that calibrate come from rows that the detector did not learn from. A row is flagged when its
score is at least the threshold. Quantiles are exact order statistics, never approximations.
"""

from __future__ import annotations

import abc
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from adlib.arrays import Flags, Floats, Ints, Texts
from adlib.errors import ModelError

SEVERITIES = ("low", "medium", "high", "critical")
_SEVERITY_DIVISORS = (3, 10, 100)
"""A severity begins at the p-value at the threshold divided by this."""
_FRACTION_DIGITS = 12


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


THRESHOLDS: Mapping[str, type[ThresholdSettings]] = {
    settings.kind: settings
    for settings in (
        FixedThreshold,
        FractionThreshold,
        PercentileThreshold,
        BudgetThreshold,
        ZScoreThreshold,
    )
}


@dataclass(frozen=True, eq=False)
class Threshold:
    """A calibrated threshold: the cut, and the calibration scores that give ranks their meaning."""

    settings: ThresholdSettings
    cut: float
    asked_fraction: float | None
    calibration: Floats
    """Scores of the calibration rows, ascending: shape (rows,), float64."""

    @classmethod
    def calibrate(
        cls, settings: ThresholdSettings, scores: Floats, rows_per_day: float | None
    ) -> Threshold:
        """Find the cut.

        Raises:
            ModelError: if all scores are equal, so that no cut tells rows apart.
        """
        ordered = np.sort(scores.astype(np.float64))
        if not np.isfinite(ordered).all():
            why = "some calibration scores are not finite"
            advice = "Look for columns with absurd values in the training log."
            raise ModelError.degenerate(why, advice)
        if len(ordered) > 1 and ordered[0] == ordered[-1]:
            why = f"all {len(ordered)} calibration scores are equal ({ordered[0]:g})"
            raise ModelError.degenerate(why, "Use columns that vary, or another detector.")
        cut = settings.cut(ordered, rows_per_day)
        return cls(settings, cut, settings.asked_fraction(rows_per_day), ordered)

    def flags(self, scores: Floats) -> Flags:
        """Return which scores are flagged."""
        return np.asarray(scores >= self.cut)

    def percentiles(self, scores: Floats) -> Floats:
        """Return the share of calibration scores at or below each score, 0 to 100."""
        below = np.searchsorted(self.calibration, scores, side="right")
        return 100.0 * below / len(self.calibration)

    def p_values(self, scores: Floats) -> Floats:
        """Return conformal p-values, after Bates et al. (2023), equation 3.

        (1 + calibration rows at least as strange) / (1 + calibration rows).
        """
        return self._ranks(scores) / (1.0 + len(self.calibration))

    def _ranks(self, scores: Floats) -> Ints:
        """Return 1 + calibration rows at least as strange: shape (rows,)."""
        weaker = np.searchsorted(self.calibration, scores, side="left")
        return 1 + len(self.calibration) - weaker

    @cached_property
    def _rank_at_cut(self) -> int:
        return int(self._ranks(np.asarray([self.cut]))[0])

    def severities(self, scores: Floats) -> Texts:
        """Grade flagged scores: a third, a tenth, a hundredth of the p-value at the cut.

        What lies beyond every calibration row is critical.
        """
        ranks = self._ranks(scores)
        grades = np.zeros(len(scores), dtype=np.int64)
        for divisor in _SEVERITY_DIVISORS:
            grades += ranks * divisor <= self._rank_at_cut
        grades[scores > self.calibration[-1]] = len(SEVERITIES) - 1
        return np.asarray(SEVERITIES, dtype=object)[grades]

    def to_json(self) -> dict[str, Any]:
        """Return the threshold as plain JSON values, without the calibration scores."""
        return {
            "kind": self.settings.kind,
            "settings": asdict(self.settings),
            "cut": self.cut,
            "asked_fraction": self.asked_fraction,
        }

    @classmethod
    def from_json(cls, plain: Mapping[str, Any], calibration: Floats) -> Threshold:
        """Build a threshold from what `to_json` wrote.

        Raises:
            ModelError: if this version does not know the kind.
        """
        if plain["kind"] not in THRESHOLDS:
            message = (
                f"The model's threshold is of kind {plain['kind']!r}; this version knows "
                f"{', '.join(THRESHOLDS)}. Score with the version that trained it."
            )
            raise ModelError(message)
        settings = THRESHOLDS[plain["kind"]](**plain["settings"])
        return cls(settings, plain["cut"], plain["asked_fraction"], calibration)
