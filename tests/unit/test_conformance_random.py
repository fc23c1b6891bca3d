"""What every detector promises of every table: asked of small mixed tables made up at random."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from adlib.arrays import NumberColumn, PastColumn, TextColumn, VectorColumn
from adlib.detectors import DETECTORS, detector_from_parts
from adlib.encoding import Encoder, EncodingSettings, Feature, Kind, Scale
from adlib.errors import ModelError

QUICK = {"steps": 20, "trees": 10, "neighbours": 5, "clusters": 4}
"""Fewer of what a fit spends its time on, and of what a small table has not."""
FAST = {"blend": np.inf, "isolation_forest": 0.3}
"""By how much float32 may differ in tables of a few rows: each of them is a centre of the blend's
local view, which sees rounding alone, and a number may lie on the other side of a forest's cut."""
NUMBERS = {
    "normal": lambda draw, rows: draw.normal(5.0, 2.0, rows),
    "heavy": lambda draw, rows: np.exp(draw.normal(0.0, 3.0, rows)),
    "whole": lambda draw, rows: draw.integers(0, 4, rows).astype(np.float64),
    "constant": lambda _, rows: np.full(rows, 3.0),
    "mostly zero": lambda draw, rows: np.where(draw.random(rows) < 0.05, 1e6, 0.0),
    "absent": lambda draw, rows: np.where(draw.random(rows) < 0.4, np.nan, draw.random(rows)),
}
OTHERS = ("boolean", "few values", "many values", "text", "vector", "hour")
ODD_NUMBERS = (1e300, -1e300, np.inf, np.nan, 0.0)


def column_of(kind, draw, rows):
    """Return a feature's kind and a column of it."""
    if kind in NUMBERS:
        return Kind.NUMBER, NumberColumn(NUMBERS[kind](draw, rows))
    if kind == "boolean":
        return Kind.BOOLEAN, NumberColumn((draw.random(rows) < 0.1).astype(np.float64))
    if kind == "hour":
        return Kind.CYCLE, NumberColumn(draw.integers(0, 24, rows).astype(np.float64))
    if kind == "vector":
        return Kind.VECTOR, VectorColumn(draw.normal(size=(rows, 4)))
    values = np.array([f"word {place} of {kind}" for place in range(40)], dtype=object)
    most = 3 if kind == "few values" else 40
    codes = np.minimum(draw.geometric(0.3, rows) - 1, most - 1)
    codes[draw.random(rows) < 0.05] = -1
    return Kind.TEXT if kind == "text" else Kind.CATEGORY, TextColumn(codes, values)


def odd_row(column, kind):
    """Return the column with a first row such as no table should hold."""
    if isinstance(column, TextColumn):
        return TextColumn(
            np.append(len(column.values), column.codes[1:]), np.append(column.values, "unseen")
        )
    values = column.values.copy()
    values[0] = np.nan if kind is Kind.CYCLE else ODD_NUMBERS[len(values) % len(ODD_NUMBERS)]
    return type(column)(values)


def with_past(columns, pasts, present, lots):
    """Return columns with those of earlier events, which hold the values of some rows."""
    rows = lots.integers(0, present.shape[1], present.size)
    return columns | {one.name: PastColumn(columns[one.of].take(rows), present) for one in pasts}


@st.composite
def tables(draw):
    """Return features of the same rows in both precisions; a normal number is always there.

    Some have a past, of none to three events a row.
    """
    kinds = ["normal", *draw(st.lists(st.sampled_from([*NUMBERS, *OTHERS]), max_size=5))]
    rows = draw(st.integers(8, 70))
    lots = np.random.default_rng(draw(st.integers(0, 2**32)))
    made = {f"c{place}": column_of(kind, lots, rows) for place, kind in enumerate(kinds)}
    features = [
        Feature(name, kind, name, period=24.0 if kind is Kind.CYCLE else 0.0)
        for name, (kind, _) in made.items()
    ]
    columns = {name: column for name, (_, column) in made.items()}
    scored = {name: odd_row(column, kind) for name, (kind, column) in made.items()}
    narrow = [one.name for one in features if one.kind not in {Kind.TEXT, Kind.VECTOR}]
    kept = narrow if draw(st.booleans()) else []
    pasts = [Feature(f"{name}_past", Kind.PAST, name, of=name, steps=3) for name in kept]
    present = lots.integers(0, 4, rows) >= np.arange(3, 0, -1)[:, None]
    columns, scored = (with_past(one, pasts, present, lots) for one in (columns, scored))
    scale = draw(st.sampled_from([Scale.ASINH, Scale.ASINH, Scale.STANDARD]))
    encoding = EncodingSettings(scale=scale, text_buckets=4)
    encoder = Encoder.fit(columns, [*features, *pasts], encoding)
    with np.errstate(over="ignore"):
        return (
            encoder.transform(columns, np.float32),
            encoder.transform(scored, np.float64),
            encoder.transform(scored, np.float32),
        )


def fitted(kind, learned):
    """Fit quickly; a network may refuse what it cannot learn, and says so."""
    fields = {field.name for field in dataclasses.fields(DETECTORS[kind])}
    chosen = {name: value for name, value in QUICK.items() if name in fields}
    try:
        return DETECTORS[kind](**chosen).fit(learned, seed=1, progress=None)
    except ModelError:
        if "steps" not in fields:
            raise  # there is a number that varies
        event(f"{kind} refused")
        return None


@pytest.mark.parametrize("kind", DETECTORS)
@settings(max_examples=8)
@given(table=tables())
def test_a_row_has_its_score_whatever_the_table(kind, table):
    learned, rows, fast = table
    detector = fitted(kind, learned)
    if detector is None:
        return
    scores, judged = detector.score(rows), detector.judge(rows)
    assert np.isfinite(scores).all()
    assert judged.scores.tobytes() == scores.tobytes()
    assert np.isfinite(judged.expected).all()
    assert np.isfinite(judged.losses).all()
    assert judged.losses.min() >= 0.0
    if detector.adds_up:
        np.testing.assert_allclose(judged.losses.sum(axis=1), scores, rtol=1e-8, atol=1e-9)
    for row in (0, len(rows) // 2):
        alone = detector.judge(rows.take(slice(row, row + 1)))
        assert alone.scores.tobytes() == scores[row : row + 1].tobytes()
        assert alone.losses.tobytes() == judged.losses[row : row + 1].tobytes()
        assert alone.expected.tobytes() == judged.expected[row : row + 1].tobytes()
    size = np.maximum(np.abs(scores), np.mean(np.abs(scores)))
    assert (np.abs(detector.score(fast) - scores) <= FAST.get(kind, 2e-3) * size + 1e-6).all()
    loaded = detector_from_parts(
        kind, detector.settings.to_plain(), detector.layout, detector.tensors()
    )
    assert loaded.judge(rows).losses.tobytes() == judged.losses.tobytes()
    again = fitted(kind, learned)
    for name, tensor in detector.tensors().items():
        assert again.tensors()[name].tobytes() == tensor.tobytes()
