"""Where the output may be, and single files beside its tables."""

import os
from pathlib import Path

import pytest

from adlib.errors import ConfigError
from adlib.publishing import Area, place_file, refuse_files, refuse_overlap, refuse_unwritable
from tests.publications import files_below


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

    @pytest.mark.parametrize(("path", "source"), [("in", "in"), ("in/out", "in"), ("in", "in/x")])
    def test_an_output_equal_to_inside_or_around_the_input_is_refused(self, tmp_path, path, source):
        with pytest.raises(ConfigError, match=r"output\.path .* and source\.path .* overlap"):
            refuse_overlap({"output.path": tmp_path / path}, tmp_path / source)

    def test_an_overlap_through_a_symbolic_link_is_refused(self, tmp_path):
        (tmp_path / "real").mkdir()
        (tmp_path / "link").symlink_to(tmp_path / "real")
        named = {"output.path": tmp_path / "link" / "out"}
        with pytest.raises(ConfigError, match=r"output\.path .* and source\.path"):
            refuse_overlap(named, tmp_path / "real")

    def test_a_relative_path_is_taken_from_the_working_directory(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        with pytest.raises(ConfigError, match="overlap"):
            refuse_overlap({"output.path": Path("out")}, tmp_path / "out" / "raw")


class TestPlaces:
    def test_a_file_in_the_way_is_named(self, tmp_path):
        (tmp_path / "file").write_text("x")
        path = tmp_path / "file" / "below" / "out"
        with pytest.raises(ConfigError) as refused:
            refuse_files({"work.path": tmp_path, "output.path": path})
        assert str(refused.value) == (
            f"output.path ({path}) is to be a directory, and {tmp_path}/file is a file. Name "
            "another place, or move the file away."
        )
        refuse_files({"output.path": tmp_path / "new" / "er"})

    @pytest.mark.parametrize("lacking", [os.W_OK, os.X_OK])
    def test_a_directory_that_may_not_be_written_is_named(self, tmp_path, monkeypatch, lacking):
        refuse_unwritable({"output.path": tmp_path / "new"})
        asked = []

        def access(place, mode):
            asked.append(place)
            return not mode & lacking

        monkeypatch.setattr("adlib.publishing.places.os.access", access)
        with pytest.raises(ConfigError) as refused:
            refuse_unwritable({"output.path": tmp_path / "new" / "er"})
        assert asked == [tmp_path]
        assert str(refused.value) == (
            f"output.path ({tmp_path}/new/er) is to be written to, and this user may not write to "
            f"{tmp_path}. Change its owner or mode, or name another place."
        )

    def test_paths_that_overlap_are_both_named(self, tmp_path):
        named = {"a": tmp_path / "x", "b": tmp_path / "y", "c": tmp_path / "x" / "z"}
        with pytest.raises(ConfigError) as refused:
            refuse_overlap(named, None)
        assert str(refused.value) == (
            f"a ({tmp_path}/x) and c ({tmp_path}/x/z) overlap: what one run writes another would "
            "read or replace. Give each a directory of its own."
        )


class TestOneFile:
    def test_it_is_placed_whole_and_nothing_is_left_beside(self, output):
        assert place_file(output, "deep/guide.md", b"one") == output / "deep" / "guide.md"
        assert files_below(output) == {"deep/guide.md": b"one"}
        assert [*Area(output).root.iterdir()] == [Area(output).root / "files.lock"]

    def test_it_replaces_another_and_stays_where_it_is_the_same(self, output):
        place_file(output, "guide.md", b"one")
        first = (output / "guide.md").stat().st_ino
        place_file(output, "guide.md", b"one")
        assert (output / "guide.md").stat().st_ino == first
        place_file(output, "guide.md", b"two")
        assert files_below(output) == {"guide.md": b"two"}
        assert (output / "guide.md").stat().st_ino != first

    def test_what_a_killed_run_left_goes(self, output):
        place_file(output, "guide.md", b"one")
        (Area(output).root / "unfinished.part").write_bytes(b"half")
        place_file(output, "guide.md", b"one")
        assert not (Area(output).root / "unfinished.part").exists()
