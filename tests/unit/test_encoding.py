"""The encoder looks at a row alone, is finite whatever comes, and says what it saw in words."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from adlib.arrays import NumberColumn, TextColumn, VectorColumn, take_rows
from adlib.encoding import (
    Encoder,
    EncodingSettings,
    Feature,
    Kind,
    Scale,
)
from adlib.encoding.category_columns import CategoryEncoding, HashedEncoding
from adlib.errors import InputError, ModelError

AMOUNT = Feature("amount", Kind.NUMBER, "amount")
COUNTRY = Feature("country", Kind.CATEGORY, "country")
NOTE = Feature("note", Kind.TEXT, "note")
NEW = Feature("new", Kind.BOOLEAN, "new")
HOUR = Feature("at_hour", Kind.CYCLE, "at", period=24.0)
FACE = Feature("face", Kind.VECTOR, "face")
NASTY = ["", " ", "\0", "\x07bell", "🙂🙃", "a\nb", "é" * 300, "\u202eright to left", "\ud800"]
NUMBERS = st.floats(width=64)


def texts(values):
    places: dict[str, int] = {}
    codes = [-1 if value is None else places.setdefault(value, len(places)) for value in values]
    return TextColumn(np.array(codes, dtype=np.int32), np.array([*places], dtype=np.object_))


def numbers(values, dtype=np.float64):
    return NumberColumn(np.array(values, dtype=dtype))


def fit(feature, column, **choices):
    return Encoder.fit({feature.name: column}, [feature], EncodingSettings(**choices))


def encode(encoder, column, dtype=np.float64):
    return encoder.transform({encoder.names[0]: column}, dtype).one_hot()


class TestNumbers:
    @pytest.mark.parametrize("scale", Scale)
    @given(arrays(np.float64, st.integers(1, 40), elements=NUMBERS), st.data())
    @settings(max_examples=40)
    def test_whatever_number_comes_the_matrix_is_finite(self, scale, sample, others):
        encoder = fit(AMOUNT, NumberColumn(sample), scale=scale)
        json.dumps(encoder.to_json(), allow_nan=False)
        unseen = others.draw(arrays(np.float64, 5, elements=NUMBERS))
        for dtype in (np.float32, np.float64):
            assert np.isfinite(encode(encoder, NumberColumn(unseen), dtype)).all()

    @pytest.mark.parametrize("scale", Scale)
    def test_every_scale_keeps_the_order_of_numbers(self, scale):
        draw = np.random.default_rng(0)
        encoder = fit(AMOUNT, NumberColumn(draw.lognormal(0.0, 2.0, 500)), scale=scale)
        ordered = np.sort(draw.lognormal(0.0, 3.0, 300))
        assert (np.diff(encode(encoder, NumberColumn(ordered))[:, 0]) >= 0.0).all()

    @pytest.mark.parametrize("scale", Scale)
    def test_every_scale_can_be_undone_to_print_what_is_expected(self, scale):
        sample = np.random.default_rng(0).normal(100.0, 5.0, 500)
        encoder = fit(AMOUNT, NumberColumn(sample), scale=scale)
        for value in (90.0, 100.0, 103.5):
            row = encode(encoder, numbers([value]))[0]
            assert encoder.encodings[0].expected_number(row) == pytest.approx(value, rel=1e-3)

    @pytest.mark.parametrize("scale", Scale)
    def test_a_number_is_encoded_alike_alone_and_among_others(self, scale):
        values = np.random.default_rng(0).lognormal(3.0, 2.0, 777)
        encoder = fit(AMOUNT, NumberColumn(values), scale=scale)
        together = encode(encoder, NumberColumn(values))
        for row in (0, 3, 500, 776):
            alone = encode(encoder, NumberColumn(values[row : row + 1]))
            assert alone.tobytes() == together[row : row + 1].tobytes()

    @pytest.mark.parametrize("scale", Scale)
    def test_float32_and_float64_columns_of_equal_numbers_are_encoded_alike(self, scale):
        single = np.random.default_rng(0).lognormal(9.0, 2.0, 500).astype(np.float32)
        encoder = fit(AMOUNT, NumberColumn(single), scale=scale)
        wide = encode(encoder, NumberColumn(single.astype(np.float64)))
        assert encode(encoder, NumberColumn(single)).tobytes() == wide.tobytes()

    def test_missing_numbers_are_imputed_with_the_median_and_marked(self):
        encoder = fit(AMOUNT, numbers([1.0, 2.0, 3.0, np.nan]))
        encoded = encode(encoder, numbers([np.nan, 2.0]))
        assert encoded[:, 1].tolist() == [1.0, 0.0]
        assert encoded[0, 0] == encoded[1, 0]

    def test_a_column_without_missing_numbers_has_no_mark(self):
        assert fit(AMOUNT, numbers([1.0, 2.0])).layout.width == 1

    @pytest.mark.parametrize(
        "values", [[7.0] * 5, [np.nan] * 5, [np.inf, -np.inf, np.nan], [5e-324, 0.0]]
    )
    @pytest.mark.parametrize("scale", Scale)
    def test_columns_without_spread_are_encoded_all_the_same(self, scale, values):
        encoder = fit(AMOUNT, numbers(values), scale=scale)
        assert np.isfinite(encode(encoder, numbers([*values, 1e300, -1e300]))).all()

    def test_infinities_lie_beyond_every_number(self):
        encoder = fit(AMOUNT, numbers([1.0, 2.0, 3.0]))
        low, high = encode(encoder, numbers([-np.inf, np.inf]))[:, 0]
        between = encode(encoder, numbers([-1e6, 1e6]))[:, 0]
        assert low < between.min() < between.max() < high

    @pytest.mark.parametrize(
        ("feature", "value", "said"),
        [
            (AMOUNT, 0.1, "0.1"),
            (Feature("n", Kind.NUMBER, "n", integral=True), 3e9, "3000000000"),
            (Feature("n", Kind.NUMBER, "n", single=True), float(np.float32(0.1)), "0.1"),
            (AMOUNT, np.inf, "inf"),
            (AMOUNT, np.nan, None),
        ],
    )
    def test_a_number_is_printed_with_the_digits_it_has(self, feature, value, said):
        column = numbers([value])
        assert fit(feature, numbers([1.0, 2.0])).encodings[0].text_at(column, 0) == said

    def test_an_absurd_expectation_is_printed_short(self):
        feature = Feature("n", Kind.NUMBER, "n", integral=True)
        encoder = fit(feature, numbers([0.0, 1e150]))
        assert len(encoder.encodings[0].decode(np.array([40.0]))) < 12


class TestBooleansAndCycles:
    def test_missing_answers_are_imputed_with_the_commoner_one(self):
        encoder = fit(NEW, numbers([1.0, 1.0, 0.0, np.nan]))
        assert encode(encoder, numbers([np.nan, 0.0])).tolist() == [[1.0, 1.0], [0.0, 0.0]]

    def test_an_expected_answer_is_read_from_a_logit(self):
        encoding = fit(NEW, numbers([1.0, 0.0])).encodings[0]
        assert encoding.decode(np.array([0.2])) == "true"
        assert encoding.decode(np.array([-0.2])) == "false"

    def test_answers_that_are_numbers_in_the_source_are_printed_as_numbers(self):
        feature = Feature("new", Kind.BOOLEAN, "new", integral=True)
        encoding = fit(feature, numbers([1.0, 0.0])).encodings[0]
        assert encoding.text_at(numbers([1.0]), 0) == "1"
        assert encoding.decode(np.array([-3.0])) == "0"

    def test_midnight_is_as_near_to_eleven_as_to_one(self):
        eleven, midnight, one = encode(fit(HOUR, numbers([0.0])), numbers([23.0, 0.0, 1.0]))
        distances = [np.linalg.norm(midnight - other) for other in (eleven, one)]
        assert distances[0] == pytest.approx(distances[1])

    @pytest.mark.parametrize("units", range(24))
    def test_an_hour_survives_encoding_and_decoding(self, units):
        encoder = fit(HOUR, numbers([0.0]))
        row = encode(encoder, numbers([float(units)]))[0]
        assert encoder.encodings[0].decode(row) == f"{units:02d}:00"

    def test_a_weekday_is_printed_by_name(self):
        encoding = fit(Feature("d", Kind.CYCLE, "at", period=7.0), numbers([0.0])).encodings[0]
        assert encoding.text_at(numbers([0.0]), 0) == "Monday"
        assert encoding.decode(encode(Encoder((encoding,)), numbers([6.0]))[0]) == "Sunday"

    def test_a_time_that_is_missing_is_nowhere_on_the_circle(self):
        encoder = fit(HOUR, numbers([0.0]))
        assert encode(encoder, numbers([np.nan, np.inf])).tolist() == [[0.0, 0.0], [0.0, 0.0]]
        assert encoder.encodings[0].text_at(numbers([np.inf]), 0) is None


class TestCategories:
    def test_common_rare_unseen_and_missing_values_have_places_of_their_own(self):
        encoder = fit(COUNTRY, texts(["DE", "DE", "FR", "FR", "XX", None]))
        encoded = encode(encoder, texts(["DE", "FR", "XX", "new", None]))
        assert encoded.tolist() == np.eye(5).tolist()

    def test_only_a_value_that_training_never_saw_is_unseen(self):
        encoder = fit(COUNTRY, texts(["DE", "DE", "XX", None]))
        unseen = encoder.unseen({"country": texts(["DE", "XX", "new", None])})
        assert unseen["country"].tolist() == [False, False, True, False]

    def test_values_that_all_occur_once_are_all_kept(self):
        encoding = fit(COUNTRY, texts(["a", "b", "c"])).encodings[0]
        assert encoding.values == ("a", "b", "c")
        assert encoding.rare == ()

    def test_more_values_than_the_vocabulary_holds_are_hashed(self):
        sample = texts([f"value {place}" for place in range(11)])
        assert isinstance(fit(COUNTRY, sample, vocabulary=11).encodings[0], CategoryEncoding)
        hashed = fit(COUNTRY, sample, vocabulary=10, hash_buckets=16)
        assert isinstance(hashed.encodings[0], HashedEncoding)
        encoded = encode(hashed, texts(["value 1", None, "new", "value 1"]))
        assert encoded.shape == (4, 17)
        assert (encoded.sum(axis=1) == 1.0).all()
        assert encoded[1, 16] == 1.0
        assert encoded[0].tolist() == encoded[3].tolist()

    def test_a_value_of_ten_megabytes_is_known_again_and_printed_short(self):
        long = "x" * 10_000_000
        encoder = fit(COUNTRY, texts([long, long, "DE", "DE"]))
        assert len(json.dumps(encoder.to_json())) < 2000
        unseen = encoder.unseen({"country": texts([long, long + "y", "DE"])})
        assert unseen["country"].tolist() == [False, True, False]
        assert len(encoder.encodings[0].text_at(texts([long]), 0)) == 256

    def test_a_category_that_is_always_missing_is_encoded_as_missing(self):
        encoder = fit(COUNTRY, texts([None, None]))
        assert encode(encoder, texts([None, "new"])).tolist() == [[0, 0, 1], [0, 1, 0]]

    @given(st.lists(st.one_of(st.none(), st.text(max_size=8), st.sampled_from(NASTY)), min_size=1))
    @settings(max_examples=60)
    def test_any_strings_have_one_place_each_and_survive_json(self, values):
        encoder = fit(COUNTRY, texts(values))
        encoded = encode(encoder, texts(values))
        assert (encoded.sum(axis=1) == 1.0).all()
        assert not encoder.unseen({"country": texts(values)})["country"].any()
        assert Encoder.from_json(json.loads(json.dumps(encoder.to_json()))) == encoder

    @given(st.lists(st.one_of(st.none(), st.sampled_from("abc")), min_size=1, max_size=20))
    def test_the_order_of_a_dictionary_does_not_matter(self, values):
        encoder = fit(COUNTRY, texts(["a", "a", "b", "b", "c"]))
        column = texts(values)
        reversed_codes = np.where(column.codes < 0, -1, len(column.values) - 1 - column.codes)
        other = TextColumn(reversed_codes, column.values[::-1])
        assert encode(encoder, other).tolist() == encode(encoder, column).tolist()


class TestTexts:
    @given(st.lists(st.one_of(st.none(), st.text(), st.sampled_from(NASTY)), min_size=1))
    @settings(max_examples=60)
    def test_a_text_is_encoded_alike_alone_and_among_others(self, values):
        encoder = fit(NOTE, texts(values), text_buckets=8)
        together = encode(encoder, texts(values))
        assert np.isfinite(together).all()
        for row, value in enumerate(values):
            assert encode(encoder, texts([value])).tolist() == [together[row].tolist()]

    def test_the_order_and_the_case_of_words_do_not_matter(self):
        encoder = fit(NOTE, texts(["x"]))
        one, other = encode(encoder, texts(["Red small RED", "red red small"]))
        assert one.tolist() == other.tolist()

    def test_a_text_of_ten_megabytes_costs_no_more_than_its_beginning(self):
        words = "word " * 2_000_000
        encoder = fit(NOTE, texts([words]))
        assert encode(encoder, texts([words])).max() == np.log1p(2000.0)
        assert len(encoder.encodings[0].text_at(texts([words]), 0)) == 256

    def test_a_missing_text_has_no_words(self):
        assert not encode(fit(NOTE, texts(["x"])), texts([None])).any()


class TestVectors:
    def test_each_number_is_standardised_and_a_missing_one_is_the_mean(self):
        encoder = fit(FACE, VectorColumn(np.array([[1.0, 10.0], [3.0, 10.0], [np.nan, np.nan]])))
        encoded = encode(encoder, VectorColumn(np.array([[1.0, 10.0], [np.nan, np.nan]])))
        assert encoded.tolist() == [[-1.0, 0.0], [0.0, 0.0]]

    @given(arrays(np.float64, (6, 3), elements=NUMBERS))
    @settings(max_examples=60)
    def test_whatever_vector_comes_the_matrix_is_finite(self, values):
        encoder = fit(FACE, VectorColumn(values))
        json.dumps(encoder.to_json(), allow_nan=False)
        assert np.isfinite(encode(encoder, VectorColumn(values))).all()

    def test_a_vector_of_another_length_is_refused_with_both_lengths(self):
        encoder = fit(FACE, VectorColumn(np.ones((4, 3))))
        with pytest.raises(InputError, match=r"'face'.*vectors of 2 numbers now"):
            encode(encoder, VectorColumn(np.ones((4, 2))))

    def test_a_column_of_vectors_that_are_all_missing_is_refused(self):
        with pytest.raises(InputError, match="holds no number in any row"):
            fit(FACE, VectorColumn(np.empty((4, 0))))

    def test_a_vector_is_missing_where_one_of_its_numbers_is(self):
        column = VectorColumn(np.array([[1.0, np.nan], [1.0, 2.0]]))
        encoding = fit(FACE, column).encodings[0]
        assert encoding.is_missing(column).tolist() == [True, False]
        assert encoding.text_at(column, 0) is None
        assert encoding.text_at(column, 1) == "1 in place 1 of 2"


class TestTheWholeEncoder:
    def test_json_gives_back_an_equal_encoder(self, model):
        plain = json.loads(json.dumps(model.encoder.to_json(), allow_nan=False))
        assert Encoder.from_json(plain) == model.encoder

    @pytest.mark.parametrize("scale", Scale)
    def test_json_gives_back_every_scale(self, scale):
        encoder = fit(AMOUNT, numbers([1.0, 2.5, np.nan, 1e9]), scale=scale)
        again = Encoder.from_json(json.loads(json.dumps(encoder.to_json())))
        assert again == encoder

    def test_an_encoding_that_is_not_known_is_refused(self):
        with pytest.raises(ModelError, match="encoding of type 'fourier'"):
            Encoder.from_json([{"type": "fourier"}])

    def test_blocks_stand_side_by_side(self, model):
        stops = [0]
        for block in model.encoder.layout.blocks:
            assert block.start == stops[-1]
            stops.append(block.stop)
        assert stops[-1] == model.encoder.layout.width
        assert [span.stop for span in model.encoder.spans][-1] == stops[-1]

    def test_rows_are_encoded_bit_for_bit_alike_in_any_order_and_batch(
        self, model, strange_columns
    ):
        whole = model.encoder.transform(strange_columns, np.float64).one_hot()
        order = np.random.default_rng(0).permutation(len(whole))
        shuffled = model.encoder.transform(take_rows(strange_columns, order), np.float64).one_hot()
        assert shuffled.tobytes() == whole[order].tobytes()
        for row in (0, 17, 999):
            alone = take_rows(strange_columns, np.array([row]))
            encoded = model.encoder.transform(alone, np.float64).one_hot()
            assert encoded.tobytes() == whole[row : row + 1].tobytes()

    def test_a_missing_column_is_named(self, model, columns):
        rest = {name: column for name, column in columns.items() if name != "country"}
        with pytest.raises(InputError, match="has no column 'country'; it has 'amount'"):
            model.encoder.transform(rest, np.float32)

    @pytest.mark.parametrize(
        ("name", "column", "said"),
        [
            ("amount", texts(["1"] * 3), "'amount' was numeric in training and holds text now"),
            ("new", texts(["yes"] * 3), "'new' was boolean in training and holds text now"),
            ("paid_at_hour", texts(["1"] * 3), "'paid_at_hour' was cycle in training"),
            ("country", numbers([1.0] * 3), "'country' was categorical in training"),
            ("note", numbers([1.0] * 3), "'note' was text in training and holds number now"),
            ("face", numbers([1.0] * 3), "'face' was vector in training and holds number now"),
        ],
    )
    def test_a_column_of_another_type_is_named_with_both_types(
        self, model, columns, name, column, said
    ):
        few = take_rows(columns, slice(0, 3))
        with pytest.raises(InputError, match=said):
            model.encoder.transform({**few, name: column}, np.float64)

    @pytest.mark.parametrize("kind", [kind for kind in Kind if kind is not Kind.PAST])
    def test_a_sample_that_does_not_hold_its_kind_is_refused(self, kind):
        wrong = texts(["a"]) if kind not in {Kind.CATEGORY, Kind.TEXT} else numbers([1.0])
        with pytest.raises(InputError, match=f"is to be {kind.value} but holds"):
            fit(Feature("x", kind, "x", period=24.0), wrong)

    def test_missing_values_are_counted_by_source_and_windows_do_not_count(self, model, columns):
        few = take_rows(columns, slice(0, 2))
        few["amount_ratio"] = numbers([np.nan, np.nan])
        few["amount"] = numbers([np.nan, 1.0])
        missing = model.encoder.missing(few)
        assert missing["amount"].tolist() == [True, False]
        assert set(missing) == {feature.source for feature in model.columns}
