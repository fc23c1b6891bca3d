"""Detectors that judge an event by those before it: what they find, and that NumPy is PyTorch."""

import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from adlib.arrays import Buffers, TextColumn
from adlib.artifacts import pack, unpack
from adlib.attribution import Explainer
from adlib.detectors import DETECTORS, settings_from_plain
from adlib.detectors.conv_autoencoder import ConvAutoencoderSettings
from adlib.detectors.network_training import reproducible
from adlib.detectors.recurrent_autoencoder import RecurrentAutoencoderSettings
from adlib.detectors.sequence_network import SequenceNetwork
from adlib.detectors.sequence_training import (
    ConvolutionsModule,
    GruModule,
    SequenceModule,
    with_past,
)
from adlib.detectors.usual import Usual
from adlib.encoding import Encoder, EncodingSettings
from adlib.errors import InputError, ModelError
from adlib.model import fit_model
from adlib.thresholds import FractionThreshold
from tests.sequences import FEATURES, KINDS, PAYMENTS, STEPS, payments

SEQUENCE_KINDS = ("conv_autoencoder", "recurrent_autoencoder")
ROW_KINDS = tuple(sorted(set(DETECTORS) - set(SEQUENCE_KINDS)))
CUSTOMERS = 400


@pytest.fixture(scope="module")
def learned_columns():
    made = payments(CUSTOMERS, seed=1).columns()
    order = np.random.default_rng(0).permutation(CUSTOMERS * PAYMENTS)
    return {name: column.take(order) for name, column in made.items()}


@pytest.fixture(scope="module")
def encoder(learned_columns):
    return Encoder.fit(learned_columns, FEATURES, EncodingSettings())


@pytest.fixture(scope="module")
def learned(encoder, learned_columns):
    return encoder.transform(learned_columns, np.float32)


@pytest.fixture(scope="module")
def later():
    """Payments of other customers, some of them out of turn."""
    return payments(600, seed=2, out_of_turn=0.1)


@pytest.fixture(scope="module")
def rows(encoder, later):
    return encoder.transform(later.columns(), np.float64)


@pytest.fixture(scope="module", params=SEQUENCE_KINDS)
def detector(request, learned):
    return DETECTORS[request.param]().fit(learned, seed=3, progress=None)


def share_found(detector, rows, later):
    """Return which share of the payments out of turn is among as many of the strangest."""
    strange = later.is_out_of_turn.ravel()
    strangest = np.argsort(-detector.score(rows))[: strange.sum()]
    return strange[strangest].mean()


def test_a_payment_out_of_turn_is_found(detector, rows, later):
    assert share_found(detector, rows, later) > 0.95


@pytest.mark.parametrize("kind", SEQUENCE_KINDS)
def test_what_is_out_of_turn_is_found_though_it_was_learned_from(kind, later):
    spoilt = payments(CUSTOMERS, seed=1, out_of_turn=0.1).columns()
    encoder = Encoder.fit(spoilt, FEATURES, EncodingSettings())
    learned = encoder.transform(spoilt, np.float32)
    fitted = DETECTORS[kind]().fit(learned, seed=3, progress=None)
    assert share_found(fitted, encoder.transform(later.columns(), np.float64), later) > 0.6


@pytest.mark.parametrize("kind", SEQUENCE_KINDS)
def test_a_first_event_of_which_little_can_be_known_is_no_stranger(kind, learned, rows, later):
    scores = DETECTORS[kind]().fit(learned, seed=3, progress=None).score(rows)
    is_first = ~rows.past.present.any(axis=0)
    strange = scores[later.is_out_of_turn.ravel()]
    assert np.quantile(scores[is_first], 0.99) < 0.1 * np.median(strange)


@pytest.mark.parametrize("kind", ROW_KINDS)
def test_a_detector_of_single_rows_misses_what_is_only_out_of_turn(kind, learned, rows, later):
    fitted = DETECTORS[kind]().fit(learned, seed=3, progress=None)
    assert share_found(fitted, rows, later) < 0.1
    alone = replace(rows, past=None)
    assert fitted.score(rows).tobytes() == fitted.score(alone).tobytes()


def test_what_is_out_of_turn_is_the_reason_and_whose_turn_it_was_is_expected(
    detector, encoder, rows, later
):
    strange = np.flatnonzero(later.is_out_of_turn.ravel())
    judged = detector.judge(rows.take(strange))
    blocks = rows.layout.blocks
    reasons = [blocks[place].column for place in judged.losses.argmax(axis=1)]
    kind = encoder.encodings[encoder.names.index("kind")]
    said = [kind.decode(expected) for expected in judged.expected[:, encoder.spans[0]]]
    before = later.kinds[strange // PAYMENTS, strange % PAYMENTS - 1]
    assert encoder.names[0] == "kind"
    assert np.mean([reason == "kind" for reason in reasons]) > 0.95
    assert np.mean(np.asarray(said) == KINDS[(before + 1) % len(KINDS)]) > 0.95


def test_every_bit_is_the_same_whatever_rows_stand_beside(detector, rows):
    scores, judged = detector.score(rows), detector.judge(rows)
    order = np.random.default_rng(1).permutation(len(rows))
    assert detector.score(rows.take(order)).tobytes() == scores[order].tobytes()
    for start, size in ((0, 1), (7, 3), (40, 511)):
        chosen = slice(start, start + size)
        again = detector.judge(rows.take(chosen))
        assert again.scores.tobytes() == scores[chosen].tobytes()
        assert again.losses.tobytes() == judged.losses[chosen].tobytes()
        assert again.expected.tobytes() == judged.expected[chosen].tobytes()
    np.testing.assert_allclose(judged.losses.sum(axis=1), scores, rtol=1e-9)


def test_a_worker_scores_and_judges_sequences_without_pytorch(detector, rows, monkeypatch):
    for name in [*sys.modules]:
        if name.partition(".")[0] in {"torch", "sklearn", "scipy", "threadpoolctl"}:
            monkeypatch.setitem(sys.modules, name, None)
    loaded = detector.settings.restore(detector.layout, detector.tensors())
    assert loaded.score(rows).tobytes() == detector.score(rows).tobytes()
    loaded.judge(rows.take(slice(0, 3)))


def test_occlusion_changes_the_event_and_leaves_its_past(detector, learned, rows):
    some, usual = rows.take(slice(0, 200)), Usual.fit(learned)
    judged = Explainer("occlusion", usual).judge(detector, some)
    (place,) = (at for at, block in enumerate(some.layout.blocks) if block.column == "amount")
    without = replace(some, inputs=some.inputs.copy())
    without.numbers[:] = usual.expected[some.layout.blocks[place].start]
    fall = np.maximum(detector.score(some) - detector.score(without), 0.0)
    assert judged.losses[:, place].tobytes() == fall.tobytes()
    assert fall.any()
    assert judged.scores.tobytes() == detector.score(some).tobytes()


@pytest.mark.parametrize("kind", SEQUENCE_KINDS)
def test_a_network_that_learned_nothing_is_refused(kind, learned):
    wild = settings_from_plain(kind, {"steps": 40, "learning_rate": 10.0})
    with pytest.raises(ModelError, match="the validation loss did not fall"):
        wild.fit(learned, seed=3, progress=None)


def test_float32_scores_agree_with_float64_ones(detector, encoder, later, rows):
    fast = detector.score(encoder.transform(later.columns(), np.float32), Buffers())
    exact = detector.score(rows)
    np.testing.assert_allclose(fast, exact, rtol=1e-3, atol=1e-3 * np.median(exact))


def test_the_same_seed_gives_the_same_arrays_and_they_are_all_there_is(detector, learned, rows):
    again = DETECTORS[detector.kind]().fit(learned, seed=3, progress=None)
    for name, array in detector.tensors().items():
        assert again.tensors()[name].tobytes() == array.tobytes()
    loaded = detector.settings.restore(detector.layout, detector.tensors())
    assert loaded.score(rows).tobytes() == detector.score(rows).tobytes()


def test_past_and_scores_are_numbers_where_values_are_not(detector, encoder, later):
    made = later.columns()
    made["amount"].values[:3] = [np.nan, np.inf, -1e300]
    made["amount_past"].events.values[::7] = np.inf
    made["kind_past"] = replace(
        made["kind_past"],
        events=TextColumn(made["kind_past"].events.codes, np.array([*"abcd"], dtype=object)),
    )
    judged = detector.judge(encoder.transform(made, np.float64))
    assert np.isfinite(judged.scores).all()
    assert np.isfinite(judged.expected).all()


def test_earlier_events_are_told_as_far_as_there_were_any(encoder, later):
    columns = later.columns()
    told = encoder.earlier_events(columns, 2)
    assert [event["kind"] for event in told] == KINDS[later.kinds[0, :2]].tolist()
    assert [len(encoder.earlier_events(columns, row)) for row in (0, 1, 9)] == [0, 1, STEPS]
    row_by_row = Encoder.fit(columns, FEATURES[:2], EncodingSettings())
    assert row_by_row.earlier_events(columns, 9) == ()


def test_a_past_of_another_length_is_refused(encoder, later):
    made = later.columns()
    wrong = {**made, "kind_past": made["amount"]}
    with pytest.raises(InputError, match="'kind_past' was past in training and holds number now"):
        encoder.transform(wrong, np.float64)
    with pytest.raises(InputError, match="kind_past"):
        encoder.transform({name: made[name] for name in ("kind", "amount")}, np.float64)


@pytest.mark.parametrize(
    ("settings", "make"),
    [
        (RecurrentAutoencoderSettings(), lambda width, _: GruModule(width, 24)),
        (ConvAutoencoderSettings(), lambda width, steps: ConvolutionsModule(width, 16, steps)),
    ],
)
def test_numpy_rebuilds_what_pytorch_rebuilds(settings, make, rows):
    layout = rows.layout
    with reproducible(5):
        module = SequenceModule(layout, make(layout.past.width, layout.steps), settings.hidden)
        torch.nn.init.normal_(module.bias)
        torch.nn.init.normal_(module.bias_rebuilt)
    network = settings.restore(layout, module.arrays()).network
    given = with_past(rows, torch.from_numpy(rows.one_hot()))
    with torch.no_grad():
        expected = module.double()(given).numpy()
    rebuilt = network.event.rebuilt(rows, network.said(rows))
    np.testing.assert_allclose(rebuilt.transpose(0, 2, 1), expected, rtol=1e-6, atol=1e-6)


def test_what_is_remembered_is_what_pytorchs_own_gru_remembers(rows):
    layout = rows.layout
    whole = rows.take(np.flatnonzero(rows.past.present.all(axis=0)))
    with reproducible(6):
        gru = torch.nn.GRU(layout.past.width, 24)
        reads = GruModule(layout.past.width, 24)
        module = SequenceModule(layout, reads, 8)
        reads.cell.load_state_dict(
            {name.removesuffix("_l0"): tensor for name, tensor in gru.state_dict().items()}
        )
    arrays = module.arrays()
    network = RecurrentAutoencoderSettings(hidden=8).restore(layout, arrays).network
    assert isinstance(network, SequenceNetwork)
    events = torch.from_numpy(whole.past.events.one_hot()).reshape(STEPS, len(whole), -1)
    with torch.no_grad():
        _, memory = gru.double()(events)
    np.testing.assert_allclose(network.said(whole), memory[0].numpy(), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("kind", SEQUENCE_KINDS)
def test_a_model_of_sequences_is_stored_whole_and_one_of_rows_reads_no_past(kind, learned_columns):
    def fit(kind):
        return fit_model(
            learned_columns,
            FEATURES,
            name="payments",
            encoding=EncodingSettings(),
            detector=DETECTORS[kind](),
            threshold=FractionThreshold(0.02),
            reasons=3,
            seed=7,
            rows_per_day=None,
            provenance={},
        )

    model, later = fit(kind), payments(50, seed=8, out_of_turn=0.3).columns()
    loaded = unpack(pack(model))
    assert loaded.encoder == model.encoder
    assert loaded.score(later).scores.tobytes() == model.score(later).scores.tobytes()
    assert [feature.name for feature in fit("histogram").columns] == ["kind", "amount"]
