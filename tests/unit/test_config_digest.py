"""What of a configuration decides the results, and what a sequence has to say."""

import json

import pytest

from adlib.config import Config, config_digest, json_schema
from tests.unit.conftest import LEAST


class TestDigest:
    def test_where_things_are_does_not_matter(self, load):
        moved = LEAST.replace("data/payments", "elsewhere").replace("out}", "other}")
        assert config_digest(load(LEAST)) == config_digest(load(moved + "models: {path: m}\n"))

    def test_where_the_feedback_is_does_not_change_it_but_that_there_is_one_does(self, load):
        here, there = (f"train.feedback.path={place}" for place in ("here", "there"))
        assert config_digest(load(LEAST, here)) == config_digest(load(LEAST, there))
        assert config_digest(load(LEAST, here)) != config_digest(load(LEAST))

    @pytest.mark.parametrize(
        "setting",
        ["seed=8", "threshold.fraction=0.1", "source.label=x", "train.exclude_flagged=false"],
    )
    def test_what_decides_the_results_does(self, load, setting):
        assert config_digest(load(LEAST)) != config_digest(load(LEAST, setting))

    def test_the_json_schema_names_every_key(self):
        schema = json.loads(json.dumps(json_schema()))
        assert set(schema["properties"]) == set(Config.model_fields)
        assert schema["additionalProperties"] is False


class TestSequences:
    TIMED = LEAST.replace("data/payments}", "data/payments, event_time: at, label: fraud}")

    @pytest.mark.parametrize("kind", ["conv_autoencoder", "recurrent_autoencoder"])
    def test_a_detector_that_reads_the_past_needs_a_sequence(self, load, refusal, kind):
        detector = f"detector: {{kind: {kind}}}\n"
        (found,) = refusal(self.TIMED + detector)
        assert found == (
            f"line 5: detector.kind: {kind} judges an event by those before it and needs a section "
            "sequence, such as {by: CUSTOMER, length: 8}"
        )
        assert load(self.TIMED + detector + "sequence: {by: card}").sequence.length == 8

    def test_a_detector_of_single_rows_takes_one_so_that_both_can_be_compared(self, load):
        assert load(self.TIMED + "sequence: {by: card, within: 7d}").sequence.within == "7d"

    def test_without_a_time_something_else_has_to_say_what_came_first(self, load, refusal):
        (found,) = refusal(LEAST + "sequence: {by: card}")
        assert found == (
            "line 5: sequence: needs order, the column that says which event came first, or "
            "source.event_time"
        )
        assert load(LEAST + "sequence: {by: card, order: number}").sequence.order == "number"

    @pytest.mark.parametrize(
        ("section", "said"),
        [
            ("{by: fraud}", "'fraud' is the label; training never reads it"),
            ("{by: card, order: fraud}", "'fraud' is the label; training never reads it"),
            ("{by: card, length: 1}", "sequence.length: expected at least 2"),
            ("{by: card, within: soon}", "'soon': a length is a whole number and m, h or d"),
            ("{by: card, lenght: 4}", "did you mean 'length'?"),
            ("8", "expected keys and values, such as {by: CUSTOMER, length: 8}"),
        ],
    )
    def test_what_cannot_be_meant_is_refused(self, refusal, section, said):
        (found,) = refusal(self.TIMED + f"sequence: {section}")
        assert said in found
