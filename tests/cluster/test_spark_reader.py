"""Spark polls while dates are replaced: the old rows, the new or an error, never some of both."""

import os
from functools import cache
from pathlib import Path

import pytest
from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from tests.cluster.submitting import local_environment
from tests.polling import assert_one_publication_or_an_error_is_read

pytestmark = pytest.mark.cluster

READ_ERRORS = (PySparkException, Py4JError)


@cache
def session() -> SparkSession:
    os.environ.update(local_environment("local[2]"))
    return SparkSession.builder.config("spark.log.level", "OFF").getOrCreate()


def by_spark(table: Path) -> list[tuple[object, str]]:
    rows = session().read.parquet(str(table)).select("event_date", "version").collect()
    return [(row["event_date"], row["version"]) for row in rows]


def test_spark_sees_one_publication_or_an_error_through_swaps_and_crashes(tmp_path):
    assert_one_publication_or_an_error_is_read(tmp_path, "anomalies", [by_spark], READ_ERRORS)
