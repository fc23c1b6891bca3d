"""What the bulk of the scores says of their tail: cuts by risk, and calibration rows to trim."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from adlib.arrays import Floats
from adlib.errors import ModelError
from adlib.thresholds.dates import DateRule, FalseDiscoveries
from adlib.thresholds.settings import ThresholdSettings

_BULK_SHARES = (0.2, 0.1, 0.05)
"""Shares of the rows beyond the scores that the tail is read off: a percent or two of anomalies
hardly moves them."""
_LARGEST_SHAPE = 1.0
"""Of a Pareto tail whose mean is just not finite."""
_FALSE_SHARE = 0.1
"""Of ordinary rows among those that are taken for anomalies."""
_QUIET_RISK = 1e-3
"""Share that is flagged where the sample shows no anomaly."""
_PEAKS_SHARE = 0.02
"""Share of the calibration scores that are peaks; Siffer et al. take as many."""
_FEWEST_PEAKS = 10


@dataclass(frozen=True)
class BulkTail:
    """A generalised Pareto tail read off the bulk (Pickands 1975, equation 2.5)."""

    start: float
    scale: float
    shape: float

    @classmethod
    def of(cls, scores: Floats) -> BulkTail:
        """Read the tail off scores in ascending order."""
        begin, middle, end = np.quantile(scores, [1.0 - share for share in _BULK_SHARES])
        near, far = middle - begin, end - middle
        least = 1e-9 * max(1.0, abs(float(end)))
        ratio = max(far, least) / max(near, least)
        shape = float(np.clip(np.log2(ratio), 0.0, _LARGEST_SHAPE))
        steps = np.log(2.0) if shape == 0.0 else (2.0**shape - 1.0) / shape
        return cls(float(begin), max(float(near / steps), least), shape)

    def survival(self, scores: Floats) -> Floats:
        """Return the share of ordinary rows that is expected to reach each score."""
        beyond = np.maximum(scores - self.start, 0.0) / self.scale
        if self.shape == 0.0:
            share = np.exp(-beyond)
        else:
            share = (1.0 + self.shape * beyond) ** (-1.0 / self.shape)
        return np.asarray(_BULK_SHARES[0] * share)

    def score_of(self, risk: float) -> float:
        """Return the score that this share of ordinary rows is expected to reach."""
        folds = _BULK_SHARES[0] / risk
        if self.shape == 0.0:
            return self.start + self.scale * float(np.log(folds))
        return self.start + self.scale * float(folds**self.shape - 1.0) / self.shape


def suspects(scores: Floats) -> int:
    """Return how many of the highest scores are more than the bulk's tail accounts for.

    The most of them of which at most a tenth is expected to be ordinary; `scores` is ascending.
    """
    expected = len(scores) * BulkTail.of(scores).survival(scores[::-1])
    found = np.arange(1, len(scores) + 1)
    beyond = np.flatnonzero(expected <= _FALSE_SHARE * found)
    return int(beyond[-1]) + 1 if len(beyond) else 0


def trimmed(scores: Floats) -> Floats:
    """Return calibration scores, ascending, without the suspects among them."""
    return scores[: len(scores) - suspects(scores)]


@dataclass(frozen=True)
class AutoThreshold(ThresholdSettings):
    """Where the scores begin to be more than the bulk's tail accounts for.

    At most a tenth of what is flagged of the calibration rows is expected to be ordinary; where
    nothing stands out, the score that one row in a thousand is expected to reach.
    """

    kind: ClassVar[str] = "auto"

    def cut(self, scores: Floats, rows_per_day: float | None) -> float:  # noqa: ARG002, D102
        count = suspects(scores)
        return float(scores[-count]) if count else BulkTail.of(scores).score_of(_QUIET_RISK)


@dataclass(frozen=True)
class ConformalThreshold(ThresholdSettings):
    """A conformal p-value: at most this share of ordinary rows is flagged."""

    value: float = 0.01
    kind: ClassVar[str] = "conformal"

    def cut(self, scores: Floats, rows_per_day: float | None) -> float:  # noqa: ARG002, D102
        allowed = int(np.floor(self.value * (len(scores) + 1) * (1.0 + 1e-12))) - 1
        if allowed < 0:
            message = (
                f"A p-value of {self.value:g} needs at least {int(np.ceil(1.0 / self.value)) - 1} "
                f"calibration rows, got {len(scores)}. Raise sample.rows or threshold.value."
            )
            raise ModelError(message)
        return float(np.nextafter(scores[len(scores) - allowed - 1], np.inf))

    def asked_fraction(self, rows_per_day: float | None) -> float:  # noqa: ARG002, D102
        return self.value


@dataclass(frozen=True)
class PotThreshold(ThresholdSettings):
    """Peaks over threshold: the score that a share of the rows is expected to reach.

    A generalised Pareto distribution is fitted to the highest calibration scores (Siffer et al.,
    KDD 2017, equation 1), so that the cut may lie beyond all of them.
    """

    value: float = 1e-3
    kind: ClassVar[str] = "pot"

    def cut(self, scores: Floats, rows_per_day: float | None) -> float:  # noqa: ARG002, D102
        from scipy.special import boxcox
        from scipy.stats import genpareto

        start = float(np.quantile(scores, 1.0 - _PEAKS_SHARE))
        peaks = scores[scores > start] - start
        if len(peaks) < _FEWEST_PEAKS:
            needed = round(_FEWEST_PEAKS / _PEAKS_SHARE)
            message = (
                f"Peaks over threshold needs about {needed} calibration rows of different scores, "
                f"got {len(scores)}. Raise sample.rows, or choose another threshold.kind."
            )
            raise ModelError(message)
        shape, _, scale = genpareto.fit(peaks, floc=0.0)
        folds = len(peaks) / (self.value * len(scores))
        return start + float(scale * boxcox(folds, shape))  # (folds**shape - 1) / shape, or its log

    def asked_fraction(self, rows_per_day: float | None) -> float:  # noqa: ARG002, D102
        return self.value


@dataclass(frozen=True)
class FdrThreshold(ThresholdSettings):
    """A bound on the share of ordinary rows among what is flagged of each date.

    Calibration rows that look like anomalies themselves are trimmed first: a percent of them would
    keep every p-value above what the procedure asks for.
    """

    value: float = 0.1
    kind: ClassVar[str] = "fdr"

    def cut(self, scores: Floats, rows_per_day: float | None) -> float:  # noqa: ARG002, D102
        return AutoThreshold().cut(scores, None)

    def date_rule(self) -> DateRule:  # noqa: D102
        return FalseDiscoveries(self.value)
