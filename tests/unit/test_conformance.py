"""What every detector promises, asked of each of them."""

import sys

import numpy as np
import pytest

from adlib.arrays import Buffers, FeatureMatrix, Loss
from adlib.detectors import DETECTORS, detector_from_parts, settings_from_plain
from adlib.errors import ModelError

STRANGE_ROWS = 10
SEES_NO_FURTHER = {"isolation_forest"}
"""Kinds to which everything beyond the largest value they learned from is the same."""


@pytest.fixture(scope="module", params=sorted(DETECTORS))
def detector(request, learned):
    return DETECTORS[request.param]().fit(learned, seed=3, progress=None)


def part(features, chosen):
    return features.take(chosen)


def test_planted_anomalies_are_the_strangest(detector, rows):
    strangest = np.argsort(detector.score(rows))[-STRANGE_ROWS:]
    assert set(strangest) == set(range(len(rows) - STRANGE_ROWS, len(rows)))


def test_a_number_further_off_is_stranger(detector, rows):
    block = next(block for block in rows.layout.blocks if block.column == "amount")
    values = np.repeat(rows.one_hot()[:1], 4, axis=0)
    values[:, block.start] = [5.0, 10.0, 20.0, 40.0]
    further = np.diff(detector.score(FeatureMatrix.from_one_hot(values, rows.layout)))
    assert (further >= 0.0).all()
    if detector.kind not in SEES_NO_FURTHER:
        assert (further > 0.0).all()


def test_scores_are_finite_float64_numbers_one_for_each_row(detector, rows):
    scores = detector.score(rows)
    assert scores.shape == (len(rows),)
    assert scores.dtype == np.float64
    assert np.isfinite(scores).all()


def test_the_same_seed_gives_the_same_scores(detector, learned, rows):
    again = DETECTORS[detector.kind]().fit(learned, seed=3, progress=None)
    assert again.score(rows).tobytes() == detector.score(rows).tobytes()


def test_the_order_of_rows_does_not_matter_bit_for_bit(detector, rows):
    order = np.random.default_rng(0).permutation(len(rows))
    scores = detector.score(part(rows, order))
    assert scores.tobytes() == detector.score(rows)[order].tobytes()


@pytest.mark.parametrize("size", [1, 2, 3, 17, 512])
def test_the_size_of_a_batch_does_not_matter_bit_for_bit(detector, rows, size):
    scores, judged = detector.score(rows), detector.judge(rows)
    for start in range(0, len(rows), 83):
        chosen = slice(start, start + size)
        again = detector.judge(part(rows, chosen))
        assert detector.score(part(rows, chosen)).tobytes() == scores[chosen].tobytes()
        assert again.losses.tobytes() == judged.losses[chosen].tobytes()
        assert again.expected.tobytes() == judged.expected[chosen].tobytes()


def test_buffers_that_were_used_before_change_nothing(detector, learned):
    buffers = Buffers()
    for chosen in (slice(0, 700), slice(3, 40), slice(40, 999)):
        rows = part(learned, chosen)
        alone = detector.score(rows).tobytes()
        assert detector.score(rows, buffers).tobytes() == alone


def test_where_rows_lie_in_memory_does_not_matter_bit_for_bit(detector, rows):
    wide = np.zeros((len(rows), 2 * rows.layout.width))
    wide[:, ::2] = rows.one_hot()
    elsewhere = FeatureMatrix.from_one_hot(wide[:, ::2], rows.layout)
    by_column = FeatureMatrix.from_one_hot(np.asfortranarray(rows.one_hot()), rows.layout)
    for features in (elsewhere, by_column):
        assert detector.score(features).tobytes() == detector.score(rows).tobytes()


def test_float32_scores_agree_with_float64_ones(detector, rows):
    fast = detector.score(
        FeatureMatrix.from_one_hot(rows.one_hot().astype(np.float32), rows.layout)
    )
    exact = detector.score(rows)
    least = 1e-3 * np.median(np.abs(exact))  # where scores may be negative some are next to nothing
    np.testing.assert_allclose(fast, exact, rtol=1e-3, atol=least)


def test_saving_and_loading_gives_the_same_scores_bit_for_bit(detector, rows):
    tensors = {name: np.array(array, order="C") for name, array in detector.tensors().items()}
    plain = detector.settings.to_plain()
    loaded = detector_from_parts(detector.kind, plain, detector.layout, tensors)
    assert loaded.score(rows).tobytes() == detector.score(rows).tobytes()
    assert loaded.settings == detector.settings


def test_a_loaded_detector_scores_and_judges_without_the_libraries_of_its_fit(
    detector, rows, monkeypatch
):
    for name in [*sys.modules]:
        if name.partition(".")[0] in {"torch", "sklearn", "scipy", "threadpoolctl"}:
            monkeypatch.setitem(sys.modules, name, None)
    loaded = detector.settings.restore(detector.layout, detector.tensors())
    assert loaded.score(rows).tobytes() == detector.score(rows).tobytes()
    loaded.judge(rows.take(slice(0, 3)))


def test_tensors_of_another_shape_are_refused(detector):
    tensors = dict(detector.tensors())
    name = min(tensors)
    plain = detector.settings.to_plain()
    for bad in (
        {**tensors, name: np.zeros((1, 1), dtype=np.float32)},
        {**tensors, "more": np.zeros(1)},
        {key: array for key, array in tensors.items() if key != name},
    ):
        with pytest.raises(ModelError):
            detector_from_parts(detector.kind, plain, detector.layout, bad)


def test_what_blocks_contribute_is_the_score_where_the_detector_says_so(detector, rows):
    judged = detector.judge(rows)
    assert judged.scores.tobytes() == detector.score(rows).tobytes()
    assert judged.losses.shape == (len(rows), len(rows.layout.blocks))
    assert (judged.losses >= 0.0).all()
    if detector.adds_up:
        np.testing.assert_allclose(judged.losses.sum(axis=1), judged.scores, rtol=1e-9)


def test_elsewhere_a_block_contributes_what_the_score_falls_by_without_it(detector, rows):
    if detector.adds_up:
        pytest.skip("what its blocks contribute adds up to the score")
    some = part(rows, slice(-20, None))
    judged, values = detector.judge(some), some.one_hot()
    for place, block in enumerate(some.layout.blocks):
        if some.layout.marks[place]:
            continue
        usual, without = judged.expected[:, block.span], values.copy()
        if block.loss is Loss.SQUARED:
            without[:, block.span] = usual
        elif block.loss is Loss.BINARY:
            without[:, block.span] = usual >= 0.0
        else:
            without[:, block.span] = np.eye(block.width)[usual.argmax(axis=1)]
        scores = detector.score(FeatureMatrix.from_one_hot(without, some.layout))
        fall = np.maximum(judged.scores - scores, 0.0)
        np.testing.assert_allclose(judged.losses[:, place], fall, rtol=1e-9, atol=1e-12)


def test_a_planted_value_or_the_one_it_contradicts_is_the_first_reason(detector, rows):
    values, blocks = rows.one_hot()[:50], rows.layout.blocks
    price = next(block for block in blocks if block.column == "price")
    values[:, price.start] = 12.0
    judged = detector.judge(FeatureMatrix.from_one_hot(values, rows.layout))
    first = [blocks[place].column for place in judged.losses.argmax(axis=1)]
    assert np.isin(first, ["price", "amount"]).mean() >= 0.7


def test_what_is_expected_has_the_shape_of_the_matrix(detector, rows):
    assert detector.judge(rows).expected.shape == rows.one_hot().shape


def test_input_is_not_changed(detector, learned, rows):
    before = (learned.one_hot().tobytes(), rows.one_hot().tobytes())
    DETECTORS[detector.kind]().fit(part(learned, slice(0, 200)), seed=1, progress=None)
    detector.score(rows)
    detector.judge(rows)
    assert (learned.one_hot().tobytes(), rows.one_hot().tobytes()) == before


def test_no_rows_have_no_scores(detector, rows):
    nothing = part(rows, slice(0, 0))
    assert detector.score(nothing).shape == (0,)
    assert detector.judge(nothing).losses.shape == (0, len(rows.layout.blocks))


def test_progress_is_told(detector, learned):
    told = []
    DETECTORS[detector.kind]().fit(
        part(learned, slice(0, 200)), seed=1, progress=lambda *news: told.append(news)
    )
    assert told
    assert all(0 <= at <= of and np.isfinite(loss) for at, of, loss in told)


@pytest.mark.parametrize("kind", DETECTORS)
def test_settings_survive_plain_values(kind):
    settings = DETECTORS[kind]()
    assert settings_from_plain(kind, settings.to_plain()) == settings


def test_a_kind_that_is_not_known_is_refused():
    with pytest.raises(ModelError, match="of kind 'oracle'; this version knows"):
        settings_from_plain("oracle", {})
