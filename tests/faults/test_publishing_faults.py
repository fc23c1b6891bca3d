"""Killed, failing, full: whatever stops it, a table is old or new, and a rerun ends it."""

import errno
import os
import resource
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import pytest

from adlib.errors import AdlibError, TransientError
from adlib.publishing import Disk, Publisher, place_file
from adlib.runs import verify
from tests.publications import (
    DAY,
    UNREADABLE,
    Step,
    StoppingDisk,
    ended_process,
    expected,
    failing,
    files_below,
    kill,
    nothing,
    publish,
    publish_and_exit,
    published,
    start,
    tear,
)

MEMORY = Path("/dev/shm")  # noqa: S108 - where waiting for the disk takes no time
DEAD = -9


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    """A directory in memory where there is one: these tests publish hundreds of times."""
    if not os.access(MEMORY, os.W_OK):
        yield tmp_path
        return
    directory = MEMORY / f"adlib-{os.getpid()}-{tmp_path.name}"
    directory.mkdir()
    yield directory
    shutil.rmtree(directory)


@pytest.fixture(params=["exchange", "two renames"])
def exchanges(request) -> bool:
    return bool(request.param == "exchange")


class World:
    """An output on which the first version is published, made anew for each try."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.output = place / "try" / "out"
        publish(Publisher(place / "base" / "out"), "first", place / "base" / "work")
        self.begin_again()
        undisturbed = StoppingDisk(0, nothing)
        publish(Publisher(self.output, disk=undisturbed), "second", self.work)
        self.steps = undisturbed.steps
        self.undisturbed = files_below(self.output)

    @property
    def work(self) -> Path:
        return self.place / "try" / "work"

    def begin_again(self) -> None:
        shutil.rmtree(self.place / "try", ignore_errors=True)
        shutil.copytree(self.place / "base", self.place / "try")

    def tries(self, *, exchanges: bool = True) -> Iterator[int]:
        """Begin again for each step of a publication; more than there are, for two renames."""
        for step in range(1, len(self.steps) + (1 if exchanges else 12)):
            self.begin_again()
            yield step

    def assert_tables_are_whole(self, *, exchanges: bool = True) -> None:
        """Each table is of one version; one of both versions is there, if directories exchange.

        Killed while notices stand a table fails whoever reads it, until the next start.
        """
        for table, version in published(self.output).items():
            assert version in {"first", "second", UNREADABLE, None}
            assert version or table == "quarantine" or not exchanges

    def assert_a_rerun_ends_it(self) -> None:
        publish(Publisher(self.output), "second", self.work)
        self.assert_as_undisturbed()
        Publisher(self.output, now=lambda: time.time() + 3600).recover()
        self.assert_as_undisturbed()
        area = self.output.with_name(".out.adlib")
        assert not list((area / "bundles").iterdir())
        assert not list((area / "retired").iterdir())
        assert len(list((area / "locks").rglob("*.*"))) == 1

    def assert_as_undisturbed(self) -> None:
        assert files_below(self.output) == self.undisturbed
        assert verify(self.output, DAY).problem is None


@pytest.fixture
def world(place: Path) -> World:
    return World(place)


@pytest.mark.parametrize("happen", [kill, tear])
def test_killed_before_any_file_operation_a_rerun_publishes_what_an_undisturbed_run_does(
    world, exchanges, happen
):
    for step in world.tries(exchanges=exchanges):
        disk = StoppingDisk(step, happen, exchanges=exchanges)
        process = start(publish_and_exit, world.output, "second", disk)
        process.join()
        if process.exitcode == DEAD:
            world.assert_tables_are_whole(exchanges=exchanges)
        else:
            assert (process.exitcode, exchanges) == (0, False)
        world.assert_a_rerun_ends_it()


def test_killed_while_it_recovers_from_a_kill_the_next_start_ends_it(world):
    halfway = 1 + next(
        place for place, step in enumerate(world.steps, 1) if step.startswith("exchange")
    )
    for step in range(1, len(world.steps)):
        world.begin_again()
        for at in (halfway, step):
            process = start(publish_and_exit, world.output, "second", StoppingDisk(at, kill))
            process.join()
            world.assert_tables_are_whole()
        world.assert_a_rerun_ends_it()


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (errno.ENOSPC, TransientError),
        (errno.EIO, TransientError),
        (errno.EACCES, AdlibError),
    ],
)
def test_when_any_file_operation_fails_the_old_tables_stay_and_a_rerun_publishes(
    world, exchanges, code, error
):
    told = 0
    for step in world.tries(exchanges=exchanges):
        disk = StoppingDisk(step, failing(code), exchanges=exchanges)
        try:
            publish(Publisher(world.output, disk=disk, owner=ended_process()), "second", world.work)
        except AdlibError as raised:
            assert type(raised) is error
            assert os.strerror(code) in str(raised)
            assert str(raised).endswith("run the command again.")
            told += 1
        whole = published(world.output)
        assert whole in (expected("first"), expected("second"))
        assert verify(world.output, DAY).problem is None
        world.assert_a_rerun_ends_it()
    assert told > 0.8 * len(world.steps)


def test_when_the_disk_fails_for_good_at_any_moment_a_rerun_on_a_sound_one_publishes(
    world, exchanges
):
    for step in world.tries(exchanges=exchanges):
        disk = StoppingDisk(step, failing(errno.EIO), on=True, exchanges=exchanges)
        try:
            publish(Publisher(world.output, disk=disk, owner=ended_process()), "second", world.work)
        except TransientError as raised:
            assert "Free space or wait" in str(raised)
        world.assert_tables_are_whole(exchanges=exchanges)
        world.assert_a_rerun_ends_it()


def publish_in_little_files(output: Path, version: str, limit: int) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    publish_and_exit(output, version, OnTwoDisks())


class OnTwoDisks(Disk):
    """A disk that has to copy what is staged elsewhere."""

    def on_one_disk(self, first: Path, second: Path) -> bool:
        return "work" not in str(first) and super().on_one_disk(first, second)


def test_a_limit_on_the_size_of_files_is_an_error_and_the_old_tables_stay(world):
    codes = set()
    for limit in range(0, 1400, 100):
        world.begin_again()
        process = start(publish_in_little_files, world.output, "second", limit)
        process.join()
        codes.add(process.exitcode)
        assert published(world.output) == expected("first")
        world.assert_a_rerun_ends_it()
    assert codes == {1}


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 400 KB."""
    mount = ["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", str(tmp_path / "disk")]
    (tmp_path / "disk").mkdir()
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting a small disk takes more rights")
    yield tmp_path / "disk"
    subprocess.run(["umount", str(tmp_path / "disk")], check=True)


def test_a_full_disk_is_an_error_and_with_space_a_rerun_publishes(full_disk, tmp_path):
    output, filler = full_disk / "out", full_disk / "filler"
    publish(Publisher(output), "first", tmp_path / "work")
    codes = []
    for free in range(0, 60_000, 4096):
        shutil.rmtree(output.with_name(".out.adlib"))
        filler.write_bytes(bytes(shutil.disk_usage(full_disk).free - free))
        process = start(publish_elsewhere, output, tmp_path / "work")
        process.join()
        codes.append(process.exitcode or 0)
        assert published(output) == expected("second" if codes[-1] == 0 else "first")
        filler.unlink()
        publish(Publisher(output), "second", tmp_path / "work")
        assert verify(output, DAY).run_id == "second"
        publish(Publisher(output), "first", tmp_path / "work")
    assert set(codes) == {75, 0}
    assert codes == sorted(codes, reverse=True)


def publish_elsewhere(output: Path, work: Path) -> None:
    try:
        publish(Publisher(output), "second", work / "elsewhere")
    except AdlibError as error:
        os._exit(error.exit_code)


def every_kind_of_place(length: int) -> list[int]:
    """Return places of a file: its first and last bytes, and some in between."""
    ends = [*range(min(12, length)), *range(max(0, length - 24), length)]
    return sorted({*ends, *range(0, length, max(1, length // 60))})


def flip(file: Path, place: int, bit: int) -> None:
    content = bytearray(file.read_bytes())
    content[place] ^= 1 << bit
    file.write_bytes(content)


class TestFlippedBits:
    @pytest.mark.parametrize("of", ["tables/anomalies", "tables/manifests", "record", "."])
    def test_a_bundle_altered_by_one_bit_is_refused_and_the_old_tables_stay(self, world, of):
        world.begin_again()
        bundle = self.sealed(world)
        (sealed,) = (
            file for file in (bundle / of).iterdir() if file.is_file() and file.name != "owner.json"
        )
        steps: Step = nothing
        for place in every_kind_of_place(len(sealed.read_bytes())):
            world.begin_again()
            publisher = Publisher(world.output, disk=StoppingDisk(0, steps))
            opened = publisher.open(DAY)
            self.fill(publisher, opened, world)
            flip(opened.root / of / sealed.name, place, place % 8)
            with pytest.raises(AdlibError, match="is refused") as refused:
                publisher.publish([opened])
            assert refused.value.exit_code == 1
            publisher.discard([opened])
            assert published(world.output) == expected("first")
            assert verify(world.output, DAY).problem is None
        world.assert_a_rerun_ends_it()

    def sealed(self, world: World) -> Path:
        publisher = Publisher(world.output)
        opened = publisher.open(DAY)
        self.fill(publisher, opened, world)
        return opened.root

    def fill(self, publisher, opened, world):
        from tests.publications import prepare

        prepare(publisher, opened, "second", world.work)

    def test_a_published_file_altered_by_one_bit_is_found(self, world):
        for name, content in world.undisturbed.items():
            if name.startswith("runs/"):
                continue
            file = world.output / name
            for place in every_kind_of_place(len(content)):
                flip(file, place, place % 8)
                problem = verify(world.output, DAY).problem
                assert problem is not None, f"bit {place % 8} of byte {place} of {name}"
                assert str(file) in problem
                file.write_bytes(content)
        assert verify(world.output, DAY).problem is None

    def test_an_altered_bundle_that_was_journalled_is_set_aside_and_the_date_can_be_published(
        self, world, caplog
    ):
        at = next(place for place, step in enumerate(world.steps, 1) if "exchange" in step)
        world.begin_again()
        process = start(publish_and_exit, world.output, "second", StoppingDisk(at, kill))
        process.join()
        assert process.exitcode == DEAD
        bundles = world.output.with_name(".out.adlib") / "bundles"
        flip(next(bundles.glob("*/tables/scores/*")), 20, 3)
        Publisher(world.output).recover()
        assert "is refused" in caplog.text
        assert published(world.output) == expected("first")
        world.assert_a_rerun_ends_it()


def place_and_end(output: Path) -> None:
    """Write a file, and end before it is moved in."""
    with patch.object(Path, "replace", kill):
        place_file(output, "reports/a/index.html", b"page")


def test_a_page_that_is_killed_while_it_is_written_leaves_nothing_in_the_output(tmp_path):
    process = start(place_and_end, tmp_path / "out")
    process.join()
    assert process.exitcode == DEAD
    assert files_below(tmp_path / "out") == {}
    place_file(tmp_path / "out", "reports/a/index.html", b"page")
    assert files_below(tmp_path / "out") == {"reports/a/index.html": b"page"}
