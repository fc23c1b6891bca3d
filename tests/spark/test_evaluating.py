"""Labels of every kind, and counts that are exact or, beyond ten million rows, nearly so."""

import pytest
from pyspark.sql import functions as F
from pyspark.sql import types as T

from adlib.errors import InputError
from adlib.evaluation import evaluate_rows
from adlib.spark import evaluating
from adlib.spark.evaluating import GROUP, LABEL, count_rows, label_of
from adlib.spark.worker import ANOMALY, RECORD, ROW

pytestmark = pytest.mark.spark


@pytest.mark.parametrize(
    ("values", "type_name", "expected"),
    [
        ([True, False, None], "boolean", [1.0, 0.0, None]),
        ([1, 0, None, 7], "bigint", [1.0, 0.0, None, 1.0]),
        ([1.0, 0.0, float("nan"), None], "double", [1.0, 0.0, None, None]),
        (["yes", "No", " TRUE ", "0", "2", "maybe", None], "string", [1, 0, 1, 0, 1, None, None]),
    ],
    ids=["boolean", "whole", "real", "words"],
)
def test_labels_are_read_as_one_and_zero(spark, values, type_name, expected):
    table = spark.createDataFrame([(value,) for value in values], f"y {type_name}")
    judged = table.select(label_of("y", table.schema).alias("label")).collect()
    assert [row["label"] for row in judged] == expected


def test_a_date_is_no_label(spark):
    table = spark.createDataFrame([], T.StructType([T.StructField("y", T.DateType())]))
    with pytest.raises(InputError, match="'y' is date"):
        label_of("y", table.schema)


@pytest.fixture(scope="module")
def records(spark):
    score = F.exp(F.randn(1) + F.when(F.col("id") % 50 == 0, 3.0).otherwise(0.0))
    return (
        spark.range(5000)
        .select(
            F.lit("2026-03-01").cast("date").alias("event_date"),
            F.lit("g").alias(GROUP),
            (F.col("id") % 50 == 0).cast("double").alias(LABEL),
            score.alias("anomaly_score"),
        )
        .withColumn("is_anomaly", F.col("anomaly_score") > 8.0)
        .withColumn(RECORD, F.when(F.col("is_anomaly"), ANOMALY).otherwise(ROW))
        .cache()
    )


def test_counts_hold_every_row(records):
    counted = count_rows(records, 5000)
    assert counted.total == 5000
    assert counted.rows[counted.labels == 1.0].sum() == 100
    assert counted.rows[counted.flagged].sum() == records.where("is_anomaly").count()


def test_a_fine_histogram_gives_nearly_the_same_figures(records, monkeypatch):
    exact = evaluate_rows(count_rows(records, 5000), 0.02)
    monkeypatch.setattr(evaluating, "MOST_EXACT_ROWS", 10)
    binned = count_rows(records, 5000)
    assert len(binned.rows) < 3000
    nearly = evaluate_rows(binned, 0.02)
    assert nearly["auroc"] == pytest.approx(exact["auroc"], abs=1e-3)
    assert nearly["average_precision"] == pytest.approx(exact["average_precision"], abs=5e-3)
    assert nearly["recall"] == exact["recall"]
