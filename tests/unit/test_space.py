"""Rows become points where a distance means the same in every direction."""

import logging

import numpy as np
import pytest

from adlib.arrays import Block, FeatureMatrix, Layout, Loss
from adlib.detectors import DETECTORS
from adlib.detectors.space import PROJECTED_TO, Space

DISTANCES = ["gmm", "kmeans", "dbscan", "knn", "mahalanobis", "pca"]


def space_of(features, most_columns=500):
    return Space.fit(features, most_columns, 0, "test")


def category(shares, rows=10_000):
    """Return a category whose values have these shares, and one more that no row has."""
    width = len(shares) + 1
    counts = np.round(np.asarray(shares) * rows).astype(int)
    layout = Layout((Block("c", "c", 0, width, Loss.CATEGORY),))
    places = np.repeat(np.arange(len(shares)), counts)
    return FeatureMatrix.from_one_hot(np.eye(width)[places], layout)


def every_value(features):
    return FeatureMatrix.from_one_hot(np.eye(features.layout.width), features.layout)


def squares(features, shown):
    """Return the squared distance of each shown row from the first."""
    points = space_of(features, 10_000).points(shown).numbers
    return np.square(points - points[:, :1]).sum(axis=0)


class TestNumbers:
    def test_each_has_a_spread_of_one(self, numbers_of):
        values = np.random.default_rng(0).normal(size=(5000, 3)) * [1.0, 0.7, 2.0]
        features = numbers_of(values)
        points = space_of(features).points(features).numbers
        np.testing.assert_allclose(points.std(axis=1), 1.0, rtol=1e-5)

    def test_one_that_hardly_varies_is_not_blown_up(self, numbers_of):
        values = np.random.default_rng(0).normal(size=(5000, 3)) * [1.0, 1.0, 1e-4]
        features = numbers_of(values)
        assert space_of(features).points(features).numbers[2].std() < 1e-3

    def test_a_block_of_several_counts_as_one(self):
        layout = Layout(
            (
                Block("a", "a", 0, 1, Loss.SQUARED),
                Block("face", "face", 1, 101, Loss.SQUARED),
            )
        )
        values = np.random.default_rng(0).normal(size=(5000, 101))
        features = FeatureMatrix.from_one_hot(values, layout)
        points = space_of(features).points(features).numbers
        variances = np.square(points).mean(axis=1)
        assert variances[1:].sum() == pytest.approx(variances[0], rel=0.05)


class TestCategories:
    def test_a_rare_value_is_as_far_off_as_a_number_of_that_rarity(self):
        features = category([0.98, 0.019, 0.001])
        found = squares(features, every_value(features))
        assert found[2] == pytest.approx(2.0 * np.log(1000.0), rel=0.01)
        normal = np.sqrt(found[2])
        assert 3.0 < normal < 4.0  # one number in a thousand lies beyond 3.3 deviations

    def test_a_value_that_was_never_seen_is_the_furthest_off_and_drowns_nothing(self):
        features = category([0.7, 0.2999, 0.0001])
        found = squares(features, every_value(features))
        assert found.argmax() == 3
        assert found[3] < 30.0

    def test_one_of_very_many_values_speaks_no_louder_than_one_of_few(self):
        many = category([0.001] * 1000)
        assert squares(many, every_value(many))[1:-1].max() < 5.0

    def test_yes_and_no_are_as_far_apart_as_two_values_of_a_category(self):
        answers = np.zeros((1000, 1))
        answers[:10] = 1.0
        layout = Layout((Block("b", "b", 0, 1, Loss.BINARY),))
        features = FeatureMatrix.from_one_hot(answers, layout)
        points = space_of(features).points(features).numbers[0]
        pair = category([0.99, 0.01], rows=1000)
        apart = squares(pair, every_value(pair))[1]
        assert (points[0] - points[-1]) ** 2 == pytest.approx(apart, rel=1e-5)


def test_a_mark_of_a_missing_value_does_not_count(learned, rows):
    space = space_of(learned)
    other = FeatureMatrix(rows.inputs.copy(), rows.places, rows.layout)
    other.numbers[~rows.layout.measured] = 1.0 - other.numbers[~rows.layout.measured]
    assert space.points(other).numbers.tobytes() == space.points(rows).numbers.tobytes()


def test_what_a_point_says_of_the_columns_is_what_it_was_made_of(learned, rows):
    space = space_of(learned)
    said = space.expected(space.points(rows).numbers)
    given = rows.one_hot()
    for block, mark in zip(rows.layout.blocks, rows.layout.marks, strict=True):
        ours, theirs = said[:, block.span], given[:, block.span]
        if block.loss is Loss.SQUARED:
            np.testing.assert_allclose(ours, theirs, atol=1e-6)
        elif block.loss is Loss.BINARY and not mark:
            np.testing.assert_array_equal(ours >= 0.0, theirs > 0.0)
        elif block.loss is Loss.CATEGORY:
            np.testing.assert_array_equal(ours.argmax(axis=1), theirs.argmax(axis=1))


@pytest.fixture(scope="module")
def wide():
    """Return rows of 600 numbers and a category."""
    lots = np.random.default_rng(0)
    blocks = [Block(f"n{i}", f"n{i}", i, i + 1, Loss.SQUARED) for i in range(600)]
    layout = Layout((*blocks, Block("c", "c", 600, 604, Loss.CATEGORY)))
    values = np.zeros((300, 604))
    values[:, :600] = lots.normal(size=(300, 6)) @ lots.normal(size=(6, 600))
    values[:, :600] += lots.normal(size=(300, 600))
    values[np.arange(300), 600 + lots.integers(0, 3, 300)] = 1.0
    return FeatureMatrix.from_one_hot(values, layout)


class TestManyColumns:
    def test_distances_survive_the_projection(self, wide):
        near, far = space_of(wide, 10_000), space_of(wide)
        assert not near.is_projected
        assert far.dimensions == PROJECTED_TO
        pairs = np.random.default_rng(1).integers(0, 300, (2, 200))
        pairs = pairs[:, pairs[0] != pairs[1]]
        apart = [
            np.linalg.norm(points[:, pairs[0]] - points[:, pairs[1]], axis=0)
            for points in (near.points(wide).numbers, far.points(wide).numbers)
        ]
        np.testing.assert_allclose(apart[1] / apart[0], 1.0, atol=0.3)

    @pytest.mark.parametrize("kind", DISTANCES)
    def test_every_detector_of_distances_sees_them_projected(self, wide, kind, caplog):
        caplog.set_level(logging.INFO)
        fast = FeatureMatrix.from_one_hot(wide.one_hot().astype(np.float32), wide.layout)
        fitted = DETECTORS[kind]().fit(fast, seed=0, progress=None)
        said = f"{kind} sees 604 encoded columns in 128 random directions (most_columns is 500)."
        assert caplog.messages == [said]
        values = wide.one_hot()
        values[:5, 7] = 200.0
        odd = FeatureMatrix.from_one_hot(values, wide.layout)
        scores = fitted.score(odd)
        assert set(np.argsort(scores)[-5:]) == set(range(5))
        assert not fitted.adds_up
        judged = fitted.judge(odd.take(slice(0, 2)))
        assert judged.scores.tobytes() == scores[:2].tobytes()
        assert (judged.losses.argmax(axis=1) == 7).all()
        np.testing.assert_allclose(fitted.score(fast), fitted.score(wide), rtol=1e-3, atol=1e-3)
        loaded = fitted.settings.restore(fitted.layout, fitted.tensors())
        assert loaded.score(odd).tobytes() == scores.tobytes()

    @pytest.mark.parametrize("kind", DISTANCES)
    def test_below_the_width_they_see_the_scaled_columns(self, learned, kind, caplog):
        caplog.set_level(logging.INFO)
        DETECTORS[kind]().fit(learned, seed=0, progress=None)
        assert caplog.messages == [
            f"{kind} sees the {learned.layout.width} encoded columns, scaled."
        ]
