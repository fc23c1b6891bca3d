"""Columns give back the rows that are asked for, whatever the dictionary behind their strings."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from adlib.arrays import (
    Block,
    Column,
    Layout,
    Loss,
    NumberColumn,
    PastColumn,
    TextColumn,
    VectorColumn,
    row_count,
    take_rows,
)

WORDS = np.array([f"word {place}" for place in range(20)], dtype=object)


def strings(column):
    return [column.at(row) for row in range(len(column))]


@given(st.lists(st.integers(-1, 19), max_size=30), st.data())
def test_taking_rows_keeps_every_string_and_every_gap(codes, chosen):
    column = TextColumn(np.array(codes, dtype=np.int32), WORDS)
    rows = chosen.draw(st.lists(st.integers(0, max(0, len(codes) - 1)), max_size=10))
    rows = rows if codes else []
    taken = column.take(np.array(rows, dtype=np.int64))
    assert strings(taken) == [column.at(row) for row in rows]


@given(st.lists(st.integers(-1, 19), min_size=1, max_size=8))
def test_compact_rows_carry_no_larger_dictionary_than_they_need(codes):
    column = TextColumn(np.array(codes), WORDS)
    compact = column.compact()
    assert len(compact.values) == len(set(codes) - {-1})
    assert strings(compact) == strings(column)


def test_taken_rows_keep_the_dictionary_so_that_it_is_looked_up_once():
    column = TextColumn(np.array([0, -1, 2, 3]), WORDS)
    assert column.take(slice(1, 3)).values is WORDS
    assert column.take(np.array([3])).values is WORDS


def test_rows_can_be_taken_by_slice_mask_and_index():
    column = TextColumn(np.array([0, -1, 2, 3]), WORDS)
    mask = np.array([False, True, True, False])
    expected = [None, "word 2"]
    assert strings(column.take(slice(1, 3))) == expected
    assert strings(column.take(mask)) == expected
    assert strings(column.take(np.array([1, 2]))) == expected


def test_taking_rows_of_a_table_takes_them_of_every_column():
    table: dict[str, Column] = {
        "number": NumberColumn(np.arange(4.0)),
        "text": TextColumn(np.array([0, 1, 2, -1]), WORDS),
        "vector": VectorColumn(np.arange(8.0).reshape(4, 2)),
    }
    taken = take_rows(table, np.array([3, 0]))
    assert taken["number"].values.tolist() == [3.0, 0.0]
    assert strings(taken["text"]) == [None, "word 0"]
    assert taken["vector"].values.tolist() == [[6.0, 7.0], [0.0, 1.0]]
    assert row_count(taken) == 2


def test_no_columns_have_no_rows():
    assert row_count({}) == 0


def test_a_layout_names_each_source_once_in_order():
    blocks = (
        Block("b", "b", 0, 1, Loss.SQUARED),
        Block("a_hour", "a", 1, 3, Loss.SQUARED),
        Block("b_count", "b", 3, 4, Loss.SQUARED),
    )
    layout = Layout(blocks)
    assert layout.sources == ("b", "a")
    assert layout.width == 4
    assert blocks[1].span == slice(1, 3)
    assert blocks[1].width == 2
    assert Layout(()).width == 0


def test_a_past_goes_with_its_row():
    events = np.array([1.0, 2.0, 3.0, 10.0, 20.0, 30.0])
    present = np.array([[False, True, True], [True, True, True]])
    past = PastColumn(NumberColumn(events), present)
    assert len(past) == 3
    for rows in (np.array([2, 0]), np.array([True, False, True]), slice(1, 3)):
        taken = past.take(rows)
        expected = events.reshape(2, 3)[:, rows]
        assert taken.events.values.tolist() == expected.ravel().tolist()
        assert taken.present.tolist() == present[:, rows].tolist()
