"""An adversarial pair scores in NumPy what PyTorch computes, and does not pass when it failed."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from adlib.detectors.classes import ValueClasses
from adlib.detectors.gan import GanSettings, as_row
from adlib.detectors.gan_training import Adversaries
from adlib.errors import ModelError

QUICK = GanSettings(steps=60, batch_rows=128)


@pytest.fixture(scope="module")
def fitted(learned):
    return QUICK.fit(learned, seed=3, progress=None)


def test_scores_are_the_error_and_the_critics_distance_that_pytorch_computes(learned, rows):
    settings = replace(QUICK, feature_weight=3.0, most_classes=3)
    classes = ValueClasses.fit(learned, settings.most_classes)
    torch.manual_seed(0)
    networks = Adversaries(classes, settings)
    detector = settings.made_of(networks.as_arrays(0.0), classes)
    with torch.no_grad():
        given = torch.from_numpy(classes.classes(rows).one_hot())
        outputs = networks.double()(given)
        codes = networks.encoder(given)
        seen = [networks.hidden(part, codes) for part in (given, networks.as_row(outputs))]
        distance = (seen[0] - seen[1]).abs().mean(dim=1)
        error = networks.errors(given, outputs)
    widths = [block.width for block in rows.layout.blocks]
    surplus = rows.one_hot() @ (classes.surplus * np.repeat(classes.weights, widths))
    assert surplus.any()
    assert distance.min() > 0.0
    expected = (error + 3.0 * distance).numpy() + surplus
    np.testing.assert_allclose(detector.score(rows), expected, rtol=1e-6)


def test_made_rows_hold_shares_where_rows_hold_zeros_and_ones(fitted):
    outputs = np.random.default_rng(0).normal(size=(fitted.classes.output_layout.width, 5)) * 9.0
    made = as_row(outputs, fitted.classes.output_layout)
    for block in fitted.classes.output_layout.categories:
        np.testing.assert_allclose(made[block.span].sum(axis=0), 1.0)
    assert np.isfinite(as_row(outputs * 1e6, fitted.classes.output_layout)).all()


def test_another_seed_learns_other_weights(fitted, learned):
    other = QUICK.fit(learned, seed=4, progress=None).tensors()
    for name in ("encoder_weight_0", "generator_weight_1", "critic_rows", "critic_codes"):
        assert not np.array_equal(fitted.tensors()[name], other[name])


def test_the_critic_has_a_bounded_slope(fitted):
    rows, codes = fitted.critic_of_rows[:, :-1], fitted.critic_of_codes
    assert np.linalg.norm(np.hstack([rows, codes]), ord=2) == pytest.approx(1.0, rel=0.1)


def test_a_missing_value_is_read_and_not_judged(fitted, rows):
    assert rows.layout.marks.any()
    assert not fitted.judge(rows).losses[:, rows.layout.marks].any()


def test_codes_are_one_for_each_row(fitted, rows):
    codes = fitted.codes(rows)
    assert codes.shape == (len(rows), QUICK.codes)
    assert np.ptp(codes, axis=0).min() > 0.0


def test_a_generator_that_makes_the_same_row_of_every_code_is_refused(fitted, learned):
    weights = (fitted.generator.weights[0], np.zeros_like(fitted.generator.weights[1]))
    collapsed = replace(fitted, generator=replace(fitted.generator, weights=weights))
    with pytest.raises(ModelError, match=r"the generator collapsed: .* of 1,000 rows\. Raise"):
        collapsed.refuse_collapse(learned)


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"steps": 1}, "the generator collapsed"),
        ({"learning_rate": 1e-12}, "did not fall .*Raise detector.steps"),
        ({"learning_rate": 10.0}, "did not fall .*Lower detector.learning_rate"),
        ({"learning_rate": 1e20}, "is not finite"),
    ],
)
def test_a_fit_that_fails_says_so(learned, changed, says):
    with pytest.raises(ModelError, match=f"degenerate and was not saved: .*{says}"):
        replace(QUICK, **changed).fit(learned, seed=1, progress=None)
