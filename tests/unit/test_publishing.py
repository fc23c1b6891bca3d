"""A reader sees the files of one run or of another, never some of both."""

import ctypes
import errno
import os
import shutil
from datetime import date
from pathlib import Path

import pytest

from adlib import publishing
from adlib.errors import ConfigError
from adlib.publishing import (
    StagedDate,
    content_name,
    date_directory,
    place_file,
    publish_date,
    refuse_overlap,
    replace_directory,
)

DAY = date(2024, 2, 29)
MEMORY = Path("/dev/shm")  # noqa: S108 - a second disk, which most systems have


def files_of(directory):
    return {
        str(path.relative_to(directory)): path.read_text()
        for path in sorted(directory.rglob("*"))
        if path.is_file()
    }


def directory_of(path, **files):
    path.mkdir(parents=True)
    for name, content in files.items():
        (path / name).write_text(content)
    return path


@pytest.fixture(params=["exchange", "two renames"])
def any_disk(request, monkeypatch):
    """Let the test run where directories can be exchanged in one step, and where they cannot."""
    if request.param == "two renames":
        monkeypatch.setattr(publishing, "_exchange", lambda *_: False)


@pytest.mark.usefixtures("any_disk")
class TestReplacingADirectory:
    def test_the_new_files_stand_in_place_of_the_old_and_nothing_is_left(self, tmp_path):
        final = directory_of(tmp_path / "out" / "dt", old="1", both="1")
        incoming = directory_of(tmp_path / "work" / "dt", new="2", both="2")
        replace_directory(incoming, final, keep=True)
        assert files_of(final) == {"new": "2", "both": "2"}
        assert files_of(tmp_path / "work") == {}
        assert list((tmp_path / "work").iterdir()) == []

    def test_the_first_files_of_a_date_make_its_directory(self, tmp_path):
        incoming = directory_of(tmp_path / "work" / "dt", new="2")
        replace_directory(incoming, tmp_path / "out" / "table" / "dt", keep=True)
        assert files_of(tmp_path) == {"out/table/dt/new": "2"}

    def test_a_table_without_files_loses_its_directory(self, tmp_path):
        final = directory_of(tmp_path / "out" / "dt", old="1")
        incoming = directory_of(tmp_path / "work" / "dt")
        replace_directory(incoming, final, keep=False)
        assert not final.exists()
        assert not incoming.exists()

    def test_a_table_that_never_had_files_gets_no_directory(self, tmp_path):
        incoming = directory_of(tmp_path / "work" / "dt")
        replace_directory(incoming, tmp_path / "out" / "dt", keep=False)
        assert not (tmp_path / "out" / "dt").exists()
        assert not incoming.exists()


class TestExchanging:
    def test_this_disk_exchanges_in_one_step_or_says_that_it_cannot(self, tmp_path):
        one = directory_of(tmp_path / "one", file="1")
        two = directory_of(tmp_path / "two", file="2")
        exchanged = publishing._exchange(one, two)
        assert (one / "file").read_text() == ("2" if exchanged else "1")

    def test_an_error_that_says_more_than_cannot_is_raised(self, tmp_path):
        one = directory_of(tmp_path / "one")
        with pytest.raises(FileNotFoundError, match="absent"):
            publishing._exchange(one, tmp_path / "absent")

    def test_a_system_without_the_call_falls_back(self, tmp_path, monkeypatch):
        monkeypatch.setattr(ctypes, "CDLL", lambda *_, **__: object())
        assert publishing._exchange(tmp_path, tmp_path) is False

    @pytest.mark.parametrize("code", [errno.EINVAL, errno.ENOSYS, errno.ENOTSUP])
    def test_a_disk_that_cannot_falls_back(self, tmp_path, monkeypatch, code):
        class Library:
            renameat2 = staticmethod(lambda *_: -1)

        monkeypatch.setattr(ctypes, "CDLL", lambda *_, **__: Library)
        monkeypatch.setattr(ctypes, "get_errno", lambda: code)
        assert publishing._exchange(tmp_path, tmp_path) is False


class TestPublishingADate:
    def publish(self, root, staging="staging", **tables):
        staging = root / "work" / staging
        staged = {}
        for table, contents in tables.items():
            files = {f"part-{place}": content for place, content in enumerate(contents)}
            directory = directory_of(staging / table, **files)
            staged[table] = [directory / name for name in files]
        return publish_date(root / "out", StagedDate(DAY, staged), staging)

    def test_every_file_is_named_by_its_content_under_its_table_and_date(self, tmp_path):
        names = self.publish(tmp_path, anomalies=["a"], scores=["b", "c"])
        expected = {
            f"{table}/dt=2024-02-29/{name}": content
            for table, contents in {"anomalies": ["a"], "scores": ["b", "c"]}.items()
            for name, content in zip(names[table], contents, strict=True)
        }
        assert files_of(tmp_path / "out") == expected
        assert all(name.startswith("scores-") for name in names["scores"])

    def test_a_second_run_leaves_nothing_of_the_first(self, tmp_path):
        first = self.publish(tmp_path, "one", anomalies=["a"], scores=["b", "c"], quarantine=["q"])
        second = self.publish(tmp_path, "two", anomalies=["x"], scores=[], quarantine=["q"])
        assert first["quarantine"] == second["quarantine"]
        assert sorted(files_of(tmp_path / "out").values()) == ["q", "x"]
        assert not (tmp_path / "out" / "scores" / date_directory(DAY)).exists()

    def test_another_date_is_not_touched(self, tmp_path):
        other = directory_of(tmp_path / "out" / "anomalies" / "dt=2024-02-28", kept="1")
        self.publish(tmp_path, anomalies=["a"])
        assert files_of(other) == {"kept": "1"}

    def test_files_of_equal_content_are_all_published(self, tmp_path):
        names = self.publish(tmp_path, quarantine=["same", "same", "same"])["quarantine"]
        assert len(set(names)) == 3
        assert list(files_of(tmp_path / "out").values()) == ["same"] * 3

    def test_files_go_from_one_disk_to_another_beside_what_readers_look_at(
        self, tmp_path, monkeypatch
    ):
        stat, rename, moved = Path.stat, Path.rename, []

        def on_two_disks(path, **choices):
            found = stat(path, **choices)
            device = 1 if path.is_relative_to(tmp_path / "work") else 2
            return os.stat_result((*found[:2], device, *found[3:]))

        def on_one_disk(path, target):
            moved.append((path, Path(target)))
            return rename(path, target)

        monkeypatch.setattr(Path, "stat", on_two_disks)
        monkeypatch.setattr(Path, "rename", on_one_disk)
        self.publish(tmp_path, anomalies=["a"])
        monkeypatch.undo()
        assert list(files_of(tmp_path / "out").values()) == ["a"]
        assert moved
        assert not any(path.is_relative_to(tmp_path / "work") for path, _ in moved)
        assert sorted(entry.name for entry in tmp_path.iterdir()) == ["out", "work"]

    @pytest.mark.skipif(not os.access(MEMORY, os.W_OK), reason="needs a second disk")
    def test_files_go_from_one_real_disk_to_another(self, tmp_path):
        elsewhere = MEMORY / f"adlib-{os.getpid()}"
        try:
            file = directory_of(elsewhere / "anomalies", part="a") / "part"
            staged = StagedDate(DAY, {"anomalies": [file], "scores": []})
            directory_of(tmp_path / "out" / "scores" / date_directory(DAY), old="1")
            publish_date(tmp_path / "out", staged, elsewhere)
        finally:
            shutil.rmtree(elsewhere)
        assert list(files_of(tmp_path / "out").values()) == ["a"]


class TestNames:
    def test_a_name_is_decided_by_the_content_alone(self, tmp_path):
        one, two = (tmp_path / name for name in ("one", "two"))
        one.write_bytes(b"x" * 3_000_000)
        two.write_bytes(b"x" * 3_000_000)
        assert content_name(one, "scores") == content_name(two, "scores")
        two.write_bytes(b"x" * 2_999_999 + b"y")
        assert content_name(one, "scores") != content_name(two, "scores")

    def test_a_file_is_put_in_its_place_over_what_was_there(self, tmp_path):
        final = tmp_path / "runs" / "dt" / "run.parquet"
        for content in ("1", "2"):
            (tmp_path / "staged").write_text(content)
            place_file(tmp_path / "staged", final)
        assert files_of(tmp_path) == {"runs/dt/run.parquet": "2"}


class TestOverlap:
    def test_paths_beside_one_another_are_fine(self, tmp_path):
        named = {name: tmp_path / name for name in ("out", "work", "models")}
        refuse_overlap(named, tmp_path / "source")
        refuse_overlap({"output.path": tmp_path / "out", "work.path": tmp_path / "out2"}, None)

    @pytest.mark.parametrize(
        ("first", "second"),
        [("out", "out"), ("out", "out/work"), ("out/work", "out"), ("out", "./x/../out/y")],
    )
    def test_paths_that_are_equal_or_inside_one_another_are_refused(self, tmp_path, first, second):
        named = {"output.path": tmp_path / first, "work.path": tmp_path / second}
        with pytest.raises(ConfigError, match=r"output\.path .* and work\.path .* overlap"):
            refuse_overlap(named, None)

    def test_an_overlap_through_a_symbolic_link_is_refused(self, tmp_path):
        directory_of(tmp_path / "real")
        (tmp_path / "link").symlink_to(tmp_path / "real")
        named = {"output.path": tmp_path / "link" / "out"}
        with pytest.raises(ConfigError, match=r"output\.path .* and source\.path"):
            refuse_overlap(named, tmp_path / "real")

    def test_a_relative_path_is_taken_from_the_working_directory(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        with pytest.raises(ConfigError, match="overlap"):
            refuse_overlap({"output.path": Path("out")}, tmp_path / "out" / "raw")
