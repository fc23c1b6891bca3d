"""Hostile models: each is refused with exit code 4 and one sentence, before it is built."""

import pytest

from adlib.artifacts import StoredModel, unpack
from adlib.cli import main
from adlib.errors import ModelError
from adlib.registry import Registry
from tests.corpus.models import (
    FILES,
    HEADERS,
    PARTS,
    POINTERS,
    sealed,
    wrong_fields,
    wrong_tensors,
)

CONFIG = "name: payments\nsource: {path: s}\noutput: {path: o}\nwork: {path: w}\n"


@pytest.fixture
def registry(tmp_path, stored, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    (tmp_path / "config.yaml").write_text(CONFIG)
    made = Registry(tmp_path / "models" / "payments")
    made.add(stored)
    return made


@pytest.fixture
def refused(capfd):
    """Run a command of the registry; return the sentence with which it was refused."""

    def refused(command):
        capfd.readouterr()
        assert main(["models", *command.split(), "--config", "config.yaml"]) == 4
        errors = capfd.readouterr().err
        assert "Traceback" not in errors
        *_, last = errors.splitlines()
        assert last.endswith("(exit code 4)")
        return last

    return refused


@pytest.mark.parametrize("spoil", FILES.values(), ids=FILES)
def test_files_that_are_no_model_are_refused(registry, stored, refused, spoil):
    spoil(registry.root / stored.model_id)
    assert "refused" in refused(f"show {stored.model_id}")
    assert "1 of 1 models are refused" in refused("verify")
    assert main(["models", "list", "--config", "config.yaml"]) == 0


def test_files_that_are_links_to_the_same_bytes_are_that_model(registry, stored):
    directory = registry.root / stored.model_id
    for name in ("model.json", "tensors.safetensors"):
        (directory / name).rename(registry.root.parent / name)
        (directory / name).symlink_to(registry.root.parent / name)
    assert registry.load(stored.model_id) == stored


@pytest.mark.parametrize("changes", PARTS.values(), ids=PARTS)
def test_parts_that_do_not_fit_are_refused_though_they_are_sealed(stored, changes):
    with pytest.raises(ModelError):
        unpack(sealed(stored, changes))


def test_fields_of_another_type_are_refused_though_they_are_sealed(stored):
    for what, changes in wrong_fields(stored):
        try:
            unpack(sealed(stored, changes))
        except ModelError:
            continue
        pytest.fail(f"{what}, and the model was built")


def test_tensors_that_do_not_fit_are_refused_though_they_are_sealed(stored):
    for what, tensors in wrong_tensors(stored):
        try:
            unpack(sealed(stored, {}, tensors))
        except ModelError:
            continue
        pytest.fail(f"{what}, and the model was built")


@pytest.mark.parametrize("tensors", HEADERS.values(), ids=HEADERS)
def test_tensors_that_are_none_are_refused_though_they_are_sealed(stored, tensors):
    with pytest.raises(ModelError):
        unpack(sealed(stored, {}, tensors))


@pytest.mark.parametrize("make", POINTERS.values(), ids=POINTERS)
def test_a_pointer_that_is_none_is_refused_and_leaves_the_models(registry, stored, make):
    make(registry.root / "promoted.json")
    with pytest.raises(ModelError):
        registry.load()
    registry.load(stored.model_id)


@pytest.mark.parametrize(
    "model_id",
    ["..", ".", "/", "/etc", "../payments", "\0", "\ud800", "x" * 5000, "*", "promoted.json"],
)
def test_an_id_that_is_none_is_refused(registry, capfd, model_id):
    assert main(["models", "show", model_id, "--config", "config.yaml"]) == 4
    assert "There is no model" in capfd.readouterr().err.splitlines()[-1]
    assert isinstance(registry.load(*registry.ids()), StoredModel)
