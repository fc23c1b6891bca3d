"""Reading sources: nothing vanishes, and what cannot be read says what to do."""

import json
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import functions as F
from pyspark.sql import types as T

from adlib.errors import ConfigError, InputError
from adlib.spark.tables import MALFORMED, Source, map_in_arrow, read_source
from adlib.spark.values import column, content_digest, content_hash, instant, typed_kind

pytestmark = pytest.mark.spark


@pytest.mark.parametrize("form", ["parquet", "csv", "json", "orc"])
@pytest.mark.parametrize("pattern", ["none", "none*"])
def test_a_path_or_a_glob_that_matches_nothing_is_an_input_error_with_advice(
    spark, tmp_path, form, pattern
):
    with pytest.raises(InputError, match=r"Check source\.path"):
        read_source(spark, Source(f"{tmp_path}/{pattern}", form))


@pytest.mark.parametrize("form", ["parquet", "csv", "json", "orc"])
def test_an_empty_directory_is_nothing_to_read(spark, tmp_path, form):
    with pytest.raises(InputError, match="Nothing to read"):
        read_source(spark, Source(str(tmp_path), form))


@pytest.mark.parametrize("name", ["not_there", "bad name; drop", "a.b.c.d"])
def test_a_table_that_is_not_there_is_an_input_error(spark, name):
    with pytest.raises(InputError):
        read_source(spark, Source(name, "table"))


def test_a_truncated_parquet_file_is_named(spark, tmp_path):
    whole = tmp_path / "whole.parquet"
    pq.write_table(pa.table({"x": list(range(1000))}), whole)
    (tmp_path / "cut").mkdir()
    (tmp_path / "cut" / "part.parquet").write_bytes(whole.read_bytes()[:-100])
    with pytest.raises(InputError, match=r"part\.parquet"):
        read_source(spark, Source(str(tmp_path / "cut")))


def test_an_unknown_format_and_options_that_hide_rows_are_refused(spark, tmp_path):
    with pytest.raises(ConfigError, match="parquet, csv, json, orc, table"):
        read_source(spark, Source(str(tmp_path), "avro"))
    with pytest.raises(ConfigError, match="Mode"):
        read_source(spark, Source(str(tmp_path), "csv", {"Mode": "DROPMALFORMED"}))


def test_nanoseconds_become_timestamps_and_other_whole_numbers_stay(spark, tmp_path):
    stamp = datetime(1969, 12, 31, 23, 59, 59, 999999)  # noqa: DTZ001 - local time is meant
    columns = {
        "local": pa.array([stamp], pa.timestamp("ns")),
        "zoned": pa.array([stamp], pa.timestamp("ns", tz="UTC")),
        "micros": pa.array([stamp], pa.timestamp("us")),
        "number": pa.array([7], pa.int64()),
    }
    pq.write_table(pa.table(columns), tmp_path / "a b%20.parquet")
    table = read_source(spark, Source(str(tmp_path)))
    types = {field.name: field.dataType.simpleString() for field in table.schema}
    assert types == {
        "local": "timestamp_ntz",
        "zoned": "timestamp",
        "micros": "timestamp_ntz",
        "number": "bigint",
    }
    assert table.select("local").collect()[0][0] == stamp
    assert table.select(F.unix_micros("zoned")).collect()[0][0] == -1


def test_csv_keeps_quotes_newlines_and_every_malformed_line(spark, tmp_path):
    text = 'id,text,n\n1,"say ""hi"", twice\nover two lines",2\n2,short\n3,ok,4\n4,too,5,many\n'
    (tmp_path / "a.csv").write_text(text, encoding="utf-8")
    table = read_source(spark, Source(str(tmp_path), "csv")).orderBy("id")
    rows = table.collect()
    assert rows[0]["text"] == 'say "hi", twice\nover two lines'
    assert [row[MALFORMED] is not None for row in rows] == [False, True, False, True]


def test_names_in_csv_are_text_as_it_is_written_and_other_columns_what_they_look_like(
    spark, tmp_path
):
    text = "id,code,n\n00000005,007,1\n5,7,2\n"
    (tmp_path / "a.csv").write_text(text, encoding="utf-8")
    table = read_source(spark, Source(str(tmp_path), "csv", names=["id", "absent"])).orderBy("n")
    assert [row["id"] for row in table.collect()] == ["00000005", "5"]
    assert [row["code"] for row in table.collect()] == [7, 7]
    as_json = json.dumps({"id": 5})
    (tmp_path / "json").mkdir()
    (tmp_path / "json" / "a.json").write_text(as_json, encoding="utf-8")
    (row,) = read_source(spark, Source(str(tmp_path / "json"), "json", names=["id"])).collect()
    assert row["id"] == 5


def test_csv_files_whose_headers_differ_are_refused_rather_than_shifted(spark, tmp_path):
    (tmp_path / "a.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    (tmp_path / "b.csv").write_text("b,a\n3,4\n", encoding="utf-8")
    with pytest.raises(Exception, match="header"):
        read_source(spark, Source(str(tmp_path), "csv")).collect()


def test_json_keeps_every_malformed_line(spark, tmp_path):
    lines = [json.dumps({"a": 1}), '{"a": 2', json.dumps({"a": 3})]
    (tmp_path / "a.json").write_text("\n".join(lines), encoding="utf-8")
    rows = read_source(spark, Source(str(tmp_path), "json")).collect()
    assert [row[MALFORMED] for row in rows] == [None, '{"a": 2', None]


@pytest.mark.parametrize(
    "name", ["a.b", "a b", "a`b", "``", "a'b\"c", "🙂", "a\nb", "select", "*", "x;--"]
)
def test_a_column_is_found_by_exactly_its_name(spark, name):
    table = spark.range(3).toDF(name)
    assert table.select(column(name)).columns == [name]
    assert table.where(column(name) == F.lit(1)).count() == 1


@pytest.mark.parametrize(
    ("data_type", "kind"),
    [
        (T.ByteType(), "number"),
        (T.DecimalType(38, 10), "number"),
        (T.BooleanType(), "boolean"),
        (T.StringType(), "text"),
        (T.NullType(), "text"),
        (T.DateType(), "timestamp"),
        (T.TimestampNTZType(), "timestamp"),
        (T.ArrayType(T.FloatType()), "vector"),
        (T.ArrayType(T.StringType()), None),
        (T.StructType([]), None),
        (T.MapType(T.StringType(), T.LongType()), None),
        (T.BinaryType(), None),
    ],
)
def test_a_type_is_one_of_five_kinds_or_none(data_type, kind):
    assert typed_kind(data_type) == kind


def test_the_hash_tells_nulls_apart_and_does_not_see_the_order_of_columns(spark):
    rows = [
        (None, 5, None, [1.0, None]),
        (5, None, None, [None, 1.0]),
        (5, None, {"k": None}, None),
        (5, None, {}, None),
    ]
    table = spark.createDataFrame(rows, "a long, b long, m map<string,long>, v array<double>")
    hashed = [row[0] for row in table.select(content_digest(table.schema)).collect()]
    assert len(set(hashed)) == 4
    assert all(len(one) == 32 for one in hashed)
    turned = table.select("v", "m", "b", "a")
    assert hashed == [row[0] for row in turned.select(content_digest(turned.schema)).collect()]
    assert (
        table.select(content_hash(table.schema, 0)).collect()[0]
        != table.select(content_hash(table.schema, 1)).collect()[0]
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2024-07-01 12:00:00", "2024-07-01 10:00:00"),
        ("2024-07-01T12:00:00Z", "2024-07-01 12:00:00"),
        ("2024-07-01 12:00:00+05:00", "2024-07-01 07:00:00"),
        ("  2024-07-01 ", "2024-06-30 22:00:00"),
        ("12:30", None),
        ("soon", None),
        ("2024-02-30", None),
        ("", None),
    ],
)
def test_a_string_without_a_zone_is_local_time_and_a_bare_time_is_none(spark, text, expected):
    value = instant(F.lit(text), T.StringType(), "Europe/Paris")
    assert (
        spark.range(1).select(F.date_format(value, "yyyy-MM-dd HH:mm:ss")).collect()[0][0]
        == expected
    )


def test_local_time_is_read_in_the_zone_given(spark):
    noon = datetime(2024, 1, 1, 12, tzinfo=UTC)
    table = spark.createDataFrame([(noon,)], "at timestamp").select(
        F.col("at").cast("timestamp_ntz").alias("at")
    )
    value = instant(column("at"), T.TimestampNTZType(), "Asia/Tokyo")
    assert table.select(F.unix_seconds(value)).collect()[0][0] == noon.timestamp() - 9 * 3600


def test_batches_keep_the_names_of_columns_that_hold_what_is_syntax_to_spark(spark):
    names = ["a.b", "one `tick`", 'a "quote"; --', "a.b.c"]
    table = spark.createDataFrame([(1, "x", 2.0, True)], names)

    def written_out(batches):
        for batch in batches:
            found = [str(list(zip(batch.schema.names, row.values(), strict=True)))
                     for row in batch.to_pylist()]  # fmt: skip
            yield pa.RecordBatch.from_pydict({"found": found})

    schema = T.StructType([T.StructField("found", T.StringType())])
    rows = map_in_arrow(table, written_out, schema).collect()
    assert [row["found"] for row in rows] == [str([*zip(names, (1, "x", 2.0, True), strict=True)])]
