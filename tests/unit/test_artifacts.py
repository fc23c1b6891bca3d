"""A stored model comes back as it was, or not at all."""

import json
from dataclasses import replace

import numpy as np
import pytest
from safetensors.numpy import save

from adlib.artifacts import (
    FORMAT_VERSION,
    StoredModel,
    _canonical,
    _digest,
    construct,
    document_of,
    pack,
    read_model,
    take_apart,
    unpack,
    write_model,
)
from adlib.errors import ModelError


def sealed(stored, **changes):
    """Change a document and seal it again, as somebody who knows the format could."""
    document = json.loads(stored.document)
    del document["digest"]
    document.update(changes)
    return replace(
        stored, document=_canonical({**document, "digest": _digest(_canonical(document))})
    )


def with_tensors(stored, tensors):
    return sealed(replace(stored, tensors=tensors), tensors_digest=_digest(tensors))


def altered(content, place, change):
    changed = bytearray(content)
    changed[place] ^= change
    return bytes(changed)


class TestRoundTrip:
    def test_a_model_comes_back_from_a_directory_as_it_was(self, model, stored, tmp_path):
        write_model(stored, tmp_path / stored.model_id)
        again = unpack(read_model(tmp_path / stored.model_id))
        assert pack(again) == stored
        assert again.columns == model.columns
        assert again.threshold.calibration.tolist() == model.threshold.calibration.tolist()
        assert again.provenance == model.provenance

    def test_a_loaded_model_scores_bit_for_bit_alike(self, model, stored, strange_columns):
        loaded = unpack(stored).exact_scores(strange_columns)
        assert loaded.tobytes() == model.exact_scores(strange_columns).tobytes()

    def test_a_document_is_readable_json_with_its_id(self, stored):
        document = document_of(stored)
        assert document["format_version"] == FORMAT_VERSION
        assert document["id"] == stored.model_id
        assert len(stored.model_id) == 16


class TestIdentity:
    def test_provenance_is_no_part_of_the_id(self, model, stored):
        later = pack(replace(model, provenance={"trained_at": "2031-12-31", "host": "other"}))
        assert later.model_id == stored.model_id
        assert later.document != stored.document

    @pytest.mark.parametrize("changes", [{"name": "other"}, {"reasons": 1}, {"screen_margin": 0.5}])
    def test_what_decides_the_results_is_part_of_the_id(self, model, stored, changes):
        assert pack(replace(model, **changes)).model_id != stored.model_id

    def test_another_cut_is_another_model(self, model, stored):
        stricter = replace(model.threshold, cut=model.threshold.cut * 2.0)
        assert pack(replace(model, threshold=stricter)).model_id != stored.model_id


class TestAlteration:
    def test_any_byte_changed_in_the_document_is_refused(self, stored):
        for place in range(len(stored.document)):
            for change in (1, 2, 0x15, 0x80):
                bad = replace(stored, document=altered(stored.document, place, change))
                with pytest.raises(ModelError):
                    document_of(bad)

    def test_any_byte_changed_in_the_tensors_is_refused(self, stored):
        header = range(200)
        rest = range(200, len(stored.tensors), 997)
        last = range(len(stored.tensors) - 9, len(stored.tensors))
        for place in (*header, *rest, *last):
            bad = replace(stored, tensors=altered(stored.tensors, place, 1))
            with pytest.raises(ModelError, match=r"tensors\.safetensors does not match"):
                unpack(bad)

    @pytest.mark.parametrize("length", [0, 1, -1])
    def test_files_cut_short_or_longer_are_refused(self, stored, length):
        document = stored.document[:length] if length != -1 else stored.document + b"\n"
        tensors = stored.tensors[:length] if length != -1 else stored.tensors + b"\0"
        for bad in (replace(stored, document=document), replace(stored, tensors=tensors)):
            with pytest.raises(ModelError, match="altered or cut short"):
                unpack(bad)

    @pytest.mark.parametrize(
        "document", [b"null", b"[]", b"{}", b"\xff\xfe", b"[" * 100_000, b'{"digest": 1e999}']
    )
    def test_what_is_no_model_document_is_refused(self, stored, document):
        with pytest.raises(ModelError, match="no model document"):
            unpack(replace(stored, document=document))

    def test_the_same_document_written_in_another_way_is_refused(self, stored):
        spaced = json.dumps(json.loads(stored.document), indent=1).encode()
        with pytest.raises(ModelError, match="does not match its digest"):
            unpack(replace(stored, document=spaced))

    def test_a_number_changed_into_an_infinite_one_is_refused(self, stored):
        document = stored.document.replace(b'"screen_margin":', b'"screen_margin":1e999,"x":')
        with pytest.raises(ModelError):
            unpack(replace(stored, document=document))


class TestFormat:
    def test_a_format_that_is_too_new_is_refused_with_what_to_do(self, stored):
        with pytest.raises(
            ModelError, match=r"has format 99; this version reads up to 1\. Upgrade"
        ):
            unpack(sealed(stored, format_version=99), "here")

    @pytest.mark.parametrize("version", ["1", None, 0, True, 1.5])
    def test_a_format_that_is_no_version_is_refused(self, stored, version):
        with pytest.raises(ModelError):
            unpack(sealed(stored, format_version=version))

    @pytest.mark.parametrize(
        "changes",
        [
            {"encoder": [{"type": "fourier"}]},
            {"encoder": [{"type": "number"}]},
            {"encoder": "x"},
            {"detector": {"kind": "oracle", "settings": {}}},
            {"detector": {"kind": "autoencoder", "settings": {"depth": 3}}},
            {"detector": None},
            {"threshold": {"kind": "oracle"}},
            {"threshold": {"kind": "fixed"}},
        ],
    )
    def test_a_document_sealed_with_parts_that_do_not_fit_is_refused(self, stored, changes):
        with pytest.raises(ModelError):
            unpack(sealed(stored, **changes))

    def test_a_settings_value_that_does_not_fit_the_tensors_is_refused(self, stored):
        document = json.loads(stored.document)
        encoder = [entry for entry in document["encoder"] if entry["type"] != "vector"]
        with pytest.raises(ModelError):
            unpack(sealed(stored, encoder=encoder))

    @pytest.mark.parametrize(
        ("calibration", "said"),
        [
            (None, "no calibration scores"),
            (np.empty(0), "no calibration scores"),
            (np.ones((2, 2)), "no calibration scores"),
            (np.array([1.0, np.nan]), "not finite"),
            (np.array([2.0, 1.0]), "not in order"),
        ],
    )
    def test_calibration_scores_that_no_fit_can_have_made_are_refused(
        self, model, stored, calibration, said
    ):
        tensors = {
            f"detector.{name}": np.ascontiguousarray(array)
            for name, array in model.detector.tensors().items()
        }
        if calibration is not None:
            tensors["calibration_scores"] = calibration
        with pytest.raises(ModelError, match=said):
            unpack(with_tensors(stored, save(tensors)))

    def test_a_weight_that_is_not_finite_is_refused(self, model, stored):
        tensors = {
            f"detector.{name}": np.full(array.shape, np.inf, dtype=np.float32)
            for name, array in model.detector.tensors().items()
        }
        tensors["calibration_scores"] = model.threshold.calibration
        with pytest.raises(ModelError, match="holds values that are not finite"):
            unpack(with_tensors(stored, save(tensors)))

    def test_tensors_that_are_no_tensors_are_refused(self, stored):
        with pytest.raises(ModelError, match="cannot be read"):
            unpack(with_tensors(stored, b"\x10\0\0\0\0\0\0\0not a header"))


class TestDirectories:
    def test_a_directory_named_by_another_model_is_refused(self, stored, tmp_path):
        write_model(stored, tmp_path / "0123456789abcdef")
        with pytest.raises(ModelError, match=f"holds the model {stored.model_id}"):
            read_model(tmp_path / "0123456789abcdef")

    @pytest.mark.parametrize("name", ["model.json", "tensors.safetensors"])
    def test_a_file_that_is_not_there_is_named(self, stored, tmp_path, name):
        directory = tmp_path / stored.model_id
        write_model(stored, directory)
        (directory / name).unlink()
        with pytest.raises(ModelError, match=f"{name} is not there"):
            read_model(directory)

    def test_a_model_is_never_written_over_another(self, stored, tmp_path):
        write_model(stored, tmp_path / "model")
        with pytest.raises(FileExistsError):
            write_model(StoredModel(b"", b""), tmp_path / "model")


class TestWords:
    """Every refusal names the place that was given, and what was found there."""

    ADVICE = "It was altered or cut short after training; restore it from a backup or train again."

    def refused(self, stored):
        with pytest.raises(ModelError) as refused:
            unpack(stored, "/models/here")
        said = str(refused.value)
        assert said.startswith("The model at /models/here is refused: ")
        assert said.endswith(f". {self.ADVICE}")
        return said.removeprefix("The model at /models/here is refused: ").partition(". It ")[0]

    def tensors(self, model, **changes):
        arrays = {f"detector.{name}": array for name, array in model.detector.tensors().items()}
        arrays["calibration_scores"] = model.threshold.calibration
        return save({name: np.ascontiguousarray(a) for name, a in {**arrays, **changes}.items()})

    def test_of_the_document(self, stored):
        assert self.refused(StoredModel(b"{}", b"")) == "model.json is no model document"
        altered = stored.document.replace(b'"reasons":3', b'"reasons":2')
        said = self.refused(replace(stored, document=altered))
        assert said == "model.json does not match its digest"
        said = self.refused(sealed(stored, format_version=0))
        assert said == "its format 0 is no version"

    def test_of_a_field(self, stored):
        said = self.refused(sealed(stored, screen_margin="x"))
        assert said == "model.json has a field 'screen_margin' of a wrong type"
        said = self.refused(sealed(stored, threshold={"kind": "fixed"}))
        assert said == "model.json lacks a field or has one of a wrong type (KeyError('settings'))"

    def test_of_the_tensors(self, model, stored):
        said = self.refused(replace(stored, tensors=b""))
        assert said == "tensors.safetensors does not match its digest"
        assert self.refused(with_tensors(stored, b"")).startswith(
            "tensors.safetensors cannot be read ("
        )
        bad = {
            "detector.spread": np.array([np.nan]),
            "calibration_scores": np.array([1.0]),
        }
        said = self.refused(with_tensors(stored, save(bad)))
        assert said == "tensor 'detector.spread' holds values that are not finite"
        for scores in (np.empty(0), np.ones((2, 2))):
            said = self.refused(
                with_tensors(stored, self.tensors(model, calibration_scores=scores))
            )
            assert said == "it has no calibration scores"
        scores = np.array([2.0, 1.0])
        said = self.refused(with_tensors(stored, self.tensors(model, calibration_scores=scores)))
        assert said == "its calibration scores are not in order"

    def test_of_a_file(self, stored, tmp_path):
        directory = tmp_path / stored.model_id
        write_model(stored, directory)
        (directory / "model.json").unlink()
        with pytest.raises(ModelError) as refused:
            read_model(directory)
        where = f"The model at {directory} is refused:"
        assert str(refused.value) == (
            f"{where} model.json is not there, or is no file. {self.ADVICE}"
        )
        with (directory / "model.json").open("wb") as file:
            file.truncate((1 << 31) + 1)
        with pytest.raises(ModelError) as refused:
            read_model(directory)
        assert str(refused.value) == (
            f"{where} model.json is larger than a model can be. {self.ADVICE}"
        )

    def test_of_parts_in_memory(self, stored):
        with pytest.raises(ModelError, match="The model at memory is refused"):
            unpack(StoredModel(b"", b""))
        with pytest.raises(ModelError, match="The model at memory is refused"):
            document_of(StoredModel(b"", b""))
        parts = take_apart(stored)
        assert parts.model_id == stored.model_id
        with pytest.raises(ModelError, match="The model at memory is refused"):
            construct(replace(parts, document={}))
        with pytest.raises(ModelError, match="The model at elsewhere is refused"):
            construct(replace(parts, document={}), "elsewhere")
