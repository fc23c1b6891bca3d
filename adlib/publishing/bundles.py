"""A bundle: the finished files of one date, beside the output until they are exchanged.

    bundles/dt=2026-03-01.TOKEN/
        owner.json          our marker, and whose it is; written first, removed last
        tables/TABLE/       what is to be published, each file named by its content
        record/             the row of runs/
        seal.json           manifest and digests: the bundle is whole
        journal.json        the number of the lock: from here it is carried through
        notice.txt          what stands for a moment under the names of the files replaced

Every step of the swap is a rename out of this directory. Whoever takes a date over renames the
directory first, so that an owner who wakes up late finds nothing to publish.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from functools import cached_property
from pathlib import Path

import pyarrow as pa

from adlib.errors import AdlibError
from adlib.publishing.disk import Digest, Disk
from adlib.publishing.locks import Claim, Owner
from adlib.publishing.manifest import (
    AlteredError,
    Manifest,
    PublishedFile,
    canonical,
    sealed,
    unseal,
)
from adlib.publishing.places import (
    MANIFESTS,
    Area,
    date_directory,
    date_of,
    is_ours,
    name_by_content,
)

OWNER, SEAL, JOURNAL = "owner.json", "seal.json", "journal.json"
NOTICE = "notice.txt"
_TABLES, _RECORD, _REPLACED = "tables", "record", "replaced"
_CONTROL = frozenset({OWNER, SEAL, JOURNAL, NOTICE})


@dataclass(frozen=True)
class CountedTable:
    """What is to be published of one table and date, with what is known of it beforehand."""

    files: Sequence[Path]
    rows: int
    """As counted where they were made."""
    ours: pa.Schema
    """The last columns of every file; key and kept columns may stand before them."""


@dataclass(frozen=True)
class Seal:
    """What a whole bundle holds."""

    manifest: Manifest
    record_name: str
    record_sha256: str

    def content(self) -> bytes:
        """Return the seal as it stands in its file."""
        record = {"name": self.record_name, "sha256": self.record_sha256}
        return sealed({"manifest": self.manifest.plain(), "record": record})

    def wanted(self) -> dict[str, dict[str, str]]:
        """Return the digest of each file by its name, table by table, the manifest last."""
        tables = {
            table: {file.name: file.sha256 for file in files}
            for table, files in sorted(self.manifest.tables.items())
        }
        return {**tables, MANIFESTS: {self.manifest.file_name: self.manifest.digest}}


@dataclass(frozen=True)
class Bundle:
    """A directory of the area."""

    root: Path
    day: date
    disk: Disk

    @staticmethod
    def of(area: Area, day: date, token: str, disk: Disk) -> Bundle:
        """Return the bundle of a date and an owner; it need not be there."""
        return Bundle(area.bundles / f"{date_directory(day)}.{token}", day, disk)

    @staticmethod
    def found(root: Path, disk: Disk) -> Bundle | None:
        """Return the bundle of a directory's name, None where it is no bundle's."""
        day = date_of(root.name.partition(".")[0])
        return None if day is None else Bundle(root, day, disk)

    @property
    def token(self) -> str:
        """Whose bundle it is, by its name."""
        return self.root.name.partition(".")[2]

    def table(self, name: str) -> Path:
        """Return where a table's files wait."""
        return self.root / _TABLES / name

    def replaced(self, name: str) -> Path:
        """Return where a table's earlier files go when they cannot be exchanged."""
        return self.root / _REPLACED / name

    def record(self, seal: Seal) -> Path:
        """Return where the record waits."""
        return self.root / _RECORD / seal.record_name

    def open(self, owner: Owner) -> None:
        """Make the directory, our marker in it first."""
        self.disk.make(self.root)
        self.disk.write(self.root / OWNER, canonical({"adlib": "bundle", **asdict(owner)}))
        for directory in (_TABLES, _RECORD, _REPLACED):
            self.disk.make(self.root / directory)

    def owner(self) -> Owner | None:
        """Return whose bundle it is, None where it does not carry our marker."""
        try:
            plain = json.loads(self.disk.read(self.root / OWNER))
            marker = plain.pop("adlib")
            return Owner(**plain) if marker == "bundle" else None
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (ValueError, KeyError, TypeError, AttributeError):
            return None

    def stage(self, run_id: str, tables: Mapping[str, CountedTable]) -> Manifest:
        """Take the files in, checked against what was counted; return their manifest.

        Raises:
            AdlibError: if a file is not what the contract or the count says.
        """
        taken = {name: self._take(name, table) for name, table in sorted(tables.items())}
        manifest = Manifest(self.day, run_id, taken)
        self.disk.make(self.table(MANIFESTS))
        self.disk.write(self.table(MANIFESTS) / manifest.file_name, manifest.content())
        self.disk.sync(self.table(MANIFESTS))
        return manifest

    def _take(self, name: str, table: CountedTable) -> tuple[PublishedFile, ...]:
        """Take one table's files in, under names that say what they hold."""
        if not table.files:
            check_rows(name, table, 0)
            return ()
        self.disk.make(self.table(name))
        rows = [check_schema(self.disk, file, table.ours) for file in table.files]
        check_rows(name, table, sum(rows))
        found = [self.disk.digest(file) for file in table.files]
        names = distinct_names(name, found)
        for file, target in zip(table.files, names, strict=True):
            self._bring(file, self.table(name) / target)
        self.disk.sync(self.table(name))
        return tuple(
            PublishedFile(target, count, digest.size_bytes, digest.sha256)
            for target, count, digest in zip(names, rows, found, strict=True)
        )

    def _bring(self, file: Path, target: Path) -> None:
        """Move a file in, or copy it from another disk, and wait until it is on this one."""
        if self.disk.on_one_disk(file, self.root):
            self.disk.move(file, target)
        else:
            self.disk.copy(file, target)
        self.disk.sync(target)

    def seal(self, manifest: Manifest, record: Path, record_name: str) -> Seal:
        """Take the record in and declare the bundle whole."""
        found = self.disk.digest(record)
        seal = Seal(manifest, record_name, found.sha256)
        self.take_record(record, record_name)
        for directory in (_TABLES, _RECORD):
            self.disk.sync(self.root / directory)
        self.disk.write(self.root / SEAL, seal.content())
        self.disk.sync(self.root)
        return seal

    def take_record(self, record: Path, name: str) -> Path:
        """Take the record in; return where it waits."""
        target = self.root / _RECORD / name
        self._bring(record, target)
        return target

    def journal(self, claim: Claim) -> None:
        """Note under which number it is published: from here on it is carried through."""
        self.disk.write(self.root / JOURNAL, canonical({"adlib": "journal", **asdict(claim)}))
        self.disk.sync(self.root)

    def is_journalled(self) -> bool:
        """Tell whether publishing has begun."""
        return JOURNAL in (self.disk.names(self.root) or [])

    @cached_property
    def sealed(self) -> Seal:
        """What the bundle holds, as it was sealed.

        Raises:
            AlteredError: if the seal is not what was written.
        """
        body = unseal(self.disk.read(self.root / SEAL))
        try:
            record = body["record"]
            manifest = Manifest.from_plain(body["manifest"])
            return Seal(manifest, str(record["name"]), str(record["sha256"]))
        except (KeyError, TypeError) as error:
            raise AlteredError(f"it is no seal ({error})") from error

    def replaced_files(self) -> list[Path]:
        """Return the files that stood where this bundle's tables are now."""
        return [
            self.root / part / table / name
            for part in (_TABLES, _REPLACED)
            for table in self.disk.names(self.root / part) or []
            for name in self.disk.names(self.root / part / table) or []
        ]

    def moved(self, root: Path) -> Bundle:
        """Rename the directory, which cuts off whoever still works in it."""
        self.disk.move(self.root, root)
        return Bundle(root, self.day, self.disk)

    def delete(self) -> list[Path]:
        """Delete what is ours, our marker last; return what was left because it is not."""
        if self.owner() is None:
            return self._delete_unmarked()
        self.disk.remove(self.root / JOURNAL)  # a bundle half deleted is not to be carried through
        foreign = [*self._delete_below()]
        if not foreign:
            self.disk.remove(self.root / OWNER)
            self.disk.remove_empty(self.root)
        return foreign

    def _delete_unmarked(self) -> list[Path]:
        """Delete a directory that never got its marker, or has lost it last of all."""
        names = set(self.disk.names(self.root) or []) - {f"{OWNER}.part"}
        if names:
            return [self.root]
        self.disk.remove(self.root / f"{OWNER}.part")
        self.disk.remove_empty(self.root)
        return []

    def _delete_below(self) -> Iterator[Path]:
        for name in self.disk.names(self.root) or []:
            place = self.root / name
            if name == _RECORD:
                yield from self._delete_files(place)
            elif name in {_TABLES, _REPLACED}:
                for table in self.disk.names(place) or []:
                    yield from self._delete_files(place / table)
                self.disk.remove_empty(place)
            elif name.removesuffix(".part") not in _CONTROL:
                yield place
            elif name != OWNER:
                self.disk.remove(place)

    def _delete_files(self, directory: Path) -> Iterator[Path]:
        """Delete the files that have names of ours, and the directory when it is empty."""
        if self.disk.kind(directory) != "directory":
            yield directory
            return
        for name in self.disk.names(directory) or []:
            if _is_deletable(name) and self.disk.kind(directory / name) == "file":
                self.disk.remove(directory / name)
            else:
                yield directory / name
        self.disk.remove_empty(directory)


def _is_deletable(name: str) -> bool:
    whole = name.removesuffix(".part")
    return is_ours(whole) or (whole.startswith("run-") and whole.endswith(".parquet"))


def distinct_names(table: str, found: Sequence[Digest]) -> list[str]:
    """Name files by their content; of files with one content each has a name all the same."""
    seen: Counter[str] = Counter()
    names = []
    for digest in found:
        plain = name_by_content(table, digest.sha256)
        again = seen[plain]
        seen[plain] += 1
        names.append(plain.replace(".parquet", f"-{again}.parquet") if again else plain)
    return names


def check_rows(name: str, table: CountedTable, found: int) -> None:
    """Hold the rows of the footers against those counted.

    Raises:
        AdlibError: if a row was lost or came twice.
    """
    if found != table.rows:
        raise AdlibError(
            f"The files of {name} hold {found} rows and {table.rows} were counted. Nothing was "
            "published; run `adlib preprocess` again, and then `adlib score`."
        )


def check_schema(disk: Disk, file: Path, ours: pa.Schema) -> int:
    """Hold a file's columns against the contract; return the rows that its footer says.

    Raises:
        AdlibError: if a column of ours is missing, at another place or of another type.
    """
    try:
        footer = disk.footer(file)
    except pa.ArrowInvalid as error:
        raise AdlibError(
            f"{file} cannot be read as Parquet: it was cut short or altered before it could be "
            "published. Nothing was published; run the command again."
        ) from error
    found = [(field.name, field.type) for field in footer.schema][-len(ours) :]
    expected = [(field.name, field.type) for field in ours]
    if found != expected:
        wrong = [
            f"{name} {kind} expected, {other}" for (name, kind), other in _unlike(expected, found)
        ]
        raise AdlibError(
            f"{file} has other columns than its table: {'; '.join(wrong)}. Nothing was published; "
            "every executor needs the same version of adlib."
        )
    return footer.rows


def _unlike(
    expected: Sequence[tuple[str, pa.DataType]], found: Sequence[tuple[str, pa.DataType]]
) -> Iterator[tuple[tuple[str, pa.DataType], str]]:
    for place, one in enumerate(expected):
        other = found[place] if place < len(found) else None
        if one != other:
            yield one, "nothing found" if other is None else f"{other[0]} {other[1]} found"
