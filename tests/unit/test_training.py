"""What a fitted sample's provenance says of the self-test and the gate; no Spark is started."""

import json
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from adlib.detectors import DETECTORS
from adlib.encoding import Candidate, EncodingSettings, Feature, Kind
from adlib.errors import ModelError
from adlib.selftest import self_test
from adlib.spark.hygiene import LEARNED
from adlib.spark.sampling import DRAW, ROW_HASH
from adlib.spark.training import Training, answer_of, fit_sample
from adlib.thresholds import FractionThreshold

ROWS = 600


def candidates(*names):
    return tuple(Candidate(Feature(name, Kind.NUMBER, name)) for name in names)


TRAINING = Training(
    name="parcels",
    candidates=candidates("size", "weight"),
    encoding=EncodingSettings(),
    detector=DETECTORS["autoencoder"](),
    threshold=FractionThreshold(0.02),
    reasons=3,
    seed=7,
    rows=ROWS,
    rows_per_day=None,
    accept_weak=False,
    promoted=None,
    provenance={},
)


@pytest.fixture(scope="module")
def table():
    draw = np.random.default_rng(5)
    size = draw.normal(10.0, 1.0, ROWS)
    return pa.table(
        {
            "size": size,
            "weight": 2.0 * size + draw.normal(0.0, 0.1, ROWS),
            DRAW: draw.random(ROWS),
            ROW_HASH: [f"{row:032x}" for row in range(ROWS)],
            LEARNED: np.ones(ROWS, dtype=bool),
        }
    )


@pytest.fixture(scope="module")
def first(table):
    return fit_sample(table, TRAINING, None)


@pytest.fixture
def weak(monkeypatch):
    """Let every model find next to nothing, and both baselines everything."""

    def test_of(*arguments):
        told = self_test(*arguments)
        assert told is not None
        found = {"found": 0.01, "mahalanobis": 0.9, "isolation_forest": 0.8}
        return replace(told, overall=found)

    monkeypatch.setattr("adlib.spark.training.self_test", test_of)


def provenance_of(stored):
    return json.loads(stored.document)["provenance"]


def test_the_provenance_says_what_the_self_test_found(first):
    test = provenance_of(first)["self_test"]
    assert test["by_kind"]["wrong_magnitude"]["found"] > 0.8
    assert test["by_kind"]["unseen_category"] is None
    assert test["held_out_rows"] == ROWS / 5
    assert "compared" not in provenance_of(first)


def test_few_rows_are_not_tested_and_not_refused(table):
    stored = fit_sample(table, replace(TRAINING, rows=200), None)
    assert provenance_of(stored)["self_test"] is None


@pytest.mark.usefixtures("weak")
def test_a_weak_model_is_refused_on_the_driver_and_on_an_executor(table):
    with pytest.raises(ModelError, match="accept_weak"):
        fit_sample(table, TRAINING, None)
    answer = answer_of(table.to_batches(), TRAINING).to_pylist()[0]
    assert answer["error"] == "ModelError"
    assert "finds 1.0% of the anomalies" in answer["message"]


@pytest.mark.usefixtures("weak")
def test_a_weak_model_is_accepted_where_the_configuration_says_so(table, first):
    stored = fit_sample(table, replace(TRAINING, accept_weak=True), None)
    assert stored.model_id == first.model_id
    assert provenance_of(stored)["self_test"]["found"] == 0.01


def test_the_gate_is_no_part_of_the_id(table, first):
    again = fit_sample(table, replace(TRAINING, promoted=first), None)
    assert again.model_id == first.model_id
    assert provenance_of(again)["compared"]["why"] == "it is the promoted model"


def test_another_model_is_compared_with_the_promoted_one(table, first):
    other = fit_sample(table, replace(TRAINING, seed=8, promoted=first), None)
    compared = provenance_of(other)["compared"]
    assert compared["with"] == first.model_id
    assert compared["passed"]
    assert compared["found"] == provenance_of(other)["self_test"]["found"]
    assert compared["promoted_found"] > 0.3


def test_a_promoted_model_may_read_columns_that_the_new_one_does_not(table, first):
    fewer = replace(TRAINING, candidates=candidates("weight"), promoted=first)
    compared = provenance_of(fit_sample(table, fewer, None))["compared"]
    assert compared["passed"]
    assert "has no column 'size'" in compared["why"]
