"""The queries in the README and in docs run on what a run has published."""

import re

import duckdb
import pytest

from tests.docs import examples


@pytest.mark.parametrize("example", examples("sql"), ids=str)
def test_a_query_runs_on_published_tables(finished, example):
    query = re.sub(
        r"'[^']*?/(?=(anomalies|scores|quarantine|daily_summary|runs)/)",
        f"'{finished.root}/out/",
        example.text,
    )
    assert str(finished.root) in query
    assert duckdb.execute(query).fetchall()
