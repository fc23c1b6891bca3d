"""Each file operation announces itself, does what it says and no more."""

import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from adlib.publishing import Disk
from tests.publications import StoppingDisk, nothing


@pytest.fixture
def file(tmp_path):
    file = tmp_path / "file.parquet"
    pq.write_table(pa.table({"row": [1, 2, 3]}), file)
    return file


def test_every_operation_is_a_step_by_its_name_and_place(file, tmp_path):
    disk = StoppingDisk(0, nothing)
    here, there, other = tmp_path / "here", tmp_path / "there", tmp_path / "other"
    disk.make(here)
    disk.make_path(there / "deep")
    disk.names(here)
    disk.write(here / "one", b"1")
    disk.read(here / "one")
    disk.digest(here / "one")
    disk.footer(file)
    disk.kind(file)
    disk.modified(file)
    disk.size(file)
    disk.is_same(here / "one", file)
    disk.on_one_disk(file, here)
    disk.lengthen(here / "one", 2)
    disk.lengthen(here / "one", 1)
    disk.copy(here / "one", here / "two")
    disk.sync(here)
    disk.move(here / "two", other)
    disk.claim(here / "one", here / "again")
    disk.exchange(here, there)
    disk.remove(other)
    disk.remove_empty(here / "deep")
    one, unfinished = here / "one", here / "one.part"
    assert disk.steps == [
        f"make {here}",
        f"make {there / 'deep'}",
        f"list {here}",
        f"write {unfinished}",
        f"sync {unfinished}",
        f"move {one}",
        f"read {one}",
        f"digest {one}",
        f"footer {file}",
        f"look {file}",
        f"look {file}",
        f"look {file}",
        f"look {file}",
        f"look {file}",
        f"look {one}",
        f"lengthen {one}",
        f"look {one}",
        f"copy {here / 'two'}",
        f"sync {here}",
        f"move {other}",
        f"claim {here / 'again'}",
        f"exchange {there}",
        f"remove {other}",
        f"remove {here / 'deep'}",
    ]


def test_a_digest_is_of_every_byte_however_many(tmp_path):
    content = bytes(range(256)) * (1 << 13) + b"end"
    (tmp_path / "large").write_bytes(content)
    (tmp_path / "cut").write_bytes(content[:-1])
    large, cut = (Disk().digest(tmp_path / name) for name in ("large", "cut"))
    assert (large.size_bytes, cut.size_bytes) == (len(content), len(content) - 1)
    assert large.sha256 != cut.sha256


def test_what_is_neither_a_file_nor_a_directory_is_other(file, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to(file)
    kinds = [Disk().kind(tmp_path / name) for name in ("pipe", "link", file.name, ".", "none")]
    assert kinds == ["other", "other", "file", "directory", None]


def test_a_copy_follows_no_link(file, tmp_path):
    (tmp_path / "link").symlink_to(file)
    Disk().copy(tmp_path / "link", tmp_path / "copied")
    assert (tmp_path / "copied").is_symlink()


def test_a_file_is_lengthened_by_zeros_and_never_cut(tmp_path):
    file = tmp_path / "file"
    file.write_bytes(b"one")
    for size, content in ((2, b"one"), (3, b"one"), (5, b"one\0\0")):
        Disk().lengthen(file, size)
        assert file.read_bytes() == content


def test_two_names_of_one_file_are_the_same_and_equal_files_are_not(file, tmp_path):
    linked, copied = tmp_path / "linked", tmp_path / "copied"
    assert Disk().claim(file, linked)
    assert not Disk().claim(file, linked)
    Disk().copy(file, copied)
    (tmp_path / "leads").symlink_to(file)
    assert Disk().is_same(file, linked)
    assert not Disk().is_same(file, tmp_path / "leads")
    assert not Disk().is_same(file, copied)


def test_only_a_directory_that_holds_nothing_is_removed(tmp_path):
    full, empty = tmp_path / "full", tmp_path / "empty"
    (full / "below").mkdir(parents=True)
    empty.mkdir()
    assert Disk().remove_empty(full) is False
    assert Disk().remove_empty(empty) is True
    assert Disk().remove_empty(empty) is True
    assert [path.name for path in tmp_path.iterdir()] == ["full"]
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(NotADirectoryError):
        Disk().remove_empty(tmp_path / "file")


def test_what_is_gone_already_is_removed_without_a_word_and_lists_as_nothing(tmp_path):
    Disk().remove(tmp_path / "gone")
    assert Disk().names(Path(tmp_path / "gone")) is None
