"""The gate: a new model takes the promoted one's place unless it finds less or alerts more."""

from dataclasses import replace

import pytest

from adlib.artifacts import StoredModel, pack
from adlib.gate import Figures, compare
from adlib.selftest import self_test
from tests.unit.conftest import fit


def verdict(**changes):
    plain = {
        "found": 0.6,
        "promoted_found": 0.6,
        "alert_share": 0.01,
        "promoted_alert_share": 0.01,
        "asked_fraction": 0.01,
    }
    return Figures(**{**plain, **changes}).verdict()


@pytest.fixture(scope="module")
def examined(model, columns):
    test = self_test(model, columns, seed=7)
    assert test is not None
    return test


@pytest.fixture(scope="module")
def other(columns):
    return fit(columns, seed=8)


@pytest.mark.parametrize("found", [1.0, 0.6, 0.56])
def test_a_model_that_finds_about_as_much_passes(found):
    assert verdict(found=found).passed


def test_a_model_that_finds_less_does_not_pass_and_both_figures_are_said():
    judged = verdict(found=0.54)
    assert not judged.passed
    assert "54.0%" in judged.why
    assert "60.0%" in judged.why


@pytest.mark.parametrize(
    ("promoted", "asked", "most"),
    [(0.02, 0.01, 0.06), (0.001, 0.01, 0.03), (0.0, None, 0.015), (0.5, 0.01, 1.0)],
)
def test_alerts_may_be_three_times_what_they_were_or_what_was_asked(promoted, asked, most):
    said = {"promoted_alert_share": promoted, "asked_fraction": asked}
    assert verdict(alert_share=most * 0.999, **said).passed
    if most < 1.0:
        judged = verdict(alert_share=most * 1.001, **said)
        assert not judged.passed
        assert f"{most:.2%} are allowed" in judged.why


def test_both_reasons_are_said():
    assert verdict(found=0.1, alert_share=0.5).why.count(";") == 1


def test_two_models_are_compared_on_the_same_rows(model, examined, stored, other):
    told = compare(stored.model_id, model, examined, pack(other))
    assert told["passed"]
    assert told["with"] == pack(other).model_id
    assert told["found"] == examined.overall["found"]
    assert told["alert_share"] == pytest.approx(0.02)
    assert 0.0 < told["promoted_alert_share"] < 0.1
    assert told["promoted_found"] == pytest.approx(told["found"], abs=0.15)


def test_the_same_model_passes(model, examined, stored):
    told = compare(stored.model_id, model, examined, stored)
    assert told == {"with": stored.model_id, "passed": True, "why": "it is the promoted model"}


def test_too_few_rows_to_compare_on_pass(model, stored, other):
    told = compare(stored.model_id, model, None, pack(other))
    assert told["passed"]
    assert "held out" in told["why"]


def test_a_promoted_model_that_reads_an_absent_column_is_not_compared(
    model, examined, columns, stored, other
):
    exam = examined.exam
    narrow = replace(examined, exam=replace(exam, ordinary={"amount": columns["amount"]}))
    told = compare(stored.model_id, model, narrow, pack(other))
    assert told["passed"]
    assert "cannot be compared: The feature table has no column" in told["why"]


def test_an_altered_promoted_model_is_not_compared(model, examined, stored, other):
    packed = pack(other)
    altered = StoredModel(packed.document, packed.tensors[:-1])
    told = compare(stored.model_id, model, examined, altered)
    assert told["passed"]
    assert "altered" in told["why"]
