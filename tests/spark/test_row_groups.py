"""The row-group engine gives what the other one does, and refuses what is not its table."""

import logging
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyspark.sql import functions as F
from pyspark.sql import types as T

from adlib.artifacts import pack, take_apart
from adlib.detectors import DETECTORS
from adlib.detectors.autoencoder import AutoencoderSettings
from adlib.encoding import EncodingSettings, Feature, Kind
from adlib.errors import ConfigError, InputError
from adlib.model import fit_model
from adlib.spark import footers
from adlib.spark.columns import columns_from_arrow
from adlib.spark.engines import score_table
from adlib.spark.footers import RowGroup, read_row_groups
from adlib.spark.records import count_records
from adlib.spark.row_groups import plan_tasks, score_by_row_groups
from adlib.spark.scoring import Carried, Dates, Request, published_type
from adlib.spark.worker import ANOMALY, RECORD, ROW
from adlib.thresholds import FractionThreshold

pytestmark = pytest.mark.spark
ROWS = 2000
DAY = date(2026, 3, 1)
FEATURES = (
    Feature("a", Kind.NUMBER, "a"),
    Feature("b", Kind.NUMBER, "b", integral=True),
    Feature("f", Kind.NUMBER, "f", single=True),
    Feature("c", Kind.CATEGORY, "c"),
    Feature("flag", Kind.BOOLEAN, "flag"),
    Feature("v", Kind.VECTOR, "v"),
)


def make_table(rows=ROWS, seed=0, first_id=0):
    """Return a table of every kind of column, with nulls, NaN and rare values."""
    draw = np.random.default_rng(seed)
    a = draw.standard_t(3, rows)
    absent = draw.random(rows) < 0.02
    start = datetime(2026, 3, 1, tzinfo=UTC)
    return pa.table(
        {
            "id": pa.array(np.arange(first_id, first_id + rows)),
            "at": pa.array(
                [start + timedelta(seconds=row) for row in range(rows)], pa.timestamp("us", "UTC")
            ),
            "a": pa.array(np.where(draw.random(rows) < 0.02, np.nan, a), mask=absent),
            "b": pa.array(draw.integers(0, 11, rows), mask=draw.random(rows) < 0.02),
            "f": pa.array((a + draw.normal(0, 0.1, rows)).astype(np.float32)),
            "c": pa.array([f"c{code}" if code else None for code in draw.geometric(0.4, rows) % 9]),
            "flag": pa.array(draw.random(rows) < 0.3, mask=draw.random(rows) < 0.02),
            "v": pa.array(draw.normal(0, 1, (rows, 2)).tolist()),
            "price": pa.array([Decimal(row) / 4 for row in range(rows)], pa.decimal128(12, 2)),
            "tags": pa.array([["x", str(row)] for row in range(rows)]),
            "is_anomaly": pa.array(np.arange(rows) % 2 == 0),
            "note": pa.array([f"n{row % 5}" for row in range(rows)]),
        }
    )


def parts_by(detector):
    model = fit_model(
        columns_from_arrow(make_table(), FEATURES, {}),
        FEATURES,
        name="engine",
        encoding=EncodingSettings(),
        detector=detector,
        threshold=FractionThreshold(0.02),
        reasons=3,
        seed=1,
        rows_per_day=None,
        provenance={},
    )
    return take_apart(pack(model))


@pytest.fixture(scope="module")
def parts():
    return parts_by(AutoencoderSettings(steps=100))


def carried(schema):
    """Carry columns of every type, one of them by the name of one of ours."""
    kept = ("id", "price", "tags", "note", "a")
    return (
        Carried("event_time", "at", F.col("at"), T.TimestampType()),
        Carried("label", "is_anomaly", F.col("is_anomaly").cast("double"), T.DoubleType()),
        *(Carried(f"k_{n}", n, *published_type(F.col(n), schema[n].dataType)) for n in kept),
    )


def request_of(spark, folder, parts, *, dates=None, every_row=True):
    table = spark.read.parquet(str(folder))
    dates = dates or Dates(DAY)
    return Request(table, dates, parts, carried(table.schema), "run", every_row)


def rows_of(records):
    """Return all scored rows, the last bits of the unflagged ones' scores left out."""
    rows = records.where(F.col(RECORD).isin(ROW, ANOMALY)).orderBy("k_id").toArrow().to_pylist()
    for row in rows:
        if not row["is_anomaly"]:
            row["anomaly_score"] = float(np.float32(row["anomaly_score"]).round(4))
            row["anomaly_percentile"] = round(row["anomaly_percentile"], 1)
    return rows


def assert_engines_agree(spark, folder, parts, **choices):
    request = request_of(spark, folder, parts, **choices)
    ours, theirs = (score_table(spark, request, engine) for engine in ("row_groups", "pandas_udf"))
    assert ours.schema == theirs.schema
    flagged = [
        records.where(F.col(RECORD) == ANOMALY).orderBy("k_id").toArrow().to_pylist()
        for records in (ours, theirs)
    ]
    assert repr(flagged[0]) == repr(flagged[1])
    assert [row["k_id"] for row in rows_of(ours)] == [row["k_id"] for row in rows_of(theirs)]
    return ours, flagged[0]


def write(folder, table, **options):
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, folder / f"part-{len(list(folder.iterdir()))}.parquet", **options)


class TestSameMeans:
    def test_both_engines_hand_back_the_same_records_of_every_type(self, spark, tmp_path, parts):
        table = make_table()
        write(tmp_path, table.slice(0, 700), row_group_size=200)
        write(tmp_path, table.slice(700), row_group_size=512)
        records, flagged = assert_engines_agree(spark, tmp_path, parts)
        assert 10 < len(flagged) < 200
        assert len(rows_of(records)) == ROWS
        assert flagged[0]["k_tags"].startswith('["x",')
        (counts,) = count_records(records).values()
        assert counts.rows_scored == ROWS

    @pytest.mark.parametrize("kind", DETECTORS)
    def test_both_engines_agree_on_every_kind_of_detector(self, spark, tmp_path, kind):
        write(tmp_path, make_table(800), row_group_size=300)
        records, flagged = assert_engines_agree(spark, tmp_path, parts_by(DETECTORS[kind]()))
        assert len(rows_of(records)) == 800
        assert flagged

    def test_pages_of_plain_values_and_of_dictionaries_are_read_alike(self, spark, tmp_path, parts):
        table = make_table(600)
        write(tmp_path, table, use_dictionary=False)
        more = make_table(600, seed=1, first_id=600)
        write(tmp_path, more.slice(0, 300), use_dictionary=True)
        write(tmp_path, more.slice(300), dictionary_pagesize_limit=64, data_page_size=128)
        records, _ = assert_engines_agree(spark, tmp_path, parts)
        assert len(rows_of(records)) == 1200

    @given(seed=st.integers(0, 10_000), rows=st.integers(1, 300), group=st.integers(1, 200))
    @settings(
        max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
    )
    def test_whatever_the_table_and_its_row_groups_both_engines_agree(
        self, spark, tmp_path_factory, parts, seed, rows, group
    ):
        folder = tmp_path_factory.mktemp("table")
        table = make_table(rows, seed)
        unseen = pa.array(["never seen" if row % 7 == 0 else None for row in range(rows)])
        place = table.column_names.index("c")
        write(folder, table, row_group_size=group, use_dictionary=bool(seed % 2))
        more = make_table(rows, seed, first_id=rows).set_column(place, "c", unseen)
        write(folder, more, row_group_size=group)
        assert_engines_agree(spark, folder, parts, every_row=bool(seed % 3))

    def test_dates_are_those_of_the_directories_and_others_are_not_opened(
        self, spark, tmp_path, parts
    ):
        for day in (1, 2, 3):
            write(tmp_path / f"dt=2026-03-0{day}", make_table(100, day))
        (tmp_path / "dt=2026-03-03" / "part-0.parquet").write_bytes(b"PAR1 not any more PAR1")
        dates = Dates(first=date(2026, 3, 1), last=date(2026, 3, 2))
        table = spark.read.schema(
            spark.read.parquet(str(tmp_path / "dt=2026-03-01")).schema.add("dt", "date")
        ).parquet(str(tmp_path))
        request = Request(table, dates, parts, carried(table.schema), "run", every_row=True)
        counts = count_records(score_by_row_groups(spark, request))
        assert {day: count.rows_scored for day, count in counts.items()} == {
            date(2026, 3, 1): 100,
            date(2026, 3, 2): 100,
        }

    def test_paths_may_hold_what_has_a_meaning_in_an_address(self, spark, tmp_path, parts):
        folder = tmp_path / "50% of a" / "é #1 &+%20"
        write(folder, make_table(100))
        table = spark.read.parquet(str(folder))
        request = Request(table, Dates(DAY), parts, carried(table.schema), "run", every_row=True)
        (counts,) = count_records(score_by_row_groups(spark, request)).values()
        assert counts.rows_scored == 100

    def test_files_without_rows_are_no_matter(self, spark, tmp_path, parts):
        write(tmp_path, make_table(50).slice(0, 0))
        request = request_of(spark, tmp_path, parts)
        assert score_by_row_groups(spark, request).count() == 0
        write(tmp_path, make_table(50))
        assert len(rows_of(score_by_row_groups(spark, request_of(spark, tmp_path, parts)))) == 50


class TestRefusals:
    def test_a_file_of_another_type_is_named_before_a_row_is_scored(self, spark, tmp_path, parts):
        table = make_table(50)
        write(tmp_path, table)
        place = table.column_names.index("b")
        write(tmp_path, table.set_column(place, "b", table["b"].cast(pa.string())))
        request = request_of(spark, tmp_path, parts)
        said = r"part-1.parquet is not like the feature table: column 'b' is string where int64"
        with pytest.raises(InputError, match=said):
            score_by_row_groups(spark, request)

    def test_a_missing_column_is_named_with_its_file(self, spark, tmp_path, parts):
        write(tmp_path, make_table(50))
        write(tmp_path, make_table(50).drop_columns(["f"]))
        with pytest.raises(InputError, match=r"part-1.parquet .*column 'f' is missing"):
            score_by_row_groups(spark, request_of(spark, tmp_path, parts))

    def test_a_file_cut_short_is_named(self, spark, tmp_path, parts):
        write(tmp_path, make_table(500))
        write(tmp_path, make_table(500))
        request = request_of(spark, tmp_path, parts)
        whole = (tmp_path / "part-1.parquet").read_bytes()
        (tmp_path / "part-1.parquet").write_bytes(whole[: len(whole) // 2])
        with pytest.raises(InputError, match=r"part-1.parquet cannot be read as Parquet"):
            score_by_row_groups(spark, request)

    def test_what_is_not_read_from_parquet_goes_the_other_way_and_the_log_says_why(
        self, spark, tmp_path, parts, caplog
    ):
        write(tmp_path, make_table(50))
        view = spark.createDataFrame(spark.read.parquet(str(tmp_path)).toPandas())
        assert "is_anomaly" in view.columns
        table = spark.read.parquet(str(tmp_path))
        typed = spark.createDataFrame(table.collect(), table.schema)
        request = Request(typed, Dates(DAY), parts, carried(typed.schema), "run", every_row=False)
        with caplog.at_level(logging.INFO):
            assert score_table(spark, request).where(F.col(RECORD) == ROW).count() == 0
        assert "pandas UDF engine: it is not read from files" in caplog.text
        with pytest.raises(ConfigError, match="not read from files"):
            score_table(spark, request, "row_groups")


class TestPlans:
    def test_tasks_are_balanced_by_bytes_and_keep_files_together(self):
        mega = 1024 * 1024
        groups = [RowGroup(f"f{n // 4}", n % 4, 10 * mega, 1000) for n in range(40)]
        tasks = plan_tasks(groups, cores=2)
        assert sorted((group for task in tasks for group in task), key=repr) == sorted(
            groups, key=repr
        )
        sizes = [sum(group.bytes for group in task) for task in tasks]
        assert max(sizes) <= 1.3 * min(sizes)
        assert len(tasks) >= 2

    def test_a_small_table_is_one_task_and_an_empty_one_none(self):
        assert len(plan_tasks([RowGroup("f", n, 1000, 10) for n in range(9)], cores=8)) == 1
        assert plan_tasks([], cores=8) == []
        assert plan_tasks([RowGroup("f", 0, 0, 0)], cores=8) == []

    def test_a_large_table_has_tasks_of_a_bounded_size(self):
        groups = [RowGroup(f"f{n}", 0, 100 * 1024**2, 10) for n in range(100)]
        assert max(len(task) for task in plan_tasks(groups, cores=2)) <= 2

    def test_many_footers_are_read_in_the_workers_with_the_same_result(
        self, spark, tmp_path, monkeypatch
    ):
        for _ in range(7):
            write(tmp_path, make_table(30), row_group_size=10)
        files = sorted(spark.read.parquet(str(tmp_path)).inputFiles())
        expected = {"a": pa.float64(), "c": pa.string()}
        here = read_row_groups(spark, files, expected)
        monkeypatch.setattr(footers, "_FILES_READ_HERE", 2)
        monkeypatch.setattr(footers, "_FILES_A_TASK", 3)
        assert read_row_groups(spark, files, expected) == here
        assert len(here) == 21
        (tmp_path / "part-3.parquet").write_bytes(b"nothing")
        with pytest.raises(InputError, match=r"part-3.parquet cannot be read"):
            read_row_groups(spark, files, expected)
