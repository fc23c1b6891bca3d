"""What cannot tell rows apart is left out, and every column is told why it is in or out."""

import numpy as np
import pytest

from adlib.arrays import NumberColumn, PastColumn, TextColumn, VectorColumn
from adlib.encoding import Candidate, Feature, Kind, choose_features, without_weekdays
from adlib.errors import InputError

AMOUNT = Feature("amount", Kind.NUMBER, "amount")
COUNTRY = Feature("country", Kind.CATEGORY, "country")


def texts(values):
    places: dict[str, int] = {}
    codes = [-1 if value is None else places.setdefault(value, len(places)) for value in values]
    return TextColumn(np.array(codes, dtype=np.int32), np.array([*places], dtype=np.object_))


def numbers(values, dtype=np.float64):
    return NumberColumn(np.array(values, dtype=dtype))


class TestChoosingFeatures:
    ROWS = 1000

    def choose(self, feature, column, *, declared=False):
        keeper = Feature("keeper", Kind.NUMBER, "keeper")
        table = {feature.name: column, "keeper": numbers(np.arange(len(column)) % 7)}
        candidates = [Candidate(feature, declared=declared), Candidate(keeper)]
        choice = choose_features(table, candidates)
        return {kept.name: kept for kept in choice.features}, choice.notes[feature.name]

    @pytest.mark.parametrize(
        ("kind", "column", "note"),
        [
            (Kind.NUMBER, numbers([5.0] * 9), "left out: constant"),
            (Kind.NUMBER, numbers([np.nan] * 9), "left out: always missing"),
            (Kind.CATEGORY, texts(["a"] * 9), "left out: constant"),
            (Kind.CATEGORY, texts([None] * 9), "left out: always missing"),
            (Kind.VECTOR, VectorColumn(np.ones((9, 2))), "left out: constant"),
            (Kind.VECTOR, VectorColumn(np.full((9, 2), np.nan)), "left out: always missing"),
            (Kind.VECTOR, VectorColumn(np.empty((9, 0))), "left out: always missing"),
        ],
    )
    def test_what_cannot_tell_rows_apart_is_left_out_with_a_note(self, kind, column, note):
        kept, said = self.choose(Feature("x", kind, "x"), column)
        assert "x" not in kept
        assert said == note

    def test_the_past_is_kept_of_narrow_columns_that_are_kept(self):
        columns = {
            "amount": numbers(np.arange(9.0)),
            "same": numbers(np.ones(9)),
            "note": texts([f"a note of many words {row}" for row in range(9)]),
        }
        kinds = {"amount": Kind.NUMBER, "same": Kind.NUMBER, "note": Kind.CATEGORY}
        pasts = [Feature(f"{of}_past", Kind.PAST, of, of=of, steps=3) for of in columns]
        past = PastColumn(numbers(np.ones(27)), np.ones((3, 9), dtype=bool))
        candidates = [
            *map(Candidate, pasts),
            *(Candidate(Feature(name, kind, name)) for name, kind in kinds.items()),
        ]
        choice = choose_features({**columns, **{one.name: past for one in pasts}}, candidates)
        assert [feature.name for feature in choice.features] == ["amount", "note", "amount_past"]
        assert choice.notes["amount_past"] == "past: up to 3 earlier values of amount"
        assert choice.notes["same_past"].startswith("left out: same is left out")

    def test_a_column_that_is_constant_or_missing_tells_rows_apart(self):
        kept, _ = self.choose(AMOUNT, numbers([5.0, np.nan, 5.0]))
        assert "amount" in kept

    def test_whole_numbers_that_all_differ_are_an_identifier(self):
        feature = Feature("x", Kind.NUMBER, "x", integral=True)
        kept, note = self.choose(feature, numbers(np.arange(self.ROWS)))
        assert "x" not in kept
        assert "identifier" in note
        kept, _ = self.choose(feature, numbers(np.arange(self.ROWS - 1)))
        assert "x" in kept, "with so few rows this says nothing"

    def test_a_gap_that_differs_everywhere_is_a_window_and_no_identifier(self):
        feature = Feature("x", Kind.NUMBER, "x", integral=True, entity="customer", take="gap")
        kept, _ = self.choose(feature, numbers(np.arange(self.ROWS)))
        assert "x" in kept

    def test_strings_that_hardly_ever_repeat_are_an_identifier(self):
        kept, note = self.choose(COUNTRY, texts([f"id-{row}" for row in range(self.ROWS)]))
        assert "country" not in kept
        assert "identifier" in note

    def test_strings_of_many_words_become_text(self):
        notes = [f"note number {row} about something" for row in range(self.ROWS)]
        kept, note = self.choose(COUNTRY, texts(notes))
        assert kept["country"].kind is Kind.TEXT
        assert note.startswith("text")

    def test_sentences_some_of_which_repeat_are_text_and_those_that_all_do_are_names(self):
        tables = {
            (self.ROWS, self.ROWS * 2 // 3): Kind.TEXT,
            (self.ROWS, self.ROWS // 10): Kind.CATEGORY,
            (9000, 1000): Kind.TEXT,
            (9000, 800): Kind.CATEGORY,
            (20_000, 1000): Kind.CATEGORY,
        }
        for (rows, sentences), kind in tables.items():
            said = [f"customer called about order {row % sentences}" for row in range(rows)]
            kept, _ = self.choose(COUNTRY, texts(said))
            assert kept["country"].kind is kind

    def test_what_the_configuration_names_is_kept_whatever_it_holds(self):
        kept, note = self.choose(AMOUNT, numbers([5.0] * 9), declared=True)
        assert "amount" in kept
        assert note == "numeric, as configured"

    def test_when_nothing_is_left_every_column_is_named_with_its_reason(self):
        table = {"amount": numbers([1.0, 1.0]), "country": texts([None, None])}
        with pytest.raises(InputError) as refusal:
            choose_features(table, [Candidate(AMOUNT), Candidate(COUNTRY)])
        assert "'amount': left out: constant" in str(refusal.value)
        assert "'country': left out: always missing" in str(refusal.value)

    def test_no_candidates_at_all_are_refused(self):
        with pytest.raises(InputError, match="no column"):
            choose_features({}, [])


class TestWeekdays:
    CANDIDATES = (
        Candidate(Feature("at_weekday", Kind.CYCLE, "at", period=7.0)),
        Candidate(Feature("at_hour", Kind.CYCLE, "at", period=24.0)),
        Candidate(Feature("joined_weekday", Kind.CYCLE, "joined", period=7.0)),
    )

    def kept(self, days):
        table = {one.feature.name: numbers([0.0, 1.0, 2.0]) for one in self.CANDIDATES}
        candidates = without_weekdays(self.CANDIDATES, days, "at")
        choice = choose_features(table, candidates)
        return {feature.name for feature in choice.features}, choice.notes["at_weekday"]

    def test_of_less_than_a_week_the_weekday_of_the_event_is_left_out_and_why_is_said(self):
        names, note = self.kept(6)
        assert names == {"at_hour", "joined_weekday"}
        assert note.startswith("left out: a weekday, which rows of fewer than 7 dates")

    def test_of_a_week_it_is_a_feature(self):
        assert self.kept(7) == ({"at_weekday", "at_hour", "joined_weekday"}, "cycle")
