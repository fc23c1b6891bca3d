"""Every column by itself: the nats of NumPy's quantiles and of counted values."""

import numpy as np
import pytest

from adlib.detectors.histogram import HistogramSettings
from adlib.errors import ModelError

POWER = 3.0


def nats(values, reach, shares):
    """Return -log of the share of rows that reach as far, interpolated between quantiles."""
    levels = np.append(0.0, -np.log(shares))
    knots = np.quantile(reach, [0.0, *(1.0 - share for share in shares)])
    beyond = (levels[-1] - levels[-3]) / (knots[-1] - knots[-3])
    inside = np.interp(values, knots, levels)
    return np.where(values > knots[-1], levels[-1] + (values - knots[-1]) * beyond, inside)


def test_scores_are_cubed_nats_between_numpys_quantiles(numbers_of):
    lots = np.random.default_rng(0)
    learned, scored = (lots.normal(size=(rows, 3)) * 4.0 for rows in (4000, 500))
    fitted = HistogramSettings().fit(numbers_of(learned), seed=0, progress=None)
    usual = np.median(learned, axis=0)
    each = [
        nats(np.abs(scored - usual)[:, place], np.abs(learned - usual)[:, place], SHARES)
        for place in range(3)
    ]
    np.testing.assert_allclose(
        fitted.score(numbers_of(scored)), np.sum(np.power(each, POWER), axis=0), rtol=1e-5
    )


SHARES = (0.5, 0.1, 0.02, 0.004)


def test_a_value_counts_by_its_rarity(learned, rows):
    fitted = HistogramSettings().fit(learned, seed=0, progress=None)
    place = next(i for i, block in enumerate(rows.layout.blocks) if block.column == "country")
    counts = np.maximum(np.bincount(learned.places[0], minlength=6), 0.5)
    expected = -np.log(counts / len(learned))[rows.places[0]]
    losses = fitted.judge(rows).losses[:, place]
    np.testing.assert_allclose(losses, np.power(expected, POWER), rtol=1e-5)


def test_rows_that_are_all_the_same_are_refused(numbers_of):
    with pytest.raises(ModelError, match="50 rows of the sample have the same score"):
        HistogramSettings().fit(numbers_of(np.ones((50, 3))), seed=0, progress=None)
