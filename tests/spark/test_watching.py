"""What Spark works on is told while a command waits for it."""

import time

from adlib.spark.watching import watched


def test_the_tasks_of_a_running_stage_are_told(spark):
    told = []

    def slow(rows):
        time.sleep(1.0)
        return rows

    with watched(spark, lambda *said: told.append(said)):
        spark.sparkContext.parallelize(range(4), 4).mapPartitions(slow).count()
    assert told
    assert {total for _, total, _ in told} == {4}
    assert [done for done, _, _ in told] == sorted(done for done, _, _ in told)
    assert "tasks of Spark's stage" in told[0][2]


def test_where_spark_does_nothing_nothing_is_told(spark):
    told = []
    with watched(spark, lambda *said: told.append(said)):
        time.sleep(0.7)
    assert told == []
