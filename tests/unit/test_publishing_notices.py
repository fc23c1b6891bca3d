"""Whoever meets an exchange is told: names that were replaced fail for a moment, then are gone."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from adlib.publishing import Disk, Publisher, notices
from adlib.runs import verify
from tests.publications import (
    DAY,
    UNREADABLE,
    StoppingDisk,
    ended_process,
    expected,
    nothing,
    publish,
    published,
)

REPLACED = ("anomalies", "daily_summary", "scores")


class WatchedDisk(Disk):
    """A disk on which somebody looks at the output while a publication waits."""

    def __init__(self, output: Path) -> None:
        self.waited: list[float] = []
        self.seen: dict[str, list[Path]] = {}
        self.sizes: dict[Path, int] = {}
        self.unreadable: set[Path] = set()
        self.versions: dict[str, str | None] = {}
        self._output = output

    def wait(self, seconds: float) -> None:
        self.waited.append(seconds)
        self.seen = files_of(self._output)
        self.sizes = sizes_of(self.seen)
        self.unreadable = {file for file in self.sizes if file.suffix == ".parquet" and fails(file)}
        self.versions = published(self._output)


def files_of(output: Path) -> dict[str, list[Path]]:
    """Return what stands in each table's directory of the date."""
    return {
        directory.parent.name: sorted(directory.iterdir())
        for directory in output.glob(f"*/dt={DAY.isoformat()}")
    }


def sizes_of(tables: dict[str, list[Path]]) -> dict[Path, int]:
    return {file: file.stat().st_size for files in tables.values() for file in files}


def fails(file: Path) -> bool:
    try:
        pq.ParquetFile(file).read()
    except pa.ArrowInvalid:
        return True
    return False


@pytest.fixture
def replaced(output, work):
    """Replace the first version; return the sizes of what was replaced, and the disk."""
    publish(Publisher(output), "first", work)
    before = sizes_of({table: files_of(output)[table] for table in REPLACED})
    disk = WatchedDisk(output)
    publish(Publisher(output, disk=disk), "second", work)
    return before, disk


def test_names_that_were_listed_before_an_exchange_fail_after_it(replaced):
    before, disk = replaced
    assert disk.unreadable == set(before)
    assert {disk.versions[table] for table in REPLACED} == {UNREADABLE}
    assert disk.waited == [notices.SECONDS]


def test_a_notice_is_at_least_as_long_as_what_it_stands_for(replaced):
    before, disk = replaced
    assert all(disk.sizes[file] >= size for file, size in before.items())


def test_afterwards_the_new_files_stand_alone(replaced, output):
    _, disk = replaced
    after = files_of(output)
    assert published(output) == expected("second")
    assert verify(output, DAY).problem is None
    for table in REPLACED:
        assert len(after[table]) == 1
        assert set(after[table]) < set(disk.seen[table])


def test_that_they_are_gone_is_on_the_disk_before_the_record_says_that_all_is_published(
    output, work
):
    publish(Publisher(output), "first", work)
    disk = StoppingDisk(0, nothing)
    publish(Publisher(output, disk=disk), "second", work)
    (recorded,) = (i for i, step in enumerate(disk.steps) if step.startswith(f"move {output}/runs"))
    for table in REPLACED:
        final = f"{output}/{table}/dt={DAY.isoformat()}"
        removed = [i for i, step in enumerate(disk.steps) if step.startswith(f"remove {final}/")]
        assert len(removed) == 1
        assert removed[0] < disk.steps.index(f"sync {final}") < recorded


def test_the_manifest_and_the_rows_of_runs_have_none(replaced, output):
    _, disk = replaced
    assert disk.seen["manifests"] == files_of(output)["manifests"]
    assert all(not fails(file) for file in files_of(output)["runs"])


def test_nobody_is_waited_for_where_nothing_is_replaced(output, work):
    for _ in range(2):
        disk = WatchedDisk(output)
        publish(Publisher(output, disk=disk), "first", work)
        assert disk.waited == []


def test_of_a_name_that_stays_there_is_no_notice(output, work):
    publish(Publisher(output), "first", work)
    (stays,) = files_of(output)["scores"]
    stray = stays.with_name(f"scores-{'0' * 16}.parquet")
    stray.write_bytes(stays.read_bytes())
    disk = WatchedDisk(output)
    publish(Publisher(output, disk=disk), "first", work)
    assert disk.seen["scores"] == sorted([stays, stray])
    assert not fails(stays)
    assert files_of(output)["scores"] == [stays]


def test_a_link_that_leads_nowhere_is_moved_aside_as_any_file_of_somebody_else(output, work):
    publish(Publisher(output), "first", work)
    (file,) = files_of(output)["scores"]
    file.with_name("theirs.parquet").symlink_to(output / "gone")
    disk = WatchedDisk(output)
    publish(Publisher(output, disk=disk), "second", work)
    assert file.with_name("theirs.parquet") in disk.unreadable
    assert published(output) == expected("second")
    kept = Publisher(output).area.retired.glob("*/tables/scores")
    assert "theirs.parquet" in {file.name for scores in kept for file in scores.iterdir()}


def test_a_publisher_that_ends_while_they_stand_is_carried_through_and_they_go(output, work):
    publish(Publisher(output), "first", work)

    class EndingDisk(StoppingDisk):
        def wait(self, _seconds: float) -> None:
            raise SystemExit

    ending = Publisher(output, disk=EndingDisk(0, nothing), owner=ended_process())
    with pytest.raises(SystemExit):
        publish(ending, "second", work)
    assert published(output)["scores"] == UNREADABLE
    assert "is not in the manifest" in str(verify(output, DAY).problem)
    Publisher(output).recover()
    assert published(output) == expected("second")
    assert verify(output, DAY).problem is None


def test_a_file_that_is_no_notice_of_ours_stays_where_it_is(tmp_path):
    disk, notice = Disk(), tmp_path / "notice.txt"
    disk.write(notice, notices.CONTENT)
    directory = tmp_path / "published"
    directory.mkdir()
    for name in ("wanted.parquet", "copied.parquet"):
        (directory / name).write_bytes(notices.CONTENT)
    for name in ("linked.parquet", "wanted-too.parquet"):
        disk.claim(notice, directory / name)
    notices.withdraw(disk, notice, directory, ["wanted.parquet", "wanted-too.parquet", "missing"])
    assert (directory / "linked.parquet").exists()
    notices.withdraw(disk, notice, directory, ["wanted.parquet", "wanted-too.parquet"])
    assert {path.name for path in directory.iterdir()} == {
        *("wanted.parquet", "wanted-too.parquet", "copied.parquet")
    }
    notices.withdraw(disk, tmp_path / "none", directory, [])
    notices.withdraw(disk, notice, tmp_path / "nowhere", [])
    assert disk.size(notice) == len(notices.CONTENT)
