"""The manifest of a date: which files are its tables, with their rows, sizes and digests.

The same input, model and configuration give the same bytes: no time, host or number is in it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

from adlib.publishing.places import MANIFESTS, name_by_content

FORMAT_VERSION = 1


class AlteredError(ValueError):
    """What was read is not what was written; the publication it belongs to is refused."""


@dataclass(frozen=True)
class PublishedFile:
    """One file of a table."""

    name: str
    rows: int
    size_bytes: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """The files of one date."""

    day: date
    run_id: str
    tables: Mapping[str, tuple[PublishedFile, ...]]
    """A table without files has no directory of this date."""

    def content(self) -> bytes:
        """Return the manifest as it stands in its file."""
        return canonical(self.plain())

    @property
    def digest(self) -> str:
        """The SHA-256 of the manifest's file."""
        return hashlib.sha256(self.content()).hexdigest()

    @property
    def file_name(self) -> str:
        """The name of the manifest's file."""
        return name_by_content(MANIFESTS, self.digest, ".json")

    def plain(self) -> dict[str, Any]:
        """Return the manifest as plain JSON values."""
        tables = {table: [asdict(file) for file in files] for table, files in self.tables.items()}
        return {
            "format": FORMAT_VERSION,
            "date": self.day.isoformat(),
            "run_id": self.run_id,
            "tables": tables,
        }

    @staticmethod
    def from_plain(plain: Mapping[str, Any]) -> Manifest:
        """Return the manifest of plain JSON values.

        Raises:
            AlteredError: if they are none.
        """
        try:
            tables = {
                str(table): tuple(PublishedFile(**file) for file in files)
                for table, files in plain["tables"].items()
            }
            found = Manifest(date.fromisoformat(plain["date"]), str(plain["run_id"]), tables)
            version = plain["format"]
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise AlteredError(f"it is no manifest ({error})") from error
        if version != FORMAT_VERSION:
            raise AlteredError(f"its format is {version}, expected {FORMAT_VERSION}")
        return found


def canonical(plain: Mapping[str, Any]) -> bytes:
    """Return JSON that is the same bytes for the same values."""
    text = json.dumps(plain, indent=1, sort_keys=True, ensure_ascii=False)
    return f"{text}\n".encode()


def read_manifest(content: bytes) -> Manifest:
    """Return the manifest that a file holds.

    Raises:
        AlteredError: if it is not exactly what was written.
    """
    return _exactly(content, Manifest.from_plain(_plain(content)))


def _exactly(content: bytes, manifest: Manifest) -> Manifest:
    if manifest.content() != content:
        raise AlteredError("it is not written as a manifest is")
    return manifest


def sealed(body: Mapping[str, Any]) -> bytes:
    """Return values and their digest as one file."""
    digest = hashlib.sha256(canonical(body)).hexdigest()
    return canonical({"body": body, "sha256": digest})


def unseal(content: bytes) -> dict[str, Any]:
    """Return the values of a sealed file.

    Raises:
        AlteredError: if one byte is not what was sealed.
    """
    plain = _plain(content)
    body = plain.get("body")
    if not isinstance(body, dict) or sealed(body) != content:
        raise AlteredError("its digest is not that of its content")
    return body


def _plain(content: bytes) -> dict[str, Any]:
    try:
        plain = json.loads(content)
    except ValueError as error:  # of the text, or of its encoding
        raise AlteredError(f"it is no JSON ({error})") from error
    if not isinstance(plain, dict):
        raise AlteredError("it is no JSON object")
    return plain
