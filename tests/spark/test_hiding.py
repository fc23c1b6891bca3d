"""Hidden columns are pseudonyms before anything else is done, and the rest is as without them."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from pyspark.sql import functions as F

from adlib.errors import ConfigError, InputError
from adlib.pseudonyms import Pseudonyms
from adlib.spark.hiding import check_hiding, pseudonymised
from adlib.spark.planning import Preparation
from adlib.spark.preprocessing import preprocess, read_features
from adlib.spark.tables import Source, read_source
from adlib.spark.windows import WindowSpec

pytestmark = pytest.mark.spark
RUN = date(2024, 6, 1)
KEY = b"0123456789abcdef"
PLAIN = Preparation((), None, "UTC", None, None, (), (), None, ())


def hiding(*columns, **choices):
    return replace(PLAIN, pseudonyms=Pseudonyms(columns, KEY), **choices)


def made(text):
    return Pseudonyms((), KEY).of(text)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("' c1 '", "c1"),
        ("'  '", None),
        ("7", "7"),
        ("7Y", "7"),
        ("7.0D", "7"),
        ("cast('7' as float)", "7"),
        ("-0.0D", "0"),
        ("7.5D", "7.5"),
        ("1e300D", "1.0E300"),
        ("double('Infinity')", "Infinity"),
        ("double('NaN')", None),
        ("7.50BD", "7.50"),
        ("true", "true"),
        ("date '2024-01-03'", "2024-01-03"),
        ("timestamp '2024-01-03 09:30:00+01:00'", "2024-01-03 08:30:00"),
        ("cast(null as bigint)", None),
        ("null", None),
        ("'Größe 😀'", "Größe 😀"),
    ],
)
def test_a_value_is_known_by_its_text(spark, value, text):
    table = pseudonymised(spark.sql(f"select {value} as v"), hiding("v"))
    (row,) = table.collect()
    assert table.schema["v"].dataType.simpleString() == "string"
    assert row["v"] == (None if text is None else made(text))


def test_the_blanks_around_a_key_tell_rows_apart_as_they_do_unhidden(spark):
    table = spark.sql("select * from values (' k'), ('k'), (' ') as t(k)")
    found = pseudonymised(table, hiding("k", key=("k",))).collect()
    assert [row["k"] for row in found] == [made(" k"), made("k"), None]


def test_no_plan_shows_the_key(spark):
    table = pseudonymised(spark.sql("select 'c1' as v"), hiding("v"))
    shown = table._jdf.queryExecution().toString()
    assert "hide" in shown
    assert KEY.decode() not in shown


@pytest.mark.parametrize(
    ("preparation", "error", "said"),
    [
        (hiding("nope"), InputError, "no column 'nope'"),
        (hiding("nested"), InputError, "'nested' is struct<x:int>"),
        (hiding("parts"), InputError, "'parts' is array<int>"),
        (hiding("amount"), ConfigError, "'amount' is double.*has no size"),
        (hiding("day"), ConfigError, "'day' is date"),
    ],
)
def test_what_cannot_be_hidden_is_refused(spark, preparation, error, said):
    schema = spark.sql(
        "select 1.5D amount, struct(1 x) nested, array(1) parts, date '2024-01-03' day, 7L id"
    ).schema
    with pytest.raises(error, match=said):
        check_hiding(schema, preparation)
    check_hiding(schema, hiding("id", "day", key=("id",), exclude=("day",)))
    check_hiding(schema, hiding("amount", declared={"amount": "categorical"}))


def test_a_line_that_cannot_be_parsed_is_hidden_whole(spark, tmp_path):
    (tmp_path / "raw").mkdir()
    lines = "id,amount\nCANARY-1,1.5\nCANARY-2,2.5,CANARY\n,3.5\n"
    (tmp_path / "raw" / "a.csv").write_text(lines, "utf-8")
    raw = read_source(spark, Source(str(tmp_path / "raw"), "csv"))
    preprocess(spark, raw, hiding("id", key=("id",)), tmp_path / "work", RUN, None)
    rows = spark.read.parquet(str(tmp_path / "work" / "quarantine")).collect()
    told = {row["problem"]: row["raw_row"] for row in rows}
    assert told == {
        "malformed_line": f'{{"line":"{made("CANARY-2,2.5,CANARY")}"}}',
        "missing_key": '{"id":null,"amount":3.5}',
    }
    assert [row["id"] for row in read_features(spark, tmp_path / "work").collect()] == [
        made("CANARY-1")
    ]


def test_windows_and_counts_are_as_of_the_values_themselves(spark, tmp_path):
    start = datetime(2024, 1, 1, tzinfo=UTC)
    rows = [
        (n, start + timedelta(hours=n), f" e{n % 4}" if n % 9 else None, n * n % 97 + 0.1)
        for n in range(100)
    ]
    raw = spark.createDataFrame(rows, "id long, at timestamp, customer string, amount double")
    windows = (WindowSpec("customer", ("2d",), ("count", "mean", "gap"), "amount"),)
    seen = replace(
        PLAIN, key=("id",), event_time="at", entity="customer", windows=windows, carried=()
    )
    hidden = replace(seen, pseudonyms=Pseudonyms(("id", "customer"), KEY))
    works = (tmp_path / "seen", tmp_path / "hidden")
    ledgers = [
        preprocess(spark, raw, preparation, work, RUN, None)
        for preparation, work in zip((seen, hidden), works, strict=True)
    ]
    tables = [read_features(spark, work).toPandas() for work in works]
    counts = [[(one.date, one.features, one.quarantined) for one in x.dates] for x in ledgers]
    assert counts[0] == counts[1]
    in_clear, told = tables
    for name in ("id", "customer"):
        in_clear[name] = [None if one is None else made(str(one)) for one in in_clear[name]]
    same = [
        one.drop(columns="row_hash").sort_values("at").reset_index(drop=True)
        for one in (in_clear, told)
    ]
    assert same[0].equals(same[1])


def test_the_hash_of_a_row_is_of_what_is_hidden(spark, tmp_path):
    raw = spark.sql("select 'c1' as customer, 1.5D as amount")
    hashes = []
    for place, preparation in enumerate((PLAIN, hiding("customer"))):
        preprocess(spark, raw, preparation, tmp_path / str(place), RUN, None)
        hashes.append(read_features(spark, tmp_path / str(place)).collect()[0]["row_hash"])
    plain_hash = raw.select(F.lit(made("c1")).alias("customer"), "amount")
    preprocess(spark, plain_hash, PLAIN, tmp_path / "2", RUN, None)
    hashes.append(read_features(spark, tmp_path / "2").collect()[0]["row_hash"])
    assert hashes[0] != hashes[1] == hashes[2]
