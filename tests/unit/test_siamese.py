"""A Siamese network scores in NumPy what PyTorch computes, and learns to see what is planted."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from adlib.arrays import Loss
from adlib.detectors.network_training import all_rows
from adlib.detectors.siamese import SiameseSettings
from adlib.detectors.siamese_training import Planting, Twins, refuse_failed_fit
from adlib.detectors.space import Space
from adlib.errors import ModelError

QUICK = SiameseSettings(steps=40, batch_rows=128, prototypes=300, neighbours=7)


@pytest.fixture(scope="module")
def fitted(learned):
    return QUICK.fit(learned, seed=3, progress=None)


def space_of(learned, most_columns=500):
    return Space.fit(learned, most_columns, 0, "siamese")


def test_scores_are_the_distances_to_the_kth_prototype_that_pytorch_computes(fitted, rows):
    tensors = {name: torch.from_numpy(array).double() for name, array in fitted.tensors().items()}
    hidden = torch.nn.functional.linear(
        torch.from_numpy(rows.one_hot()), tensors["weight_0"], tensors["bias_0"]
    )
    codes = torch.nn.functional.linear(hidden.relu(), tensors["weight_1"], tensors["bias_1"])
    gaps = torch.cdist(codes, tensors["prototypes"], compute_mode="donot_use_mm_for_euclid_dist")
    expected = gaps.kthvalue(7, dim=1).values.numpy()
    np.testing.assert_allclose(fitted.score(rows), expected, rtol=1e-6)


def test_codes_of_the_network_that_is_kept_are_those_of_the_network_that_learned(learned):
    for most_columns in (500, 1):
        torch.manual_seed(0)
        twins = Twins(space_of(learned, most_columns), QUICK)
        weights, biases = twins.folded()
        given = all_rows(learned, learned).given
        with torch.no_grad():
            hidden = (given @ torch.from_numpy(weights[0]).T + torch.from_numpy(biases[0])).relu()
            codes = hidden @ torch.from_numpy(weights[1]).T + torch.from_numpy(biases[1])
            np.testing.assert_allclose(codes, twins(given), atol=1e-4)


def test_codes_are_kept_up_to_a_cap_and_counted(fitted, learned):
    assert fitted.settings.keeps_rows
    assert fitted.metrics["kept_rows"] == 300
    assert fitted.tensors()["prototypes"].shape == (300, QUICK.codes)
    few = QUICK.fit(learned.take(slice(0, 50)), seed=3, progress=None)
    assert few.metrics["kept_rows"] == 50
    assert few.prototypes.neighbours == 5


def test_planted_rows_differ_and_marks_stay_as_they_are(learned):
    torch.manual_seed(0)
    planting, given = Planting(space_of(learned)), all_rows(learned, learned).given
    planted, like = planting.planted(given), planting.like(given)
    layout = learned.layout
    marks = [b.start for b, mark in zip(layout.blocks, layout.marks, strict=True) if mark]
    assert torch.equal(planted[:, marks], given[:, marks])
    assert (planted != given).any(dim=1).float().mean() > 0.8
    for block in layout.categories:
        assert torch.equal(planted[:, block.span].sum(dim=1), torch.ones(len(given)))
    others = [b.span for b in layout.blocks if b.loss is not Loss.SQUARED]
    assert all(torch.equal(like[:, span], given[:, span]) for span in others)
    numbers = planting.numbers & (planting.spread > 0.0)
    off = ((like - given) / planting.spread)[:, numbers]
    assert float(off.std()) == pytest.approx(0.2, rel=0.05)


def test_learning_sets_a_broken_relation_further_apart_than_distances_by_chance_do(numbers_of):
    chance = np.random.default_rng(0)
    cause = chance.normal(size=(3000, 1))
    values = cause * np.ones(6) + 0.2 * chance.normal(size=(3000, 6))
    broken = values[:300].copy()
    broken[:, 5] = values[300:600, 5]
    learned, strange = numbers_of(values.astype(np.float32)), numbers_of(broken)

    def found(steps):
        settings = SiameseSettings(steps=steps)
        fitted = settings.fit(learned, seed=0, progress=None)
        ordinary = fitted.score(numbers_of(values[600:]))
        return (fitted.score(strange)[:, None] > ordinary[:1000]).mean()

    assert found(100) > found(1) + 0.02


def test_another_seed_learns_other_weights(fitted, learned):
    other = QUICK.fit(learned, seed=4, progress=None).tensors()
    for name in ("weight_0", "weight_1", "prototypes"):
        assert not np.array_equal(fitted.tensors()[name], other[name])


def test_a_network_that_sees_no_planted_anomaly_is_refused(learned):
    space = space_of(learned)
    twins = Twins(space, QUICK)
    torch.nn.init.zeros_(twins.weight_1)
    rows = all_rows(learned, learned).given
    with pytest.raises(ModelError, match=r"planted anomalies lie no farther off .*Raise"):
        refuse_failed_fit(twins, Planting(space), rows, 1.0)


def test_a_loss_that_is_not_finite_is_refused(learned):
    with pytest.raises(ModelError, match=r"degenerate and was not saved: .*is not finite"):
        replace(QUICK, margin=1e30).fit(learned, seed=1, progress=None)


def test_rows_that_are_all_the_same_are_refused(numbers_of):
    with pytest.raises(ModelError, match="degenerate and was not saved"):
        QUICK.fit(numbers_of(np.ones((50, 3), dtype=np.float32)), seed=0, progress=None)
