"""A configuration is read whole: into one frozen value, or into one error with every problem."""

import dataclasses
from datetime import date
from pathlib import Path

import pytest

from adlib.config import load_config
from adlib.config.detectors import DETECTOR_KINDS
from adlib.detectors import DETECTORS, settings_from_plain
from adlib.outputs import RESERVED_NAMES
from tests.unit.conftest import LEAST

CONF = Path(__file__).parents[2] / "conf"
OURS = "a name of our outputs; rename the column in the source"


class TestShippedConfigurations:
    @pytest.mark.parametrize("name", ["traffic", "transactions", "medical"])
    def test_it_loads(self, name):
        assert load_config(CONF / f"{name}.yaml").detector.kind in {"autoencoder", "blend"}

    def test_all_of_them_are_tested(self):
        names = {file.stem for file in CONF.glob("*.yaml")}
        assert names == {"traffic", "transactions", "medical"}

    def test_the_windows_of_the_transactions_are_as_written(self):
        config = load_config(CONF / "transactions.yaml")
        assert config.windows[0].over == ("30d",)
        assert config.windows[1].take == ("count", "gap")
        assert config.train.on == "driver"


class TestDefaults:
    def test_four_keys_are_enough(self, load):
        config = load(LEAST)
        assert config.seed == 7
        assert config.features == "auto"
        assert config.sample.rows == 200_000
        assert config.threshold.parameters == {"fraction": 0.005}
        assert config.explain.top == 3
        assert config.models.path == Path("models")

    def test_a_configuration_never_changes(self, load):
        with pytest.raises(ValueError, match="frozen"):
            load(LEAST).seed = 8

    def test_what_was_flagged_is_not_learned_from_unless_told_otherwise(self, load):
        train = load(LEAST).train
        assert train.exclude_flagged
        assert train.exclude_dates == ()
        assert train.feedback is None

    def test_excluded_dates_and_feedback_are_as_written(self, load):
        train = load(
            LEAST.replace("payments}", "payments, event_time: at}")
            + "train:\n"
            + "  exclude_dates: [{from: 2026-03-01, to: 2026-03-01}]\n"
            + "  feedback: {path: verdicts.csv, format: csv}\n"
        ).train
        (dates,) = train.exclude_dates
        assert (dates.first, dates.last) == (date(2026, 3, 1), date(2026, 3, 1))
        assert train.feedback is not None
        assert (train.feedback.path, train.feedback.format) == ("verdicts.csv", "csv")

    @pytest.mark.parametrize("kind", DETECTORS)
    def test_the_keys_of_a_detector_are_its_hyper_parameters(self, load, kind):
        fields = {field.name for field in dataclasses.fields(DETECTORS[kind])}
        assert set(DETECTOR_KINDS[kind].model_fields) - {"kind"} == fields
        sequence = "sequence: {by: card, order: number}\n"
        given = load(LEAST + sequence + f"detector: {{kind: {kind}}}\n").detector
        given_keys = given.model_dump(exclude={"kind"}, exclude_none=True)
        assert settings_from_plain(kind, given_keys) == DETECTORS[kind]()

    def test_options_of_the_reader_are_words(self, load):
        text = LEAST.replace("payments}", "payments, options: {header: true, sep: ;, n: 3}}")
        assert load(text).source.options == {"header": "true", "sep": ";", "n": "3"}

    def test_words_that_old_yaml_takes_for_booleans_are_words(self, load):
        text = LEAST.replace("payments}", "payments, keep: [on, no, y], key: [off]}")
        source = load(text + "train: {on: executor}\n").source
        assert source.keep == ("on", "no", "y")
        assert source.key == ("off",)
        assert load(LEAST.replace("out}", "out, scores: yes}")).output.scores is True


class TestProblems:
    @pytest.mark.parametrize(
        ("added", "problem"),
        [
            ("thresold: {}", "line 5: unknown key 'thresold'; did you mean 'threshold'?"),
            ("sample: {row: 5}", "line 5: unknown key 'sample.row'; did you mean 'rows'?"),
            (
                "windows: [{by: a, ovr: 1d}]",
                "line 5: unknown key 'windows.0.ovr'; did you mean 'over'?",
            ),
            (
                "features: {numric: []}",
                "line 5: unknown key 'features.numric'; did you mean 'numeric'?",
            ),
            ("zzz: 1", "line 5: unknown key 'zzz'"),
            ("1: 2", "line 5: 1: expected keys that are text; found 1"),
        ],
    )
    def test_an_unknown_key_is_refused_with_the_nearest_known_one(self, refusal, added, problem):
        assert problem in refusal(LEAST + added)

    @pytest.mark.parametrize(
        ("added", "problem"),
        [
            ("seed: x", "seed: expected a whole number; found x"),
            ("seed: [1]", "seed: expected a whole number; found [1]"),
            ("sample: 5", "sample: expected keys and values, such as {rows: 200000}; found 5"),
            ("detector: 5", "expected keys and values, such as {kind: blend}; found 5"),
            ("seed: -1", "seed: expected at least 0; found -1"),
            ("features: all", "features: expected auto, or lists of columns"),
            ("features: [a]", "features: expected auto, or lists of columns"),
            ("features: {numeric: a}", "features.numeric: expected a list such as [a, b]; found a"),
            ("features: {numeric: [a], text: [a]}", "'a' stands in more than one list"),
            ("windows: [{by: a, over: 7w, take: count}]", "'7w': a length is a whole number and"),
            ('windows: [{by: a, over: "7d\\n", take: count}]', "a length is a whole number and"),
            ("windows: [{by: a, over: 7d, take: mean}]", "take mean needs 'of'"),
            (
                "windows: [{by: a, over: 7d, take: median}]",
                "take.0: expected one of count, sum, mean",
            ),
            ("sample: {rows: 1}", "sample.rows: expected at least 2; found 1"),
            ("explain: {top: 4}", "explain.top: expected at most 3; found 4"),
            ("explain: {limit: 0}", "explain.limit: expected at least 1; found 0"),
            (
                "detector: {kind: forest}",
                "expected a kind that is one of autoencoder, blend,",
            ),
            (
                "detector: {kind: isolaton_forest}",
                "found {kind: isolaton_forest}; did you mean 'isolation_forest'?",
            ),
            ("threshold: {kind: top}", "found top; did you mean 'top_k'?"),
            ("detector: {members: 1}", "detector.members: expected at least 2; found 1"),
            ("detector: {kind: knn, kept_rows: 0}", "detector.kept_rows: expected at least 1"),
            (
                "detector: {kind: gmm, components: 3}",
                "unknown key 'detector.components'; did you mean 'most_components'?",
            ),
            ("detector: {kind: histogram, bins: 3}", "unknown key 'detector.bins'"),
            (
                "detector: {kind: dense_autoencoder, layer: [8]}",
                "unknown key 'detector.layer'; did you mean 'layers'?",
            ),
            (
                "detector: {kind: dense_autoencoder, layers: [8, 0]}",
                "detector.layers.1: expected at least 1; found 0",
            ),
            (
                "detector: {kind: dense_autoencoder, layers: []}",
                "detector.layers: expected at least one entry; found []",
            ),
            ("encoding: {scale: log}", "minmax, robust or quantile; found log"),
            ("alert: {times_asked: 1}", "alert.times_asked: expected more than 1; found 1"),
            ("threshold: {kind: fixed}", "threshold: kind fixed takes value; found neither"),
            ("threshold: {kind: top_k}", "threshold: kind top_k takes k; found neither"),
            (
                "threshold: {kind: fdr, value: 1.5}",
                "threshold: the value of fdr lies between 0 and 1; found 1.5",
            ),
            ("threshold: {kind: zscore, fraction: 0.1}", "takes value; found fraction"),
            ("threshold: {fraction: 0.1, rows_a_day: 5}", "takes fraction or rows_a_day"),
            ("threshold: {kind: percentile, value: 100}", "between 0 and 100; found 100"),
            ("threshold: {kind: fixed, value: .nan}", "finite number; found .nan"),
            ("threshold: {rows_a_day: .inf}", "finite number; found .inf"),
            ("threshold: {fraction: 1.0}", "less than 1; found 1.0"),
            (
                "train: {until: yesterday}",
                "train.until: expected a date written YYYY-MM-DD; found yesterday",
            ),
            (
                "train: {exclude_dates: [{from: 2026-03-05, to: 2026-03-01}]}",
                "train.exclude_dates.0: from 2026-03-05 is later than to 2026-03-01; exchange them",
            ),
            (
                "train: {exclude_dates: [{from: soon, to: 2026-03-01}]}",
                "train.exclude_dates.0.from: expected a date written YYYY-MM-DD; found soon",
            ),
            (
                "train: {exclude_dates: [{from: 2026-03-01, to: 2026-03-01, form: 1}]}",
                "unknown key 'train.exclude_dates.0.form'; did you mean 'from'?",
            ),
            (
                "train: {feedback: {path: a.json, format: json}}",
                "train.feedback.format: expected one of parquet or csv; found json",
            ),
            ("evaluate: {by: 3}", "evaluate.by: expected text; found 3"),
        ],
    )
    def test_a_wrong_value_is_named_with_its_line(self, refusal, added, problem):
        (found,) = refusal(LEAST.replace("payments}", "payments, event_time: at}") + added)
        assert found.startswith("line 5: ")
        assert problem in found
        assert "nput should" not in found

    @pytest.mark.parametrize("zone", ["Nowhere/Atlantis", "Europe", "x" * 400, "../UTC", "\\0"])
    def test_a_time_zone_that_is_none_is_refused(self, refusal, zone):
        (found,) = refusal(LEAST.replace("payments}", f'payments, timezone: "{zone}"}}'))
        assert "is no time zone" in found

    def test_missing_keys_are_named(self, refusal):
        assert refusal("name: a\nsource: {format: csv}\n") == [
            "line 2: 'source.path' is missing",
            "line 1: 'output' is missing",
            "line 1: 'work' is missing",
        ]

    @pytest.mark.parametrize("text", ["", "# nothing\n", "null\n"])
    def test_an_empty_file_misses_what_is_needed(self, refusal, text):
        assert "'name' is missing" in " ".join(refusal(text))

    @pytest.mark.parametrize("name", ["", "../up", "a b", "x" * 65, ".hidden"])
    def test_a_name_that_is_no_directory_name_is_refused(self, refusal, name):
        (found,) = refusal(LEAST.replace("name: payments", f'name: "{name}"'))
        assert found.startswith("line 1: name: ")

    def test_a_very_long_value_is_not_repeated_whole(self, refusal):
        (found,) = refusal(LEAST.replace("name: payments", f"name: {'x' * 5000}"))
        assert len(found) < 400


class TestContradictions:
    WRONG = """name: payments
seed: many
source:
  path: data
  key: [id, DT]
  label: fraud
  keep: [ID, reason]
features:
  numeric: [amount, fraud]
  categorical: ["{odd}", id]
windows:
  - {by: fraud, over: 1d, take: count}
train: {until: 2020-01-01, exclude_dates: [{from: 2020-01-01, to: 2020-01-02}]}
output: {path: out}
wrk: {path: work}
"""

    def test_every_problem_is_in_one_message_with_its_line(self, refusal):
        found = refusal(self.WRONG)
        expected = [
            "line 2: seed: expected a whole number; found many",
            "line 1: 'work' is missing",
            "line 15: unknown key 'wrk'; did you mean 'work'?",
        ]
        for said in expected:
            assert any(problem.startswith(said) for problem in found)

    def test_columns_that_contradict_one_another_are_each_named_with_their_line(self, refusal):
        text = self.WRONG.replace("wrk", "work")
        assert refusal(text)[1:] == [
            f"line 5: source.key: 'DT' is {OURS}",
            "line 7: source.keep: 'ID' stands twice in key and keep; once is enough",
            f"line 7: source.keep: 'reason' is {OURS}",
            "line 9: features.numeric: 'fraud' is the label; take it out of one of them",
            "line 10: features.categorical: 'id' is part of the key; take it out of one of them",
            "line 12: windows.0: 'fraud' is the label; training never reads it",
            "line 11: windows: needs source.event_time, the column that says when",
            "line 13: train.until: needs source.event_time, the column that says when",
            "line 13: train.exclude_dates: needs source.event_time, the column that says when",
        ]
        assert refusal(text.replace("many", "7")) == refusal(text)[1:]

    @pytest.mark.parametrize("part", ["key", "keep"])
    @pytest.mark.parametrize("name", sorted(RESERVED_NAMES))
    def test_no_column_may_have_a_name_of_our_outputs(self, refusal, part, name):
        (found,) = refusal(LEAST.replace("payments}", f"payments, {part}: [{name}]}}"))
        assert f"'{name}' is a name of our outputs" in found

    @pytest.mark.parametrize(
        ("source", "why"),
        [
            ("label: '{a}'", "the label"),
            ("exclude: ['{a}']", "excluded"),
            ("keep: ['{a}']", "kept, and kept columns are no features"),
            ("key: ['{a}']", "part of the key"),
        ],
    )
    def test_a_feature_may_be_nothing_else_and_its_name_may_hold_braces(self, refusal, source, why):
        text = LEAST.replace("payments}", f"payments, {source}}}") + "features: {text: ['{a}']}\n"
        (found,) = refusal(text)
        assert found == f"line 5: features.text: '{{a}}' is {why}; take it out of one of them"

    def test_what_evaluate_is_by_is_no_feature(self, refusal):
        (found,) = refusal(LEAST + "features: {text: [kind]}\nevaluate: {by: kind}\n")
        assert "'kind' is what evaluate is by" in found

    def test_windows_of_the_label_are_refused(self, refusal):
        text = LEAST.replace("payments}", "payments, label: fraud, event_time: at}")
        added = "windows: [{by: card, of: fraud, over: 1d, take: mean}]\n"
        assert refusal(text + added) == [
            "line 5: windows.0: 'fraud' is the label; training never reads it"
        ]


class TestSettings:
    @pytest.mark.parametrize(
        ("setting", "read"),
        [
            ("seed=9", lambda config: config.seed == 9),
            ("threshold.fraction=0.01", lambda config: config.threshold.fraction == 0.01),
            ("source.key=[a, b]", lambda config: config.source.key == ("a", "b")),
            ("features={numeric: [a]}", lambda config: config.features.numeric == ("a",)),
            ("features.numeric=[a]", lambda config: config.features.numeric == ("a",)),
            ("source.options.sep='='", lambda config: config.source.options == {"sep": "="}),
            ("source.path=s=3", lambda config: config.source.path == "s=3"),
            ("source.label=", lambda config: config.source.label is None),
            ("output.scores=true", lambda config: config.output.scores),
        ],
    )
    def test_a_setting_is_read_as_yaml_and_wins(self, load, setting, read):
        assert read(load(LEAST, setting))

    def test_of_two_settings_the_later_wins(self, load):
        assert load(LEAST, "seed=1", "seed=2").seed == 2

    def test_a_date_may_be_set(self, load):
        text = LEAST.replace("payments}", "payments, event_time: at}")
        assert load(text, "train.until=2018-07-01").train.until == date(2018, 7, 1)

    @pytest.mark.parametrize(
        ("setting", "problem"),
        [
            ("seed", "--set seed: expected key.path=value"),
            ("=3", "--set =3: expected key.path=value"),
            ("a..b=3", "--set a..b=3: expected key.path=value"),
            ("seed=[", "--set seed=[: line 1: "),
            ("seed=\0", "unacceptable character"),
            ("seed=x", "--set seed: expected a whole number; found x"),
            ("threshold=top_k", "--set threshold: expected keys and values, such as {kind: budget"),
            ("sead=3", "--set sead: unknown key 'sead'; did you mean 'seed'?"),
            ("sample.rows.more=3", "--set sample.rows: expected a whole number; found {more: 3}"),
        ],
    )
    def test_a_wrong_setting_is_named_as_the_place(self, refusal, setting, problem):
        found = refusal(LEAST, setting)
        assert any(problem in line for line in found)

    def test_a_list_is_set_whole(self, refusal):
        text = LEAST.replace("payments}", "payments, event_time: at}")
        text += "windows: [{by: a, over: 1d, take: count}]\n"
        (found,) = refusal(text, "windows.0.by=b")
        assert found.endswith("windows is a list; set all of it, as in windows=[...]")
