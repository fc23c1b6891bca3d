"""Notices: what stands for an instant under the names of the files that an exchange replaces.

Spark, DuckDB and PyArrow list a directory and then look at each name, and skip names that are gone:
where an exchange came in between, they would find a date without rows and say nothing. So the
directory that is exchanged in brings the old names along, each a link to a notice that is no
Parquet and fails whoever reads it, and they are withdrawn a moment later.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from adlib.publishing.disk import Disk

SECONDS = 0.05
"""How long they stand: a reader is done looking at the names that it has listed in less."""
CONTENT = (
    b"The file of this name was replaced while its directory was being read: read the table "
    b"again.\n"
)


def put(disk: Disk, notice: Path, old: Path, new: Path) -> None:
    """Give the names of the Parquet files of one directory to a notice, in another.

    It is as long as the longest of them, for Polars reads where the footer was and panics at an end
    that comes before.

    Args:
        disk: The file operations.
        notice: Where the notice is, or will be: on the disk of both.
        old: The directory that is going to be replaced.
        new: The one that replaces it.
    """
    staged = disk.names(new) or []
    names = [name for name in disk.names(old) or [] if name.endswith(".parquet")]
    if not names:
        return
    if disk.kind(notice) is None:
        disk.write(notice, CONTENT)
    disk.lengthen(notice, max(disk.size(old / name) for name in names))
    for name in names:
        if name not in staged:
            disk.claim(notice, new / name)


def withdraw(disk: Disk, notice: Path, directory: Path, wanted: Collection[str]) -> None:
    """Remove the notices from a directory that has the files wanted; another is left alone."""
    if disk.kind(notice) is None:
        return
    names = disk.names(directory) or []
    if not set(wanted) <= set(names):
        return
    found = [name for name in names if name not in wanted]
    standing = [name for name in found if disk.is_same(notice, directory / name)]
    for name in standing:
        disk.remove(directory / name)
    if standing:
        disk.sync(directory)  # a notice that came back with the power would stay
