"""The feature table, the quarantine and the ledger: no row is lost, whatever it holds."""

import json
import math
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from pyspark.sql import functions as F

from adlib.errors import BusyError, ConfigError, InputError
from adlib.spark.ledger import read_ledger
from adlib.spark.planning import Preparation
from adlib.spark.preprocessing import preprocess, read_features
from adlib.spark.quarantine import swallowed_lines
from adlib.spark.sequences import SequenceSpec
from adlib.spark.tables import Source, read_source
from adlib.spark.values import column
from adlib.spark.windows import WindowSpec
from adlib.spark.workplace import staging

pytestmark = pytest.mark.spark
RUN = date(2024, 6, 1)
PLAIN = Preparation((), None, "UTC", None, None, (), (), None, ())
TIMED = replace(PLAIN, key=("id",), event_time="at")
START = datetime(2024, 1, 1, tzinfo=UTC)


def _quarantine(spark, work):
    return spark.read.parquet(f"{work}/quarantine").orderBy("row_hash", "problem").collect()


def _problems(ledger):
    return {entry.date: dict(entry.quarantined) for entry in ledger.dates}


def _days(count, per_day=20):
    """Rows of four entities, one every 24 / per_day hours."""
    return [
        (n, START + timedelta(days=n / per_day), f"e{n % 4}", float(n * n % 97) + 0.1)
        for n in range(count * per_day)
    ]


def test_types_of_the_feature_table_are_those_of_the_contract(spark, tmp_path):
    raw = spark.sql(
        "select 1Y byte, 2 int, 3L long, 1.5F single, 2.5D double, 3.5BD exact, true flag, "
        "' a ' text, '  ' blank, timestamp_ntz '2024-01-01 12:30:00' local, date '2024-01-03' day, "
        "array(1, 2) ints, array(1.5F) singles, struct(1 x) nested, map('a', 1) pairs, "
        "X'00' bytes, null nothing"
    )
    ledger = preprocess(spark, raw, replace(PLAIN, timezone="Asia/Tokyo"), tmp_path, RUN, None)
    features = read_features(spark, tmp_path)
    types = {field.name: field.dataType.simpleString() for field in features.schema}
    assert types == {
        "byte": "bigint", "int": "bigint", "long": "bigint", "single": "float", "double": "double",
        "exact": "double", "flag": "boolean", "text": "string", "blank": "string",
        "local": "timestamp", "day": "date", "ints": "array<double>", "singles": "array<float>",
        "nothing": "string", "local_hour": "double", "local_weekday": "double",
        "day_weekday": "double", "row_hash": "string", "short_history": "boolean",
    }  # fmt: skip
    row = features.collect()[0]
    assert (row["text"], row["blank"], row["local_hour"], row["local_weekday"]) == (
        "a",
        None,
        12.5,
        0.0,
    )
    assert row["day_weekday"] == 2.0
    assert features.select(F.date_format("local", "HH:mm")).collect()[0][0] == "03:30"
    assert set(ledger.left_out) == {"nested", "pairs", "bytes"}


def test_every_problem_is_quarantined_with_its_column_and_the_raw_row(spark, tmp_path):
    rows = [
        ("1", "2024-01-01 10:00:00", "5", "yes", "2024-01-01"),
        (None, "2024-01-01 10:00:00", "5", "no", None),
        (" ", "2024-01-01 10:00:00", "5", "no", None),
        ("3", None, "5", "no", None),
        ("4", "yesterday", "five", "no", None),
        ("5", "2024-01-02", "five", "maybe", None),
        ("6", "2024-01-02", " ", "maybe", None),
        ("7", "2024-01-02", "NaN", "", "never"),
    ]
    raw = spark.createDataFrame(rows, "id string, at string, n string, b string, t string")
    declared = {"n": "numeric", "b": "boolean", "t": "timestamp"}
    ledger = preprocess(spark, raw, replace(TIMED, declared=declared), tmp_path, RUN, None)
    assert _problems(ledger) == {
        date(2024, 1, 1): {"missing_key": 2},
        date(2024, 1, 2): {"not_a_number": 1, "not_a_boolean": 1, "not_a_timestamp": 1},
        RUN: {"missing_event_time": 1, "bad_event_time": 1},
    }
    found = {one["problem"]: one for one in _quarantine(spark, tmp_path)}
    assert found["not_a_boolean"]["problem_column"] == "b"
    assert json.loads(found["not_a_boolean"]["raw_row"]) == dict(
        zip(("id", "at", "n", "b", "t"), rows[6], strict=True)
    )
    assert found["bad_event_time"]["event_date"] == RUN
    assert read_features(spark, tmp_path).count() == 1


def test_of_rows_with_one_key_the_smallest_hash_stays_and_exact_copies_leave_one(spark, tmp_path):
    rows = [(1, START, 1.0), (1, START, 2.0), (1, START, 3.0), (2, START, 1.0), (2, START, 1.0)]
    raw = spark.createDataFrame(rows, "id long, at timestamp, x double")
    hashes = preprocess(spark, raw, replace(TIMED, key=()), tmp_path / "all", RUN, None)
    assert hashes.dates[0].features == 5
    every = read_features(spark, tmp_path / "all").select("id", "row_hash").collect()
    ledger = preprocess(spark, raw.repartition(3), TIMED, tmp_path / "one", RUN, None)
    assert _problems(ledger) == {START.date(): {"duplicate": 3}}
    kept = {row["id"]: row["row_hash"] for row in read_features(spark, tmp_path / "one").collect()}
    assert kept == {key: min(h for k, h in every if k == key) for key in (1, 2)}


def test_a_rejected_row_does_not_take_a_good_row_of_its_key_with_it(spark, tmp_path):
    raw = spark.createDataFrame(
        [(1, START, n) for n in ("1", "x", "y")], "id long, at timestamp, n string"
    )
    ledger = preprocess(spark, raw, replace(TIMED, declared={"n": "numeric"}), tmp_path, RUN, None)
    assert (ledger.dates[0].features, _problems(ledger)) == (1, {START.date(): {"not_a_number": 2}})


def test_one_date_gives_what_the_whole_table_gives_for_it_and_counts_its_context(spark, tmp_path):
    raw = spark.createDataFrame(_days(12), "id long, at timestamp, who string, x double")
    windows = (WindowSpec("who", ("1d", "3d"), ("count", "mean", "std", "ratio", "gap"), "x"),)
    preparation = replace(TIMED, windows=windows)
    whole = preprocess(spark, raw, preparation, tmp_path / "whole", RUN, None)
    day = date(2024, 1, 9)
    one = preprocess(spark, raw, preparation, tmp_path / "one", RUN, day)
    assert one.dates == tuple(entry for entry in whole.dates if entry.date == day)
    assert one.context_rows == 60
    assert read_features(spark, tmp_path / "one").count() == 20
    assert sum(entry.short_history for entry in whole.dates) == 60
    assert read_ledger(tmp_path / "one", day) == one
    assert read_ledger(tmp_path / "whole", None) == whole


def test_a_date_replaces_itself_alone_and_the_whole_replaces_everything(spark, tmp_path):
    raw = spark.createDataFrame(_days(3), "id long, at timestamp, who string, x double")
    whole = preprocess(spark, raw, TIMED, tmp_path, RUN, None)
    before = sorted(path.name for path in (tmp_path / "features" / "dt=2024-01-01").iterdir())
    less = raw.where("id <> 25")
    preprocess(spark, less, TIMED, tmp_path, RUN, date(2024, 1, 2))
    assert (
        sorted(path.name for path in (tmp_path / "features" / "dt=2024-01-01").iterdir()) == before
    )
    assert read_features(spark, tmp_path).count() == 59
    assert read_ledger(tmp_path, None).dates[0] == whole.dates[0]
    preprocess(spark, raw.where("id < 20"), TIMED, tmp_path, RUN, None)
    assert [entry.date for entry in read_ledger(tmp_path, None).dates] == [date(2024, 1, 1)]
    assert sorted(path.name for path in (tmp_path / "features").iterdir()) == ["dt=2024-01-01"]


def test_a_date_quarantines_the_rows_without_one_and_reads_all_of_them(spark, tmp_path):
    schema = "id long, at timestamp, who string, x double"
    spark.createDataFrame([*_days(5), (999, None, "e", 1.0)], schema).write.parquet(
        f"{tmp_path}/raw"
    )
    raw = read_source(spark, Source(f"{tmp_path}/raw"))
    ledger = preprocess(spark, raw, TIMED, tmp_path / "work", RUN, date(2024, 1, 3))
    entry = ledger.dates[0]
    assert (entry.rows_read, entry.features, dict(entry.quarantined)) == (
        21,
        20,
        {"missing_event_time": 1},
    )


def test_dates_begin_where_the_timezone_says(spark, tmp_path):
    raw = spark.createDataFrame(
        [(1, datetime(2024, 1, 1, 20, tzinfo=UTC))], "id long, at timestamp"
    )
    preparation = replace(TIMED, timezone="Asia/Tokyo")
    ledger = preprocess(spark, raw, preparation, tmp_path, RUN, date(2024, 1, 2))
    assert ledger.dates[0].features == 1
    assert read_features(spark, tmp_path).collect()[0]["at_hour"] == 5.0
    with pytest.raises(InputError, match="Nothing to read"):
        preprocess(spark, raw, preparation, tmp_path, RUN, date(2024, 1, 1))


def test_hostile_names_and_values_go_through(spark, tmp_path):
    names = ["i.d", "a`t", "x y", "🙂", 'it\'s "q"', "line\nbreak"]
    values = [
        "\x00\x01",
        "a\nb",
        "é" * 1000,
        "'; drop table x;--",
        "${env}",
        "\u202e",
        "x" * 10_000_000,
    ]
    numbers = [0.0, -0.0, math.inf, -math.inf, math.nan, 1e308, 5e-324]
    rows = [
        (n, START, number, text, None, "k")
        for n, (number, text) in enumerate(zip(numbers, values, strict=True))
    ]
    raw = spark.createDataFrame(
        [*rows, rows[0]], "a long, b timestamp, c double, d string, e string, f string"
    ).toDF(*names)
    preparation = replace(
        TIMED,
        key=("i.d",),
        event_time="a`t",
        carried=("line\nbreak",),
        windows=(WindowSpec("line\nbreak", ("1d",), ("mean",), "x y"),),
    )
    ledger = preprocess(spark, raw, preparation, tmp_path / "a work [x] ü", RUN, None)
    features = read_features(spark, tmp_path / "a work [x] ü")
    assert (ledger.dates[0].features, _problems(ledger)) == (7, {START.date(): {"duplicate": 1}})
    assert features.where(column("🙂").contains("drop table")).count() == 1
    assert features.agg(F.max(F.length(column("🙂")))).collect()[0][0] == 10_000_000


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_the_raw_row_survives_values_that_json_has_no_word_for(spark, tmp_path, number):
    raw = spark.createDataFrame(
        [(None, START, number, b"\x00\xff")], "id long, at timestamp, x double, b binary"
    )
    preprocess(spark, raw, TIMED, tmp_path, RUN, None)
    stored = json.loads(_quarantine(spark, tmp_path)[0]["raw_row"])
    assert float(stored["x"]) == number or math.isnan(float(stored["x"]))
    assert (stored["b"], stored["id"]) == ("AP8=", None)


@pytest.mark.parametrize("cells", [[(None,)], [(1.0,)] * 5, [("x",)], [(None,)] * 3])
def test_one_column_one_row_all_null_and_all_constant_tables_go_through(spark, tmp_path, cells):
    kind = "double" if isinstance(cells[0][0], float) else "string"
    ledger = preprocess(
        spark, spark.createDataFrame(cells, f"x {kind}"), PLAIN, tmp_path, RUN, None
    )
    assert (ledger.dates[0].date, ledger.dates[0].features) == (RUN, len(cells))


def test_malformed_csv_lines_are_quarantined_as_they_stand(spark, tmp_path):
    (tmp_path / "a.csv").write_text(
        "id,at\n1,2024-01-01\n2,2024-01-01,extra\n3\n", encoding="utf-8"
    )
    raw = read_source(spark, Source(f"{tmp_path}/a.csv", "csv"))
    ledger = preprocess(spark, raw, TIMED, tmp_path / "work", RUN, None)
    assert _problems(ledger) == {START.date(): {}, RUN: {"malformed_line": 2}}
    lines = [json.loads(one["raw_row"])["line"] for one in _quarantine(spark, tmp_path / "work")]
    assert sorted(lines) == ["2,2024-01-01,extra", "3"]


def test_lines_that_an_unclosed_quote_took_along_are_counted(spark, tmp_path):
    lines = ["id,at", "1,2024-01-01", '2,"2024-01-01', *(f"{n},2024-01-01" for n in range(3, 9))]
    (tmp_path / "a.csv").write_text("\n".join([*lines, '9,",2024-01-01,more', "10,2024-01-01\n"]))
    raw = read_source(spark, Source(f"{tmp_path}/a.csv", "csv"))
    ledger = preprocess(spark, raw, TIMED, tmp_path / "work", RUN, None)
    read = sum(entry.rows_read for entry in ledger.dates)
    quarantined = spark.read.parquet(str(tmp_path / "work" / "quarantine"))
    assert read < 10
    assert read + swallowed_lines(quarantined) == 10


def test_a_table_of_bad_rows_alone_is_all_quarantine_and_says_so(spark, tmp_path):
    raw = spark.createDataFrame([(None, START)], "id long, at timestamp")
    ledger = preprocess(spark, raw, TIMED, tmp_path, RUN, None)
    assert (ledger.dates[0].rows_read, ledger.dates[0].features) == (1, 0)
    with pytest.raises(InputError, match="see in quarantine"):
        read_features(spark, tmp_path)


def test_the_digest_sees_content_and_neither_order_nor_partitioning(spark, tmp_path):
    raw = spark.createDataFrame(_days(2), "id long, at timestamp, who string, x double")
    changed = raw.withColumn("x", F.when(F.col("id") == F.lit(3), F.lit(0.0)).otherwise(F.col("x")))
    tables = [raw, raw.repartition(7).orderBy(F.desc("x")), changed]
    digests = [
        [entry.input_digest for entry in preprocess(spark, one, TIMED, tmp_path, RUN, None).dates]
        for one in tables
    ]
    assert digests[0] == digests[1]
    assert [a == b for a, b in zip(digests[0], digests[2], strict=True)] == [False, True]


def test_excluded_columns_are_hashed_and_do_not_enter_unless_carried(spark, tmp_path):
    raw = spark.createDataFrame([(1, START, "a", "b")], "id long, at timestamp, x string, y string")
    preparation = replace(TIMED, exclude=("x", "y", "at"), carried=("y",))
    preprocess(spark, raw, preparation, tmp_path, RUN, None)
    features = read_features(spark, tmp_path)
    assert features.columns == ["id", "at", "y", "row_hash", "short_history", "dt"]
    preprocess(spark, raw.withColumn("x", F.lit("other")), preparation, tmp_path / "2", RUN, None)
    assert (
        read_features(spark, tmp_path / "2").collect()[0]["row_hash"]
        != features.collect()[0]["row_hash"]
    )


def test_a_column_named_like_ours_is_left_out_and_refused_where_it_is_used(spark, tmp_path):
    raw = spark.createDataFrame(
        [(1, START, "a", 2.0)], "id long, at timestamp, dt string, at_hour double"
    )
    ledger = preprocess(spark, raw, TIMED, tmp_path, RUN, None)
    assert set(ledger.left_out) == {"dt", "at_hour (calendar)"}
    assert read_features(spark, tmp_path).collect()[0]["at_hour"] == 2.0
    with pytest.raises(ConfigError, match="name of ours"):
        preprocess(spark, raw, replace(TIMED, carried=("dt",)), tmp_path, RUN, None)


@pytest.mark.parametrize(
    ("changes", "error", "said"),
    [
        ({"carried": ("no", "nope"), "label": "never"}, InputError, "'never', 'no', 'nope'"),
        ({"carried": ("s",)}, InputError, "'s' is struct"),
        ({"declared": {"x": "vector"}}, InputError, "cannot be read as vector"),
        ({"event_time": "x"}, InputError, "event time"),
        ({"label": "x", "declared": {"x": "numeric"}}, ConfigError, "Remove it"),
        (
            {"event_time": None, "windows": (WindowSpec("x", ("1d",), ("count",)),)},
            ConfigError,
            "need",
        ),
        ({"windows": (WindowSpec("id", ("1d",), ("mean",), "t"),)}, InputError, "'t' is string"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_written(
    spark, tmp_path, changes, error, said
):
    raw = spark.sql("select 1 id, timestamp '2024-01-01' at, 1.0D x, 'a' t, struct(1 a) s")
    with pytest.raises(error, match=said):
        preprocess(spark, raw, replace(TIMED, **changes), tmp_path, RUN, None)
    assert not (tmp_path / "features").exists()


def test_an_empty_table_is_nothing_to_read(spark, tmp_path):
    raw = spark.createDataFrame([], "id long, at timestamp")
    with pytest.raises(InputError, match="Nothing to read"):
        preprocess(spark, raw, TIMED, tmp_path, RUN, None)


def test_two_runs_of_one_date_do_not_meet_and_two_dates_do_not_wait(tmp_path):
    with staging(tmp_path, date(2024, 1, 1)), staging(tmp_path, date(2024, 1, 2)):
        for day in (date(2024, 1, 1), None):
            with pytest.raises(BusyError, match="Wait"), staging(tmp_path, day):
                pass


SEQUENCE = SequenceSpec("who", None, 4, "3d")
WITH_PAST = replace(TIMED, label="bad", carried=("shop",), sequence=SEQUENCE)


def _visits(spark):
    rows = [(*row, row[0] % 2 == 0, f"s{row[0] % 3}") for row in _days(6)]
    return spark.createDataFrame(
        rows, "id long, at timestamp, who string, n double, bad boolean, shop string"
    )


def test_earlier_values_are_kept_of_features_alone_and_never_of_the_label(spark, tmp_path):
    preprocess(spark, _visits(spark), WITH_PAST, tmp_path, RUN, None)
    features = read_features(spark, tmp_path)
    pasts = {name for name in features.columns if "_past_by_" in name}
    assert pasts == {f"{name}_past_by_who" for name in ("n", "at_hour", "at_weekday")}
    found = {row["id"]: row for row in features.collect()}
    for number, row in found.items():
        earlier = range(number % 4, number, 4)[-3:]
        assert row["n_past_by_who"] == [found[one]["n"] for one in earlier]
        assert row["short_history"] == (len(earlier) < 3)


def test_the_past_of_one_date_is_what_it_is_in_the_whole_table(spark, tmp_path):
    raw, day = _visits(spark), date(2024, 1, 5)
    preprocess(spark, raw, WITH_PAST, tmp_path / "all", RUN, None)
    ledger = preprocess(spark, raw, WITH_PAST, tmp_path / "one", RUN, day)
    assert ledger.context_rows == 60
    whole = read_features(spark, tmp_path / "all").where(F.col("dt") == F.lit(day))
    one = read_features(spark, tmp_path / "one")
    assert sorted(map(str, one.collect())) == sorted(map(str, whole.collect()))


@pytest.mark.parametrize(
    ("changes", "error", "said"),
    [
        ({"event_time": None, "key": ()}, ConfigError, "neither sequence.order nor"),
        ({"sequence": replace(SEQUENCE, order="shop")}, InputError, "'shop' is string, which says"),
        ({"sequence": replace(SEQUENCE, by="whom")}, InputError, "whom"),
    ],
)
def test_a_sequence_that_cannot_be_put_in_order_is_refused(spark, tmp_path, changes, error, said):
    with pytest.raises(error, match=said):
        preprocess(spark, _visits(spark), replace(WITH_PAST, **changes), tmp_path, RUN, None)


def test_a_column_named_like_a_past_is_refused(spark, tmp_path):
    raw = _visits(spark).withColumn("n_past_by_who", F.lit(1.0))
    with pytest.raises(InputError, match="named like pasts of sequence: n_past_by_who"):
        preprocess(spark, raw, WITH_PAST, tmp_path, RUN, None)
