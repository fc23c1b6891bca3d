"""Nothing is published unless every row that was read is accounted for."""

from dataclasses import replace
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from adlib.errors import AdlibError
from adlib.publication import Publication, check_counts
from adlib.spark.ledger import DateLedger, Ledger
from adlib.spark.records import DateCounts
from adlib.spark.writing import WrittenFile

DAY = date(2026, 3, 1)
SOUND = DateLedger(DAY, 100, 90, 0, {"duplicate": 4, "missing_key": 6}, "digest")


def publication(
    entry: DateLedger = SOUND,
    counts: DateCounts | None = None,
    **rows: int,
) -> Publication:
    """Return what is about to be published of one date, with the rows in its files."""
    written = {"anomalies": 3, "quarantine": 10, "scores": 90, **rows}
    files = {table: {DAY: WrittenFile(Path(table), found)} for table, found in written.items()}
    found = counts or DateCounts(rows_scored=90, severities={"low": 3})
    config = cast("Any", SimpleNamespace(output=SimpleNamespace(scores=True)))
    ledger = Ledger((entry,), 0, {})
    return Publication(config, cast("Any", None), "run", ledger, {DAY: found}, files, Path())


def test_rows_that_add_up_pass():
    check_counts(publication())


@pytest.mark.parametrize(
    ("lost", "words"),
    [
        (publication(replace(SOUND, rows_read=101)), "read: 101 rows expected, 100 found"),
        (publication(counts=DateCounts(rows_scored=89, severities={"low": 3})), "scored: 90 rows"),
        (publication(counts=DateCounts(rows_scored=91, severities={"low": 3})), "scored: 90 rows"),
        (publication(anomalies=2), "anomalies: 3 rows expected, 2 found"),
        (publication(quarantine=9), "quarantine: 10 rows expected, 9 found"),
        (publication(scores=91), "scores: 90 rows expected, 91 found"),
        (
            publication(replace(SOUND, quarantined={"missing_key": 6}), quarantine=6),
            "read: 100 rows expected, 96 found",
        ),
    ],
    ids=["read", "lost", "twice", "anomalies", "quarantine", "scores", "duplicates"],
)
def test_a_row_that_is_lost_or_comes_twice_stops_the_publication(lost, words):
    with pytest.raises(AdlibError) as error:
        check_counts(lost)
    assert words in str(error.value)
    assert "Nothing was published" in str(error.value)
