"""How much may be set aside before a run stops: by the run, and by its dates."""

from datetime import date, timedelta
from pathlib import Path

import pytest

from adlib.errors import InputError
from adlib.spark.ledger import DateLedger
from adlib.spark.quarantine import dates_over, refuse_quarantined

WHERE = Path("work/quarantine")


def entry(rows, day=0, **quarantined):
    kept = rows - sum(quarantined.values())
    when = date(2026, 3, 1) + timedelta(days=day)
    return DateLedger(when, rows, kept, 0, quarantined, "digest")


@pytest.mark.parametrize(
    "dates",
    [
        [entry(200, duplicate=10)],  # the limit itself
        [entry(3, missing_key=1)],
        [entry(9, missing_key=9)],
        [entry(1_000), entry(3, 1, missing_key=1)],
        [entry(100_000), entry(500, 1, missing_event_time=500)],  # filed under the run's date
        [entry(0)],
    ],
)
def test_what_may_be_chance_or_is_within_the_limit_stops_nothing(dates):
    refuse_quarantined(dates, 0.05, WHERE)


@pytest.mark.parametrize(
    ("dates", "words"),
    [
        ([entry(200, duplicate=11)], "11 of 200 rows, 5.5% (duplicate 11)"),
        ([entry(40, bad_event_time=10)], "10 of 40 rows, 25% (bad_event_time 10)"),
        (
            [entry(200, missing_key=6, duplicate=6), entry(10, 1)],
            "12 of 210 rows, 5.71% (duplicate 6, missing_key 6)",
        ),
        (
            [entry(100_000), entry(100, 1, missing_key=50, missing_event_time=20)],
            "50 of 80 rows of 2026-03-02, 62.5% (missing_key 50)",
        ),
    ],
)
def test_more_stops_with_the_share_the_limit_the_problems_and_what_to_do(dates, words):
    with pytest.raises(InputError) as error:
        refuse_quarantined(dates, 0.05, WHERE)
    said = str(error.value)
    assert words in said
    assert "where quarantine.limit allows 5%" in said
    assert "Nothing was published" in said
    assert f"Look at them in {WHERE}" in said


def test_the_other_dates_that_are_over_it_are_named_up_to_a_few():
    dates = [entry(100, day, missing_key=50) for day in range(7)]
    with pytest.raises(InputError) as error:
        refuse_quarantined(dates, 0.05, WHERE)
    named = "the rows of 2026-03-01, of 2026-03-02, of 2026-03-03, of 2026-03-04, of 2026-03-05"
    assert f"Over it too: {named} and 2 more." in str(error.value)


def test_a_limit_of_one_stops_nothing_and_of_none_nearly_everything():
    refuse_quarantined([entry(50, duplicate=50)], 1.0, WHERE)
    with pytest.raises(InputError, match="allows 0"):
        refuse_quarantined([entry(1_000_000, duplicate=10)], 0.0, WHERE)


def test_lines_within_malformed_ones_count_and_what_took_them_along_is_said():
    dates = [entry(1_560, malformed_line=34)]
    refuse_quarantined(dates, 0.05, WHERE)
    with pytest.raises(InputError) as error:
        refuse_quarantined(dates, 0.05, WHERE, swallowed=1_440)
    said = str(error.value)
    assert "1,474 of 3,000 rows, 49.1% (malformed_line 1,474)" in said
    assert "took 1,440 more lines along" in said
    assert "multiLine: false" in said


def test_dates_are_judged_by_their_own_rows():
    dates = [
        entry(400, duplicate=20),
        entry(400, 1, missing_key=21),
        entry(20, 2, bad_event_time=20),
    ]
    assert dates_over(dates, 0.05) == [dates[1].date]
