"""Models are found by their id, never change, and one of them is promoted."""

import json
import shutil
from dataclasses import replace

import pytest

from adlib.artifacts import pack
from adlib.cli import main
from adlib.errors import ModelError
from adlib.registry import Registry


@pytest.fixture
def registry(tmp_path):
    return Registry(tmp_path / "models")


@pytest.fixture(scope="module")
def other(model):
    return pack(replace(model, name="other"))


def names_of(directory):
    return sorted(entry.name for entry in directory.iterdir())


def test_a_registry_that_does_not_exist_yet_is_empty(registry):
    assert registry.ids() == ()
    assert registry.promoted() is None


def test_models_are_listed_by_id_and_nothing_else_is_left(registry, stored, other):
    for model in (stored, other):
        assert registry.add(model).name == model.model_id
    assert registry.ids() == tuple(sorted((stored.model_id, other.model_id)))
    assert names_of(registry.root) == list(registry.ids())


def test_adding_a_model_again_leaves_its_first_provenance(registry, model, stored):
    registry.add(stored)
    registry.add(pack(replace(model, provenance={"trained_at": "later"})))
    assert registry.load(stored.model_id) == stored
    assert names_of(registry.root) == [stored.model_id]


def test_training_again_puts_an_altered_model_right(registry, stored):
    directory = registry.add(stored)
    (directory / "tensors.safetensors").write_bytes(stored.tensors[:-1])
    with pytest.raises(ModelError, match="altered or cut short"):
        registry.load(stored.model_id)
    registry.add(stored)
    assert registry.load(stored.model_id) == stored
    assert names_of(registry.root) == [stored.model_id]


def test_a_disk_that_refuses_is_not_taken_for_a_model_that_is_there(registry, stored, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("adlib.registry.write_model", full)
    with pytest.raises(OSError, match="No space left"):
        registry.add(stored)
    assert registry.ids() == ()


def test_the_promoted_model_is_the_one_that_is_loaded(registry, stored, other):
    for model in (stored, other):
        registry.add(model)
        registry.promote(model.model_id)
    assert registry.promoted() == other.model_id
    assert registry.load() == other
    assert registry.load(stored.model_id) == stored


def test_without_a_promoted_model_the_message_says_what_to_do(registry, stored):
    registry.add(stored)
    with pytest.raises(ModelError, match=r"No model is promoted.*adlib models list"):
        registry.load()


@pytest.mark.parametrize("name", ["0123456789abcdef", "../models", ".", "a/b"])
def test_a_model_that_is_not_there_is_refused_with_those_that_are(registry, stored, name):
    registry.add(stored)
    with pytest.raises(ModelError, match=f"There is no model .*found: {stored.model_id}"):
        registry.load(name)


def test_an_altered_model_is_not_promoted(registry, stored, other):
    registry.add(other)
    registry.promote(other.model_id)
    directory = registry.add(stored)
    (directory / "model.json").write_bytes(stored.document.replace(b"payments", b"Payments"))
    with pytest.raises(ModelError, match="does not match its digest"):
        registry.promote(stored.model_id)
    assert registry.promoted() == other.model_id


@pytest.mark.parametrize("content", [b"", b"{}", b"[1]", b"\xff", b'{"id"'])
def test_a_pointer_that_cannot_be_read_is_refused_with_what_to_do(registry, stored, content):
    registry.add(stored)
    (registry.root / "promoted.json").write_bytes(content)
    with pytest.raises(ModelError, match="adlib models promote"):
        registry.load()


class TestListing:
    """`adlib models list`: what score would refuse is told, and the list is one all the same."""

    @pytest.fixture
    def listed(self, tmp_path, capsys):
        (tmp_path / "source").mkdir()
        places = {"source": "source", "output": "out", "work": "work", "models": "models"}
        lines = (f"{key}: {{path: {tmp_path / name}}}" for key, name in places.items())
        (tmp_path / "my.yaml").write_text("\n".join(["name: payments", *lines]), "utf-8")

        def listed():
            code = main(["models", "list", "--config", str(tmp_path / "my.yaml"), "--json"])
            said = capsys.readouterr()
            table, line = said.out.rstrip("\n").rpartition("\n")[::2]
            return code, table, json.loads(line), said.err

        return listed

    @pytest.fixture
    def promoted(self, tmp_path, stored, other):
        registry = Registry(tmp_path / "models" / "payments")
        registry.add(other)
        directory = registry.add(stored)
        registry.promote(stored.model_id)
        return directory

    def test_an_altered_model_that_is_promoted_is_refused(self, listed, promoted, other):
        assert listed()[3] == ""
        (promoted / "tensors.safetensors").write_bytes(b"altered")
        code, table, plain, said = listed()
        assert code == 0
        assert "promoted, refused" in table
        assert "altered or cut short" in table
        assert (plain["models"], plain["refused"]) == ([other.model_id], [promoted.name])
        assert f"The promoted model {promoted.name} is refused" in said

    def test_a_promoted_model_that_is_gone_is_missed(self, listed, promoted):
        shutil.rmtree(promoted)
        code, table, plain, said = listed()
        assert (code, plain["promoted"], plain["refused"]) == (0, promoted.name, [promoted.name])
        assert f"There is no model '{promoted.name}'" in " ".join(table.split())
        assert f"The promoted model {promoted.name} is refused" in said

    def test_an_altered_model_that_is_not_promoted_is_told_of(self, listed, promoted, other):
        (promoted.parent / other.model_id / "model.json").write_bytes(b"{}")
        _, table, plain, said = listed()
        assert (plain["refused"], said) == ([other.model_id], "")
        assert f"The model at {promoted.parent / other.model_id} is refused" in table
