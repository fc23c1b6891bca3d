"""How figures and foreign texts stand on a page."""

import pytest

from adlib.report.wording import compact, foreign, measure, share


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (0.0, "0"),
        (-250.0, "-250"),
        (2500.0, "2.5k"),
        (1e7, "10M"),
        (-3.2e9, "-3.2G"),
        (9.99e14, "999T"),
        (1e15, "1e+15"),
        (-1e88, "-1e+88"),
        (0.002, "0.002"),
    ],
)
def test_a_tick_is_short_however_large(value, said):
    assert compact(value) == said


@pytest.mark.parametrize(
    ("fraction", "said"),
    [
        (None, "–"),
        (0.0, "0%"),
        (1.0, "100%"),
        (0.00512, "0.512%"),
        (0.5, "50.0%"),
        (1e-7, "<0.001%"),
    ],
)
def test_a_share_is_a_percentage_of_three_digits(fraction, said):
    assert share(fraction) == said


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (None, "–"),
        (float("inf"), "–"),
        (0.0, "0"),
        (12.345, "12.35"),
        (54_321.0, "54,321"),
        (1e6, "1e+06"),
    ],
)
def test_a_measure_has_four_digits(value, said):
    assert measure(value) == said


def test_a_foreign_text_shows_what_nobody_could_see_and_ends():
    assert foreign("a\u202eb\x00") == "a\N{REPLACEMENT CHARACTER}b\N{REPLACEMENT CHARACTER}"
    assert foreign("x" * 200, longest=5) == "xxxx…"
