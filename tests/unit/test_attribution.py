"""Reasons by other means than the detector's own: names, values, and nothing of other rows."""

from dataclasses import replace

import numpy as np
import pytest

from adlib.arrays import NumberColumn, row_count, take_rows
from adlib.artifacts import document_of, pack, take_apart, unpack
from adlib.attribution import METHODS, Explainer, _game
from adlib.coalitions import NEEDS
from adlib.detectors import DETECTORS
from adlib.errors import ModelError
from adlib.explanations import source_losses
from tests.unit.conftest import fit

KINDS = ("autoencoder", "kmeans", "isolation_forest", "gmm")


@pytest.fixture(scope="module", params=KINDS)
def explaining(request, columns):
    """A model of each kind that explains by occlusion."""
    return fit(columns, detector=DETECTORS[request.param](), method="occlusion")


@pytest.fixture(scope="module")
def absurd(columns):
    """Ordinary rows, of each of which one number is far beyond all others."""
    few = take_rows(columns, slice(0, 40))
    return {**few, "price": NumberColumn(np.full(40, 90_000.0, dtype=np.float32))}


def reasons_of(model, columns):
    cuts = np.full(row_count(columns), -np.inf)
    return model.score(columns, cuts).flagged.reasons


def test_what_is_strange_is_named_beside_its_usual_value_and_mostly_first(
    explaining, absurd, columns
):
    usual = float(np.median(columns["price"].values))
    every = reasons_of(explaining, absurd)
    for reasons in every:
        (price,) = (reason for reason in reasons if reason.column == "price")
        assert (price.actual, price.direction) == ("90000", "high")
        assert float(price.expected) == pytest.approx(usual, rel=0.1)
    assert sum(reasons[0].column == "price" for reasons in every) > 30


def test_a_share_is_the_fall_of_the_score_when_the_column_is_usual(explaining, absurd):
    features = explaining.encoder.transform(absurd, np.float64)
    judged = explaining.judge(absurd)
    names = [block.column for block in features.layout.blocks]
    block = names.index("price")
    number = np.flatnonzero(features.layout.blocks_of_numbers == block)[0]
    features.numbers[number] = explaining.explainer.usual.expected[
        features.layout.blocks[block].start
    ]
    fallen = judged.scores - explaining.detector.score(features)
    np.testing.assert_allclose(judged.losses[:, block], np.maximum(fallen, 0.0), rtol=1e-9)


def test_reasons_depend_on_their_row_alone(explaining, strange_columns):
    few = take_rows(strange_columns, slice(960, 1000))
    order = np.random.default_rng(2).permutation(40)
    together = reasons_of(explaining, few)
    shuffled = reasons_of(explaining, take_rows(few, order))
    assert [together[place] for place in order] == shuffled
    for row in range(0, 40, 7):
        assert reasons_of(explaining, take_rows(few, slice(row, row + 1))) == [together[row]]


def test_a_stored_model_explains_as_before(explaining, absurd):
    again = unpack(pack(explaining))
    assert again.explainer is not None
    assert again.explainer.method == "occlusion"
    assert reasons_of(again, absurd) == reasons_of(explaining, absurd)


def test_scores_and_flags_are_those_of_the_same_model_without_it(explaining, strange_columns):
    plain = replace(explaining, explainer=None)
    one, other = plain.score(strange_columns), explaining.score(strange_columns)
    np.testing.assert_array_equal(one.scores, other.scores)
    np.testing.assert_array_equal(one.flagged.rows, other.flagged.rows)


def test_a_model_that_explains_itself_keeps_nothing_of_it(model):
    assert model.explainer is None
    assert "explainer" not in document_of(pack(model))
    assert not [name for name in take_apart(pack(model)).tensors if name.startswith("explainer")]


def test_an_unknown_method_and_a_usual_row_of_another_width_are_refused(explaining):
    layout, tensors = explaining.encoder.layout, explaining.explainer.usual.tensors()
    with pytest.raises(ModelError, match=f"this version knows {', '.join(METHODS)}"):
        Explainer.restore("guess", layout, tensors)
    with pytest.raises(ModelError, match="shapes"):
        Explainer.restore("occlusion", layout, {"expected": np.zeros(1)})


@pytest.fixture(scope="module", params=NEEDS)
def costly(request, columns):
    """A model that explains by coalitions of columns."""
    return fit(columns, detector=DETECTORS["kmeans"](), method=request.param)


def test_a_planted_column_comes_first_by_coalitions_too(costly, absurd):
    every = costly.explain(absurd)
    assert sum(reasons[0].column == "price" for reasons in every) > 36
    for reasons in every:
        (price,) = (reason for reason in reasons if reason.column == "price")
        assert (price.actual, price.direction) == ("90000", "high")


def test_reasons_by_coalitions_depend_on_their_row_alone(costly, strange_columns):
    few = take_rows(strange_columns, slice(985, 1000))
    order = np.random.default_rng(2).permutation(15)
    together = costly.explain(few)
    assert [together[place] for place in order] == costly.explain(take_rows(few, order))
    assert costly.explain(take_rows(few, slice(4, 5))) == [together[4]]
    assert unpack(pack(costly)).explain(few) == together


def test_scoring_leaves_costly_reasons_for_later(costly, strange_columns):
    few = take_rows(strange_columns, slice(985, 1000))
    assert costly.explainer.costly
    assert reasons_of(costly, few) == reasons_of(replace(costly, explainer=None), few)
    assert reasons_of(costly, few) != costly.explain(few)


@pytest.mark.parametrize("kind", ["autoencoder", "mahalanobis"])
def test_columns_add_up_to_the_score_less_that_of_the_usual_row(columns, strange_columns, kind):
    model = fit(columns, detector=DETECTORS[kind](), method="shap")
    features = model.encoder.transform(take_rows(strange_columns, slice(0, 30)), np.float64)
    sources = len(features.layout.sources)
    assert model.explainer is not None
    usual, corners = model.explainer.usual, np.repeat([[0.0], [1.0]], sources, axis=1)
    found = source_losses(model.explainer.judge(model.detector, features).losses, features.layout)
    for row, values in enumerate(found):
        least, whole = _game(model.detector, usual, features, row)(corners)
        assert whole == model.detector.score(features)[row]
        assert least == model.detector.score(usual.mixed(features, 0, corners[:1] > 0.5))[0]
        assert values.sum() >= (whole - least) * (1.0 - 1e-9)  # what is below 0 counts as 0


def test_a_mixed_row_holds_its_own_values_where_present_and_the_usual_ones_elsewhere(
    explaining, strange_columns
):
    features = explaining.encoder.transform(
        take_rows(strange_columns, slice(999, 1000)), np.float64
    )
    layout, usual = features.layout, explaining.explainer.usual
    one_source = np.eye(len(layout.sources), dtype=bool)
    nothing = usual.mixed(features, 0, np.zeros((1, len(layout.sources)), dtype=bool)).one_hot()
    for source, row in zip(
        layout.sources, usual.mixed(features, 0, one_source).one_hot(), strict=True
    ):
        for block in layout.blocks:
            expected = features.one_hot() if block.source == source else nothing
            np.testing.assert_array_equal(row[block.span], expected[0, block.span])
