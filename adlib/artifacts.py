"""A model as files or as bytes, and back: never pickled, never changed.

A stored model is a directory of two files. `tensors.safetensors` holds arrays; `model.json` holds
everything else, the digest of the tensors and its own. Reading is check (digests, version), then
audit (names, shapes, finiteness), then construct. A model's id is the digest of what decides its
scores: its encoder, tensors, threshold and the settings that made them; no clock, no host.

Files are read and checked on the driver; what travels to the executors are plain values, so that
they need no safetensors.

FORMAT_VERSION rises by one when a reader of the old version would read a new file wrongly; a file
of every past version is kept among the tests.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from adlib.attribution import Explainer
from adlib.detectors import detector_from_parts
from adlib.encoding import Encoder
from adlib.errors import ModelError
from adlib.fields import mistyped
from adlib.model import Model
from adlib.thresholds import Threshold

FORMAT_VERSION = 1
DOCUMENT_FILE = "model.json"
TENSORS_FILE = "tensors.safetensors"
_CALIBRATION = "calibration_scores"
_ID_DIGITS = 16
_LARGEST_FILE_BYTES = 1 << 31
"""No larger model can be broadcast."""
_Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class StoredModel:
    """A model as bytes: what stands in a directory."""

    document: bytes
    tensors: bytes

    @property
    def model_id(self) -> str:
        """The model's id, as its document says."""
        return str(json.loads(self.document)["id"])


@dataclass(frozen=True, eq=False)
class ModelParts:
    """A checked model as plain values: what travels to the executors."""

    document: Mapping[str, Any]
    tensors: Mapping[str, _Array]

    @property
    def model_id(self) -> str:
        """The model's id."""
        return str(self.document["id"])


def pack(model: Model) -> StoredModel:
    """Turn a model into bytes, the same for the same model."""
    from safetensors.numpy import save as save_tensors  # noqa: PLC0415 - executors lack it

    arrays = {f"detector.{name}": array for name, array in model.detector.tensors().items()}
    arrays[_CALIBRATION] = model.threshold.calibration
    explained: dict[str, Any] = {}
    if model.explainer is not None:
        explained["explainer"] = {"method": model.explainer.method}
        usual = model.explainer.usual.tensors()
        arrays |= {f"explainer.{name}": array for name, array in usual.items()}
    tensors = save_tensors({name: np.ascontiguousarray(arrays[name]) for name in sorted(arrays)})
    content: dict[str, Any] = {
        "format_version": FORMAT_VERSION,
        "name": model.name,
        "encoder": model.encoder.to_json(),
        "detector": {
            "kind": model.detector.kind,
            "settings": model.detector.settings.to_plain(),
        },
        "threshold": model.threshold.to_json(),
        "screen_margin": model.screen_margin,
        "reasons": model.reasons,
        **explained,
        "tensors_digest": _digest(tensors),
    }
    document = {
        "id": _digest(_canonical(content))[:_ID_DIGITS],
        **content,
        "provenance": dict(model.provenance),
    }
    return StoredModel(_canonical({**document, "digest": _digest(_canonical(document))}), tensors)


def unpack(stored: StoredModel, where: str = "memory") -> Model:
    """Check, audit and construct a model.

    Raises:
        ModelError: if a byte was altered, a tensor is unfit, or the format is too new.
    """
    return construct(take_apart(stored, where), where)


def take_apart(stored: StoredModel, where: str = "memory") -> ModelParts:
    """Check and audit a model.

    Raises:
        ModelError: if a byte was altered, a tensor is unfit, or the format is too new.
    """
    return ModelParts(_check(stored, where), _audit(stored.tensors, where))


def construct(parts: ModelParts, where: str = "memory") -> Model:
    """Build a model from checked parts.

    Raises:
        ModelError: if a part is missing or of a wrong type.
    """
    try:
        model = _construct(parts.document, parts.tensors)
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
        what = f"{DOCUMENT_FILE} lacks a field or has one of a wrong type ({error!r})"
        raise ModelError.altered(where, what) from error
    encodings, threshold = model.encoder.encodings, model.threshold
    features = (encoding.feature for encoding in encodings)
    for part in (
        model,
        *encodings,
        *features,
        model.detector.settings,
        threshold,
        threshold.settings,
    ):
        wrong = mistyped(part)
        if wrong is not None:
            what = f"{DOCUMENT_FILE} has a field {wrong!r} of a wrong type"
            raise ModelError.altered(where, what)
    return model


def _construct(document: Mapping[str, Any], tensors: Mapping[str, _Array]) -> Model:
    calibration = tensors[_CALIBRATION]
    encoder = Encoder.from_json(document["encoder"])
    parts, explainer = _named("detector.", tensors), document.get("explainer")
    detector = document["detector"]
    return Model(
        name=document["name"],
        encoder=encoder,
        detector=detector_from_parts(detector["kind"], detector["settings"], encoder.layout, parts),
        threshold=Threshold.from_json(document["threshold"], calibration.astype(np.float64)),
        screen_margin=document["screen_margin"],
        reasons=document["reasons"],
        provenance=document["provenance"],
        explainer=explainer
        and Explainer.restore(explainer["method"], encoder.layout, _named("explainer.", tensors)),
    )


def _named(prefix: str, tensors: Mapping[str, _Array]) -> dict[str, _Array]:
    """Return the tensors of one part, under its own names."""
    return {
        name.removeprefix(prefix): array
        for name, array in tensors.items()
        if name.startswith(prefix)
    }


def write_model(stored: StoredModel, directory: Path) -> None:
    """Write a model's two files into a new directory."""
    directory.mkdir(parents=True)
    (directory / TENSORS_FILE).write_bytes(stored.tensors)
    (directory / DOCUMENT_FILE).write_bytes(stored.document)


def read_model(directory: Path) -> StoredModel:
    """Read a stored model and check it.

    Raises:
        ModelError: if a file is missing or a byte was altered.
    """
    stored = StoredModel(_content(directory / DOCUMENT_FILE), _content(directory / TENSORS_FILE))
    found = _check(stored, str(directory))
    if found["id"] != directory.name:
        raise ModelError.altered(str(directory), f"it holds the model {found['id']}")
    return stored


def _content(file: Path) -> bytes:
    """Read a file of a model; what is no file, or could not be one of a model, is not opened."""
    if not file.is_file():
        raise ModelError.altered(str(file.parent), f"{file.name} is not there, or is no file")
    if file.stat().st_size > _LARGEST_FILE_BYTES:
        raise ModelError.altered(str(file.parent), f"{file.name} is larger than a model can be")
    return file.read_bytes()


def _check(stored: StoredModel, where: str) -> dict[str, Any]:
    """Compare every digest; a document that is not byte for byte what `pack` writes is refused."""
    try:
        document = json.loads(stored.document)
        intact = _canonical(document) == stored.document
        digest = document.pop("digest")
        version, tensors_digest = document["format_version"], document["tensors_digest"]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ModelError.altered(where, f"{DOCUMENT_FILE} is no model document") from error
    if type(version) is not int or version < 1:
        raise ModelError.altered(where, f"its format {version!r} is no version")
    if version > FORMAT_VERSION:
        message = (
            f"The model at {where} has format {version}; this version reads up to "
            f"{FORMAT_VERSION}. Upgrade adlib, or train again with this version."
        )
        raise ModelError(message)
    if not intact or digest != _digest(_canonical(document)):
        raise ModelError.altered(where, f"{DOCUMENT_FILE} does not match its digest")
    if tensors_digest != _digest(stored.tensors):
        raise ModelError.altered(where, f"{TENSORS_FILE} does not match its digest")
    return dict(document)


def _audit(tensors: bytes, where: str) -> dict[str, _Array]:
    """Read the arrays; refuse those that no fit can have made."""
    from safetensors import SafetensorError  # noqa: PLC0415 - executors lack it
    from safetensors.numpy import load as load_tensors  # noqa: PLC0415

    try:
        arrays = dict(load_tensors(tensors))
    except (SafetensorError, LookupError, ValueError) as error:
        raise ModelError.altered(where, f"{TENSORS_FILE} cannot be read ({error})") from error
    for name, array in arrays.items():
        if np.issubdtype(array.dtype, np.floating) and not np.isfinite(array).all():
            raise ModelError.altered(where, f"tensor {name!r} holds values that are not finite")
    calibration = arrays.get(_CALIBRATION, np.empty(0))
    if calibration.ndim != 1 or len(calibration) == 0:
        raise ModelError.altered(where, "it has no calibration scores")
    if (calibration[1:] < calibration[:-1]).any():
        raise ModelError.altered(where, "its calibration scores are not in order")
    return arrays


def document_of(stored: StoredModel) -> Mapping[str, Any]:
    """Return a checked model's document as plain JSON values."""
    return _check(stored, "memory")


def _canonical(plain: Mapping[str, Any]) -> bytes:
    """Write JSON in one way only: sorted keys, no spaces, no NaN, UTF-8."""
    text = json.dumps(
        plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )
    return text.encode("utf-8", "surrogatepass")


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


__all__ = [
    "FORMAT_VERSION",
    "ModelParts",
    "StoredModel",
    "construct",
    "document_of",
    "pack",
    "read_model",
    "take_apart",
    "unpack",
    "write_model",
]
