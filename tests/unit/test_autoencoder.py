"""The autoencoder: NumPy scores what PyTorch learned, whatever the table looks like."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch

from adlib.arrays import Block, Buffers, FeatureMatrix, Floats, Layout, Loss
from adlib.detectors import DETECTORS, Detector
from adlib.detectors.autoencoder import Autoencoder, AutoencoderSettings
from adlib.detectors.autoencoder_training import Members
from adlib.detectors.network import Network, surprises
from adlib.detectors.network_training import BlockLosses, all_rows
from adlib.errors import ModelError
from adlib.explanations import source_losses

QUICK = AutoencoderSettings(steps=60, batch_rows=128)


def layout_of(*parts: tuple[str, int, Loss]) -> Layout:
    blocks, start = [], 0
    for column, width, loss in parts:
        blocks.append(Block(column, column, start, start + width, loss))
        start += width
    return Layout(tuple(blocks))


def numbers(rows: int, columns: int, seed: int = 0) -> FeatureMatrix:
    """Return columns that follow one hidden cause."""
    chance = np.random.default_rng(seed)
    cause = chance.standard_normal((rows, 1))
    values = cause * np.linspace(0.5, 1.5, columns) + 0.2 * chance.standard_normal((rows, columns))
    parts = [(f"n{place}", 1, Loss.SQUARED) for place in range(columns)]
    return FeatureMatrix.from_one_hot(values.astype(np.float32), layout_of(*parts))


def mixed(rows: int = 400, seed: int = 0) -> FeatureMatrix:
    """Return numbers, one with a mark of missing values, a cycle, a boolean and a category."""
    chance = np.random.default_rng(seed)
    layout = layout_of(
        ("a", 1, Loss.SQUARED),
        ("b", 1, Loss.SQUARED),
        ("b", 1, Loss.BINARY),
        ("hour", 2, Loss.SQUARED),
        ("flag", 1, Loss.BINARY),
        ("kind", 4, Loss.CATEGORY),
    )
    values = np.zeros((rows, layout.width), dtype=np.float32)
    values[:, 0] = chance.standard_normal(rows)
    values[:, 1] = values[:, 0] + 0.1 * chance.standard_normal(rows)
    values[:, 2] = chance.random(rows) < 0.1
    angle = chance.uniform(0.0, 2.0 * np.pi, rows)
    values[:, 3], values[:, 4] = np.sin(angle), np.cos(angle)
    values[:, 5] = values[:, 0] > 0.0
    values[np.arange(rows), 6 + chance.integers(0, 3, rows)] = 1.0
    return FeatureMatrix.from_one_hot(values, layout)


def as_double(features: FeatureMatrix) -> FeatureMatrix:
    return FeatureMatrix.from_one_hot(features.one_hot().astype(np.float64), features.layout)


@pytest.fixture(scope="module")
def fitted() -> Autoencoder:
    return QUICK.fit(mixed(), seed=1, progress=None)


def test_the_one_network_rebuilds_what_the_members_rebuild_on_average():
    features = mixed()
    settings = replace(QUICK, usual_fraction=0.0)
    torch.manual_seed(0)
    layout = features.layout
    members = Members(layout, layout, settings)
    weights, biases = members.as_one_network(torch.zeros(layout.width))
    network = Network(layout, weights, biases)
    with torch.no_grad():
        each = members(torch.from_numpy(features.one_hot()))
        expected = each.mean(dim=0).numpy()
    np.testing.assert_allclose(network.outputs(features, Buffers()).T, expected, atol=1e-5)


def test_numpy_and_pytorch_agree_on_the_loss():
    features = mixed()
    rebuilt = np.random.default_rng(3).standard_normal(features.one_hot().shape).astype(np.float32)
    ours = surprises(features, rebuilt.T, Buffers()).T
    theirs = BlockLosses(features.layout)(
        torch.from_numpy(features.one_hot()), torch.from_numpy(rebuilt)
    ).numpy()
    squared = [block.loss is Loss.SQUARED for block in features.layout.blocks]
    ours[:, squared] **= 2
    np.testing.assert_allclose(ours, theirs, atol=1e-5)


def test_members_learn_from_rows_of_their_own_spoilt_to_their_own_degree():
    features = numbers(400, 6)
    torch.manual_seed(0)
    members = Members(features.layout, features.layout, QUICK)
    batch = members.batch(all_rows(features, features), 200)
    assert batch.given.shape == batch.wanted.shape == (QUICK.members, 200, 6)
    shown = batch.given != 0.0
    assert 1.0 - shown.float().mean() == pytest.approx(QUICK.mask_fraction, abs=0.03)
    by_row = (~shown).sum(dim=2)
    assert {int(count) for count in by_row.flatten()} >= {0, 1, 2, 3, 4}
    spread = [
        float((given - wanted)[here].std())
        for given, wanted, here in zip(batch.given, batch.wanted, shown, strict=True)
    ]
    assert spread == sorted(spread)
    assert spread[0] == pytest.approx(QUICK.most_noise / 10.0, rel=0.15)
    assert spread[-1] == pytest.approx(QUICK.most_noise, rel=0.15)
    assert not torch.equal(batch.wanted[0], batch.wanted[1])


def test_learning_stops_where_few_rows_hold_most_of_the_loss():
    features = numbers(50, 3)
    members = Members(features.layout, features.layout, QUICK)
    alike, apart = torch.full((QUICK.members, 50), 0.1), torch.full((QUICK.members, 50), 0.1)
    apart[:, :3] = 5.0
    assert members.shortfall(apart, 1.0) < members.shortfall(alike, 1.0)


def test_the_same_seed_gives_the_same_tensors_and_another_seed_others():
    first, second, other = (
        QUICK.fit(mixed(), seed=seed, progress=None).tensors() for seed in (1, 1, 2)
    )
    for name, tensor in first.items():
        np.testing.assert_array_equal(tensor, second[name])
    assert not np.array_equal(first["weight_0"], other["weight_0"])


def test_a_fit_leaves_pytorch_as_it_was():
    torch.manual_seed(5)
    before, threads = torch.get_rng_state(), torch.get_num_threads()
    QUICK.fit(mixed(50), seed=1, progress=None)
    assert torch.equal(before, torch.get_rng_state())
    assert threads == torch.get_num_threads()


def test_a_double_score_does_not_depend_on_the_other_rows(fitted: Autoencoder):
    features = as_double(mixed(300, seed=4))
    whole = fitted.score(features)
    order = np.random.default_rng(0).permutation(300)
    shuffled = fitted.score(features.take(order))
    np.testing.assert_array_equal(shuffled, whole[order])
    for size in (1, 7, 64):
        parts = [
            fitted.score(features.take(slice(start, start + size))) for start in range(0, 300, size)
        ]
        np.testing.assert_array_equal(np.concatenate(parts), whole)


def test_contributions_are_not_negative_and_add_up_to_the_score(fitted: Autoencoder):
    for features in (mixed(), as_double(mixed())):
        contributions = source_losses(fitted.judge(features).losses, features.layout)
        assert contributions.shape == (400, len(features.layout.sources))
        assert (contributions >= 0.0).all()
        np.testing.assert_allclose(contributions.sum(axis=1), fitted.score(features), rtol=1e-5)


def test_a_mark_of_a_missing_value_is_not_judged(fitted: Autoencoder):
    assert fitted.judge(mixed()).losses[:, 2].max() == 0.0


def test_tensors_survive_the_way_through_an_artifact(fitted: Autoencoder):
    again = fitted.settings.restore(fitted.layout, fitted.tensors())
    np.testing.assert_array_equal(again.score(mixed()), fitted.score(mixed()))


def test_settings_survive_the_way_through_json():
    assert AutoencoderSettings(**QUICK.to_plain()) == QUICK


def test_tensors_of_another_shape_are_refused(fitted: Autoencoder):
    tensors = dict(fitted.tensors())
    tensors["weight_0"] = tensors["weight_0"][:, :-1]
    with pytest.raises(ModelError, match="shapes"):
        QUICK.restore(fitted.layout, tensors)
    with pytest.raises(ModelError, match="shapes"):
        replace(QUICK, members=7).restore(fitted.layout, fitted.tensors())


def test_the_input_is_not_changed():
    features = mixed()
    before = features.one_hot().copy()
    QUICK.fit(features, seed=1, progress=None).score(features)
    np.testing.assert_array_equal(features.one_hot(), before)


def test_planted_anomalies_of_each_sort_are_found_though_they_were_learned_from():
    features = mixed(1000)
    values = features.one_hot()
    values[:5, 0] = values[:5, 1] = 8.0
    values[5:10, 0], values[5:10, 1] = 2.0, -2.0
    values[10:15, 6:9], values[10:15, 9] = 0.0, 1.0
    features = FeatureMatrix.from_one_hot(values, features.layout)
    scores = AutoencoderSettings().fit(features, seed=1, progress=None).score(features)
    assert (scores[:15] > np.quantile(scores[15:], 0.98)).all()


def test_farther_out_is_stranger(fitted: Autoencoder):
    features = mixed().take(np.zeros(5, dtype=np.intp))
    features.numbers[0] = [2.0, 4.0, 8.0, 100.0, 1e9]
    assert (np.diff(fitted.score(features)) > 0.0).all()
    assert np.isfinite(fitted.score(features)).all()


def squashed(values: Floats) -> Floats:
    """Encode numbers as the encoder does."""
    low, centre, high = np.quantile(values, [0.25, 0.5, 0.75], axis=0)
    encoded: Floats = np.arcsinh((values - centre) / ((high - low) / 1.349))
    return encoded


def one_hot(chance: np.random.Generator, rows: int, shares: Sequence[float]) -> Floats:
    hot: Floats = np.eye(len(shares))[chance.choice(len(shares), rows, p=shares)]
    return hot


ROWS, PLANTED = 3000, 6
PLANTS = {"fifty times": 0.96, "six sigmas": 0.87, "a broken relation": 0.84, "a rare value": 0.95}
"""What is wrong in the first rows, six after six, and how many ordinary rows each has to beat."""


@pytest.fixture(scope="module", params=[6, 36], ids="{} numbers".format)
def planted(request: pytest.FixtureRequest) -> tuple[FeatureMatrix, dict[str, Detector]]:
    """Return numbers, normal and lognormal, with two categories and a rare flag, and the fit."""
    chance, count = np.random.default_rng(2), request.param
    cause = chance.standard_normal((ROWS, 2)) @ chance.standard_normal((2, count))
    values = cause + 0.6 * chance.standard_normal((ROWS, count))
    values[:, 1] = values[:, 0] + 0.2 * chance.standard_normal(ROWS)
    large, far, broken, rare = np.split(np.arange(len(PLANTS) * PLANTED), len(PLANTS))
    values[far, 2] = 6.0 * values[:, 2].std()
    values[broken, 0], values[broken, 1] = 2.0 * values[:, 0].std(), -2.0 * values[:, 1].std()
    values[:, count // 2 :] = np.exp(0.5 * values[:, count // 2 :])
    values[large, -1] *= 50.0
    method, country = (one_hot(chance, ROWS, (0.7, 0.2, 0.1, 0.0)) for _ in range(2))
    method[rare] = np.eye(4)[3]
    flag = chance.random((ROWS, 1)) < 0.02
    layout = layout_of(
        *((f"n{place}", 1, Loss.SQUARED) for place in range(count)),
        ("method", 4, Loss.CATEGORY),
        ("country", 4, Loss.CATEGORY),
        ("flag", 1, Loss.BINARY),
    )
    values = np.hstack([squashed(values), method, country, flag]).astype(np.float32)
    features = FeatureMatrix.from_one_hot(values, layout)
    fits = {
        kind: DETECTORS[kind]().fit(features, seed=1, progress=None)
        for kind in ("autoencoder", "blend")
    }
    return features, fits


@pytest.mark.parametrize("kind", ["autoencoder", "blend"])
@pytest.mark.parametrize("plant", PLANTS)
def test_what_is_wrong_with_one_column_of_many_is_found(
    planted: tuple[FeatureMatrix, dict[str, Detector]], plant: str, kind: str
):
    features, fits = planted
    scores = fits[kind].score(features)
    ordinary = scores[len(PLANTS) * PLANTED :]
    first = list(PLANTS).index(plant) * PLANTED
    beaten = (scores[first : first + PLANTED, None] > ordinary).mean()
    assert beaten > PLANTS[plant]


def test_a_column_counts_by_how_unusual_its_surprise_is(
    planted: tuple[FeatureMatrix, dict[str, Detector]],
):
    features, fits = planted
    losses = fits["autoencoder"].judge(features).losses
    names = [block.column for block in features.layout.blocks]
    method = losses[:, names.index("method")]
    start = features.layout.blocks[names.index("method")].start
    common, tenth, rare = (
        np.median(method[features.one_hot()[:, start + place] == 1.0]) for place in (0, 2, 3)
    )
    far = losses[:PLANTED, names.index("method") - 1].min()
    assert common < 0.1 * tenth
    assert tenth < 0.2 * rare
    assert tenth < 0.2 * far


def test_a_category_of_many_values_speaks_no_louder_than_one_of_few():
    chance = np.random.default_rng(0)
    layout = layout_of(("few", 2, Loss.CATEGORY), ("many", 400, Loss.CATEGORY))
    places = np.stack([chance.binomial(1, 0.02, 4_000), chance.integers(0, 400, 4_000)])
    one_hot = np.zeros((4_000, 402), dtype=np.float32)
    one_hot[np.arange(4_000), places[0]] = one_hot[np.arange(4_000), 2 + places[1]] = 1.0
    rows = FeatureMatrix.from_one_hot(one_hot, layout)

    losses = QUICK.fit(rows, seed=0, progress=None).judge(rows).losses

    of_few, of_many = losses.T
    assert of_few[places[0] == 1].min() > of_many.max()


def test_a_lone_column_without_a_pattern_can_be_judged():
    chance = np.random.default_rng(0)
    values = squashed(chance.standard_normal((400, 1))).astype(np.float32)
    features = FeatureMatrix.from_one_hot(values, layout_of(("a", 1, Loss.SQUARED)))
    scores = AutoencoderSettings().fit(features, seed=1, progress=None).score(features)
    assert set(np.argsort(np.abs(values[:, 0]))[-2:]) <= set(np.argsort(scores)[-4:])


def test_a_number_that_hardly_ever_changes_does_not_drown_the_rest():
    features = numbers(2000, 6)
    features.numbers[5] = np.where(np.arange(2000) % 200 == 0, np.arcsinh(14.0), 0.0)
    losses = AutoencoderSettings().fit(features, seed=1, progress=None).judge(features).losses
    surprises, changed = np.cbrt(losses), np.arange(2000) % 200 == 0
    assert surprises[~changed, 5].max() < 0.5
    assert surprises[changed, 5].max() < 5.0 * np.quantile(surprises[:, 0], 0.995)


@pytest.mark.parametrize(
    "features",
    [
        pytest.param(mixed(1), id="one row"),
        pytest.param(mixed(2), id="two rows"),
        pytest.param(mixed(257), id="one row more than a batch"),
        pytest.param(numbers(100, 1), id="one column"),
        pytest.param(numbers(100, 500), id="500 columns"),
        pytest.param(
            FeatureMatrix.from_one_hot(
                np.eye(3, dtype=np.float32)[np.arange(90) ** 2 % 5 // 2],
                layout_of(("c", 3, Loss.CATEGORY)),
            ),
            id="categories alone",
        ),
        pytest.param(
            FeatureMatrix.from_one_hot(
                np.hstack([numbers(100, 2).one_hot(), np.zeros((100, 1), dtype=np.float32)]),
                layout_of(*((name, 1, Loss.SQUARED) for name in "abc")),
            ),
            id="a constant",
        ),
    ],
)
def test_a_small_or_odd_table_can_be_learned(features: FeatureMatrix):
    scores = QUICK.fit(features, seed=1, progress=None).score(features)
    assert scores.shape == (len(features),)
    assert np.isfinite(scores).all()
    assert (scores >= 0.0).all()


def test_an_absurd_learning_rate_is_refused():
    with pytest.raises(ModelError, match="degenerate"):
        replace(QUICK, learning_rate=1e20).fit(mixed(), seed=1, progress=None)


def test_a_fit_that_learns_nothing_is_refused():
    with pytest.raises(ModelError, match="did not fall"):
        replace(QUICK, learning_rate=1e-12).fit(mixed(), seed=1, progress=None)


def test_rows_that_are_all_equal_are_refused():
    equal = mixed().take(np.zeros(50, dtype=np.intp))
    with pytest.raises(ModelError, match="the same score"):
        QUICK.fit(equal, seed=1, progress=None)


def test_progress_tells_the_step_and_a_falling_loss():
    told: list[tuple[int, int, float]] = []
    QUICK.fit(mixed(), seed=1, progress=lambda *part: told.append(part))
    steps = [step for step, _, _ in told]
    assert steps == sorted(steps)
    assert steps[-1] <= told[0][1] == QUICK.steps
    assert told[-1][2] < told[0][2]
