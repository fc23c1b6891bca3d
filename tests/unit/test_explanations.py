"""A reason names a column of the source, its part in the score, and what was expected there."""

import numpy as np
import pytest

from adlib.arrays import NumberColumn, TextColumn, take_rows
from adlib.detectors import Judgement
from adlib.encoding import Encoder, EncodingSettings, Feature, Kind
from adlib.explanations import explain, sentence_of

DIRECTIONS = {"high", "low", "unusual", "unseen", "missing"}


def believed(expected, features):
    """Judge rows by their distance from what is expected of every row."""
    distance = np.abs(features.one_hot() - expected)
    losses = [distance[:, block.span].sum(axis=1) for block in features.layout.blocks]
    by_row = np.stack(losses, 1)
    return Judgement(by_row.sum(axis=1), by_row, np.tile(expected, (len(features), 1)))


def texts(*values):
    words = [value for value in values if value is not None]
    codes = [-1 if value is None else words.index(value) for value in values]
    return TextColumn(np.array(codes), np.array(words, dtype=object))


def numbers(*values):
    return NumberColumn(np.array(values, dtype=np.float64))


def reasons_of(features, sample, usual, row, top=3):
    """Explain one row to a detector that expects `usual`."""
    encoder = Encoder.fit(sample, features, EncodingSettings())
    expected = encoder.transform(usual, np.float64).one_hot()[0]
    for block in encoder.layout.blocks:
        if block.loss.value != "squared":  # booleans and categories are logits
            expected[block.span] = expected[block.span] * 10.0 - 5.0
    matrix = encoder.transform(row, np.float64)
    return explain(encoder, believed(expected, matrix), row, top)[0]


class TestOneColumn:
    """Each kind of column, one at a time."""

    def reason(self, feature, sample, usual, strange):
        name = feature.name
        (reason,) = reasons_of([feature], {name: sample}, {name: usual}, {name: strange})
        assert reason.share == 1.0
        assert reason.column == feature.source
        return reason

    @pytest.mark.parametrize(("strange", "direction"), [(90.0, "high"), (-4.0, "low")])
    def test_a_number_is_high_or_low(self, strange, direction):
        feature = Feature("amount", Kind.NUMBER, "amount")
        sample = numbers(1.0, 2.0, 3.0)
        reason = self.reason(feature, sample, numbers(2.0), numbers(strange))
        said = f"{strange:.0f}"
        assert (reason.direction, reason.actual, reason.expected) == (direction, said, "2")
        assert reason.sentence == f"amount is {said} where 2 is expected"

    def test_infinity_is_high(self):
        feature = Feature("amount", Kind.NUMBER, "amount")
        reason = self.reason(feature, numbers(1.0, 2.0), numbers(1.0), numbers(np.inf))
        assert (reason.direction, reason.actual) == ("high", "inf")

    def test_a_missing_number_is_missing(self):
        feature = Feature("amount", Kind.NUMBER, "amount")
        sample = numbers(1.0, 2.0, 3.0, np.nan)
        reason = self.reason(feature, sample, numbers(1.0), numbers(np.nan))
        assert (reason.direction, reason.actual, reason.expected) == ("missing", None, "1")
        assert reason.sentence == "amount is missing where 1 is expected"

    def test_a_known_value_in_the_wrong_place_is_unusual(self):
        feature = Feature("country", Kind.CATEGORY, "country")
        sample = TextColumn(np.array([0, 0, 1, 1]), np.array(["DE", "FR"], dtype=object))
        reason = self.reason(feature, sample, texts("DE"), texts("FR"))
        assert reason.direction == "unusual"
        assert reason.sentence == "country is FR where DE is expected"

    def test_a_value_that_training_never_saw_is_unseen(self):
        feature = Feature("country", Kind.CATEGORY, "country")
        reason = self.reason(feature, texts("DE", "FR"), texts("DE"), texts("🙂\n"))
        assert (reason.direction, reason.actual) == ("unseen", "🙂\n")
        assert reason.sentence == r"country is '🙂\n', not seen before"

    def test_the_likeliest_value_is_not_said_to_be_expected_instead(self):
        feature = Feature("country", Kind.CATEGORY, "country")
        reason = self.reason(feature, texts("DE", "FR"), texts("DE"), texts("DE"))
        assert reason.sentence == "country is DE, which is unusual here"
        missing = self.reason(feature, texts("DE", None), texts(None), texts(None))
        assert missing.sentence == "country is missing, which is unusual here"

    def test_an_answer_is_said_in_the_words_of_the_source(self):
        feature = Feature("new", Kind.BOOLEAN, "new")
        reason = self.reason(feature, numbers(0.0, 1.0), numbers(0.0), numbers(1.0))
        assert reason.sentence == "new is true where false is expected"

    def test_an_hour_names_the_column_that_it_was_taken_of(self):
        feature = Feature("paid_at_hour", Kind.CYCLE, "paid_at", period=24.0)
        reason = self.reason(feature, numbers(9.0), numbers(14.0), numbers(3.0))
        assert reason.direction == "unusual"
        assert reason.sentence == "paid_at is at 03:00, usually around 14:00"


class TestWindows:
    """A window's reason names the column it is of, and what is usual for the entity."""

    AMOUNT = Feature("amount", Kind.NUMBER, "amount", integral=True)
    RATIO = Feature(
        "amount_ratio", Kind.NUMBER, "amount", entity="customer", take="ratio", over="1 day"
    )
    COUNT = Feature(
        "customer_count", Kind.NUMBER, "customer", entity="customer", take="count", over="1 day"
    )

    def reason(self, features, usual, strange):
        sample = {feature.name: numbers(1.0, 2.0, 3.0, np.nan) for feature in features}
        usual = {name: numbers(value) for name, value in usual.items()}
        strange = {name: numbers(value) for name, value in strange.items()}
        return reasons_of(features, sample, usual, strange)[0]

    def test_a_ratio_is_said_as_the_amount_and_the_entity_s_own_mean(self):
        reason = self.reason(
            [self.AMOUNT, self.RATIO],
            {"amount": 2.0, "amount_ratio": 1.0},
            {"amount": 2.0, "amount_ratio": 40.0},
        )
        assert reason.sentence == "amount is 2 where about 0.05 is usual for this customer"
        assert (reason.column, reason.direction) == ("amount", "high")
        assert (reason.actual, reason.expected) == ("2", "0.05")

    def test_a_ratio_of_zero_says_no_mean_that_it_does_not_know(self):
        reason = self.reason(
            [self.AMOUNT, self.RATIO],
            {"amount": 0.0, "amount_ratio": 2.0},
            {"amount": 0.0, "amount_ratio": 0.0},
        )
        assert reason.sentence == "amount is 0, which is not usual for this customer"
        assert (reason.direction, reason.expected) == ("unusual", "not 0")

    def test_a_count_is_said_with_what_the_model_expects_of_the_entity(self):
        reason = self.reason([self.COUNT], {"customer_count": 2.0}, {"customer_count": 70.0})
        said = "customer has 70 rows in the 1 day before where 2 are usual"
        assert reason.sentence == said
        assert reason.column == "customer"

    def test_an_entity_without_a_past_is_missing_one(self):
        reason = self.reason([self.RATIO], {"amount_ratio": 1.0}, {"amount_ratio": np.nan})
        assert reason.direction == "missing"
        assert reason.actual is None
        assert reason.sentence == "amount has no earlier value for this customer in 1 day"


class TestManyColumns:
    def test_shares_are_parts_of_one_and_descend(self, model, strange_columns):
        flagged = model.score(strange_columns).flagged
        assert len(flagged.rows) > 0
        for reasons in flagged.reasons:
            shares = [reason.share for reason in reasons]
            assert 1 <= len(shares) <= 3
            assert shares == sorted(shares, reverse=True)
            assert all(0.0 <= share <= 1.0 for share in shares)
            assert sum(shares) <= 1.0 + 1e-5

    def test_all_columns_shares_add_up_to_one(self, model, strange_columns):
        few = take_rows(strange_columns, slice(-20, None))
        judged = model.detector.judge(model.encoder.transform(few, np.float64))
        columns = len(model.encoder.layout.sources)
        for reasons in explain(model.encoder, judged, few, top=99):
            unsaid = 0.01 * (columns - len(reasons))  # columns that add less than one in a hundred
            assert 1.0 - unsaid <= sum(reason.share for reason in reasons) <= 1.0 + 1e-5

    def test_reasons_name_columns_of_the_source_and_known_directions(self, model, strange_columns):
        sources = {feature.source for feature in model.columns}
        for reasons in model.score(strange_columns).flagged.reasons:
            named = [reason.column for reason in reasons]
            assert set(named) <= sources
            assert len(set(named)) == len(named)
            assert {reason.direction for reason in reasons} <= DIRECTIONS
            assert all(reason.sentence for reason in reasons)

    def test_a_column_that_adds_nothing_is_no_reason(self):
        features = [Feature(name, Kind.NUMBER, name) for name in ("a", "b")]
        sample = {"a": numbers(1.0, 2.0), "b": numbers(1.0, 2.0)}
        usual = {"a": numbers(1.0), "b": numbers(2.0)}
        strange = {"a": numbers(1.0), "b": numbers(50.0)}
        assert [reason.column for reason in reasons_of(features, sample, usual, strange)] == ["b"]
        assert reasons_of(features, sample, usual, usual) == ()

    def test_contributions_below_zero_count_as_zero(self):
        features = [Feature(name, Kind.NUMBER, name) for name in "abc"]
        row = {name: numbers(1.0) for name in "abc"}
        encoder = Encoder.fit(row, features, EncodingSettings())
        judged = Judgement(np.array([3.0]), np.array([[-1.0, 2.0, 2.0]]), np.zeros((1, 3)))
        reasons = explain(encoder, judged, row, top=3)[0]
        assert [(reason.column, reason.share) for reason in reasons] == [("b", 0.5), ("c", 0.5)]

    def test_reasons_are_joined_into_one_sentence(self, model, strange_columns):
        reasons = model.score(strange_columns).flagged.reasons[0]
        sentence = sentence_of(reasons)
        assert sentence.endswith(".")
        assert all(reason.sentence in sentence for reason in reasons)
        assert sentence_of(()) == "No single column stands out."
