"""The views of the blend, each against a plain calculation, and what they make together."""

from __future__ import annotations

import numpy as np
import pytest

from adlib.arrays import Block, Buffers, FeatureMatrix, Layout, Loss
from adlib.detectors.blend import BlendSettings
from adlib.detectors.evidence import EvidenceCurves
from adlib.detectors.linear import Linear
from adlib.detectors.local import Local
from adlib.detectors.marginal import Marginal

SHARES = (0.5, 0.2, 0.1, 0.05)


def numbers(rows: int, width: int, seed: int = 0) -> FeatureMatrix:
    """Return correlated numbers."""
    chance = np.random.default_rng(seed)
    mixed = chance.standard_normal((rows, width)) @ chance.standard_normal((width, width))
    blocks = (Block(f"n{i}", f"n{i}", i, i + 1, Loss.SQUARED) for i in range(width))
    return FeatureMatrix.from_one_hot(mixed / mixed.std(axis=0), Layout(tuple(blocks)))


def mixed(rows: int = 600) -> FeatureMatrix:
    """Return a number that is missing by design in crowds, a cycle and a category."""
    chance = np.random.default_rng(1)
    layout = Layout(
        (
            Block("a", "a", 0, 1, Loss.SQUARED),
            Block("a", "a", 1, 2, Loss.BINARY),
            Block("hour", "time", 2, 4, Loss.SQUARED),
            Block("kind", "kind", 4, 8, Loss.CATEGORY),
        )
    )
    values = np.zeros((rows, layout.width))
    values[:, 0] = chance.standard_normal(rows)
    values[:, 1] = chance.random(rows) < 0.01
    angle = chance.uniform(0.0, 2.0 * np.pi, rows)
    values[:, 2], values[:, 3] = np.sin(angle), np.cos(angle)
    values[np.arange(rows), 4 + chance.choice(4, rows, p=[0.7, 0.2, 0.09, 0.01])] = 1.0
    return FeatureMatrix.from_one_hot(values, layout)


def single(features: FeatureMatrix) -> FeatureMatrix:
    return FeatureMatrix.from_one_hot(features.one_hot().astype(np.float32), features.layout)


class TestEvidence:
    def test_at_a_knot_it_is_minus_the_logarithm_of_the_share_that_reaches_it(self):
        reach = np.abs(np.random.default_rng(0).standard_normal((2, 50_000))) * [[1.0], [7.0]]
        curves = EvidenceCurves.fit(reach, SHARES, 1e-3)
        knots = np.quantile(reach, [1.0 - share for share in SHARES], axis=1).T
        found = curves.evidence(knots, Buffers())
        np.testing.assert_allclose(found, np.tile(-np.log(SHARES), (2, 1)), rtol=1e-5)

    def test_it_rises_in_a_straight_line_beyond_the_last_knot_and_is_nothing_before_the_first(self):
        reach = np.random.default_rng(0).exponential(size=(1, 50_000)) + 5.0
        curves = EvidenceCurves.fit(reach, SHARES, 1e-3)
        found = curves.evidence(np.asarray([[0.0, 5.0, 15.0, 16.0, 17.0]]), Buffers())[0]
        assert found[0] == 0.0
        assert found[1] == pytest.approx(0.0, abs=1e-3)
        assert np.diff(found[2:]) == pytest.approx([1.0, 1.0], rel=0.05)

    def test_a_distance_that_many_rows_share_is_no_wall(self):
        reach = np.zeros((1, 1000))
        reach[0, :80] = 1.0
        curves = EvidenceCurves.fit(reach, SHARES, 0.1)
        assert np.isfinite(curves.knots).all()
        assert np.diff(curves.knots[:, 0]).min() > 0.0


class TestLinear:
    def test_it_is_the_mahalanobis_distance_of_the_nearest_three_quarters(self):
        features = numbers(4000, 6)
        linear = Linear.fit(features.numbers, features.layout.measured)
        whiten = linear.whiten.astype(np.float64)
        away = features.numbers - linear.centre[:, None]
        expected = np.einsum("ik,ij,jk->k", away, whiten.T @ whiten, away)
        np.testing.assert_allclose(linear.distance(features), expected, rtol=1e-9)
        inner = np.sort(expected)[: int(0.75 * 4000)]
        assert 0.5 < np.median(inner) / 6.0 < 2.0

    def test_anomalies_do_not_widen_what_is_usual(self):
        features = numbers(2000, 4)
        spoilt = FeatureMatrix(features.inputs.copy(), features.places, features.layout)
        spoilt.numbers[:, :200] = 50.0
        clean, robust = (
            Linear.fit(
                rows.numbers[:, 200:] if rows is features else rows.numbers, np.ones(4, bool)
            )
            for rows in (features, spoilt)
        )
        some = features.take(slice(200, 1200))
        np.testing.assert_allclose(robust.distance(some), clean.distance(some), rtol=0.5)

    @pytest.mark.parametrize("width", [6, 80])
    def test_what_numbers_add_is_the_distance_where_none_of_them_helps(self, width):
        features = numbers(500, width)
        linear = Linear.fit(features.numbers, features.layout.measured)
        added, distance = linear.parts(features).sum(axis=0), linear.distance(features)
        assert (added >= distance * (1.0 - 1e-6)).all()
        assert np.median(added / distance) < 3.0

    @pytest.mark.parametrize("width", [6, 80])
    def test_single_precision_agrees(self, width):
        features = numbers(500, width)
        linear = Linear.fit(features.numbers, features.layout.measured)
        np.testing.assert_allclose(
            linear.distance(single(features)), linear.distance(features), rtol=2e-3
        )

    def test_a_mark_of_a_missing_value_does_not_count(self):
        features = mixed()
        linear = Linear.fit(features.numbers, features.layout.measured)
        other = FeatureMatrix(features.inputs.copy(), features.places, features.layout)
        other.numbers[1] = 1.0 - other.numbers[1]
        np.testing.assert_array_equal(linear.distance(other), linear.distance(features))


class TestLocal:
    def test_they_are_the_distances_to_the_nearest_centre_of_all_and_of_each_group(self):
        features = numbers(1000, 5)
        local = Local.fit(features.numbers, features.layout.measured, 0)
        scaled = features.numbers.T * local.scale
        gaps = np.linalg.norm(scaled[:, None] - local.kept[None], axis=2)
        by_group = gaps.reshape(1000, 16, 16).min(axis=2)
        nearest, groups = local.distances(features)
        np.testing.assert_allclose(nearest, gaps.min(axis=1), rtol=1e-4, atol=1e-3)
        np.testing.assert_allclose(groups, by_group.mean(axis=1), rtol=1e-4, atol=1e-3)
        of_nearest, of_groups = (parts.sum(axis=0) for parts in local.parts(features))
        np.testing.assert_allclose(of_nearest, np.square(gaps.min(axis=1)), rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(of_groups, np.square(by_group).sum(axis=1), rtol=1e-4)

    def test_a_crowd_of_anomalies_with_a_centre_of_its_own_is_far_from_the_groups(self):
        features = numbers(4000, 4)
        crowd = slice(0, 40)
        features.numbers[:, crowd] = 8.0 + 0.01 * features.numbers[:, crowd]
        local = Local.fit(features.numbers, features.layout.measured, 0)
        nearest, groups = local.distances(features)
        assert np.median(nearest[crowd]) < np.median(nearest)
        assert groups[crowd].min() > np.quantile(groups, 0.98)

    def test_centres_lie_where_rows_are(self):
        features = numbers(3000, 2)
        local = Local.fit(features.numbers, features.layout.measured, 0)
        far = features.take(slice(0, 1))
        far.numbers[:] = 30.0
        assert np.median(local.distances(features)[0]) < 0.2
        assert local.distances(far)[0] > 20.0

    def test_few_distinct_rows_are_centres_themselves(self):
        features = numbers(40, 3).take(np.arange(200) % 40)
        local = Local.fit(features.numbers, features.layout.measured, 0)
        np.testing.assert_allclose(local.distances(features)[0], 0.0, atol=1e-3)

    def test_a_mark_of_a_missing_value_does_not_count(self):
        features = mixed()
        local = Local.fit(features.numbers, features.layout.measured, 0)
        other = FeatureMatrix(features.inputs.copy(), features.places, features.layout)
        other.numbers[1] = 1.0 - other.numbers[1]
        np.testing.assert_array_equal(local.distances(other), local.distances(features))


class TestMarginal:
    def test_a_value_is_as_rare_as_its_share(self):
        features = mixed()
        rarities = Marginal.fit(features).parts(features, Buffers())[2]
        shares = np.bincount(features.places[0], minlength=4) / len(features)
        np.testing.assert_allclose(rarities[0], -np.log(shares[features.places[0]]), rtol=1e-5)

    def test_a_value_that_was_never_seen_is_the_rarest(self):
        features = mixed()
        marginal = Marginal.fit(features.take(features.places[0] != 3))
        rarities = marginal.parts(features, Buffers())[2][0]
        assert rarities[features.places[0] == 3].min() > rarities[features.places[0] != 3].max()

    def test_sizes_are_cubed_distances_from_the_median_over_a_block_of_several(self):
        features = mixed()
        marginal = Marginal.fit(features)
        sizes = marginal.parts(features, Buffers())[1]
        away = np.abs(features.numbers - marginal.usual[:, None])
        np.testing.assert_allclose(sizes[0], away[0] ** 3, rtol=1e-6)
        np.testing.assert_allclose(
            sizes[2], np.sqrt(np.square(away[2:]).mean(axis=0)) ** 3, rtol=1e-6
        )
        assert (sizes[1] == 0.0).all()

    def test_tails_are_cubed_nats(self):
        features = numbers(5000, 3)
        tails = Marginal.fit(features).parts(features, Buffers())[0]
        assert (np.cbrt(tails) >= -np.log(0.1)).mean() == pytest.approx(0.1, abs=0.01)


class TestBlend:
    @pytest.mark.parametrize("features", [mixed(), numbers(300, 80)], ids=["mixed", "wide"])
    def test_tensors_survive_the_way_through_an_artifact(self, features):
        fitted = BlendSettings(steps=40).fit(single(features), seed=1, progress=None)
        again = fitted.settings.restore(fitted.layout, fitted.tensors())
        assert again.score(features).tobytes() == fitted.score(features).tobytes()
        assert again.judge(features).losses.tobytes() == fitted.judge(features).losses.tobytes()

    def test_categories_alone_are_enough(self):
        chance = np.random.default_rng(0)
        places = chance.choice(4, 500, p=[0.6, 0.3, 0.09, 0.01])
        layout = Layout((Block("c", "c", 0, 4, Loss.CATEGORY),))
        features = FeatureMatrix.from_one_hot(np.eye(4, dtype=np.float32)[places], layout)
        scores = BlendSettings(steps=40).fit(features, seed=1, progress=None).score(features)
        assert set(np.argsort(scores)[-3:]) <= set(np.flatnonzero(places == 3))

    def test_no_view_drowns_the_others(self):
        features = numbers(2000, 6)
        fitted = BlendSettings(steps=40).fit(single(features), seed=1, progress=None)
        far = features.take(slice(0, 3))
        far.numbers[0] = [1e2, 1e4, 1e6]
        near = fitted.score(features)
        assert (np.diff(fitted.score(far)) > 0.0).all()
        assert fitted.score(far).max() < 30.0 * np.quantile(near, 0.999)
