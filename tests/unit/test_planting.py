"""Anomalies are planted where they belong, one kind in each row, the same for one seed."""

import copy

import numpy as np
import pytest

from adlib.arrays import NumberColumn, TextColumn, row_count, take_rows
from adlib.encoding import Feature, Kind
from adlib.planting import MOST_PLANTED, PLANTERS, plant
from tests.unit.conftest import FEATURES, texts

ROWS = 400


@pytest.fixture(scope="module")
def ordinary(columns):
    return take_rows(columns, slice(0, ROWS))


@pytest.fixture(scope="module")
def planted(ordinary):
    return plant(ordinary, FEATURES, seed=7)


def plain(columns):
    """Return rows as tuples, so that equal rows are equal values."""
    values = [
        [column.at(row) for row in range(len(column))]
        if isinstance(column, TextColumn)
        else [np.asarray(value).tobytes() for value in column.values]
        for column in columns.values()
    ]
    return list(zip(*values, strict=True))


def changes(ordinary, planted, kind):
    """Return for each row of a kind which columns differ from the row that is most like it."""
    before = plain(ordinary)
    found = []
    for row in plain(take_rows(planted.columns, planted.kinds[kind])):
        differing = [
            {name for name, one, other in zip(ordinary, row, source, strict=True) if one != other}
            for source in before
        ]
        found.append(min(differing, key=len))
    return found


def one_number(values, **told):
    return {"n": NumberColumn(np.asarray(values))}, (Feature("n", Kind.NUMBER, "n", **told),)


def test_every_kind_has_rows_of_its_own_and_none_is_left_over(planted):
    rows = [here for kind in PLANTERS for here in range(ROWS * 3)[planted.kinds[kind]]]
    assert rows == list(range(row_count(planted.columns)))
    assert all(20 <= here.stop - here.start <= MOST_PLANTED for here in planted.kinds.values())


def test_a_seed_plants_the_same_and_another_seed_something_else(ordinary, planted):
    again = plant(ordinary, FEATURES, seed=7)
    assert plain(again.columns) == plain(planted.columns)
    assert again.rows == planted.rows
    assert plain(plant(ordinary, FEATURES, seed=8).columns) != plain(planted.columns)


def test_the_ordinary_rows_are_not_changed(ordinary):
    before = copy.deepcopy(dict(ordinary))
    plant(ordinary, FEATURES, seed=7)
    assert plain(ordinary) == plain(before)


def test_swapped_values_are_a_third_of_the_columns_each_from_the_table(ordinary, planted):
    changed = changes(ordinary, planted, "swapped_values")
    assert max(map(len, changed)) == len(FEATURES) // 3
    assert len(set().union(*changed)) == len(FEATURES)
    swapped = take_rows(planted.columns, planted.kinds["swapped_values"])
    known = ordinary["amount"].values
    assert np.isin(swapped["amount"].values, known).all()


@pytest.mark.parametrize("kind", ["shifted_number", "wrong_magnitude"])
def test_one_number_is_changed_and_whole_numbers_stay_whole(ordinary, planted, kind):
    changed = changes(ordinary, planted, kind)
    assert all(len(names) == 1 for names in changed)
    assert set().union(*changed) == {"amount", "items", "price", "amount_ratio"}
    items = planted.columns["items"].values[planted.kinds[kind]]
    assert (items == np.round(items)).sum() == np.isfinite(items).sum()
    assert planted.columns["price"].values.dtype == ordinary["price"].values.dtype


def test_a_shift_is_six_spreads_and_goes_below_zero_only_where_numbers_do():
    values = np.random.default_rng(1).normal(0.0, 2.0, 4000)
    columns, features = one_number(values)
    shifted = plant(columns, features, seed=1)
    moved = shifted.columns["n"].values[shifted.kinds["shifted_number"]]
    assert np.abs(np.abs(moved) - 12.0).max() < 8.0
    assert (moved < 0.0).any()
    columns, features = one_number(np.abs(values))
    above = plant(columns, features, seed=1)
    assert (above.columns["n"].values[above.kinds["shifted_number"]] > 6.0).all()


def test_a_zero_becomes_fifty_spreads():
    columns, features = one_number([0.0] * 50 + [1.0] * 50, integral=True)
    planted = plant(columns, features, seed=1)
    values = planted.columns["n"].values[planted.kinds["wrong_magnitude"]]
    assert set(values) == {50.0, np.ceil(50.0 / 1.349)}


def test_a_broken_relation_consists_of_ordinary_values(ordinary, planted):
    broken = take_rows(planted.columns, planted.kinds["broken_relation"])
    changed = set().union(*changes(ordinary, planted, "broken_relation"))
    assert len(changed) == 1
    name = changed.pop()
    assert np.isin(broken[name].values, ordinary[name].values).all()
    others = {"amount", "items", "price"} - {name}
    assert name in {"amount", "items", "price"}
    signs = [
        np.sign(broken[other].values - np.nanmedian(ordinary[other].values))
        * np.sign(broken[name].values - np.nanmedian(ordinary[name].values))
        for other in others
    ]
    assert min(float(np.nanmean(sign)) for sign in signs) < -0.95


def test_relations_that_run_against_each_other_are_broken_too():
    first = np.random.default_rng(0).normal(size=1000)
    columns = {"a": NumberColumn(first), "b": NumberColumn(-(first**3))}
    planted = plant(columns, [Feature(name, Kind.NUMBER, name) for name in "ab"], seed=1)
    broken = take_rows(planted.columns, planted.kinds["broken_relation"])
    assert (broken["a"].values * broken["b"].values > 0.0).all()


def test_an_unseen_category_is_in_no_ordinary_row_and_changes_one_column(ordinary, planted):
    rows = planted.kinds["unseen_category"]
    country = take_rows(planted.columns, rows)["country"]
    assert isinstance(country, TextColumn)
    assert {country.at(row) for row in range(len(country))} == {"never seen"}
    assert {*map(tuple, changes(ordinary, planted, "unseen_category"))} == {("country",)}


def test_a_value_that_is_called_never_seen_is_told_apart():
    columns = {"c": texts(["never seen", "b"] * 40)}
    planted = plant(columns, [Feature("c", Kind.CATEGORY, "c")], seed=1)
    found = planted.columns["c"]
    assert isinstance(found, TextColumn)
    assert {found.at(row) for row in range(len(found))} == {"never seen!"}


def test_missing_numbers_are_never_chosen():
    values = np.arange(100.0)
    values[:60] = np.nan
    columns, features = one_number(values)
    planted = plant(columns, features, seed=1)
    assert np.isfinite(planted.columns["n"].values).all()
    assert planted.kinds["shifted_number"] == slice(0, 40)


@pytest.mark.parametrize(
    ("columns", "kind", "expected"),
    [
        ({"a": NumberColumn(np.arange(90.0))}, Kind.NUMBER, {"shifted_number", "wrong_magnitude"}),
        ({"a": NumberColumn(np.full(90, 3.0))}, Kind.NUMBER, set()),
        ({"a": NumberColumn(np.full(90, np.nan))}, Kind.NUMBER, set()),
        ({"a": NumberColumn(np.arange(90.0) % 2)}, Kind.BOOLEAN, set()),
        ({"a": texts(["x", "y", "z"] * 30)}, Kind.CATEGORY, {"unseen_category"}),
        ({"a": texts([str(number) for number in range(90)])}, Kind.CATEGORY, set()),
        ({"a": texts([None] * 90)}, Kind.CATEGORY, set()),
        ({"a": texts(["x y", "y z", "z x"] * 30)}, Kind.TEXT, set()),
    ],
    ids=["number", "constant", "missing", "boolean", "category", "keys", "no category", "text"],
)
def test_a_kind_without_a_fitting_column_is_left_out(columns, kind, expected):
    planted = plant(columns, [Feature("a", kind, "a")], seed=1)
    assert set(planted.kinds) == expected
    assert set(planted.rows) == set(PLANTERS)


def test_numbers_that_have_nothing_to_do_with_each_other_have_no_relation_to_break():
    draw = np.random.default_rng(0)
    columns = {name: NumberColumn(draw.normal(size=500)) for name in "abc"}
    planted = plant(columns, [Feature(name, Kind.NUMBER, name) for name in "abc"], seed=1)
    assert planted.rows["broken_relation"] is None


def test_columns_that_no_feature_speaks_for_come_along(ordinary):
    planted = plant(ordinary, FEATURES[:2], seed=1)
    assert set(planted.columns) == set(ordinary)
    assert planted.columns["face"].values.shape == (row_count(planted.columns), 3)
