"""Hostile models: files of a model's directory, and parts sealed by who knows the format."""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load, save

from adlib.artifacts import StoredModel, _canonical, _digest

DOCUMENT, TENSORS = "model.json", "tensors.safetensors"


def sealed(stored: StoredModel, changes: Mapping[str, Any], tensors: bytes | None = None) -> Any:
    """Change a document or the tensors, and seal it again with digests that are right."""
    content = stored.tensors if tensors is None else tensors
    document = {**json.loads(stored.document), **changes, "tensors_digest": _digest(content)}
    del document["digest"]
    return StoredModel(_canonical({**document, "digest": _digest(_canonical(document))}), content)


def _replaced(name: str, make: Callable[[Path], Any]) -> Callable[[Path], None]:
    """Put something else in the place of a file."""

    def spoil(directory: Path) -> None:
        (directory / name).unlink()
        make(directory / name)

    return spoil


def _sparse(size: int) -> Callable[[Path], None]:
    def make(file: Path) -> None:
        with file.open("wb") as opened:
            opened.truncate(size)

    return make


def _changed(name: str, change: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    def spoil(directory: Path) -> None:
        file = directory / name
        file.write_bytes(change(file.read_bytes()))

    return spoil


def _doubled(content: bytes) -> bytes:
    """Say a key twice; readers of JSON keep the last."""
    return content.replace(b'"name":', b'"name":"other","name":', 1)


FILES: dict[str, Callable[[Path], None]] = {
    **{
        f"{name} {what}": spoil
        for name in (DOCUMENT, TENSORS)
        for what, spoil in {
            "gone": _replaced(name, lambda _: None),
            "a directory": _replaced(name, Path.mkdir),
            "a pipe": _replaced(name, os.mkfifo),
            "a link to nothing": _replaced(name, lambda file: file.symlink_to("nowhere")),
            "a link to itself": _replaced(name, lambda file: file.symlink_to(file.name)),
            "a link to a device": _replaced(name, lambda file: file.symlink_to("/dev/zero")),
            "a link to a file of the system": _replaced(
                name, lambda file: file.symlink_to("/etc/passwd")
            ),
            "of no byte": _replaced(name, Path.touch),
            "of four terabytes": _replaced(name, _sparse(1 << 42)),
            "of zeros": _replaced(name, _sparse(4096)),
            "cut in the middle": _changed(name, lambda content: content[: len(content) // 2]),
            "cut by a byte": _changed(name, lambda content: content[:-1]),
            "with a byte more": _changed(name, lambda content: content + b"\n"),
            "twice": _changed(name, lambda content: content * 2),
            "backwards": _changed(name, lambda content: content[::-1]),
            "compressed": _changed(name, lambda content: b"\x1f\x8b\x08\x00" + content),
            "with a mark before it": _changed(name, lambda content: b"\xef\xbb\xbf" + content),
            "pickled": _changed(name, lambda _: b"\x80\x04cos\nsystem\n(S'id'\ntR."),
        }.items()
    },
    "a key twice": _changed(DOCUMENT, _doubled),
    "another id": _changed(DOCUMENT, lambda content: content.replace(b'"id":"', b'"id":"0', 1)),
    "no digest": _changed(DOCUMENT, lambda content: content.replace(b'"digest"', b'"digesT"')),
    "a number that is none": _changed(
        DOCUMENT, lambda content: content.replace(b'"reasons":3', b'"reasons":NaN')
    ),
    "a number without end": _changed(
        DOCUMENT, lambda content: content.replace(b'"reasons":3', b'"reasons":' + b"9" * 5000)
    ),
    "depth": _changed(DOCUMENT, lambda _: b"[" * 200_000),
    "braces without end": _changed(DOCUMENT, lambda _: b'{"a":' * 200_000),
}
"""What may be done to the files of a directory."""

WRONG: tuple[Any, ...] = (None, "", "x", "\0", [[1]], {}, {"a": 1}, 10**400)
"""What may stand where something else belongs."""
PARTS: dict[str, dict[str, Any]] = {
    "a format to come": {"format_version": 2},
    "a format of text": {"format_version": "1"},
    "a name that is a list": {"name": ["a"]},
    "no encoder": {"encoder": None},
    "an encoder of text": {"encoder": "x"},
    "an encoder without columns": {"encoder": []},
    "an encoding that nobody knows": {"encoder": [{"type": "exec"}]},
    "no detector": {"detector": None},
    "a detector that nobody knows": {"detector": {"kind": "os.system", "settings": {}}},
    "a detector of another kind": {"detector": {"kind": "knn", "settings": {}}},
    "a detector with a setting of its own": {
        "detector": {"kind": "autoencoder", "settings": {"__class__": 1}}
    },
    "no threshold": {"threshold": None},
    "a threshold that nobody knows": {"threshold": {"kind": "eval", "settings": {}}},
    "reasons of text": {"reasons": "3"},
    "a margin of text": {"screen_margin": "0"},
}
"""Parts of a document that do not fit, sealed."""


def wrong_fields(stored: StoredModel) -> Iterator[tuple[str, dict[str, Any]]]:
    """Put something wrong into fields of an encoding, its feature, the threshold and settings."""
    document = json.loads(stored.document)
    first, *others = document["encoder"]
    for value in WRONG:
        for name in ("centre", "scale", "squash", "knots", "marks_missing", "fill_value"):
            yield f"{name} is {value!r:.20}", {"encoder": [{**first, name: value}, *others]}
        for name in ("name", "source", "integral", "period"):
            feature = {**first["feature"], name: value}
            if not isinstance(value, str) or name in {"integral", "period"}:
                yield (
                    f"{name} is {value!r:.20}",
                    {"encoder": [{**first, "feature": feature}, *others]},
                )
        yield f"cut is {value!r:.20}", {"threshold": {**document["threshold"], "cut": value}}
        yield f"margin is {value!r:.20}", {"screen_margin": value}
        settings = {**document["detector"]["settings"], "members": value}
        yield (
            f"members is {value!r:.20}",
            {"detector": {**document["detector"], "settings": settings}},
        )


def wrong_tensors(stored: StoredModel) -> Iterator[tuple[str, bytes]]:
    """Spoil the tensors of a network, one thing at a time."""
    arrays = load(stored.tensors)
    for name, array in arrays.items():
        without = {other: kept for other, kept in arrays.items() if other != name}
        yield f"{name} gone", save(without)
        for what, changed in {
            "empty": np.empty(0, array.dtype),
            "of another rank": array[None],
            "longer": np.concatenate([array, array]),
            "not a number": np.full(array.shape, np.nan, np.float32),
            "infinite": np.full(array.shape, np.inf, np.float64),
        }.items():
            yield f"{name} {what}", save({**without, name: np.ascontiguousarray(changed)})
    yield "one more", save({**arrays, "detector.more": np.ones(3)})


def _raw(header: bytes, length: int | None = None) -> bytes:
    """Write a header, and its length or another."""
    return struct.pack("<Q", len(header) if length is None else length) + header + bytes(8)


def _entry(dtype: str, shape: list[int], first: int, last: int) -> bytes:
    entry = {"dtype": dtype, "shape": shape, "data_offsets": [first, last]}
    return json.dumps({"calibration_scores": entry}).encode()


HEADERS = {
    "nothing": b"",
    "no header": bytes(8),
    "a header without end": _raw(b"{}", 2**63),
    "a header longer than all numbers": _raw(b"{}", 2**64 - 1),
    "a header that is no JSON": _raw(b"header"),
    "a header of brackets": _raw(b"[" * 10_000),
    "no tensor": _raw(b"{}"),
    "a tensor twice": _raw(b'{"a":{},"a":{}}'),
    "a shape of an exabyte": _raw(_entry("F64", [2**57], 0, 8)),
    "a shape that wraps around": _raw(_entry("F64", [2**32, 2**32], 0, 0)),
    "a shape below zero": _raw(_entry("F64", [-1], 0, 8)),
    "a hundred dimensions": _raw(_entry("F64", [1] * 100, 0, 8)),
    "an end before its beginning": _raw(_entry("F64", [1], 8, 0)),
    "an end behind the file": _raw(_entry("F64", [2], 0, 16)),
    "a type that NumPy lacks": _raw(_entry("BF16", [4], 0, 8)),
    "a type of a byte that NumPy lacks": _raw(_entry("F8_E4M3", [8], 0, 8)),
    "a type that nobody knows": _raw(_entry("OBJECT", [1], 0, 8)),
    "texts for scores": _raw(_entry("U8", [2, 4], 0, 8)),
    "an archive": b"PK\x03\x04" + bytes(100),
    "a pickle": b"\x80\x04cos\nsystem\n(S'id'\ntR.",
}
"""Tensors' files that are none, sealed."""
POINTERS: dict[str, Callable[[Path], Any]] = {
    "of no byte": Path.touch,
    "a directory": Path.mkdir,
    "a pipe": os.mkfifo,
    "a link to itself": lambda file: file.symlink_to(file.name),
    "a link to nothing": lambda file: file.symlink_to("nowhere"),
    "a link to a device": lambda file: file.symlink_to("/dev/zero"),
    "no JSON": lambda file: file.write_bytes(b"\xff"),
    "depth": lambda file: file.write_bytes(b"[" * 200_000),
    "a list": lambda file: file.write_text("[1]"),
    "an id out of its folder": lambda file: file.write_text('{"id": "../../etc"}'),
    "an id that is a map": lambda file: file.write_text('{"id": {"a": 1}}'),
    "an id of half a character": lambda file: file.write_text('{"id": "\\ud800"}'),
}
"""What may stand in the place of the pointer to the promoted model."""
