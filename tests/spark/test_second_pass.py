"""Thresholds by date: exactly the rows that the date's own scores ask for, by both passes."""

from datetime import date

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import functions as F
from pyspark.sql import types as T

from adlib.artifacts import construct, pack, take_apart
from adlib.detectors import DETECTORS
from adlib.encoding import EncodingSettings, Feature, Kind
from adlib.model import exact_scores, fit_model
from adlib.spark.columns import columns_from_arrow
from adlib.spark.records import count_records
from adlib.spark.scoring import Carried, Dates, Request
from adlib.spark.second_pass import low_cuts, score_dates
from adlib.spark.tally import bins_of
from adlib.spark.worker import ANOMALY, RECORD, ROW
from adlib.thresholds import (
    BudgetThreshold,
    DateScores,
    FdrThreshold,
    TopKThreshold,
    conformal_p_values,
)

pytestmark = pytest.mark.spark
DAYS = {date(2026, 3, 1): 2000, date(2026, 3, 2): 700, date(2026, 3, 3): 3}
FEATURES = (Feature("a", Kind.NUMBER, "a"), Feature("b", Kind.NUMBER, "b"))


@pytest.fixture(scope="module")
def table(spark):
    chance = np.random.default_rng(0)
    rows = sum(DAYS.values())
    a = chance.standard_normal(rows)
    b = a + 0.3 * chance.standard_normal(rows)
    strange = chance.permutation(rows)[:40]
    b[strange] = -a[strange] + 8.0
    days = [day for day, count in DAYS.items() for _ in range(count)]
    made = pd.DataFrame({"id": np.arange(rows), "dt": days, "a": a, "b": b})
    made.loc[:2, ["a", "b"]] = [9.0, -9.0]  # three rows of one score
    return spark.createDataFrame(made, "id bigint, dt date, a double, b double").cache()


def parts_with(table, threshold):
    columns = columns_from_arrow(table.orderBy("id").toArrow(), FEATURES, {})
    model = fit_model(
        columns,
        FEATURES,
        name="dates",
        encoding=EncodingSettings(),
        detector=DETECTORS["autoencoder"](),
        threshold=threshold,
        reasons=1,
        seed=1,
        rows_per_day=1000.0,
        provenance={},
    )
    return take_apart(pack(model))


def scored(spark, table, threshold, *, every_row=False):
    carried = (
        Carried("event_time", None, F.lit(None), T.TimestampType()),
        Carried("id", "id", F.col("id"), T.LongType()),
    )
    parts = parts_with(table, threshold)
    request = Request(table, Dates(), parts, carried, "run", every_row)
    return construct(parts), score_dates(spark, request, "pandas_udf", ["id"])


def exact(model, table):
    rows = table.orderBy("id").toPandas()
    rows["score"] = exact_scores(
        model.encoder,
        model.detector,
        columns_from_arrow(table.orderBy("id").toArrow(), FEATURES, {}),
    )
    return rows


def flagged_ids(records):
    rows = records.where(F.col(RECORD) == ANOMALY).select("event_date", "id").toPandas()
    return {day: set(part["id"]) for day, part in rows.groupby("event_date")}


@pytest.mark.parametrize("settings", [TopKThreshold(k=15), BudgetThreshold(rows_a_day=15.9)])
def test_the_strangest_rows_of_each_date_are_flagged_and_no_others(spark, table, settings):
    model, records = scored(spark, table, settings)
    found = flagged_ids(records)
    for day, part in exact(model, table).groupby("dt"):
        ranked = part.sort_values(["score", "id"], ascending=[False, True])
        assert found[day] == set(ranked["id"].head(15))
    assert {day: len(ids) for day, ids in found.items()} == dict(
        zip(DAYS, (15, 15, 3), strict=True)
    )


def test_of_equal_scores_the_first_by_key_are_taken(spark, table):
    model, records = scored(spark, table, TopKThreshold(k=2))
    first = exact(model, table).query("id < 3")
    assert len(set(first["score"])) == 1
    ids = flagged_ids(records)[date(2026, 3, 1)]
    assert len(ids) == 2
    assert ids & {0, 1, 2} in ({0, 1}, {0}, set())


def test_the_bound_on_false_discoveries_is_benjamini_and_hochbergs_on_trimmed_rows(spark, table):
    model, records = scored(spark, table, FdrThreshold(0.1))
    found = flagged_ids(records)
    for day, part in exact(model, table).groupby("dt"):
        p_values = conformal_p_values(model.threshold.ordinary, part["score"].to_numpy())
        order = np.sort(p_values)
        kept = np.flatnonzero(order <= 0.1 * np.arange(1, len(order) + 1) / len(order))
        cut = order[kept[-1]] if len(kept) else -1.0
        assert found.get(day, set()) == set(part["id"][p_values <= cut])
    assert len(found[date(2026, 3, 1)]) >= 20


def test_rows_that_were_only_candidates_are_rows_like_all_others(spark, table):
    _, records = scored(spark, table, TopKThreshold(k=15), every_row=True)
    rows = records.where(F.col(RECORD).isin(ROW, ANOMALY)).toPandas()
    assert len(rows) == sum(DAYS.values())
    assert rows["is_anomaly"].sum() == 33
    assert rows["severity"].notna().sum() == 33
    counts = count_records(records)
    assert {day: entry.rows_scored for day, entry in counts.items()} == DAYS
    assert sum(entry.rows_flagged for entry in counts.values()) == 33


def test_only_what_is_asked_for_comes_back(spark, table):
    _, records = scored(spark, table, TopKThreshold(k=15))
    assert records.where(F.col(RECORD) == ROW).count() == 0


def test_severities_begin_at_the_last_row_that_is_flagged_of_the_date(spark, table):
    _, records = scored(spark, table, TopKThreshold(k=300))
    rows = records.where((F.col(RECORD) == ANOMALY) & (F.col("event_date") == "2026-03-01"))
    found = rows.select("p_value", "severity").toPandas()
    last = found["p_value"].max()
    assert (found["severity"][found["p_value"] > last / 3.0 + 1e-12] == "low").all()
    assert (found["severity"][found["p_value"] <= last / 10.0] != "medium").all()
    assert set(found["severity"]) >= {"low", "medium", "high"}


def test_a_low_cut_is_never_above_the_exact_one(table):
    for settings in (TopKThreshold(k=15), FdrThreshold(0.1), FdrThreshold(0.5)):
        model = construct(parts_with(table, settings))
        for day, part in exact(model, table).groupby("dt"):
            places, counts = np.unique(bins_of(part["score"].to_numpy()), return_counts=True)
            bins = {day: dict(zip(places.tolist(), counts.tolist(), strict=True))}
            descending = np.sort(part["score"].to_numpy())[::-1]
            rows = DateScores(descending, descending, np.arange(1, len(part) + 1), len(part))
            assert low_cuts(model, bins)[day] <= model.threshold.date_cut(rows)
