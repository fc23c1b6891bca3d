"""A model is put to planted anomalies beside the baselines, and refused where it is worse."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from adlib.arrays import NumberColumn, row_count, take_rows
from adlib.detectors import DETECTORS, Detector, Judgement
from adlib.encoding import EncodingSettings, Feature, Kind
from adlib.errors import ModelError
from adlib.model import exact_scores, fit_model, split
from adlib.planting import PLANTERS
from adlib.selftest import Sheet, refuse_weak, self_test
from adlib.thresholds import FixedThreshold, FractionThreshold, Threshold
from tests.unit.conftest import texts

ROWS = 3000
NUMBERS = ("size", "weight", "age")
PARCELS = (
    *(Feature(name, Kind.NUMBER, name) for name in NUMBERS),
    Feature("carrier", Kind.CATEGORY, "carrier"),
)


@dataclass(frozen=True)
class Chance(Detector):
    """Scores that have nothing to do with how strange a row is."""

    kind = "chance"

    def score(self, features, buffers=None):
        del buffers
        return np.modf(np.abs(features.one_hot().sum(axis=1)) * 1e4)[0]

    def judge(self, features):
        shares = np.ones((len(features), len(features.layout.blocks)))
        return Judgement(self.score(features), shares, features.one_hot())

    def tensors(self):
        return {}


def make_parcels(rows):
    draw = np.random.default_rng(3)
    size = draw.normal(10.0, 1.0, rows)
    return {
        "size": NumberColumn(size),
        "weight": NumberColumn(2.0 * size + draw.normal(0.0, 0.1, rows)),
        "age": NumberColumn(draw.normal(0.0, 1.0, rows)),
        "carrier": texts(draw.choice(["post", "rail"], rows, p=[0.6, 0.4]).tolist()),
    }


def fit(columns, threshold):
    return fit_model(
        columns,
        PARCELS,
        name="parcels",
        encoding=EncodingSettings(),
        detector=DETECTORS["blend"](),
        threshold=threshold,
        reasons=3,
        seed=7,
        rows_per_day=None,
        provenance={},
    )


def examined(model, columns):
    test = self_test(model, columns, seed=7)
    assert test is not None
    return test


@pytest.fixture(scope="module")
def parcels():
    return make_parcels(ROWS)


@pytest.fixture(scope="module")
def good(parcels):
    return fit(parcels, FractionThreshold(0.01))


@pytest.fixture(scope="module")
def by_chance(good, parcels):
    detector = Chance(good.detector.layout, good.detector.settings)
    scores = exact_scores(good.encoder, detector, split(parcels)[1])
    threshold = Threshold.calibrate(FractionThreshold(0.01), scores, None)
    return replace(good, detector=detector, threshold=threshold)


@pytest.fixture(scope="module")
def passed(good, parcels):
    return examined(good, parcels)


def test_a_good_model_finds_most_of_each_kind_that_one_value_gives_away(passed):
    found = {kind: figures["found"] for kind, figures in passed.by_kind.items()}
    assert set(found) == set(PLANTERS)
    for kind in ("shifted_number", "wrong_magnitude", "unseen_category"):
        assert found[kind] > 0.8, kind
    assert found["broken_relation"] > 0.5
    assert found["swapped_values"] > 0.03


def test_a_good_model_is_not_refused(passed):
    assert not passed.is_weak
    refuse_weak(passed)


def test_a_model_that_scores_by_chance_is_refused_with_the_figures_and_what_to_do(
    by_chance, parcels
):
    test = examined(by_chance, parcels)
    assert test.overall["found"] < 0.1
    with pytest.raises(ModelError) as refused:
        refuse_weak(test)
    assert refused.value.exit_code == 4
    said = str(refused.value)
    for name in ("found", "mahalanobis", "isolation_forest"):
        assert f"{test.overall[name]:.1%}" in said
    assert "sample.rows" in said
    assert "another detector" in said
    assert "train.accept_weak: true" in said


def test_next_to_nothing_is_refused_although_only_one_baseline_finds_more(passed):
    errors = {"mahalanobis": 0.05, "isolation_forest": 0.05}

    def weak(found, mahalanobis):
        overall = {"found": found, "mahalanobis": mahalanobis, "isolation_forest": 0.02}
        return replace(passed, overall=overall, errors=errors).is_weak

    assert passed.exam.share == 0.01
    assert weak(0.02, 0.5)
    assert not weak(0.03, 0.5)
    assert not weak(0.02, 0.1)


def test_a_model_is_weak_only_beyond_two_standard_errors_of_both_baselines(passed):
    def weak(found, **errors):
        overall = {"found": found, "mahalanobis": 0.6, "isolation_forest": 0.5}
        return replace(passed, overall=overall, errors=errors).is_weak

    assert weak(0.3, mahalanobis=0.09, isolation_forest=0.09)
    assert not weak(0.3, mahalanobis=0.16, isolation_forest=0.09)
    assert not weak(0.3, mahalanobis=0.09, isolation_forest=0.11)
    assert not weak(0.55, mahalanobis=0.01, isolation_forest=0.01)


def test_the_same_seed_gives_the_same_test(good, parcels, passed):
    again = examined(good, parcels)
    assert again.to_json() == passed.to_json()
    assert again.errors == passed.errors


def test_the_report_has_a_figure_for_each_detector_and_kind(passed):
    plain = passed.to_json()
    kinds = plain["by_kind"].values()
    for name in ("found", "mahalanobis", "isolation_forest"):
        assert plain[name] == pytest.approx(np.mean([found[name] for found in kinds]))
    assert plain["held_out_rows"] == ROWS / 5
    assert plain["share"] == 0.01


def test_a_kind_that_cannot_be_planted_is_reported_as_none(good, parcels):
    encoder = replace(good.encoder, encodings=good.encoder.encodings[:3])
    numbers = {name: parcels[name] for name in NUMBERS}
    model = replace(good, encoder=encoder, detector=Chance(encoder.layout, good.detector.settings))
    plain = examined(model, numbers).to_json()
    assert plain["by_kind"]["unseen_category"] is None
    assert plain["by_kind"]["broken_relation"] is not None


def test_fewer_than_fifty_held_out_rows_say_nothing(good, parcels):
    assert self_test(good, take_rows(parcels, slice(0, 245)), seed=7) is None
    assert self_test(good, take_rows(parcels, slice(0, 250)), seed=7) is not None


def test_a_table_in_which_nothing_can_be_planted_says_nothing(good, parcels):
    encoder = replace(good.encoder, encodings=())
    assert self_test(replace(good, encoder=encoder), parcels, seed=7) is None


@pytest.mark.parametrize("cut", [-1.0, 1e30], ids=["everything", "nothing"])
def test_a_threshold_that_flags_everything_or_nothing_is_tested_at_the_usual_budget(
    good, parcels, cut
):
    threshold = replace(good.threshold, settings=FixedThreshold(cut), cut=cut)
    test = examined(replace(good, threshold=threshold), parcels)
    assert test.exam.share == 0.005
    assert test.overall["found"] > 0.5


def test_at_most_ten_thousand_held_out_rows_are_looked_at(by_chance):
    many = make_parcels(60_000)
    test = examined(by_chance, many)
    assert row_count(test.exam.ordinary) == 10_000


def test_found_is_what_reaches_the_cut_of_the_budget():
    sheet = Sheet(np.arange(100.0), {"a": np.asarray([1.0, 99.0]), "b": np.asarray([98.0, 500.0])})
    assert sheet.found(0.01) == {"a": 0.5, "b": 0.5}
    assert sheet.found(0.02) == {"a": 0.5, "b": 1.0}
    assert sheet.mean_found(0.02) == 0.75
