"""The engine gives what the model gives, whatever the partitions, and tallies every row."""

from datetime import date

import numpy as np
import pytest
from pyspark.sql import functions as F
from pyspark.sql import types as T

from adlib.artifacts import construct, pack, take_apart
from adlib.detectors.autoencoder import AutoencoderSettings
from adlib.encoding import EncodingSettings, Feature, Kind
from adlib.errors import InputError
from adlib.model import fit_model
from adlib.spark.columns import columns_from_arrow
from adlib.spark.contract import check_features
from adlib.spark.records import count_records
from adlib.spark.scoring import Carried, Dates, Request, published_type, score_by_pandas_udf
from adlib.spark.tally import bins_of, score_of_bin
from adlib.spark.worker import ANOMALY, RECORD, ROW
from adlib.thresholds import FractionThreshold

pytestmark = pytest.mark.spark
ROWS = 3000
FEATURES = (
    Feature("a", Kind.NUMBER, "a"),
    Feature("b", Kind.NUMBER, "b", integral=True),
    Feature("c", Kind.CATEGORY, "c"),
    Feature("flag", Kind.BOOLEAN, "flag"),
    Feature("v", Kind.VECTOR, "v"),
)


@pytest.fixture(scope="module")
def table(spark):
    a = F.when(F.col("id") % 97 == 0, None).otherwise(F.randn(3) * F.exp(F.randn(4)))
    made = spark.range(ROWS).select(
        "id",
        a.alias("a"),
        (F.col("id") % 11).alias("b"),
        F.when(F.col("id") % 501 == 0, "rare")
        .otherwise(F.concat(F.lit("c"), F.col("id") % 3))
        .alias("c"),
        (F.col("id") % 2 == 0).alias("flag"),
        F.array(F.randn(5), F.randn(6)).alias("v"),
    )
    return spark.createDataFrame(made.toPandas(), made.schema).cache()


@pytest.fixture(scope="module")
def parts(table):
    columns = columns_from_arrow(table.toArrow(), FEATURES, {})
    model = fit_model(
        columns,
        FEATURES,
        name="engine",
        encoding=EncodingSettings(),
        detector=AutoencoderSettings(),
        threshold=FractionThreshold(0.01),
        reasons=3,
        seed=1,
        rows_per_day=None,
        provenance={},
    )
    return take_apart(pack(model))


def carried():
    return (
        Carried("event_time", None, F.lit(None), T.TimestampType()),
        Carried("id", "id", F.col("id"), T.LongType()),
    )


def records_of(spark, table, parts, *, every_row=True):
    request = Request(table, Dates(date(2026, 3, 1)), parts, carried(), "run", every_row)
    return score_by_pandas_udf(spark, request)


def flagged(records):
    rows = records.where(F.col(RECORD) == ANOMALY).orderBy("id").toPandas()
    return rows.drop(columns=["adlib bins", "adlib counts"]).to_dict("records")


def test_the_engine_flags_and_scores_what_the_model_does(spark, table, parts):
    model = construct(parts)
    expected = model.score(columns_from_arrow(table.orderBy("id").toArrow(), FEATURES, {"v": 2}))
    records = records_of(spark, table, parts)
    scored = records.where(F.col(RECORD).isin(ROW, ANOMALY)).orderBy("id").toPandas()
    assert scored["is_anomaly"].tolist() == expected.is_anomaly.tolist()
    np.testing.assert_allclose(scored["anomaly_score"], expected.scores, rtol=1e-6)
    rows = flagged(records)
    assert [row["anomaly_score"] for row in rows] == expected.scores[expected.is_anomaly].tolist()
    names = [row["reason_1_column"] for row in rows]
    assert names == [reasons[0].column for reasons in expected.flagged.reasons]


def test_partitions_do_not_change_what_is_flagged(spark, table, parts):
    one = flagged(records_of(spark, table.coalesce(1), parts))
    many = flagged(records_of(spark, table.orderBy(F.rand(2)).repartition(6), parts))
    assert len(one) > 5
    assert repr(one) == repr(many)


def test_the_tally_counts_every_row_also_where_only_flagged_ones_come_back(spark, table, parts):
    records = records_of(spark, table, parts, every_row=False)
    (counts,) = count_records(records).values()
    assert counts.rows_scored == ROWS
    assert counts.rows_flagged == len(flagged(records))
    assert counts.commonest_first_reason in {feature.source for feature in FEATURES}
    assert records.where(F.col(RECORD) == ROW).count() == 0


def test_bins_are_fine_for_small_large_and_negative_scores():
    scores = np.array([-5.0, -1e-3, 0.0, 1e-4, 0.7, 123.456, 1e12])
    middles = [score_of_bin(int(place)) for place in bins_of(scores)]
    np.testing.assert_allclose(middles, scores, rtol=4e-3, atol=1e-40)


def test_a_missing_column_and_a_changed_type_are_named_together(table):
    check_features(table.schema, FEATURES)
    with pytest.raises(InputError, match="'zz'"):
        check_features(table.schema, [*FEATURES, Feature("zz", Kind.NUMBER, "zz")])
    changed = table.withColumn("a", F.lit("much")).withColumn("c", F.lit(1.0))
    with pytest.raises(InputError, match=r"'a' was numeric .*'c' was categorical"):
        check_features(changed.schema, FEATURES)


def test_key_and_kept_columns_become_one_of_the_types_of_the_outputs(spark):
    table = spark.sql(
        "select cast(1 as tinyint) i, cast('nan' as float) f, cast(1.5 as decimal(9,2)) d, "
        "array(1, 2) a, date'2026-01-01' day"
    )
    expressions = [
        published_type(F.col(field.name), field.dataType)[0]
        .cast(published_type(F.col(field.name), field.dataType)[1])
        .alias(field.name)
        for field in table.schema.fields
    ]
    typed = table.select(*expressions)
    assert [field.dataType.simpleString() for field in typed.schema.fields] == [
        "bigint",
        "double",
        "string",
        "string",
        "date",
    ]
    row = typed.first()
    assert row is not None
    assert row["f"] is None
    assert row["a"] == "[1,2]"
