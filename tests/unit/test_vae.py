"""A variational autoencoder scores in NumPy what PyTorch computes, with noise that is kept."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from adlib.detectors.classes import ValueClasses
from adlib.detectors.network_training import layers_of
from adlib.detectors.vae import VaeSettings
from adlib.detectors.vae_training import TrainedVae, Variational
from adlib.errors import ModelError

QUICK = VaeSettings(steps=60, batch_rows=128)


def test_scores_are_the_negative_evidence_bound_that_pytorch_computes(learned, rows):
    settings = replace(QUICK, beta=0.7, most_classes=3)
    classes = ValueClasses.fit(learned, settings.most_classes)
    torch.manual_seed(0)
    module = Variational(learned.layout, classes, settings)
    noise = np.random.default_rng(0).standard_normal((4, settings.codes)).astype(np.float32)
    trained = TrainedVae(layers_of(module.encoder), layers_of(module.decoder), 0, 0.0)
    fitted = settings.made_of(trained, noise, classes)
    with torch.no_grad():
        given, wanted = (torch.from_numpy(part.one_hot()) for part in (rows, classes.classes(rows)))
        mean, log_variance = module.double().codes(given)
        spread = (0.5 * log_variance).exp()
        drawn = [module.decoder(mean + spread * torch.from_numpy(part)) for part in noise]
        distance = torch.stack([module.judge(wanted, rebuilt) for rebuilt in drawn]).mean(dim=0)
        divergence = 0.5 * (mean**2 + spread**2 - 1.0 - log_variance).sum(dim=1)
    bound = (distance + 0.7 * divergence).numpy() + surplus(classes, rows)
    np.testing.assert_allclose(fitted.score(rows), bound, rtol=1e-6)


def surplus(classes, rows):
    """Return what values surprise beyond their class, as much as their block counts."""
    widths = [block.width for block in rows.layout.blocks]
    own = rows.one_hot() @ (classes.surplus * np.repeat(classes.weights, widths))
    assert own.any()
    return own


def test_another_seed_draws_other_noise_and_learns_other_weights(learned):
    first, other = (QUICK.fit(learned, seed=seed, progress=None).tensors() for seed in (1, 2))
    assert first["noise"].shape == (QUICK.samples, QUICK.codes)
    for name in ("noise", "encoder_weight_0", "decoder_weight_1"):
        assert not np.array_equal(first[name], other[name])


def test_what_rows_have_in_common_is_expected_of_a_row_that_breaks_it(numbers_of):
    cause = np.random.default_rng(0).normal(size=(2000, 1))
    values = cause * np.linspace(0.5, 1.5, 5)
    fitted = VaeSettings().fit(numbers_of(values), seed=0, progress=None)
    broken = values[:200].copy()
    broken[:, 4] = -broken[:, 4]
    far = np.abs(cause[:200, 0]) > 1.0
    judged = fitted.judge(numbers_of(broken[far]))
    assert (np.median(judged.scores) > np.quantile(fitted.score(numbers_of(values)), 0.95)).all()
    assert (judged.losses.argmax(axis=1) == 4).mean() > 0.9


def test_the_divergence_of_the_code_is_part_of_the_score_and_is_shared_as_the_rest(learned, rows):
    fitted = QUICK.fit(learned, seed=3, progress=None)
    without = replace(fitted, settings=replace(QUICK, beta=0.0))
    judged, distance = fitted.judge(rows), without.judge(rows)
    assert (judged.scores > distance.scores).all()
    shares, plain = (part.losses / part.scores[:, None] for part in (judged, distance))
    np.testing.assert_allclose(shares, plain, atol=1e-9)


def test_a_missing_value_is_read_and_not_judged(learned, rows):
    judged = QUICK.fit(learned, seed=3, progress=None).judge(rows)
    assert rows.layout.marks.any()
    assert not judged.losses[:, rows.layout.marks].any()


def test_codes_are_the_means_one_for_each_row(learned, rows):
    codes = QUICK.fit(learned, seed=3, progress=None).codes(rows)
    assert codes is not None
    assert codes.shape == (len(rows), QUICK.codes)
    assert np.ptp(codes, axis=0).min() > 0.0


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"learning_rate": 10.0}, "did not fall .*Lower detector.learning_rate"),
        ({"learning_rate": 1e-12}, "did not fall .*aise detector.steps"),
    ],
)
def test_a_fit_that_fails_says_so(learned, changed, says):
    with pytest.raises(ModelError, match=f"degenerate and was not saved: .*{says}"):
        replace(QUICK, **changed).fit(learned, seed=1, progress=None)
