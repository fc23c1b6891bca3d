"""What a column looked like in training: kept small, compared fairly."""

import json

import numpy as np
import pytest

from adlib.arrays import NumberColumn, TextColumn, take_rows
from adlib.drift import MOST_COLUMNS, Reference, movement
from adlib.encoding import Encoder, EncodingSettings, Feature, Kind

ROWS = 4_000
FEATURES = (Feature("amount", Kind.NUMBER, "amount"), Feature("country", Kind.CATEGORY, "country"))


def columns(seed, *, factor=1.0, countries=("de", "fr", "it"), missing=0.0):
    rng = np.random.default_rng(seed)
    amounts = rng.lognormal(3.0, 1.0, ROWS) * factor
    amounts[rng.random(ROWS) < missing] = np.nan
    codes = rng.integers(0, len(countries), ROWS)
    return {
        "amount": NumberColumn(amounts),
        "country": TextColumn(codes, np.asarray(countries, dtype=object)),
    }


@pytest.fixture(scope="module")
def encoder():
    return Encoder.fit(columns(1), FEATURES, EncodingSettings())


@pytest.fixture(scope="module")
def reference(encoder):
    return Reference.of(encoder, columns(1), columns(2))


def moved(reference, encoder, later):
    return {
        encoding.feature.name: movement(reference, encoding, later[encoding.feature.name])
        for encoding in encoder.encodings
    }


def test_rows_of_the_same_kind_are_steady(reference, encoder):
    found = moved(reference, encoder, columns(3))
    assert {name: entry.verdict for name, entry in found.items()} == {
        "amount": "steady",
        "country": "steady",
    }


def test_numbers_that_double_and_categories_never_seen_have_shifted(reference, encoder):
    later = columns(3, factor=3.0, countries=("de", "xx", "yy"))
    assert {entry.verdict for entry in moved(reference, encoder, later).values()} == {"shifted"}


def test_values_that_go_missing_shift_a_column(reference, encoder):
    assert moved(reference, encoder, columns(3, missing=0.4))["amount"].verdict == "shifted"


def test_the_index_is_that_of_its_definition(encoder):
    learned = {**columns(1), "country": TextColumn(np.repeat([0, 1], [3, 1]), two("a", "b"))}
    learned["amount"] = NumberColumn(np.arange(4.0))
    kept = Reference.of(encoder, learned, learned)
    now = TextColumn(np.repeat([0, 1], [1, 3]), two("a", "b"))
    # Bins a, b, others, missing; half a row more in each.
    p, q = np.asarray([3.5, 1.5, 0.5, 0.5]) / 6.0, np.asarray([1.5, 3.5, 0.5, 0.5]) / 6.0
    expected = float(((q - p) * np.log(q / p)).sum())
    assert index_of(kept, encoder.encodings[1], now) == pytest.approx(expected)


def index_of(kept, encoding, column):
    found = movement(kept, encoding, column)
    assert found is not None
    return found.index


def two(*values):
    return np.asarray(values, dtype=object)


def test_few_rows_that_differ_by_chance_have_not_moved(reference, encoder):
    later = take_rows(columns(5), slice(0, 20))
    assert {entry.verdict for entry in moved(reference, encoder, later).values()} == {"steady"}


def test_a_number_that_is_mostly_one_value_can_shift_away_from_it(encoder):
    learned = {**columns(1), "amount": NumberColumn(np.zeros(ROWS))}
    kept = Reference.of(encoder, learned, learned)
    away = NumberColumn(np.where(np.arange(ROWS) % 2, 0.0, 5.0))
    gone = movement(kept, encoder.encodings[0], away)
    still = movement(kept, encoder.encodings[0], learned["amount"])
    assert gone is not None
    assert still is not None
    assert (gone.verdict, still.verdict) == ("shifted", "steady")


def test_infinite_and_missing_numbers_are_no_obstacle(encoder):
    values = np.full(ROWS, np.nan)
    values[:3] = [np.inf, -np.inf, 1.0]
    learned = {**columns(1), "amount": NumberColumn(values)}
    kept = Reference.of(encoder, learned, learned)
    assert np.isfinite(index_of(kept, encoder.encodings[0], columns(1)["amount"]))
    json.dumps(kept.to_json(), allow_nan=False)


def test_what_was_not_learned_is_measured_on_held_out_rows(encoder):
    held_out = columns(2, countries=("de", "xx"))
    kept = Reference.of(encoder, columns(1), held_out)
    assert kept.columns["country"].unseen == pytest.approx(0.5, abs=0.05)


def test_a_reference_goes_through_json_and_back(reference):
    assert Reference.from_json(json.loads(json.dumps(reference.to_json()))) == reference


def test_a_reference_of_many_wide_columns_stays_small():
    names = [f"c{place}" for place in range(MOST_COLUMNS + 50)]
    features = [Feature(name, Kind.CATEGORY, name) for name in names]
    values = np.asarray([f"{place}" * 40 for place in range(500)], dtype=object)
    column = TextColumn(np.arange(500), values)
    made = dict.fromkeys(names, column)
    encoder = Encoder.fit(made, features, EncodingSettings())
    kept = Reference.of(encoder, made, made)
    assert len(kept.columns) == MOST_COLUMNS
    assert len(json.dumps(kept.to_json())) < 600_000
    assert movement(kept, encoder.encodings[-1], column) is None


def test_a_model_keeps_its_reference_and_the_course_of_its_training(model):
    kept = Reference.from_json(model.provenance["reference"])
    assert set(kept.columns) == {encoding.feature.name for encoding in model.encoder.encodings}
    assert kept.rows == model.provenance["rows"]["fit"]
    curve = model.provenance["fit"]["curve"]
    assert [step for step, _ in curve] == sorted(step for step, _ in curve)
    assert curve[-1][1] < curve[0][1]
