"""Moving finished files into the published tables, one date at a time; files only.

Everything is written under the work path first. A file is then named by the digest of its content,
the files of a date are put in a directory of their own, and that directory is exchanged with the
published one. The row in `runs/` comes last: it is the mark that the tables of a date belong
together. A reader sees the old files of a date or the new ones, never some of both; one that
planned on the old ones fails, because no new file has an old one's name.

Only what lies on one disk can be renamed. Where work and output are on two, files are copied beside
the output first, outside of what its readers look at.
"""

from __future__ import annotations

import ctypes
import errno
import hashlib
import os
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from uuid import uuid4

from adlib.errors import ConfigError

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2
_NAME_DIGITS = 16
_CHUNK_BYTES = 1 << 20
_SUFFIX = ".parquet"


@dataclass(frozen=True)
class StagedDate:
    """The finished files of one date: for each table, its files, under the work path."""

    day: date
    tables: Mapping[str, Sequence[Path]]
    """A table without files has no directory of this date once published."""


def date_directory(day: date) -> str:
    """Return the name of a date's directory."""
    return f"dt={day.isoformat()}"


def refuse_overlap(named: Mapping[str, Path], source: Path | None) -> None:
    """Refuse paths that are equal or inside one another, the input among them.

    Raises:
        ConfigError: naming the two that overlap.
    """
    places = {name: path.resolve() for name, path in named.items()}
    if source is not None:
        places["source.path"] = source.resolve()
    names = list(places)
    for index, first in enumerate(names):
        for second in names[index + 1 :]:
            if _overlap(places[first], places[second]):
                message = (
                    f"{first} ({places[first]}) and {second} ({places[second]}) overlap: what one "
                    "run writes another would read or replace. Give each a directory of its own."
                )
                raise ConfigError(message)


def refuse_files(named: Mapping[str, Path]) -> None:
    """Refuse paths that cannot be directories.

    Raises:
        ConfigError: naming the one that is a file, or lies inside of one.
    """
    for name, path in named.items():
        existing = path.resolve()
        while not existing.exists():
            existing = existing.parent
        if not existing.is_dir():
            message = (
                f"{name} ({path}) is to be a directory, and {existing} is a file. "
                "Name another place, or move the file away."
            )
            raise ConfigError(message)


def refuse_unwritable(named: Mapping[str, Path]) -> None:
    """Refuse paths that this user may not write to.

    Raises:
        ConfigError: naming the first of them.
    """
    for name, path in named.items():
        existing = path.resolve()
        while not existing.exists():
            existing = existing.parent
        if not os.access(existing, os.W_OK | os.X_OK):
            message = (
                f"{name} ({path}) is to be written to, and this user may not write to {existing}. "
                "Change its owner or mode, or name another place."
            )
            raise ConfigError(message)


def _overlap(first: Path, second: Path) -> bool:
    return first == second or first in second.parents or second in first.parents


def publish_date(output: Path, staged: StagedDate, staging: Path) -> dict[str, list[str]]:
    """Put the files of one date in place of those that are published for it, table by table.

    Returns the names that the files of each table got.
    """
    names: dict[str, list[str]] = {}
    with place_on_disk_of(output, staging) as beside:
        for table, files in staged.tables.items():
            final = output / table / date_directory(staged.day)
            incoming = beside / "incoming" / table / date_directory(staged.day)
            incoming.mkdir(parents=True)
            names[table] = _content_names(files, table)
            for file, name in zip(files, names[table], strict=True):
                shutil.move(file, incoming / name)
            replace_directory(incoming, final, keep=bool(files))
    return names


@contextmanager
def place_on_disk_of(output: Path, staging: Path) -> Iterator[Path]:
    """Lend a directory on the output's disk: the staging one where it is there."""
    for directory in (output, staging):
        directory.mkdir(parents=True, exist_ok=True)
    if staging.stat().st_dev == output.stat().st_dev:
        yield staging
        return
    beside = output.with_name(f".{output.name}.{uuid4().hex}")
    beside.mkdir()
    try:
        yield beside
    finally:
        shutil.rmtree(beside)


def _content_names(files: Sequence[Path], table: str) -> list[str]:
    """Name files by their content; of files with one content each has a name all the same."""
    seen: Counter[str] = Counter()
    names = []
    for file in files:
        name = content_name(file, table)
        again = f"-{seen[name]}{_SUFFIX}" if name in seen else _SUFFIX
        seen[name] += 1
        names.append(name.removesuffix(_SUFFIX) + again)
    return names


def content_name(file: Path, table: str) -> str:
    """Name a file by its content."""
    digest = hashlib.sha256()
    with file.open("rb") as stream:
        while chunk := stream.read(_CHUNK_BYTES):
            digest.update(chunk)
    return f"{table}-{digest.hexdigest()[:_NAME_DIGITS]}{_SUFFIX}"


def replace_directory(incoming: Path, final: Path, *, keep: bool) -> None:
    """Put `incoming` in place of `final`, or nothing where `keep` is false; one step if it can be.

    Afterwards `incoming` is gone. Linux exchanges two directories of a local disk in one step;
    elsewhere there is a moment between two renames in which `final` is not there.
    """
    if not final.exists():
        if keep:
            final.parent.mkdir(parents=True, exist_ok=True)
            incoming.rename(final)
        else:
            incoming.rmdir()
        return
    if not keep:
        retired = incoming / "retired"
        final.rename(retired)
    elif not _exchange(incoming, final):
        retired = incoming.with_name(f"{incoming.name}.retired")
        final.rename(retired)
        incoming.rename(final)
        shutil.rmtree(retired)
        return
    shutil.rmtree(incoming)


def _exchange(first: Path, second: Path) -> bool:
    """Exchange two directories in one step; False where the system or the disk cannot."""
    renameat2 = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if renameat2 is None:
        return False
    failed = renameat2(
        _AT_FDCWD, os.fsencode(first), _AT_FDCWD, os.fsencode(second), _RENAME_EXCHANGE
    )
    if not failed:
        return True
    code = ctypes.get_errno()
    if code in {errno.EINVAL, errno.ENOSYS, errno.ENOTSUP}:
        return False
    raise OSError(code, os.strerror(code), str(second))


def place_file(staged: Path, final: Path) -> None:
    """Put one file in its place in one step, over what was there."""
    final.parent.mkdir(parents=True, exist_ok=True)
    staged.replace(final)
