"""An analyst who asks "why this row?" is told the column that was tampered with, first."""

from collections.abc import Iterator

import numpy as np
import pytest

from adlib.arrays import Column, NumberColumn, TextColumn
from adlib.detectors import DETECTORS
from adlib.encoding import EncodingSettings, Feature, Kind
from adlib.model import fit_model
from adlib.planting import Planted, plant
from adlib.thresholds.settings import FractionThreshold

ROWS = 6_000
LEAST_FIRST = 0.9
FEWEST_FLAGGED = 20
NUMBERS = ("amount", "balance", "age", "distance", "items")
CATEGORIES = ("channel", "country", "category")


def payments(seed: int):
    """Make payments: heavy tails, relations, categories of which some values are rare."""
    chance = np.random.default_rng(seed)
    wealth = chance.standard_normal(ROWS)
    amount = np.exp(3.0 + 0.8 * wealth + 0.4 * chance.standard_normal(ROWS))
    numbers = {
        "amount": amount.round(2),
        "balance": (amount * np.exp(2.0 + 0.3 * chance.standard_normal(ROWS))).round(2),
        "age": chance.integers(18, 90, ROWS).astype(float),
        "distance": chance.exponential(12.0, ROWS).round(1),
        "items": chance.poisson(3.0, ROWS).astype(float),
    }
    columns: dict[str, Column] = {name: NumberColumn(values) for name, values in numbers.items()}
    shares = {"channel": (0.6, 0.3, 0.1), "country": (0.6, 0.25, 0.15), "category": (0.2,) * 5}
    for name, share in shares.items():
        words = np.array([f"{name} {place}" for place in range(len(share))], dtype=object)
        columns[name] = TextColumn(chance.choice(len(share), ROWS, p=share), words)
    return columns


def features():
    for name in NUMBERS:
        yield Feature(name, Kind.NUMBER, name, integral=name in {"age", "items"})
    for name in CATEGORIES:
        yield Feature(name, Kind.CATEGORY, name)


def fitted(kind: str):
    return fit_model(
        payments(0),
        list(features()),
        name="payments",
        encoding=EncodingSettings(),
        detector=DETECTORS[kind](),
        threshold=FractionThreshold(0.01),
        reasons=3,
        seed=1,
        rows_per_day=None,
        provenance={},
    )


def tampered_with(ordinary, planted: Planted, row: int) -> set[str]:
    """Return the columns of a planted row that are not as they were."""
    origin = int(planted.origins[row])

    def said(columns, name, at):
        column = columns[name]
        return column.at(at) if isinstance(column, TextColumn) else column.values[at]

    return {
        name
        for name in ordinary
        if said(ordinary, name, origin) != said(planted.columns, name, row)
    }


def first_reasons(model, ordinary, planted: Planted, kind: str) -> Iterator[tuple[str, set[str]]]:
    """Yield the first reason and what was planted of each row that was flagged for the planting."""
    scored, span = model.score(planted.columns), planted.kinds[kind]
    strange_before = model.score(ordinary).is_anomaly[planted.origins]
    for row, reasons in zip(scored.flagged.rows, scored.flagged.reasons, strict=True):
        if span.start <= row < span.stop and not strange_before[row]:
            yield reasons[0].column, tampered_with(ordinary, planted, int(row))


@pytest.fixture(scope="module", params=["autoencoder", "blend"])
def model(request):
    return fitted(request.param)


@pytest.fixture(scope="module")
def ordinary():
    return payments(2)


@pytest.fixture(scope="module")
def planted(ordinary):
    return plant(ordinary, list(features()), seed=3)


@pytest.mark.parametrize("kind", ["shifted_number", "wrong_magnitude", "unseen_category"])
def test_what_was_planted_is_the_first_reason_of_the_rows_that_are_flagged(
    model, ordinary, planted, kind
):
    first = [name in causes for name, causes in first_reasons(model, ordinary, planted, kind)]
    assert len(first) >= FEWEST_FLAGGED
    assert np.mean(first) >= LEAST_FIRST


def test_a_broken_relation_names_one_of_the_two_columns(model, ordinary, planted):
    """Which of two numbers that contradict each other is wrong, nobody can tell."""
    related = {"amount", "balance"}
    found = list(first_reasons(model, ordinary, planted, "broken_relation"))
    assert len(found) >= FEWEST_FLAGGED
    assert np.mean([name in related for name, _ in found]) >= LEAST_FIRST
