"""What needs a date's whole distribution: its strangest rows, or a bound on false discoveries."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from adlib.arrays import Floats, Ints


@dataclass(frozen=True, eq=False)
class DateScores:
    """How many rows of a date score how much, the strangest first; arrays of one shape.

    Of a histogram the score is known to lie between two bounds; of rows both are the score itself.
    """

    lowest: Floats
    highest: Floats
    reach: Ints
    """Rows of this entry and of all before it."""
    rows: int
    """All rows of the date."""


@dataclass(frozen=True)
class TopRows:
    """The so many strangest rows of a date."""

    count: int

    def date_cut(self, scores: DateScores, calibration: Floats) -> float:  # noqa: ARG002
        """Return the lowest score that may be flagged; every score where there are fewer rows."""
        enough = np.flatnonzero(scores.reach >= self.count)
        return float(scores.lowest[enough[0]]) if len(enough) else -np.inf


@dataclass(frozen=True)
class FalseDiscoveries:
    """As many rows as keep the expected share of ordinary ones among them below a bound.

    The procedure of Benjamini and Hochberg (1995) over the rows of a date, on conformal p-values
    (Bates et al. 2023, section 2).
    """

    share: float

    def date_cut(self, scores: DateScores, calibration: Floats) -> float:
        """Return the lowest score that may be flagged, infinity where none is.

        `calibration` holds scores of rows taken for ordinary, ascending.
        """
        p_values = conformal_p_values(calibration, scores.highest)
        below = np.flatnonzero(p_values <= self.share * scores.reach / max(1, scores.rows))
        return float(scores.lowest[below[-1]]) if len(below) else np.inf


DateRule = TopRows | FalseDiscoveries
"""How the rows of one date that are flagged follow from all their scores."""


def conformal_p_values(calibration: Floats, scores: Floats) -> Floats:
    """Return (1 + calibration scores at least as high) / (1 + calibration scores)."""
    return conformal_ranks(calibration, scores) / (1.0 + len(calibration))


def conformal_ranks(calibration: Floats, scores: Floats) -> Ints:
    """Return 1 + calibration scores at least as high; `calibration` is ascending."""
    ranks: Ints = 1 + len(calibration) - np.searchsorted(calibration, scores, side="left")
    return ranks
