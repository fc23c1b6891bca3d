"""A row is found wherever it ended up: in the feature table, published, or in quarantine."""

import json
from datetime import date

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from adlib.arrays import TextColumn, VectorColumn
from adlib.errors import ConfigError, InputError
from adlib.lookup import PublishedRow, QuarantinedRow, ScoredRow, look_up
from adlib.wiring import registry_of

DAY = "2026-03-01"
CONFIG = """
name: payments
source: {path: source, key: [id], event_time: at, entity: customer}
"""


def feature_table(columns, rows):
    """Return the first rows as preprocess would write them."""
    arrays = {}
    for name, column in columns.items():
        if isinstance(column, TextColumn):
            arrays[name] = pa.array([column.at(row) for row in range(rows)], pa.string())
        elif isinstance(column, VectorColumn):
            arrays[name] = pa.array(column.values[:rows].tolist())
        else:
            values = column.values[:rows]
            arrays[name] = pa.array(values > 0 if name == "new" else values, from_pandas=True)
    ids = [str(row) for row in range(rows)]
    return pa.table({"id": ids, "at": [DAY] * rows, "customer": ["c1"] * rows, **arrays})


def write(table, directory, day=DAY):
    (directory / f"dt={day}").mkdir(parents=True)
    pq.write_table(table, directory / f"dt={day}" / "part.parquet")


@pytest.fixture
def place(tmp_path, load, stored, strange_columns):
    """Return a configuration whose model and feature table are there."""
    places = [f"{part}.path={tmp_path / part}" for part in ("output", "work", "models")]
    config = load(CONFIG, *places)
    registry = registry_of(config)
    registry.add(stored)
    registry.promote(stored.model_id)
    write(feature_table(strange_columns, 20), config.work.path / "features")
    return config


def test_a_row_is_told_with_what_it_is_and_every_column(place, model, strange_columns):
    found = look_up(place, ["3"], None, None)
    assert isinstance(found, ScoredRow)
    assert found.about == {"at": DAY, "customer": "c1"}
    assert found.anomaly_score == model.exact_scores(strange_columns)[3]
    told = found.plain()
    sources = {feature.source for feature in model.columns}
    assert {column["column"] for column in told["columns"]} == sources
    derived = {column["column"] for column in told["derived_columns"]}
    assert derived == {"paid_at_hour", "amount_ratio"}
    ratio = next(one for one in told["derived_columns"] if one["column"] == "amount_ratio")
    assert ratio["actual"].endswith("times the mean of 1 day"), "the ratio itself, and no amount"
    assert sum(column["share"] for column in told["columns"]) == pytest.approx(1.0, abs=1e-4)
    json.dumps(told, default=str)


def test_missing_and_unseen_columns_are_named(place, strange_columns):
    strange = feature_table(strange_columns, 1)
    place_of = strange.schema.get_field_index
    strange = strange.set_column(place_of("country"), "country", pa.array(["Atlantis"]))
    strange = strange.set_column(place_of("items"), "items", pa.array([None], pa.float64()))
    write(strange, place.work.path / "features", "2026-03-02")
    found = look_up(place, ["0"], date(2026, 3, 2), None)
    assert isinstance(found, ScoredRow)
    assert found.unseen_columns == ("country",)
    assert "items" in found.missing_columns
    both = look_up(place, ["0"], None, None)
    assert isinstance(both, ScoredRow)
    assert both.rows_with_this_key == 2


def test_a_row_that_left_the_feature_table_is_told_as_it_was_published(place):
    row = {"id": "77", "event_date": date(2026, 2, 1), "anomaly_score": 9.0, "reason": "odd."}
    write(pa.Table.from_pylist([row]), place.output.path / "anomalies", "2026-02-01")
    found = look_up(place, ["77"], None, None)
    assert isinstance(found, PublishedRow)
    assert found.published["reason"] == "odd."


@pytest.mark.parametrize("where", ["output", "work"])
def test_a_quarantined_row_is_found_before_and_after_it_is_published(place, where):
    raw = json.dumps({"id": ' a "b" ', "at": None})
    row = {"event_date": date(2026, 3, 1), "row_hash": "h", "raw_row": raw}
    row |= {"problem": "missing_event_time", "problem_column": "at"}
    write(pa.Table.from_pylist([row]), getattr(place, where).path / "quarantine")
    found = look_up(place, ['a "b"'], None, None)
    assert isinstance(found, QuarantinedRow)
    assert (found.problem, found.problem_column) == ("missing_event_time", "at")


@pytest.mark.usefixtures("place")
def test_without_an_event_time_a_date_does_not_hide_the_row(load, tmp_path):
    text = CONFIG.replace(", event_time: at", "")
    places = [f"{part}.path={tmp_path / part}" for part in ("output", "work", "models")]
    found = look_up(load(text, *places), ["3"], date(2020, 1, 1), None)
    assert isinstance(found, ScoredRow)
    assert found.key == {"id": "3"}


def test_what_is_not_there_is_a_sentence_with_a_next_step(place):
    with pytest.raises(InputError, match=r"No row of 2026-03-09 with id '3'.*adlib preprocess"):
        look_up(place, ["3"], date(2026, 3, 9), None)
    with pytest.raises(ConfigError, match="give --key once; found 2"):
        look_up(place, ["3", "4"], None, None)


def test_a_feature_table_that_lacks_a_column_of_the_model_is_refused(place, strange_columns):
    (file,) = (place.work.path / "features").rglob("*.parquet")
    pq.write_table(feature_table(strange_columns, 5).drop_columns(["note"]), file)
    with pytest.raises(InputError, match="The feature table has no column 'note'"):
        look_up(place, ["3"], None, None)


def test_a_file_that_is_cut_short_is_named(place):
    (file,) = (place.work.path / "features").rglob("*.parquet")
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(InputError, match="cannot be read"):
        look_up(place, ["3"], None, None)
