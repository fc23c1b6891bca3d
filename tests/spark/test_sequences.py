"""Arrays of what came before a row: an entity's last events, and nothing else."""

import random
from datetime import UTC, datetime, timedelta

import pytest
from pyspark.sql import functions as F

from adlib.spark.ledger import EVENT
from adlib.spark.sequences import SequenceSpec, add_past, past_name

pytestmark = pytest.mark.spark
START = datetime(2024, 1, 1, tzinfo=UTC)
SCHEMA = f"id long, `{EVENT}` timestamp, who string, number long, amount double, place string"
WITHIN = timedelta(hours=3)
LENGTH = 5


def events(count, seed):
    """Events with tied times, null entities, and values that are null or not finite."""
    draw = random.Random(seed)  # noqa: S311 - no secret
    return [
        (
            number,
            START + timedelta(minutes=draw.randrange(600)),
            draw.choice(["a", "b", "c", None]),
            draw.randrange(3),
            draw.choice([None, float("inf"), draw.lognormvariate(3, 2)]),
            draw.choice(["here", "there", None]),
        )
        for number in range(count)
    ]


def past_of(rows, row, order, hashes, within=WITHIN):
    """The events before a row by the definition, one at a time."""
    if row[2] is None:
        return []

    def moment(one):
        return (one[1], one[3] if order else 0)

    own = [one for one in rows if one[2] == row[2] and moment(one) < moment(row)]
    latest = sorted(own, key=lambda one: (moment(one), hashes[one[0]]))[1 - LENGTH :]
    return [one for one in latest if one[1] >= row[1] - within]


def pasts(spark, rows, spec, partitions=3):
    table = spark.createDataFrame(rows, SCHEMA).repartition(partitions)
    hashed = table.withColumn("row_hash", F.sha2(F.col("id").cast("string"), 256))
    wanted = {name: F.col(name) for name in ("id", "amount", "place")}
    found = add_past(hashed, spec, wanted).collect()
    names = [past_name(name, spec.by) for name in wanted]
    return (
        {row["id"]: tuple(list(row[name]) for name in names) for row in found},
        {row["id"]: row["row_hash"] for row in found},
    )


@pytest.mark.parametrize("order", [None, "number"])
def test_arrays_hold_the_last_earlier_events_oldest_first(spark, order):
    rows = events(200, seed=1)
    found, hashes = pasts(spark, rows, SequenceSpec("who", order, LENGTH, "3h"))
    assert max(len(ids) for ids, *_ in found.values()) == LENGTH - 1
    for row in rows:
        before = past_of(rows, row, order, hashes)
        expected = ([one[0] for one in before], [one[4] for one in before], [o[5] for o in before])
        assert found[row[0]] == expected


def test_the_order_and_the_partitions_of_a_table_change_nothing(spark):
    rows = events(120, seed=2)
    spec = SequenceSpec("who", None, LENGTH, "3h")
    shuffled = random.Random(3).sample(rows, len(rows))  # noqa: S311 - no secret
    assert pasts(spark, shuffled, spec, partitions=1) == pasts(spark, rows, spec, partitions=4)


def test_reading_no_further_back_than_within_gives_the_same_arrays(spark):
    rows, since = events(150, seed=4), START + timedelta(hours=6)
    spec = SequenceSpec("who", None, LENGTH, "3h")
    recent = [row for row in rows if row[1] >= since - WITHIN]
    whole, _ = pasts(spark, rows, spec)
    part, _ = pasts(spark, recent, spec)
    for row in rows:
        if row[1] >= since:
            assert part[row[0]] == whole[row[0]]


def test_without_times_the_order_column_alone_says_what_came_before(spark):
    rows = [(number, None, "a", number % 7, 1.0, "here") for number in range(7)]
    found, _ = pasts(spark, rows, SequenceSpec("who", "number", 3, "1d"))
    ids = {own: before for own, (before, *_) in found.items()}
    assert ids == {0: [], 1: [0], **{own: [own - 2, own - 1] for own in range(2, 7)}}


def test_copies_of_a_row_have_the_same_past(spark):
    rows = events(40, seed=5)
    table = spark.createDataFrame([*rows, *rows, *rows], SCHEMA)
    hashed = table.withColumn("row_hash", F.sha2(F.col("id").cast("string"), 256))
    spec = SequenceSpec("who", None, LENGTH, "3h")
    found = add_past(hashed, spec, {"amount": F.col("amount")})
    assert found.distinct().count() == len(rows)
