"""Windows: what an entity's own past says, and nothing else."""

import random
import re
import statistics
from datetime import UTC, datetime, timedelta

import pytest
from pyspark.sql import functions as F

from adlib.errors import ConfigError
from adlib.spark.windows import WindowSpec, add_windows, parse_duration, window_columns

pytestmark = pytest.mark.spark
START = datetime(2024, 1, 1, tzinfo=UTC)
SCHEMA = "id long, at timestamp, who string, where long, amount double"
ALL = ("count", "sum", "mean", "std", "max", "gap", "ratio")


def _rows(count: int, seed: int):
    """Events with tied times, null entities, and amounts that are null or not finite."""
    draw = random.Random(seed)  # noqa: S311 - no secret
    odd = [None, float("nan"), float("inf"), float("-inf"), 0.0, -0.0]
    return [
        (
            number,
            START + timedelta(minutes=draw.randrange(600)),
            draw.choice(["a", "b", "c", None]),
            draw.randrange(3),
            draw.choice([*odd, *(draw.lognormvariate(3, 2) for _ in range(12))]),
        )
        for number in range(count)
    ]


def _shuffled(rows, seed: int):
    return random.Random(seed).sample(rows, len(rows))  # noqa: S311 - no secret


def _expected(rows, row, over: timedelta):
    """The windows of one row by the definition, one event at a time."""
    _, at, who, _, amount = row
    if who is None:
        return dict.fromkeys(ALL)
    past = [one for one in rows if one[2] == who and at - over <= one[1] < at]
    finite = [one[4] for one in past if one[4] is not None and abs(one[4]) < float("inf")]
    own = amount if amount is not None and abs(amount) < float("inf") else None
    mean = statistics.fmean(finite) if finite else None
    last = max((one[1] for one in past), default=at - over)
    return {
        "count": len(past),
        "sum": sum(finite),
        "mean": mean,
        "std": statistics.stdev(finite) if len(finite) > 1 else None,
        "max": max(finite, default=None),
        "gap": (at - last).total_seconds(),
        "ratio": own / mean if mean and own is not None else None,
    }


def _close(found, wanted):
    return wanted is None if found is None else found == pytest.approx(wanted, rel=1e-8, abs=1e-12)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_every_take_agrees_with_its_definition_where_times_are_tied(spark, seed):
    rows = _rows(150, seed)
    specs = (WindowSpec("who", ("1h", "5h"), ALL, "amount"),)
    found = add_windows(spark.createDataFrame(rows, SCHEMA), "at", specs).collect()
    assert len(found) == 150
    by_id = {row[0]: row for row in rows}
    for one in found:
        for label, over in (("1h", timedelta(hours=1)), ("5h", timedelta(hours=5))):
            for take, wanted in _expected(rows, by_id[one["id"]], over).items():
                assert _close(one[f"amount_{take}_{label}_by_who"], wanted), (one, take, label)


def test_a_row_sees_neither_itself_nor_the_rows_that_share_its_time_nor_later_ones(spark):
    rows = [
        (1, START, "a", 1, 5.0),
        (2, START, "a", 1, 7.0),
        (3, START + timedelta(hours=1), "a", 1, 1.0),
    ]
    specs = (WindowSpec("who", ("1d",), ("count", "gap", "sum"), "amount"),)
    found = add_windows(spark.createDataFrame(rows, SCHEMA), "at", specs).orderBy("id").collect()
    assert [tuple(one)[-3:] for one in found] == [
        (0, 86400.0, 0.0),
        (0, 86400.0, 0.0),
        (2, 3600.0, 12.0),
    ]


def test_the_frame_reaches_back_exactly_its_length(spark):
    edge, beyond = START + timedelta(hours=1), START + timedelta(hours=1, microseconds=1)
    specs = (WindowSpec("who", ("1h",), ("count",)),)
    counts = [
        add_windows(
            spark.createDataFrame([(1, START, "a", 1, 0.0), (2, at, "a", 1, 0.0)], SCHEMA),
            "at",
            specs,
        )
        .where("id = 2")
        .collect()[0]["count_1h_by_who"]
        for at in (edge, beyond)
    ]
    assert counts == [1, 0]


def test_partitioning_and_row_order_do_not_change_a_bit(spark):
    rows = _rows(2000, 4)
    specs = (WindowSpec("who", ("5h",), ALL, "amount"), WindowSpec("where", ("1h",), ALL, "amount"))

    def windows(order, partitions):
        table = spark.createDataFrame(_shuffled(rows, order), SCHEMA)
        found = add_windows(table.repartition(partitions), "at", specs).orderBy("id").collect()
        return [tuple(repr(value) for value in one) for one in found]

    assert windows(1, 1) == windows(2, 5) == windows(3, 3)


def test_all_windows_of_one_entity_column_take_one_shuffle_one_sort_and_one_window(spark):
    specs = (
        WindowSpec("who", ("1h", "5h", "1d"), ALL, "amount"),
        WindowSpec("where", ("7d",), ("count", "gap")),
    )
    wide = add_windows(spark.createDataFrame(_rows(50, 5), SCHEMA), "at", specs)
    plan = wide._jdf.queryExecution().executedPlan().toString()
    nodes = [
        len(re.findall(rf"[-: ] {name} ?[\[h]", plan)) for name in ("Exchange", "Sort", "Window")
    ]
    assert nodes == [2, 2, 2], plan


def test_names_and_columns_with_dots_spaces_backticks_and_emoji_work(spark):
    of, by, at = "a.b `c`", 'who\'s "it" 🙂', "t i.m`e"
    table = spark.createDataFrame(
        [(START, "x", 2.0), (START + timedelta(hours=1), "x", 3.0)],
        "a timestamp, b string, c double",
    ).toDF(at, by, of)
    found = add_windows(table, at, (WindowSpec(by, ("1d",), ("mean",), of),))
    assert found.columns[-1] == f"{of}_mean_1d_by_{by}"
    assert sorted(row[-1] for row in found.collect() if row[-1] is not None) == [2.0]


def test_columns_are_named_after_what_they_hold_and_point_at_the_source():
    found = window_columns(
        (
            WindowSpec("C", ("7d",), ("mean",), "TX"),
            WindowSpec("T", (timedelta(days=7),), ("count",)),
        )
    )
    assert [(one.name, one.source) for one in found] == [
        ("TX_mean_7d_by_C", "TX"),
        ("count_7d_by_T", "T"),
    ]


@pytest.mark.parametrize("text", ["", "7", "d", "0d", "-1d", "1.5h", "7 d", "7w", "1d; drop", "٣d"])
def test_what_is_no_duration_is_refused_with_an_example(text):
    with pytest.raises(ConfigError, match="30m, 12h or 7d"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        (WindowSpec("c", ("1d",), ("mean",)), "needs the column"),
        (WindowSpec("c", ("1d",), ("median",), "x"), "median"),
        (WindowSpec("c", ("1d", "1d"), ("count",)), "more than once"),
        (WindowSpec("c", (timedelta(seconds=1),), ("count",)), "whole minutes"),
    ],
)
def test_a_window_that_makes_no_sense_is_refused(spec, said):
    with pytest.raises(ConfigError, match=said):
        window_columns((spec,))


def test_an_entity_with_most_of_the_rows_does_not_break_it(spark):
    rows = 60_000
    crowded = spark.range(rows).select(
        F.when(F.col("id") % 10 == 0, F.col("id").cast("string")).otherwise("crowd").alias("who"),
        F.timestamp_seconds(F.col("id") * 30).alias("at"),
        (F.col("id") % 7).cast("double").alias("amount"),
    )
    specs = (
        WindowSpec(by="who", over=("30d",), of="amount", take=("count", "mean", "std", "max")),
    )
    counted = add_windows(crowded, "at", specs).where(F.col("who") == "crowd")
    found = counted.select("at", F.col("amount_count_30d_by_who")).orderBy("at").toPandas()
    assert found["amount_count_30d_by_who"].tolist() == list(range(rows * 9 // 10))
