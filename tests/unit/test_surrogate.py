"""Rules read off a model's flags: names and values are the source's, fidelity is of unseen rows."""

import numpy as np
import pytest

from adlib.arrays import NumberColumn
from adlib.encoding import Feature, Kind
from adlib.report import Absent, render
from adlib.surrogate import FEWEST_FLAGGED, Rule, Surrogate, fit_surrogate
from tests.reports import HOSTILE, report
from tests.unit.conftest import texts

ROWS = 6000
FEATURES = (
    Feature("amount", Kind.NUMBER, "amount"),
    Feature("country", Kind.CATEGORY, "country"),
    Feature("new", Kind.BOOLEAN, "new"),
    Feature("at_hour", Kind.CYCLE, "at", period=24.0),
    Feature("amount_ratio", Kind.NUMBER, "amount", entity="card", take="ratio", over="7 days"),
)


@pytest.fixture(scope="module")
def columns():
    draw = np.random.default_rng(4)
    return {
        "amount": NumberColumn(draw.uniform(0.0, 100.0, ROWS)),
        "country": texts(draw.choice(["DE", "FR", "IT"], ROWS).tolist()),
        "new": NumberColumn((draw.random(ROWS) < 0.5).astype(np.float64)),
        "at_hour": NumberColumn(draw.integers(0, 24, ROWS).astype(np.float64)),
        "amount_ratio": NumberColumn(draw.uniform(0.0, 2.0, ROWS)),
    }


def country_is(columns, value):
    column = columns["country"]
    return column.values[column.codes] == value


def rules_of(columns, flagged):
    found = fit_surrogate(columns, FEATURES, flagged, seed=7)
    assert found is not None
    return found


def test_a_rule_names_columns_and_values_of_the_source(columns):
    flagged = (columns["amount"].values > 80.0) & country_is(columns, "FR")
    found = rules_of(columns, flagged)
    (rule,) = found.rules
    assert "country is FR" in rule.text
    assert "amount is above 80" in rule.text or "amount is above 79." in rule.text
    assert rule.rows == rule.flagged == flagged[:4000].sum()
    assert found.agreement > 0.999
    assert found.recall > 0.98
    assert found.precision > 0.98
    assert found.held_out_rows == 2000
    assert found.held_out_flagged == flagged[4000:].sum()


@pytest.mark.parametrize(
    ("name", "flags", "said"),
    [
        ("new", lambda values: values > 0.0, "new is true"),
        ("new", lambda values: values == 0.0, "new is false"),
        ("at_hour", lambda values: values < 3.0, "at (hour) is at most 2.5"),
        ("amount_ratio", lambda values: values > 1.5, "amount (ratio over 7 days of this card)"),
        ("amount", lambda values: (values > 40.0) & (values < 50.0), " and at most "),
    ],
    ids=["true", "false", "hour", "window", "between"],
)
def test_every_kind_of_column_is_said_in_words(columns, name, flags, said):
    found = rules_of(columns, flags(columns[name].values))
    assert said in found.rules[0].text
    assert found.agreement > 0.99


def test_a_missing_value_is_said_to_be_missing(columns):
    values = columns["amount"].values.copy()
    values[::7] = np.nan
    found = rules_of({**columns, "amount": NumberColumn(values)}, ~(values < 60.0))
    assert "or missing" in found.rules[0].text
    assert found.agreement > 0.99


def test_absurd_values_are_numbers_like_others(columns):
    values = columns["amount"].values.copy()
    values[::9], values[1::9] = np.inf, -1e300
    found = rules_of({**columns, "amount": NumberColumn(values)}, values > 1e30)
    assert found.recall == found.precision == 1.0


def test_of_flags_by_lot_the_fidelity_on_unseen_rows_says_that_no_rule_holds(columns):
    found = rules_of(columns, np.random.default_rng(1).random(ROWS) < 0.02)
    assert found.agreement > 0.95
    assert found.recall < 0.05
    assert not found.precision


def test_too_few_flagged_rows_are_not_learned_from(columns):
    flagged = np.zeros(ROWS, dtype=bool)
    flagged[: FEWEST_FLAGGED - 1] = True
    assert fit_surrogate(columns, FEATURES, flagged, seed=7) is None
    assert fit_surrogate(columns, FEATURES, np.ones(ROWS, dtype=bool), seed=7) is None


def test_the_same_rows_have_the_same_rules(columns):
    flagged = columns["amount"].values + 10.0 * columns["amount_ratio"].values > 105.0
    assert rules_of(columns, flagged) == rules_of(columns, flagged)


def test_the_page_has_rules_where_they_are_asked_for():
    found = Surrogate((Rule(f"{HOSTILE[0]} is above 3", 90, 80),), 500, 40, 0.99, 0.7, None)
    page = render(report(surrogate=found))
    assert "Rules that repeat the flags" in page
    assert "99.000%" in page or "99.0%" in page
    assert "is above 3" in page
    assert "<script" not in page
    assert "Too few" in render(report(surrogate=Absent("Too few rows are flagged.")))
    assert "Rules that repeat the flags" not in render(report())
