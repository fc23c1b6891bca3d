"""The views for Spark SQL run whatever path they are over."""

import pytest

from adlib.readers.views import spark_script
from tests.laid_out import FIRST, SECOND, lay_out

pytestmark = pytest.mark.spark


@pytest.fixture
def ask(spark):
    """Make the views in a schema of their own, then ask."""

    def asked(published, question):
        for statement in filter(str.strip, spark_script(published).split(";\n")):
            spark.sql(statement)
        return [tuple(row) for row in spark.sql(question).collect()]

    yield asked
    spark.sql("USE default")
    spark.sql("DROP SCHEMA IF EXISTS adlib_card_payments CASCADE")


def test_the_views_run_over_a_path_that_holds_wildcards_and_quotes(tmp_path, ask):
    published = lay_out(tmp_path / "it's [odd] {x} a*?`b" / "out", quarantine=True)
    rows = ask(published, "SELECT id, severity, severity_rank FROM published_anomalies")
    assert sorted(rows) == [("a", "low", 1), ("b", "critical", 4)]
    volume = ask(published, "SELECT event_date, rows_flagged FROM alert_volume ORDER BY 1")
    assert volume == [(FIRST, 2), (SECOND, 0)]


def test_a_view_sees_a_date_that_was_published_after_it_was_made(spark, tmp_path, ask):
    published = lay_out(tmp_path / "out")
    assert ask(published, "SELECT * FROM runs WHERE dt = '2026-03-03'") == []
    (tmp_path / "out/runs/dt=2026-03-02").rename(tmp_path / "out/runs/dt=2026-03-03")
    assert spark.sql("SELECT * FROM runs WHERE dt = '2026-03-03'").count() == 1
