"""Whatever stands in the file: it is a configuration, or one error that says what is wrong."""

from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from adlib.config import Config, load_config
from adlib.config.wording import yaml_text
from adlib.config.yaml_places import read_yaml
from adlib.errors import ConfigError

LEAST = """name: payments
source: {path: data/payments}
output: {path: out}
work: {path: work}
"""


class TestYaml:
    @pytest.mark.parametrize(
        ("text", "problem"),
        [
            (LEAST + "seed: 1\nseed: 2\n", "line 6: seed stands already in line 5"),
            (LEAST + "work: {path: a, path: b}\n", "line 5: work stands already in line 4"),
            (
                LEAST + "sample: {rows: 5, rows: 6}\n",
                "line 5: sample.rows stands already in line 5",
            ),
            ("- a\n- b\n", "line 1: expected keys and values"),
            ("name: [a\n", "line 2: "),
            ("name: a\n  b: c\n", "line 2: "),
            ("a: *b\n", "line 1: found undefined alias"),
            ("a: !!python/object:os.system {}\n", "line 1: could not determine a constructor"),
            ("a: 1\n---\nb: 2\n", "line 2: but found another document"),
            ("a: \0\n", "unacceptable character"),
            ("a: !!int ''\n", "cannot be read as YAML"),
            ("a: !!bool perhaps\n", "cannot be read as YAML"),
            ("a: !!timestamp soon\n", "cannot be read as YAML"),
            ("a: 2024-13-45\n", "month must be in 1..12"),
            (f"a: {'9' * 5000}\n", "cannot be read as YAML"),
            ("a: &a [*a]\n", "nested too deeply, or an alias stands inside itself"),
            ("a: " + "[" * 5000 + "]" * 5000 + "\n", "nested too deeply"),
            ("a: 1\n" * 200_001, "the file has more than 1,000,000 characters"),
            ("? [a, b]\n: c\n", "line 1: found unhashable key"),
        ],
    )
    def test_what_is_wrong_with_the_file_itself_is_said(self, refusal, text, problem):
        (found,) = refusal(text)
        assert problem in found

    @pytest.mark.parametrize("word", ["true1", "falsehood", "Trueness", "on", "no"])
    def test_a_word_that_begins_like_true_or_false_is_a_word(self, word):
        assert read_yaml(f"a: {word}").values == {"a": word}

    def test_aliases_that_grow_without_bound_are_refused_at_once(self, refusal):
        levels = "".join(
            f"l{level}: &l{level} [{', '.join([f'*l{level - 1}'] * 9)}]\n" for level in range(1, 10)
        )
        bomb = "l0: &l0 [x, x, x, x, x, x, x, x, x]\n" + levels
        assert "its aliases written out, holds more than" in refusal(LEAST + bomb)[0]
        merges = "m0: &m0 {a: 1}\n" + "".join(
            f"m{level}: &m{level} {{<<: [{', '.join([f'*m{level - 1}'] * 9)}]}}\n"
            for level in range(1, 10)
        )
        assert "its aliases written out, holds more than" in refusal(LEAST + merges)[0]

    def test_a_few_aliases_are_fine(self, load):
        text = LEAST.replace("work: {path: work}", "work: &place {path: work}\nmodels: *place")
        assert load(text).models.path == Path("work")

    def test_every_key_has_its_line(self):
        placed = read_yaml("a:\n  b: 1\n  c:\n    - x\n    - d: 2\n")
        assert placed.lines[("a", "b")] == 2
        assert placed.lines[("a", "c", 0)] == 4
        assert placed.lines[("a", "c", 1, "d")] == 5

    def test_a_file_that_cannot_be_read_is_named(self, tmp_path):
        with pytest.raises(ConfigError, match=r"absent\.yaml cannot be read"):
            load_config(tmp_path / "absent.yaml")
        with pytest.raises(ConfigError, match="cannot be read"):
            load_config(tmp_path)
        (tmp_path / "latin.yaml").write_bytes(b"name: caf\xe9\n")
        with pytest.raises(ConfigError, match="Give --config an UTF-8 file"):
            load_config(tmp_path / "latin.yaml")


TREE = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.text(max_size=8),
        st.dates(),
        st.sampled_from(["auto", "1d", "count", "budget", "dt", "UTC", "parquet"]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.one_of(
                st.sampled_from(sorted(Config.model_fields)),
                st.sampled_from(["path", "kind", "key", "keep", "numeric", "by", "of", "over"]),
                st.text(max_size=4),
                st.integers(),
            ),
            inner,
            max_size=4,
        ),
    ),
    max_leaves=12,
)
TREES = st.fixed_dictionaries({}, optional=dict.fromkeys(Config.model_fields, TREE))


class TestNothingCrashes:
    def load_or_refuse(self, directory, text):
        file = directory / "config.yaml"
        file.write_text(text, "utf-8", "surrogatepass")
        try:
            load_config(file)
        except ConfigError as error:
            said = str(error)
        else:
            said = "a configuration"
        assert said

    @given(TREES)
    @settings(max_examples=150)
    def test_any_tree_is_a_configuration_or_refused(self, tmp_path_factory, tree):
        directory = tmp_path_factory.getbasetemp()
        self.load_or_refuse(directory, LEAST.replace("name: ", "# ") + yaml_text(tree))
        self.load_or_refuse(directory, yaml_text({"name": "a", "work": {"path": "w"}, **tree}))

    @given(st.text(alphabet=st.characters(exclude_categories=["Cs"])))
    @example("a: !!float x\n")
    @example("<<: 3\n")
    @example("a: 0x\n")
    @example("a: ._\n")
    @example("a: 1:99\n")
    @example("a: 0001-01-01T00:00:00+23:59\n")
    @settings(max_examples=150)
    def test_any_text_is_a_configuration_or_refused(self, tmp_path_factory, text):
        self.load_or_refuse(tmp_path_factory.getbasetemp(), text)
        self.load_or_refuse(tmp_path_factory.getbasetemp(), LEAST + text)

    @given(st.text(), st.text())
    @settings(max_examples=100)
    def test_any_setting_is_taken_or_refused_by_its_name(self, tmp_path_factory, key, value):
        file = tmp_path_factory.getbasetemp() / "config.yaml"
        file.write_text(LEAST)
        said = "--set"
        try:
            load_config(file, [f"{key}={value}"])
        except ConfigError as error:
            said = str(error)
        assert "--set" in said
