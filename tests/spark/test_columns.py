"""Arrow to columns, packed or not."""

from dataclasses import replace

import numpy as np
import pyarrow as pa

from adlib.arrays import TextColumn
from adlib.encoding import Feature, Kind
from adlib.spark.columns import (
    DOUBLES,
    SINGLES,
    TEXTS,
    Dictionaries,
    Packing,
    common_length,
    number_column,
    past_column,
    text_column,
    vector_column,
)

PAST = Feature("amount_past", Kind.PAST, "amount", entity="who", of="amount", steps=3)


def strings(column):
    assert isinstance(column, TextColumn)
    return [column.at(row) for row in range(len(column))]


def test_nulls_become_nan_and_booleans_become_numbers():
    np.testing.assert_array_equal(number_column(pa.array([1, None, 3])).values, [1.0, np.nan, 3.0])
    booleans = number_column(pa.array([True, None, False]))
    np.testing.assert_array_equal(booleans.values, [1.0, np.nan, 0.0])


def test_float32_stays_float32():
    assert number_column(pa.array([1.5], pa.float32())).values.dtype == np.float32


def test_strings_become_codes_and_null_is_minus_one():
    column = text_column(pa.array(["b", None, "a", "b"]), "s", Dictionaries())
    assert [column.at(row) for row in range(4)] == ["b", None, "a", "b"]
    assert column.codes[1] == -1


def test_a_dictionary_is_taken_as_it_is():
    column = text_column(pa.array(["b", None, "a"]).dictionary_encode(), "s", Dictionaries())
    assert [column.at(row) for row in range(3)] == ["b", None, "a"]


def test_equal_dictionaries_are_one_object_so_that_they_are_looked_up_once():
    known = Dictionaries()
    first = text_column(pa.array(["a", "b"]), "s", known)
    again = text_column(pa.array(["a", "b", "a"]), "s", known)
    other = text_column(pa.array(["b", "a"]), "s", known)
    assert again.values is first.values
    assert strings(other) == ["b", "a"]


def test_vectors_of_another_length_count_as_missing():
    array = pa.array([[1.0, 2.0], None, [3.0], [4.0, None], [5.0, 6.0]])
    assert common_length(array) == 2
    expected = [[1.0, 2.0], [np.nan] * 2, [np.nan] * 2, [4.0, np.nan], [5.0, 6.0]]
    np.testing.assert_array_equal(vector_column(array, 2).values, expected)


def test_sliced_arrays_unpack_to_their_own_rows():
    packing = Packing(("z",), ("x", "y"), ("s", "t"), (("v", 2),))
    batch = pa.record_batch(
        {
            SINGLES: pa.array([[0.5], [None], [1.5]], pa.list_(pa.float32())),
            DOUBLES: pa.array([[1.0, 2.0], [3.0, None], [5.0, 6.0]]),
            TEXTS: pa.array([["a", "b"], [None, "c"], ["a", "d"]]),
            "v": pa.array([[1.0, 1.0], [2.0, 2.0], [3.0, 3.0]]),
        }
    ).slice(1)
    columns = packing.unpack(batch, Dictionaries())
    np.testing.assert_array_equal(columns["z"].values, np.array([np.nan, 1.5]))
    assert columns["z"].values.dtype == np.float32
    np.testing.assert_array_equal(columns["x"].values, [3.0, 5.0])
    np.testing.assert_array_equal(columns["y"].values, [np.nan, 6.0])
    assert strings(columns["s"]) == [None, "a"]
    assert strings(columns["t"]) == ["c", "d"]
    np.testing.assert_array_equal(columns["v"].values, [[2.0, 2.0], [3.0, 3.0]])


def test_a_past_stands_against_its_end_and_what_was_not_is_absent():
    lists = pa.array([[9.0], [1.0, 2.0], [], None, [3.0, 4.0, 5.0], [6.0, None, 8.0, 7.0]]).slice(1)
    past = past_column(lists, PAST, Dictionaries())
    absent = np.nan
    oldest, middle = [absent, absent, absent, 3, absent], [1, absent, absent, 4, 8]
    expected = [oldest, middle, [2, absent, absent, 5, 7]]
    np.testing.assert_array_equal(past.events.values.reshape(3, 5), expected)
    assert past.present.sum(axis=0).tolist() == [2, 0, 0, 3, 3]


def test_a_past_of_strings_and_of_truths_and_of_nothing():
    words = past_column(pa.array([["a", None], ["b", "a"]]), replace(PAST, steps=2), Dictionaries())
    assert strings(words.events) == ["a", "b", None, "a"]
    truths = past_column(pa.array([[True, None], [False]]), replace(PAST, steps=2), Dictionaries())
    np.testing.assert_array_equal(truths.events.values, [1.0, np.nan, np.nan, 0.0])
    nothing = past_column(pa.array([[], []], pa.list_(pa.string())), PAST, Dictionaries())
    assert len(nothing) == 2
    assert not nothing.present.any()
    singles = past_column(pa.array([[1.5]], pa.list_(pa.float32())), PAST, Dictionaries())
    assert singles.events.values.dtype == np.float32
