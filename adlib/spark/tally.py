"""How many rows have which score, by date: counted in the workers, added up afterwards."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from adlib.arrays import Floats, Ints

_SHIFT = 16
"""The leading 16 bits of a float32 are its sign, its exponent and 7 bits of fraction: 128 bins
from each power of two to the next, of negative scores in the order of the scores."""
_BINS = 1 << _SHIFT
_LOWEST = -(_BINS // 2)
_LARGEST = 0x7F7FFFFF
"""The bits of the largest float32."""
_SMALLEST = np.int32(-0x00800001)
"""The bits of the lowest float32."""


@dataclass(frozen=True)
class Tally:
    """How many rows of each date fall into each bin of score."""

    counts: defaultdict[int, dict[int, int]] = field(default_factory=lambda: defaultdict(dict))
    """Day since 1970 → bin → rows."""

    def add(self, days: Ints | int, scores: Floats) -> None:
        """Count a batch; the days are one for all rows, or one for each."""
        if isinstance(days, int):
            self._add_one_day(days, scores)
            return
        for day in np.unique(days).tolist():
            self._add_one_day(day, scores[days == day])

    def _add_one_day(self, day: int, scores: Floats) -> None:
        counted = np.bincount(bins_of(scores) - _LOWEST, minlength=_BINS)
        found = np.flatnonzero(counted)
        here = self.counts[day]
        for place, rows in zip((found + _LOWEST).tolist(), counted[found].tolist(), strict=True):
            here[place] = here.get(place, 0) + rows


def bins_of(scores: Floats) -> Ints:
    """Return the bin of each score; bins are narrower than a hundredth of the score."""
    bins: Ints = _in_order(scores.astype(np.float32).view(np.int32)) >> _SHIFT
    return bins


def _in_order(bits: Ints) -> Ints:
    """Turn the bits of float32 numbers into integers of the same order, and back again.

    All bits but the sign of a negative number are turned over: they count its distance from 0.
    """
    ordered: Ints = bits ^ ((bits >> 31) & 0x7FFFFFFF)
    return ordered


def _scores_of(places: Ints) -> Floats:
    """Return the scores that stand at places of the order, none of them infinite."""
    within = np.clip(places, _in_order(np.asarray(_SMALLEST)), _LARGEST).astype(np.int32)
    scores: Floats = _in_order(within).view(np.float32).astype(np.float64)
    return scores


@lru_cache(maxsize=100_000)
def score_of_bin(place: int) -> float:
    """Return the score in the middle of a bin."""
    return float(_scores_of(np.asarray([(place << _SHIFT) + (1 << (_SHIFT - 1))]))[0])


def bounds_of_bins(places: Ints) -> tuple[Floats, Floats]:
    """Return the lowest score of each bin and the lowest beyond the next: shape (bins,) each."""
    wide = places.astype(np.int64)
    return _scores_of(wide << _SHIFT), _scores_of((wide + 2) << _SHIFT)
