"""What publishing takes in, what it puts where, and what it leaves alone."""

import ctypes
import errno
import json
import os
import shutil
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from adlib.errors import AdlibError, ConfigError
from adlib.publishing import (
    CountedTable,
    Disk,
    Publisher,
    date_directory,
    name_by_content,
    published_dates,
)
from adlib.publishing.manifest import read_manifest
from adlib.runs import verify
from tests.publications import (
    DAY,
    OURS,
    ROWS,
    StoppingDisk,
    expected,
    failing,
    files_below,
    prepare,
    publish,
    published,
    tables_of,
)

NEXT = DAY + timedelta(days=1)
MEMORY = Path("/dev/shm")  # noqa: S108 - a second disk, which most systems have


class TestWhatIsPublished:
    def test_every_file_is_named_by_its_content_under_its_table_and_date(self, output, work):
        publish(Publisher(output), "first", work)
        directory = date_directory(DAY)
        digest = Disk().digest(next((output / "scores" / directory).iterdir()))
        assert (output / "scores" / directory / name_by_content("scores", digest.sha256)).exists()
        assert published(output) == expected("first")
        assert {path.name for path in output.iterdir()} == {
            *("anomalies", "daily_summary", "quarantine", "scores", "manifests", "runs")
        }

    def test_the_manifest_says_of_each_file_its_rows_size_and_digest(self, output, work):
        publish(Publisher(output), "first", work)
        (file,) = (output / "manifests" / date_directory(DAY)).iterdir()
        manifest = read_manifest(file.read_bytes())
        (scores,) = manifest.tables["scores"]
        content = (output / "scores" / date_directory(DAY) / scores.name).read_bytes()
        assert scores.rows == ROWS["first"]
        assert scores.size_bytes == len(content)
        assert json.loads(file.read_bytes())["run_id"] == "first"

    def test_the_same_work_has_the_same_manifest_wherever_and_whenever_it_is_done(
        self, tmp_path, work
    ):
        for name in ("one", "two"):
            publish(Publisher(tmp_path / name), "first", work)
        one, two = (files_below(tmp_path / name / "manifests") for name in ("one", "two"))
        assert one == two

    def test_tables_that_are_as_they_should_be_are_not_rewritten(self, output, work):
        publish(Publisher(output), "first", work)
        before = {path: path.stat().st_ino for path in output.rglob("*-*.*")}
        disk = StoppingDisk(10_000, failing(errno.EIO))
        publish(Publisher(output, disk=disk), "first", work)
        assert not any(step.startswith("exchange") for step in disk.steps)
        after = {path: path.stat().st_ino for path in output.rglob("*-*.*")}
        assert {path for path in after if after[path] != before[path]} == {
            output / "runs" / date_directory(DAY) / "run-first.parquet"
        }

    def test_an_altered_file_is_put_right_by_publishing_the_same_again(self, output, work):
        publish(Publisher(output), "first", work)
        (file,) = (output / "scores" / date_directory(DAY)).iterdir()
        content = file.read_bytes()
        file.write_bytes(content[:-1] + b"?")
        publish(Publisher(output), "first", work)
        assert file.read_bytes() == content

    def test_a_table_without_files_has_no_directory_afterwards(self, output, work):
        publish(Publisher(output), "first", work)
        publish(Publisher(output), "second", work)
        assert published(output) == expected("second")
        assert not (output / "quarantine" / date_directory(DAY)).exists()

    def test_files_of_equal_content_are_all_published(self, output, work):
        publisher = Publisher(output)
        tables = tables_of("first", work)
        (file,) = tables["scores"].files
        again = [file, *(shutil.copy(file, file.with_name(f"{place}")) for place in range(2))]
        tables["scores"] = CountedTable([Path(one) for one in again], 3 * ROWS["first"], OURS)
        manifest = publisher.stage(publisher.open(DAY), "first", tables)
        names = [file.name for file in manifest.tables["scores"]]
        plain = name_by_content("scores", manifest.tables["scores"][0].sha256)
        stem = plain.removesuffix(".parquet")
        assert names == [plain, f"{stem}-1.parquet", f"{stem}-2.parquet"]

    def test_files_come_from_another_disk(self, output, tmp_path):
        elsewhere = MEMORY / f"adlib-{os.getpid()}-elsewhere"
        if not os.access(MEMORY, os.W_OK) or MEMORY.stat().st_dev == tmp_path.stat().st_dev:
            pytest.skip("there is no second disk")
        try:
            publish(Publisher(output), "first", elsewhere)
        finally:
            shutil.rmtree(elsewhere)
        assert verify(output, DAY).problem is None

    def test_an_output_that_is_a_disk_of_its_own_is_refused_with_a_way_out(
        self, output, work, monkeypatch
    ):
        output.mkdir(parents=True)
        monkeypatch.setattr(Disk, "on_one_disk", lambda *_: False)
        with pytest.raises(ConfigError, match="Name a directory on it, such as"):
            publish(Publisher(output), "first", work)
        assert not list(output.iterdir())


class TestSeveralDates:
    def test_each_is_published_and_another_is_not_touched(self, output, work):
        publish(Publisher(output), "first", work, [DAY, NEXT])
        before = files_below(output / "scores" / date_directory(DAY))
        publish(Publisher(output), "second", work, [NEXT])
        assert published_dates(output) == [DAY, NEXT]
        assert files_below(output / "scores" / date_directory(DAY)) == before
        assert published(output, NEXT) == expected("second")

    def test_when_one_fails_those_before_it_are_done_and_it_is_said_which(self, output, work):
        last = NEXT + timedelta(days=1)
        publish(Publisher(output), "first", work, [DAY, NEXT, last])
        blocked = output / "scores" / date_directory(NEXT)
        blocked.rename(work / "away")
        blocked.symlink_to(work / "away")
        words = f"Published: {DAY}; not published: {NEXT}, {last}."
        with pytest.raises(AdlibError) as refused:
            publish(Publisher(output), "second", work, [DAY, NEXT, last])
        assert str(refused.value).endswith(words)
        assert published(output, DAY) == expected("second")
        assert published(output, NEXT) == expected("first")
        assert published(output, last) == expected("first")


class TestWhatIsRefusedBeforeAnythingMoves:
    def stage(self, output, work, **changes):
        publisher = Publisher(output)
        tables = tables_of("first", work)
        tables["scores"] = replace(tables["scores"], **changes)
        with pytest.raises(AdlibError, match="Nothing was published") as refused:
            publisher.stage(publisher.open(DAY), "first", tables)
        assert not output.exists()
        return str(refused.value)

    def test_more_or_fewer_rows_than_were_counted(self, output, work):
        said = self.stage(output, work, rows=8)
        assert said.startswith("The files of scores hold 7 rows and 8 were counted. ")

    def test_no_file_where_rows_were_counted(self, output, work):
        said = self.stage(output, work, files=[])
        assert said.startswith("The files of scores hold 0 rows and 7 were counted. ")

    def test_another_column_than_the_contracts(self, output, work):
        ours = pa.schema([*OURS, ("anomaly_score", pa.float64())])
        assert "anomaly_score double expected" in self.stage(output, work, ours=ours)
        ours = pa.schema([*OURS, ("a", pa.bool_()), ("b", pa.int32())])
        (file,) = tables_of("first", work)["scores"].files
        assert self.stage(output, work, ours=ours) == (
            f"{file} has other columns than its table: a bool expected, nothing found; b int32 "
            "expected, nothing found. Nothing was published; every executor needs the same version "
            "of adlib."
        )

    def test_another_type_than_the_contracts(self, output, work):
        ours = pa.schema([*list(OURS)[:2], ("row", pa.float64())])
        said = self.stage(output, work, ours=ours)
        assert "row double expected, row int64 found" in said

    def test_a_file_that_was_cut_short(self, output, work):
        (file,) = tables_of("first", work)["scores"].files
        cut = work / "cut.parquet"
        cut.write_bytes(file.read_bytes()[:-20])
        assert self.stage(output, work, files=[cut]) == (
            f"{cut} cannot be read as Parquet: it was cut short or altered before it could be "
            "published. Nothing was published; run the command again."
        )

    def test_key_and_kept_columns_may_stand_before_the_contracts(self, output, work):
        publisher = Publisher(output)
        tables = tables_of("first", work)
        tables["scores"] = replace(tables["scores"], ours=pa.schema(list(OURS)[1:]))
        assert publisher.stage(publisher.open(DAY), "first", tables).tables["scores"]


class TestWhatIsNotOurs:
    def test_a_file_of_somebody_else_is_moved_aside_and_never_deleted(self, output, work, caplog):
        publish(Publisher(output), "first", work)
        (output / "scores" / date_directory(DAY) / "notes.txt").write_text("mine")
        publish(Publisher(output), "second", work)
        Publisher(output, now=lambda: 1e12).recover()
        (kept,) = output.with_name(".out.adlib").rglob("notes.txt")
        assert kept.read_text() == "mine"
        assert f"{kept} was among the files replaced and is not ours" in caplog.text
        assert published(output) == expected("second")

    def test_a_directory_without_our_marker_is_left_in_the_area(self, output, work):
        publish(Publisher(output), "first", work)
        area = output.with_name(".out.adlib")
        for place in (area / "bundles", area / "retired"):
            stranger = place / f"{date_directory(DAY)}.stranger.1"
            stranger.mkdir()
            (stranger / "precious").write_text("mine")
        Publisher(output, now=lambda: 1e12).recover()
        assert len(list(area.rglob("precious"))) == 2

    @pytest.mark.parametrize("place", ["scores", f"scores/{date_directory(DAY)}"])
    def test_a_symbolic_link_is_not_followed_out_of_the_output(self, output, work, tmp_path, place):
        publish(Publisher(output), "first", work)
        outside = tmp_path / "outside"
        (output / place).rename(outside)
        (output / place).symlink_to(outside)
        before = files_below(outside)
        with pytest.raises(AdlibError, match="stays under") as refused:
            publish(Publisher(output), "second", work)
        assert str(output / place) in str(refused.value)
        assert files_below(outside) == before
        assert published(output) == expected("first")

    def test_what_stands_at_the_top_of_the_output_stays(self, output, work):
        publish(Publisher(output), "first", work)
        (output / "README.md").write_text("how to read this")
        publish(Publisher(output), "second", work)
        assert (output / "README.md").read_text() == "how to read this"


class TestExchanging:
    def test_this_disk_exchanges_in_one_step_or_says_that_it_cannot(self, tmp_path):
        for name in ("one", "two"):
            (tmp_path / name).mkdir()
            (tmp_path / name / "file").write_text(name)
        exchanged = Disk().exchange(tmp_path / "one", tmp_path / "two")
        assert (tmp_path / "one" / "file").read_text() == ("two" if exchanged else "one")

    def test_an_error_that_says_more_than_cannot_is_raised(self, tmp_path):
        with pytest.raises(FileNotFoundError, match="absent"):
            Disk().exchange(tmp_path, tmp_path / "absent")

    def test_a_system_without_the_call_falls_back(self, tmp_path, monkeypatch):
        monkeypatch.setattr(ctypes, "CDLL", lambda *_, **__: object())
        assert Disk().exchange(tmp_path, tmp_path) is False

    @pytest.mark.parametrize("code", [errno.EINVAL, errno.ENOSYS, errno.ENOTSUP])
    def test_a_disk_that_cannot_falls_back_and_says_so(
        self, output, work, monkeypatch, caplog, code
    ):
        class Library:
            renameat2 = staticmethod(lambda *_: -1)

        publish(Publisher(output), "first", work)
        monkeypatch.setattr(ctypes, "CDLL", lambda *_, **__: Library)
        monkeypatch.setattr(ctypes, "get_errno", lambda: code)
        with caplog.at_level("INFO"):
            publish(Publisher(output), "second", work)
        assert "cannot exchange directories in one step" in caplog.text
        assert published(output) == expected("second")


def test_a_bundle_that_is_not_published_goes_and_the_next_day_may_have_one(output, work):
    publisher = Publisher(output)
    bundle = publisher.open(date(2024, 1, 1))
    prepare(publisher, bundle, "first", work)
    publisher.discard([bundle])
    assert not list(output.with_name(".out.adlib").rglob("*.parquet"))
    assert not output.exists()
