"""Tables are compared before work begins: a date with other dates, features with a model."""

from dataclasses import replace
from datetime import date

import pytest

from adlib.encoding import Feature, Kind
from adlib.errors import InputError
from adlib.spark.contract import check_features
from adlib.spark.ledger import read_ledger
from adlib.spark.planning import NEW, Preparation, make_plan
from adlib.spark.preprocessing import preprocess, read_features
from adlib.spark.windows import WindowSpec

pytestmark = pytest.mark.spark
FIRST, SECOND, THIRD = (date(2024, 3, day) for day in (1, 2, 3))
TIMED = Preparation(("id",), "at", "UTC", "who", None, (), (), None, ())
COLUMNS = {
    "id": "id",
    "at": "timestamp '2024-03-01 10:00:00' + make_dt_interval(id % 2)",
    "who": "concat('e', id % 3)",
    "amount": "id * 1.5D",
    "items": "id",
}


def table(spark, **changes):
    """Return rows of two dates; a column that is changed to None is not there."""
    columns = {**COLUMNS, **changes}
    named = [f"{what} as {name}" for name, what in columns.items() if what is not None]
    return spark.range(40).selectExpr(*named)


def prepare(spark, raw, work, day, preparation=TIMED):
    return preprocess(spark, raw, preparation, work, day, day)


def test_every_difference_between_source_and_configuration_is_in_one_error(spark):
    raw = table(spark, at="id % 2 = 0", pair="struct(id)")
    asked = replace(TIMED, carried=("nowhere", "pair"), exclude=("gone",))
    with pytest.raises(InputError) as error:
        make_plan(raw.schema, asked)
    said = str(error.value)
    assert "The source table has no column 'nowhere', 'gone'; it has 'id', 'at'" in said
    assert "'at' is boolean, which cannot be read as an event time" in said
    assert "'pair' is struct<id:bigint>, which has no place in a flat table" in said
    assert "convert them in the source, or do not configure them" in said


def test_every_difference_between_features_and_model_is_in_one_error(spark):
    features = [
        Feature("amount", Kind.NUMBER, "amount"),
        Feature("who", Kind.NUMBER, "who"),
        Feature("fee", Kind.NUMBER, "fee"),
        Feature("items", Kind.CATEGORY, "items"),
    ]
    with pytest.raises(InputError) as error:
        check_features(table(spark).schema, features)
    said = str(error.value)
    assert "The feature table has no column 'fee'; it has 'id'" in said
    assert "'who' was numeric in training and is string now" in said
    assert "'items' was categorical in training and is bigint now" in said
    assert "train a new model" in said


@pytest.mark.parametrize("declared", [None, {"amount": "numeric", "items": "numeric"}])
def test_a_column_that_is_new_on_a_date_is_named_and_not_read_on_that_and_later_dates(
    spark, tmp_path, declared
):
    asked = replace(TIMED, declared=declared)
    prepare(spark, table(spark), tmp_path, FIRST, asked)
    before = read_features(spark, tmp_path).columns
    raw = table(spark, fresh="id % 5", tag="'x'")
    for day in (SECOND, SECOND):
        ledger = prepare(spark, raw, tmp_path, day, asked)
        new = {name for name, why in ledger.left_out.items() if why == NEW}
        assert new == {"fresh", "tag"}
    assert read_ledger(tmp_path, SECOND).left_out == ledger.left_out
    assert read_features(spark, tmp_path).columns == before


def test_a_new_column_that_the_configuration_names_is_no_surprise(spark, tmp_path):
    prepare(spark, table(spark), tmp_path, FIRST)
    asked = replace(TIMED, carried=("tag",))
    ledger = prepare(spark, table(spark, tag="'x'"), tmp_path, SECOND, asked)
    assert NEW not in ledger.left_out.values()
    assert "tag" in spark.read.parquet(f"{tmp_path}/features/dt={SECOND}").columns


def test_all_columns_that_drifted_since_other_dates_are_refused_and_nothing_is_replaced(
    spark, tmp_path
):
    windows = (WindowSpec(by="who", over=("1d",), take=("count",), of=None),)
    asked = replace(TIMED, windows=windows)
    for day in (FIRST, SECOND):
        prepare(spark, table(spark, seen=COLUMNS["at"]), tmp_path, day, asked)
    before = sorted(tmp_path.rglob("*.parquet"))
    raw = table(spark, amount="cast(id as string)", items="id * 1.0D", seen=None)
    with pytest.raises(InputError) as error:
        prepare(spark, raw, tmp_path, SECOND, asked)
    said = str(error.value)
    assert "The source table has no column 'seen'; it has" in said
    assert "'amount' was double and is string now" in said
    assert "'items' was bigint and is double now" in said
    assert "2024-03-01 was prepared with other columns" in said
    assert "`adlib preprocess` without --date" in said
    assert sorted(tmp_path.rglob("*.parquet")) == before


def test_other_settings_and_the_whole_table_are_not_held_to_what_was_prepared_before(
    spark, tmp_path
):
    prepare(spark, table(spark), tmp_path, FIRST)
    raw = table(spark, amount="cast(id as string)", fresh="id")
    prepare(spark, raw, tmp_path, SECOND, replace(TIMED, exclude=("items",)))
    ledger = preprocess(spark, raw, TIMED, tmp_path, THIRD, None)
    assert NEW not in ledger.left_out.values()
    assert {"fresh", "amount"} <= set(read_features(spark, tmp_path).columns)


def test_a_damaged_file_of_another_date_is_named(spark, tmp_path):
    prepare(spark, table(spark), tmp_path, FIRST)
    file = next((tmp_path / "features" / f"dt={FIRST}").glob("*.parquet"))
    file.write_bytes(file.read_bytes()[:-20])
    with pytest.raises(InputError, match=rf"{file.name} of the feature table cannot be read"):
        prepare(spark, table(spark), tmp_path, SECOND)
