"""Where strange begins: the ways to find a cut, and what a score means beside calibration rows.

`settings` are the ways that look at calibration scores alone, `tails` those that read a tail off
them, `dates` what needs a date's whole distribution, and `threshold` what comes of any of them.
"""

from adlib.thresholds.dates import (
    DateRule,
    DateScores,
    FalseDiscoveries,
    TopRows,
    conformal_p_values,
)
from adlib.thresholds.settings import (
    DEFAULT_FRACTION,
    BudgetThreshold,
    FixedThreshold,
    FractionThreshold,
    PercentileThreshold,
    ThresholdSettings,
    TopKThreshold,
    ZScoreThreshold,
    cut_for_fraction,
)
from adlib.thresholds.tails import (
    AutoThreshold,
    ConformalThreshold,
    FdrThreshold,
    PotThreshold,
    trimmed,
)
from adlib.thresholds.threshold import SEVERITIES, SEVERITY_DIVISORS, THRESHOLDS, Threshold

__all__ = [
    "DEFAULT_FRACTION",
    "SEVERITIES",
    "SEVERITY_DIVISORS",
    "THRESHOLDS",
    "AutoThreshold",
    "BudgetThreshold",
    "ConformalThreshold",
    "DateRule",
    "DateScores",
    "FalseDiscoveries",
    "FdrThreshold",
    "FixedThreshold",
    "FractionThreshold",
    "PercentileThreshold",
    "PotThreshold",
    "Threshold",
    "ThresholdSettings",
    "TopKThreshold",
    "TopRows",
    "ZScoreThreshold",
    "conformal_p_values",
    "cut_for_fraction",
    "trimmed",
]
