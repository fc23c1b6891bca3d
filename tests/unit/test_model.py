"""A row's result depends on that row and the model alone, bit for bit."""

import numpy as np
import pytest

from adlib.arrays import NumberColumn, TextColumn, take_rows
from adlib.artifacts import pack, unpack
from adlib.detectors import DETECTORS
from adlib.encoding import EncodingSettings
from adlib.errors import InputError, ModelError
from adlib.model import BLOCK_ROWS, fit_model
from adlib.thresholds import FixedThreshold, FractionThreshold

STRANGE_ROWS = 10


def stored_values(scored, origin):
    """Return, by the row's place in the original table, all that is stored of a flagged row."""
    flagged = scored.flagged
    return {
        int(origin[row]): (
            scored.scores[row].tobytes(),
            flagged.percentiles[place].tobytes(),
            flagged.p_values[place].tobytes(),
            flagged.severities[place],
            flagged.reasons[place],
            int(flagged.missing_columns[place]),
            int(flagged.unseen_columns[place]),
        )
        for place, row in enumerate(flagged.rows)
    }


def score_in_batches(model, table, origin, rows):
    found = {}
    for start in range(0, len(origin), rows):
        part = origin[start : start + rows]
        found.update(stored_values(model.score(take_rows(table, part)), part))
    return found


@pytest.fixture(scope="module")
def whole(model, strange_columns):
    origin = np.arange(1000)
    return score_in_batches(model, strange_columns, origin, 1000)


class TestSameMeans:
    def test_something_is_flagged_so_that_there_is_something_to_compare(self, whole):
        assert set(range(990, 1000)) <= set(whole)
        assert len(whole) < 100

    @pytest.mark.parametrize("rows", [1, 7, 256, 999])
    def test_batches_of_any_size_flag_the_same_rows_with_the_same_values(
        self, model, strange_columns, whole, rows
    ):
        assert score_in_batches(model, strange_columns, np.arange(1000), rows) == whole

    @pytest.mark.parametrize("seed", [0, 1, 2])
    def test_rows_in_any_order_are_flagged_with_the_same_values(
        self, model, strange_columns, whole, seed
    ):
        order = np.random.default_rng(seed).permutation(1000)
        assert score_in_batches(model, strange_columns, order, 300) == whole

    def test_a_row_is_flagged_alike_in_a_block_of_its_like_and_in_a_large_batch(
        self, model, strange_columns, whole
    ):
        repeated = np.resize(np.arange(1000), BLOCK_ROWS + 1500)
        scored = model.score(take_rows(strange_columns, repeated))
        assert stored_values(scored, repeated) == whole
        assert len(scored.flagged.rows) > 3 * len(whole)

    def test_another_dictionary_behind_the_strings_changes_nothing(
        self, model, strange_columns, whole
    ):
        table = dict(strange_columns)
        for name, column in strange_columns.items():
            if isinstance(column, TextColumn):
                values = np.array(["not used", *column.values[::-1]], dtype=object)
                codes = np.where(column.codes < 0, -1, len(column.values) - column.codes)
                table[name] = TextColumn(codes, values)
        assert score_in_batches(model, table, np.arange(1000), 1000) == whole

    def test_float32_columns_that_come_as_float64_change_nothing(
        self, model, strange_columns, whole
    ):
        wide = NumberColumn(strange_columns["price"].values.astype(np.float64))
        table = {**strange_columns, "price": wide}
        assert score_in_batches(model, table, np.arange(1000), 1000) == whole

    def test_the_fast_pass_agrees_with_the_exact_one_to_one_in_a_million(
        self, model, strange_columns
    ):
        scored = model.score(strange_columns)
        exact = model.exact_scores(strange_columns)
        np.testing.assert_allclose(scored.scores, exact, rtol=1e-4)
        assert (scored.is_anomaly == model.threshold.flags(exact)).all()
        assert (np.median(np.abs(scored.scores - exact) / exact)) < 1e-6

    def test_a_model_that_was_saved_and_loaded_flags_the_same_rows_with_the_same_values(
        self, stored, strange_columns, whole
    ):
        assert score_in_batches(unpack(stored), strange_columns, np.arange(1000), 1000) == whole


class TestScoring:
    def test_planted_anomalies_are_flagged_and_stand_highest(self, model, strange_columns):
        scored = model.score(strange_columns)
        assert scored.is_anomaly[-STRANGE_ROWS:].all()
        strangest = np.argsort(scored.scores)[-STRANGE_ROWS:]
        assert set(strangest) == set(range(990, 1000))
        assert set(scored.flagged.severities[-STRANGE_ROWS:]) == {"critical"}

    def test_flags_are_what_the_threshold_says(self, model, strange_columns):
        scored = model.score(strange_columns)
        assert (scored.is_anomaly == (scored.scores >= model.threshold.cut)).all()
        assert scored.flagged.rows.tolist() == np.flatnonzero(scored.is_anomaly).tolist()

    def test_no_rows_are_scored_to_nothing(self, model, columns):
        scored = model.score(take_rows(columns, slice(0, 0)))
        assert len(scored.scores) == len(scored.flagged.rows) == len(scored.flagged.reasons) == 0

    def test_input_is_not_changed(self, model, strange_columns):
        before = {
            name: (column.codes if isinstance(column, TextColumn) else column.values).tobytes()
            for name, column in strange_columns.items()
        }
        model.score(strange_columns)
        for name, column in strange_columns.items():
            now = column.codes if isinstance(column, TextColumn) else column.values
            assert now.tobytes() == before[name]

    def test_missing_and_unseen_values_are_counted_by_column_of_the_source(
        self, model, strange_columns
    ):
        flagged = model.score(strange_columns).flagged
        assert flagged.unseen_columns[-STRANGE_ROWS:].tolist() == [1] * STRANGE_ROWS
        assert flagged.missing_columns[-STRANGE_ROWS:].tolist() == [0] * STRANGE_ROWS

    def test_a_table_of_other_columns_is_refused(self, model, columns):
        with pytest.raises(InputError, match="has no column"):
            model.score({"amount": columns["amount"]})

    def test_the_input_contract_is_the_features_in_their_order(self, model, columns):
        assert [feature.name for feature in model.columns] == list(columns)


class TestFitting:
    def fit(self, model, columns, **changes):
        choices = {
            "name": "small",
            "encoding": EncodingSettings(text_buckets=8),
            "detector": DETECTORS["autoencoder"](),
            "threshold": FractionThreshold(0.1),
            "reasons": 1,
            "seed": 1,
            "rows_per_day": None,
            "provenance": {},
        }
        return fit_model(columns, model.columns, **{**choices, **changes})

    def test_one_row_is_too_few(self, model, columns):
        with pytest.raises(InputError, match=r"at least 2 rows.*got 1"):
            self.fit(model, take_rows(columns, slice(0, 1)))

    def test_rows_that_are_all_alike_are_degenerate(self, model, columns):
        alike = take_rows(columns, np.zeros(100, dtype=np.int64))
        with pytest.raises(ModelError, match="degenerate"):
            self.fit(model, alike)

    def test_the_last_fifth_calibrates_the_cut_that_is_asked_for(self, model, columns):
        few = take_rows(columns, slice(0, 200))
        small = self.fit(model, few, threshold=FixedThreshold(0.5))
        assert len(small.threshold.calibration) == 40
        assert small.provenance["rows"] == {"fit": 160, "calibration": 40}
        assert small.threshold.cut == 0.5

    def test_known_anomalies_calibrate_and_what_they_hold_is_not_learned(self, model, columns):
        few, learnable = take_rows(columns, slice(0, 200)), np.ones(200, dtype=np.bool_)
        learnable[::10] = False
        marked = self.fit(model, few, learns_from=learnable)
        assert marked.provenance["rows"] == {"fit": 144, "calibration": 40}
        assert len(marked.threshold.calibration) == 40
        others = np.where(learnable | (np.arange(200) >= 160), np.arange(200), 7)
        same = self.fit(model, take_rows(few, others), learns_from=learnable)
        assert pack(same) == pack(marked)

    def test_a_sample_of_known_anomalies_alone_is_refused(self, model, columns):
        few, learnable = take_rows(columns, slice(0, 200)), np.zeros(200, dtype=np.bool_)
        with pytest.raises(InputError, match="got 160 that are all known anomalies"):
            self.fit(model, few, learns_from=learnable)

    def test_the_same_seed_gives_the_same_model_and_another_seed_another(self, model, columns):
        few = take_rows(columns, slice(0, 200))
        one, same, other = (pack(self.fit(model, few, seed=seed)) for seed in (1, 1, 2))
        assert one == same
        assert one.model_id != other.model_id


def test_a_low_cut_is_screened_by_the_error_that_a_score_of_the_thresholds_size_can_have(model):
    low, own = model.threshold.cut / 1000.0, model.threshold.cut
    screened = model._screened_at(np.asarray([low, own, np.inf, -np.inf]))
    error = own * model.screen_margin
    assert screened.tolist() == [low - error, own - error, np.inf, -np.inf]
