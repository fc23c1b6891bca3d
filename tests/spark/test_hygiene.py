"""What stays out of the sample: excluded dates, anomalies that people confirmed, flagged rows."""

from datetime import date, datetime

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from pyspark.sql import functions as F
from pyspark.sql import types as T

from adlib.errors import InputError
from adlib.spark.hygiene import (
    DATES,
    FEEDBACK,
    FLAGGED,
    LEARNED,
    SHORT_HISTORY,
    Exclusions,
    leave_out,
    with_full_history,
)
from adlib.spark.sampling import DRAW, ROW_HASH, SampleRequest, plan_sample
from adlib.spark.tables import Source
from adlib.spark.values import column

pytestmark = pytest.mark.spark
ROWS = 40


@pytest.fixture(scope="module")
def features(spark):
    day = F.date_add(F.lit("2026-03-01").cast("date"), (F.col("id") % 4).cast("int"))
    return spark.range(ROWS).select(
        "id",
        (F.col("id") * 1.5).alias("amount"),
        F.md5(F.col("id").cast("string")).alias(ROW_HASH),
        F.lit(False).alias("short_history"),
        day.alias("dt"),
    )


@pytest.fixture
def publish(tmp_path):
    """Write the keys of a date's anomalies as they are published; return where they are."""

    def write(day: int, keys: pa.Array, name: str = "id", **more: pa.Array):
        directory = tmp_path / "anomalies" / f"dt=2026-03-{day:02}"
        directory.mkdir(parents=True)
        score = pa.array([1.0] * len(keys))
        pq.write_table(
            pa.table({name: keys, **more, "anomaly_score": score}), directory / "a.parquet"
        )
        return tmp_path / "anomalies"

    return write


@pytest.fixture
def judge(tmp_path):
    """Write a table of feedback; return where it is."""

    def write(table: pa.Table | str, kind: str = "parquet") -> Source:
        file = tmp_path / f"feedback.{kind}"
        if isinstance(table, str):
            file.write_text(table, "utf-8")
        elif kind == "csv":
            pyarrow.csv.write_csv(table, file)
        else:
            pq.write_table(table, file)
        return Source(str(file), kind)

    return write


def exclusions(**given):
    return Exclusions(**{"key": ("id",), **given})


def flagged(anomalies, **given):
    return exclusions(anomalies=anomalies, flagged_before=date(2026, 3, 4), **given)


def left(features, excluded, name="id"):
    counting, counts = leave_out(features, excluded)
    assert counting.columns == [*features.columns, LEARNED]
    there = {row[name] for row in features.select(name).collect()}
    remaining = [row[name] for row in counting.where(column(LEARNED)).select(name).collect()]
    assert len(remaining) == len(set(remaining)) == features.count() - sum(counts.values())
    assert counting.count() == features.count() - counts[DATES]
    return there - set(remaining), {why: rows for why, rows in counts.items() if rows}


def test_nothing_is_left_out_where_nothing_says_so(features):
    assert left(features, exclusions()) == (set(), {})
    assert leave_out(features, exclusions())[1] == {FLAGGED: 0, FEEDBACK: 0, DATES: 0}


def test_the_first_run_finds_no_anomalies_and_leaves_nothing_out(features, tmp_path):
    assert left(features, flagged(tmp_path / "anomalies")) == (set(), {})


def test_rows_flagged_on_earlier_dates_are_left_out_and_later_ones_stay(features, publish):
    publish(1, pa.array([0, 4]))
    publish(3, pa.array([4, 6, 999]))
    anomalies = publish(4, pa.array([3, 7]))
    assert left(features, flagged(anomalies)) == ({0, 4, 6}, {FLAGGED: 3})


def test_a_date_without_anomalies_leaves_nothing_out(features, publish):
    anomalies = publish(1, pa.array([], pa.int64()))
    assert left(features, flagged(anomalies)) == (set(), {})


def test_keys_that_were_published_in_another_type_are_the_same_keys(features, publish):
    publish(1, pa.array([0, 4]))
    anomalies = publish(2, pa.array(["8", "x"]))
    assert left(features, flagged(anomalies)) == ({0, 4, 8}, {FLAGGED: 3})
    words = features.withColumn("id", F.col("id").cast("string"))
    assert left(words, flagged(anomalies)) == ({"0", "4", "8"}, {FLAGGED: 3})


def test_anomalies_that_were_published_under_another_key_are_passed_over(features, publish):
    publish(1, pa.array(["a" * 32]), "row_hash")
    anomalies = publish(2, pa.array([1]))
    assert left(features, flagged(anomalies)) == ({1}, {FLAGGED: 1})


def test_a_key_of_two_columns_is_compared_as_a_whole(features, publish):
    two = features.withColumn("at `this`", F.col("dt"))
    days = pa.array([date(2026, 3, 1), date(2026, 3, 1)])
    anomalies = publish(1, pa.array([0, 1]), **{"at `this`": days})
    assert left(two, flagged(anomalies, key=("id", "at `this`"))) == ({0}, {FLAGGED: 1})


def test_without_a_key_every_copy_of_a_flagged_content_is_left_out(features, publish):
    hashes = [row[0] for row in features.where("id < 2").select(ROW_HASH).collect()]
    anomalies = publish(1, pa.array(hashes), ROW_HASH)
    twice = features.union(features)
    counting, counts = leave_out(twice, flagged(anomalies, key=(ROW_HASH,)))
    assert counting.where(column(LEARNED)).count() == 2 * ROWS - 4
    assert counts[FLAGGED] == 4


def test_a_damaged_file_of_anomalies_is_named_with_what_to_do(features, publish):
    anomalies = publish(1, pa.array([1]))
    (anomalies / "dt=2026-03-01" / "a.parquet").write_bytes(b"PAR1")
    with pytest.raises(InputError, match=r"a\.parquet cannot be read.*exclude_flagged"):
        leave_out(features, flagged(anomalies))


def test_excluded_dates_are_left_out_with_both_ends(features):
    excluded = exclusions(
        dates=((date(2026, 3, 2), date(2026, 3, 3)), (date(2026, 3, 3), date(2026, 3, 3)))
    )
    expected = {number for number in range(ROWS) if number % 4 in (1, 2)}
    assert left(features, excluded) == (expected, {DATES: 20})


@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_people_overrule_what_was_flagged(features, publish, judge, kind):
    anomalies = publish(1, pa.array([0, 4, 8]))
    verdicts = pa.table({"id": [4, 5, 8], "verdict": ["ordinary", " Anomaly", "ANOMALY"]})
    excluded = flagged(anomalies, feedback=judge(verdicts, kind))
    assert left(features, excluded) == ({0, 5, 8}, {FLAGGED: 1, FEEDBACK: 2})


def test_each_row_is_counted_for_one_reason(features, publish, judge):
    anomalies = publish(1, pa.array([0, 1]))
    verdicts = pa.table({"id": [0, 4, 5], "verdict": ["anomaly"] * 3})
    day = (date(2026, 3, 1), date(2026, 3, 1))
    excluded = flagged(anomalies, dates=(day,), feedback=judge(verdicts))
    expected = {FLAGGED: 1, FEEDBACK: 1, DATES: 10}
    assert left(features, excluded) == ({1, 5, *range(0, ROWS, 4)}, expected)


def test_of_two_verdicts_on_a_row_anomaly_counts(features, judge):
    verdicts = pa.table({"id": [4, 4], "verdict": ["ordinary", "anomaly"]})
    assert left(features, exclusions(feedback=judge(verdicts))) == ({4}, {FEEDBACK: 1})


def test_leading_zeros_of_a_key_in_csv_are_part_of_it(features, judge):
    padded = features.withColumn("id", F.lpad(F.col("id").cast("string"), 3, "0"))
    feedback = judge("id,verdict\n007,anomaly\n8,anomaly\n", "csv")
    assert left(padded, exclusions(feedback=feedback)) == ({"007"}, {FEEDBACK: 1})


def test_times_in_feedback_without_a_zone_are_local(spark, judge):
    noon = datetime(2026, 3, 1, 12)  # noqa: DTZ001 - what the test is about
    schema = T.StructType([T.StructField("at", T.TimestampNTZType())])
    local = spark.createDataFrame([(noon,)], schema)
    table = local.select(
        F.to_utc_timestamp(F.col("at").cast("timestamp"), "Asia/Tokyo").alias("at")
    )
    feedback = judge("at,verdict\n2026-03-01 12:00:00,anomaly\n", "csv")
    excluded = exclusions(key=("at",), timezone="Asia/Tokyo", feedback=feedback)
    assert leave_out(table, excluded)[1][FEEDBACK] == 1


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("id,verdict\n1,maybe\n2,\n", r"found 2 rows with others\. Correct"),
        ("id,note\n1,anomaly\n", r"has the columns id, verdict; found id, note\. Add verdict"),
        ("", r"has the columns id, verdict; found none\. Add id, verdict"),
        ("id,verdict\nx,anomaly\n,anomaly\n3,ordinary\n", r"published \(id bigint\), found 2 with"),
        ("id,verdict\n1,anomaly,2,3\n", "Expected a table of feedback in csv"),
    ],
)
def test_feedback_that_is_not_as_expected_is_refused(features, judge, table, said):
    with pytest.raises(InputError, match=said):
        leave_out(features, exclusions(feedback=judge(table, "csv")))


def test_feedback_that_is_not_there_is_refused(features, tmp_path):
    missing = Source(str(tmp_path / "none.parquet"), "parquet")
    with pytest.raises(InputError, match=r"in parquet at .*none\.parquet, found nothing there"):
        leave_out(features, exclusions(feedback=missing))


def test_feedback_of_another_format_is_refused(features, judge):
    words = judge("id,verdict\n1,anomaly\n", "parquet")
    with pytest.raises(InputError, match="found a file that is damaged or in another"):
        leave_out(features, exclusions(feedback=words))


def request(excluded, **changes):
    plain = {
        "key": ("id",),
        "columns": ("amount",),
        "rows": 12,
        "megabytes": 100,
        "seed": 7,
        "before": date(2026, 3, 4),
        "has_dates": True,
        "exclusions": excluded,
    }
    return SampleRequest(**{**plain, **changes})


def drawn(sample):
    rows = sample.table.orderBy(DRAW, ROW_HASH).limit(sample.rows).collect()
    return [(row["amount"] / 1.5, row[LEARNED]) for row in rows]


def test_anomalies_in_a_sample_only_calibrate_and_it_is_the_same_whatever_the_partitions(
    features, publish
):
    anomalies = publish(1, pa.array([*range(0, 20, 4), 3]))
    sample = plan_sample(features, request(flagged(anomalies)))
    assert sample.left_out == {FLAGGED: 5, FEEDBACK: 0, DATES: 0, SHORT_HISTORY: 0}
    assert sample.eligible_rows == 30 - 5
    assert sample.rows_per_day == 10
    known = {number for number, learned in drawn(sample) if not learned}
    assert known <= {0, 4, 8, 12, 16}
    assert not {0, 4, 8, 12, 16} & {number for number, learned in drawn(sample) if learned}
    again = plan_sample(features.orderBy(F.rand(1)).repartition(5), request(flagged(anomalies)))
    assert drawn(again) == drawn(sample)


def test_a_sample_from_which_everything_is_left_out_is_refused(features):
    everything = exclusions(dates=((date(2026, 3, 1), date(2026, 3, 31)),))
    with pytest.raises(InputError, match=r"all of them left out.*excluded dates 30"):
        plan_sample(features, request(everything))


@pytest.mark.parametrize(("short", "left"), [(0, 0), (10, 10), (ROWS // 2, ROWS // 2)])
def test_rows_whose_windows_the_table_does_not_fill_are_not_learned_from(features, short, left):
    some = features.withColumn("short_history", F.col("id") < short)
    kept, count = with_full_history(some)
    assert count == left
    assert kept.count() == ROWS - left


def test_where_most_rows_have_a_short_history_there_is_nothing_better_to_learn_from(features):
    most = features.withColumn("short_history", F.col("id") >= ROWS // 4)
    assert with_full_history(most)[1] == 0
