"""Tables of one row, of one column, of nothing but nulls or hostile names: scored, or refused."""

import numpy as np
import pyarrow as pa
import pytest

from tests.jobs.conftest import assert_refused, plain_table, without_windows

NUMBERS = np.random.default_rng(5).normal(size=(400, 3))


def test_one_row_is_too_few_to_learn_from(workplace, last_words):
    without_windows(workplace)
    workplace.write(plain_table(a=[1.0], b=[2.0]))
    assert_refused(workplace, last_words, 3)


def test_a_table_of_nulls_has_no_feature(workplace, last_words):
    without_windows(workplace)
    workplace.write(plain_table(a=pa.nulls(50, pa.float64()), b=pa.nulls(50, pa.string())))
    assert_refused(workplace, last_words, 3, "always missing")


def test_a_table_of_constants_has_no_feature(workplace, last_words):
    without_windows(workplace)
    workplace.write(plain_table(a=[1.0] * 50, b=["x"] * 50))
    assert_refused(workplace, last_words, 3, "constant")


def test_one_column_is_enough(workplace):
    without_windows(workplace)
    workplace.write(plain_table(a=NUMBERS[:, 0]))
    assert workplace.call("run") == 0
    assert workplace.table("runs")["rows_scored"].to_pylist() == [400]


def test_categories_alone_are_enough(workplace):
    without_windows(workplace)
    rng = np.random.default_rng(3)
    rare = np.where(np.arange(600) == 300, "x", "a")
    workplace.write(
        plain_table(a=rng.choice(["u", "v"], 600), b=rare, c=rng.choice(["p", "q"], 600))
    )
    assert workplace.call("run") == 0
    assert workplace.table("runs")["rows_scored"].to_pylist() == [600]


@pytest.mark.parametrize("rows", [257, 321, 2049])
def test_a_last_batch_of_one_row_is_no_trouble(workplace, rows):
    without_windows(workplace)
    values = np.random.default_rng(4).normal(size=(rows, 2))
    workplace.write(plain_table(a=values[:, 0], b=values[:, 1] + values[:, 0]))
    assert workplace.call("run") == 0
    assert workplace.table("runs")["rows_scored"].to_pylist() == [rows]


def test_hostile_names_and_values_go_through(workplace):
    rows = 300
    rng = np.random.default_rng(9)
    strings = ["plain", "with 'quotes' \"two\"", "new\nline", "tab\tand \x01 control", "😀", "  "]
    numbers = rng.normal(size=rows)
    numbers[:6] = [np.nan, np.inf, -np.inf, 1e308, -1e308, 0.0]
    texts = [strings[place] for place in rng.integers(0, len(strings), rows)]
    texts[7] = "x" * 10_000_000
    texts[8] = None
    without_windows(workplace, key=["the key"])
    table = {
        "the key": [f"k`{place}" for place in range(rows)],
        "a.b": numbers,
        "c d": rng.normal(size=rows),
        "e`f": texts,
        "g\"h'": [(1.5, None, 2.5)[place % 3] for place in range(rows)],
        "😀": rng.choice(["ja", "nein"], rows),
    }
    workplace.write(pa.table({name: pa.array(values) for name, values in table.items()}))
    assert workplace.call("run") == 0
    run = workplace.table("runs").to_pylist()[0]
    assert run["rows_read"] == rows
    assert run["rows_read"] == run["rows_scored"] + run["rows_quarantined"]
    assert workplace.table("anomalies").schema.names[0] == "the key"
