"""How many rows have which score, by date: counted in the workers, added up afterwards."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from adlib.arrays import Floats, Ints

_SHIFT = 16
"""The leading 16 bits of a float32 are its sign, its exponent and 7 bits of fraction: 128 bins
from each power of two to the next."""
_BINS = 1 << _SHIFT
_LOWEST = -(_BINS // 2)
_LARGEST = 0x7F7FFFFF
"""The bits of the largest float32."""


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
    bits: Ints = scores.astype(np.float32).view(np.int32) >> _SHIFT
    return bits


@lru_cache(maxsize=100_000)
def score_of_bin(place: int) -> float:
    """Return the score in the middle of a bin."""
    middle = np.asarray([(place << _SHIFT) + (1 << (_SHIFT - 1))], dtype=np.int32)
    return float(middle.view(np.float32)[0])


def bounds_of_bins(places: Ints) -> tuple[Floats, Floats]:
    """Return the lowest score of each bin and the lowest beyond the next: shape (bins,) each."""
    lowest = (places << _SHIFT).astype(np.int32).view(np.float32)
    beyond = np.minimum((places + 2) << _SHIFT, _LARGEST).astype(np.int32).view(np.float32)
    return lowest.astype(np.float64), beyond.astype(np.float64)
