"""What a hostile table is: how its files are written, how they are read, and how it has to end."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

DONE, CALL, INPUT = 0, 2, 3
"""The exit codes that a hostile table may end with: of the contract's."""

Writer = Callable[[Path], None]
"""Writes the files of a source into its directory, which is there and empty."""


@dataclass(frozen=True)
class HostileTable:
    """A table that somebody may hand in."""

    name: str
    write: Writer
    ends: int = DONE
    rows: int | None = None
    """How many rows it holds, where it goes through; each is a feature or in quarantine."""
    quarantined: int = 0
    source: Mapping[str, Any] = field(default_factory=dict)
    """Keys of the configuration's `source`."""
    more: Mapping[str, Any] = field(default_factory=dict)
    """Other keys of the configuration."""
    arguments: tuple[str, ...] = ()


def parquet(columns: Mapping[str, Any] | pa.Table, name: str = "a.parquet", **how: Any) -> Writer:
    """Write one Parquet file."""

    def write(folder: Path) -> None:
        table = columns if isinstance(columns, pa.Table) else pa.table(dict(columns))
        pq.write_table(table, folder / name, **how)

    return write


def content(*parts: bytes | str, suffix: str) -> Writer:
    """Write files of this content, one after another."""

    def write(folder: Path) -> None:
        for place, part in enumerate(parts):
            data = part if isinstance(part, bytes) else part.encode("utf-8", "surrogatepass")
            (folder / f"{place}.{suffix}").write_bytes(data)

    return write


def both(*writers: Writer) -> Writer:
    """Write what several write."""

    def write(folder: Path) -> None:
        for one in writers:
            one(folder)

    return write


def label(text: str) -> str:
    """Name a case by its text, in a line."""
    return ascii(text) if len(text) < 40 else f"{text[:20]!a} and so on, {len(text)}"
