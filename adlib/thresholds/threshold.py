"""Where strange begins, once it is calibrated: the cut, and what a score means.

Scores that calibrate come from rows that the detector did not learn from. A row is flagged when its
score is at least the cut.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np

from adlib.arrays import Flags, Floats, Texts
from adlib.errors import ModelError
from adlib.thresholds.dates import DateScores, conformal_p_values, conformal_ranks
from adlib.thresholds.settings import (
    BudgetThreshold,
    FixedThreshold,
    FractionThreshold,
    PercentileThreshold,
    ThresholdSettings,
    TopKThreshold,
    ZScoreThreshold,
)
from adlib.thresholds.tails import (
    AutoThreshold,
    ConformalThreshold,
    FdrThreshold,
    PotThreshold,
    trimmed,
)

SEVERITIES = ("low", "medium", "high", "critical")
SEVERITY_DIVISORS = (3, 10, 100)
"""A severity begins at the p-value at the threshold divided by this."""

THRESHOLDS: Mapping[str, type[ThresholdSettings]] = {
    settings.kind: settings
    for settings in (
        FixedThreshold,
        FractionThreshold,
        PercentileThreshold,
        BudgetThreshold,
        ZScoreThreshold,
        ConformalThreshold,
        PotThreshold,
        AutoThreshold,
        FdrThreshold,
        TopKThreshold,
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
        return conformal_p_values(self.calibration, scores)

    @cached_property
    def usual_size(self) -> float:
        """What errors of scores are measured by: the size of the cut, or of the median score.

        Where scores may be negative a cut can be next to nothing, and the errors near it are not.
        """
        return max(abs(self.cut), float(np.median(np.abs(self.calibration))))

    @cached_property
    def _rank_at_cut(self) -> int:
        return int(conformal_ranks(self.calibration, np.asarray([self.cut]))[0])

    def date_cut(self, scores: DateScores) -> float:
        """Return the lowest score that may be flagged of a date, infinity where none is."""
        rule = self.settings.date_rule()
        return self.cut if rule is None else rule.date_cut(scores, self.ordinary)

    @cached_property
    def ordinary(self) -> Floats:
        """The calibration scores without those that look like anomalies, ascending."""
        return trimmed(self.calibration)

    def severities(self, scores: Floats) -> Texts:
        """Grade flagged scores: a third, a tenth, a hundredth of the p-value at the cut.

        What lies beyond every calibration row is critical.
        """
        ranks = conformal_ranks(self.calibration, scores)
        grades = np.zeros(len(scores), dtype=np.int64)
        for divisor in SEVERITY_DIVISORS:
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
