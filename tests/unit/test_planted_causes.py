"""An analyst who asks "why this row?" is told the column that was tampered with, first."""

import numpy as np
import pytest

from adlib.arrays import Column, NumberColumn, TextColumn
from adlib.encoding import Feature, Kind
from adlib.planting import plant
from tests.causes import FEWEST_FLAGGED, LEAST_FIRST, first_reasons, fitted, share_first

ROWS = 6_000
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


@pytest.fixture(scope="module", params=["autoencoder", "blend"])
def model(request):
    return fitted(request.param, payments(0), [*features()])


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
    found = list(first_reasons(model, ordinary, planted, kind))
    assert len(found) >= FEWEST_FLAGGED
    assert share_first(found) >= LEAST_FIRST


def test_a_broken_relation_names_one_of_the_two_columns(model, ordinary, planted):
    """Which of two numbers that contradict each other is wrong, nobody can tell."""
    related = {"amount", "balance"}
    found = list(first_reasons(model, ordinary, planted, "broken_relation"))
    assert len(found) >= FEWEST_FLAGGED
    assert np.mean([name in related for name, _ in found]) >= LEAST_FIRST
