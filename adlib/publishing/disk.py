"""Every file operation of publishing, each a step that a test can stop before or let fail."""

from __future__ import annotations

import ctypes
import errno
import hashlib
import os
import shutil
import stat
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pyarrow as pa
import pyarrow.parquet as pq

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2
_CHUNK_BYTES = 1 << 20
_CANNOT_EXCHANGE = {errno.EINVAL, errno.ENOSYS, errno.ENOTSUP}


@dataclass(frozen=True)
class Digest:
    """What a file holds."""

    sha256: str
    size_bytes: int


@dataclass(frozen=True)
class Footer:
    """What a Parquet file says of itself."""

    schema: pa.Schema
    rows: int


class Disk:
    """The file operations; nothing in this package touches a file but through one of them."""

    def step(self, operation: str, path: Path) -> None:
        """Come before each operation. It does nothing here; tests kill or fail in it."""

    def names(self, directory: Path) -> list[str] | None:
        """Return what a directory holds, in order; None where there is none."""
        self.step("list", directory)
        try:
            return sorted(os.listdir(directory))  # noqa: PTH208 - names alone
        except FileNotFoundError:
            return None

    def read(self, path: Path) -> bytes:
        """Return the content of a small file."""
        self.step("read", path)
        return path.read_bytes()

    def digest(self, path: Path) -> Digest:
        """Return the SHA-256 and the size of a file."""
        self.step("digest", path)
        found, size = hashlib.sha256(), 0
        with path.open("rb") as stream:
            while chunk := stream.read(_CHUNK_BYTES):
                found.update(chunk)
                size += len(chunk)
        return Digest(found.hexdigest(), size)

    def footer(self, path: Path) -> Footer:
        """Return what a Parquet file says of itself.

        Raises:
            pa.ArrowInvalid: if it is no whole Parquet file.
        """
        self.step("footer", path)
        with pq.ParquetFile(path) as opened:
            return Footer(opened.schema_arrow, int(opened.metadata.num_rows))

    def kind(self, path: Path) -> Literal["file", "directory", "other"] | None:
        """Return what is at a path, a symbolic link being `other`; None where nothing is."""
        self.step("look", path)
        try:
            mode = path.lstat().st_mode
        except FileNotFoundError:
            return None
        if stat.S_ISDIR(mode):
            return "directory"
        return "file" if stat.S_ISREG(mode) else "other"

    def modified(self, path: Path) -> float:
        """Return when something last changed, in seconds since 1970."""
        self.step("look", path)
        return path.lstat().st_mtime

    def size(self, path: Path) -> int:
        """Return how many bytes a file holds, or a symbolic link itself."""
        self.step("look", path)
        return path.lstat().st_size

    def is_same(self, first: Path, second: Path) -> bool:
        """Tell whether two names are of one file; a symbolic link is another than what it names."""
        self.step("look", second)
        return os.path.samestat(first.lstat(), second.lstat())

    def on_one_disk(self, first: Path, second: Path) -> bool:
        """Tell whether a rename can take one of these to the place of the other."""
        self.step("look", first)
        return first.stat().st_dev == second.stat().st_dev

    def make(self, directory: Path) -> None:
        """Make a directory in one that is there; one that is there already stays."""
        self.step("make", directory)
        directory.mkdir(exist_ok=True)

    def make_path(self, directory: Path) -> None:
        """Make a directory and all that it lies in."""
        self.step("make", directory)
        directory.mkdir(parents=True, exist_ok=True)

    def write(self, path: Path, content: bytes) -> None:
        """Write a small file, all of it or nothing, and wait until it is on the disk."""
        unfinished = path.with_name(f"{path.name}.part")
        self.step("write", unfinished)
        unfinished.write_bytes(content)
        self.sync(unfinished)
        self.move(unfinished, path)

    def lengthen(self, path: Path, size_bytes: int) -> None:
        """Give a file at least a length, by zeros that take no space."""
        if self.size(path) < size_bytes:
            self.step("lengthen", path)
            os.truncate(path, size_bytes)

    def copy(self, source: Path, target: Path) -> None:
        """Copy a file's content."""
        self.step("copy", target)
        shutil.copyfile(source, target, follow_symlinks=False)

    def sync(self, path: Path) -> None:
        """Wait until a file's content, or a directory's names, are on the disk."""
        self.step("sync", path)
        opened = os.open(path, os.O_RDONLY)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)

    def move(self, source: Path, target: Path) -> None:
        """Rename a file, over what was there, or a directory, to where nothing is."""
        self.step("move", target)
        os.rename(source, target)  # noqa: PTH104 - never a copy

    def claim(self, source: Path, target: Path) -> bool:
        """Give a file a second name; False where somebody has the name already."""
        self.step("claim", target)
        try:
            os.link(source, target)
        except FileExistsError:
            return False
        return True

    def exchange(self, first: Path, second: Path) -> bool:
        """Exchange two directories in one step; False where the system or the disk cannot."""
        self.step("exchange", second)
        renameat2 = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
        if renameat2 is None:
            return False
        one, two = os.fsencode(first), os.fsencode(second)
        if not renameat2(_AT_FDCWD, one, _AT_FDCWD, two, _RENAME_EXCHANGE):
            return True
        code = ctypes.get_errno()
        if code in _CANNOT_EXCHANGE:
            return False
        raise OSError(code, os.strerror(code), str(second))

    def wait(self, seconds: float) -> None:
        """Let some time go by."""
        time.sleep(seconds)

    def remove(self, path: Path) -> None:
        """Remove a file; one that is gone already is no matter."""
        self.step("remove", path)
        path.unlink(missing_ok=True)

    def remove_empty(self, directory: Path) -> bool:
        """Remove a directory, if it is there; False where it still holds something."""
        self.step("remove", directory)
        try:
            directory.rmdir()
        except FileNotFoundError:
            return True
        except OSError as error:
            if error.errno in {errno.ENOTEMPTY, errno.EEXIST}:
                return False
            raise
        return True
