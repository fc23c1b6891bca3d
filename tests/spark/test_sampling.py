"""The sample: the same rows whatever the partitions, never more than the cap."""

from datetime import date

import pytest
from pyspark.sql import functions as F

from adlib.errors import InputError
from adlib.spark.sampling import DRAW, ROW_HASH, SampleRequest, plan_glimpse, plan_sample

pytestmark = pytest.mark.spark
ROWS = 20_000


def request(**changes):
    plain = {
        "key": ("id",),
        "columns": ("amount", "note"),
        "rows": 1000,
        "megabytes": 100,
        "seed": 7,
        "before": None,
        "has_dates": True,
    }
    return SampleRequest(**{**plain, **changes})


@pytest.fixture(scope="module")
def features(spark):
    day = F.date_add(F.lit("2026-03-01").cast("date"), (F.col("id") % 4).cast("int"))
    return spark.range(ROWS).select(
        "id",
        (F.col("id") * 1.5).alias("amount"),
        F.concat(F.lit("n"), F.col("id") % 9).alias("note"),
        F.md5(F.col("id").cast("string")).alias(ROW_HASH),
        F.lit(False).alias("short_history"),
        day.alias("dt"),
    )


def drawn(sample):
    rows = sample.table.orderBy(DRAW, ROW_HASH).limit(sample.rows).collect()
    return [(row["amount"], row["note"]) for row in rows]


def test_partitions_and_order_do_not_change_the_sample(features):
    expected = drawn(plan_sample(features, request()))
    shuffled = features.orderBy(F.rand(1)).repartition(7)
    assert drawn(plan_sample(shuffled, request())) == expected
    assert len(expected) == 1000


def test_another_seed_draws_other_rows(features):
    first = set(drawn(plan_sample(features, request())))
    second = set(drawn(plan_sample(features, request(seed=8))))
    assert len(first & second) < 200


def test_little_more_than_the_cap_is_collected(features):
    sample = plan_sample(features, request())
    assert sample.rows == 1000
    assert 1000 <= sample.table.count() <= 1300
    assert sample.eligible_rows == ROWS


def test_the_cap_in_bytes_holds_before_anything_is_collected(features):
    long = features.withColumn("note", F.repeat(F.lit("x"), 50_000))
    sample = plan_sample(long, request(megabytes=1))
    assert sample.rows <= 1e6 / 10_000
    longest = sample.table.select(F.max(F.length("note"))).first()
    assert longest is not None
    assert longest[0] == 10_000


def test_only_earlier_dates_are_eligible(features):
    sample = plan_sample(features, request(before=date(2026, 3, 3)))
    assert sample.eligible_rows == ROWS // 2
    assert sample.rows_per_day == ROWS / 4
    assert all(amount / 1.5 % 4 < 2 for amount, _ in drawn(sample))


def test_no_earlier_date_is_nothing_to_read(features):
    with pytest.raises(InputError, match="before 2026-03-01"):
        plan_sample(features, request(before=date(2026, 3, 1)))


def test_without_a_key_equal_rows_are_drawn_one_by_one(features):
    same = features.withColumn(ROW_HASH, F.md5((F.col("id") % 5).cast("string")))
    alike = same.withColumn("amount", (F.col("id") % 5) * 1.0).withColumn("note", F.lit("n"))
    sample = plan_sample(alike, request(key=()))
    amounts = [amount for amount, _ in drawn(sample)]
    assert len(amounts) == 1000
    assert all(150 <= amounts.count(value) <= 250 for value in (0.0, 1.0, 2.0, 3.0, 4.0))
    again = plan_sample(alike.repartition(5), request(key=()))
    assert drawn(again) == drawn(sample)


def test_a_cap_above_the_table_takes_every_row_once(features):
    sample = plan_sample(features, request(rows=50_000, key=()))
    assert sample.rows == ROWS
    assert len(set(drawn(sample))) == ROWS


def test_a_glimpse_takes_any_row_the_same_ones_each_time(features):
    glimpse = plan_glimpse(features.withColumn("short_history", F.lit(True)), request())
    drawn = {row["id"] for row in glimpse.table.withColumn("id", F.col("amount") / 1.5).collect()}
    assert glimpse.eligible_rows == ROWS
    assert glimpse.rows == 1000
    assert 1000 <= len(drawn) < 1400
    again = plan_glimpse(features.repartition(7), request()).table
    assert {row["amount"] / 1.5 for row in again.collect()} == drawn


def test_a_glimpse_of_nothing_is_empty(features):
    glimpse = plan_glimpse(features.where("id < 0"), request())
    assert (glimpse.rows, glimpse.table.count()) == (0, 0)


def test_missing_strings_take_no_room_in_a_sample(features):
    missing = features.withColumn("note", F.lit(None).cast("string"))
    assert plan_sample(missing, request(rows=ROWS, megabytes=1)).rows == ROWS
