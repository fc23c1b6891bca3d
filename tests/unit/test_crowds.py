"""The largest crowds are taken for ordinary."""

import numpy as np
import pytest

from adlib.detectors.crowds import largest


@pytest.mark.parametrize(
    ("fraction", "kept"),
    [(0.3, [1, 3]), (0.8, [1, 3]), (0.9, [0, 1, 3]), (1.0, [0, 1, 2, 3])],
)
def test_they_are_as_many_as_hold_the_share_that_is_asked_for(fraction, kept):
    assert np.flatnonzero(largest(np.asarray([15, 50, 5, 30]), fraction)).tolist() == kept


def test_of_crowds_that_are_alike_none_is_left_out():
    assert largest(np.asarray([0.26, 0.24, 0.25, 0.25]), 0.5).all()
