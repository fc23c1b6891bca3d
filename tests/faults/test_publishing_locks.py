"""One date, several publishers: one publishes, and whoever comes too late is refused."""

import os
import shutil
import signal
import time
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Self

import pytest

from adlib.errors import AdlibError, BusyError
from adlib.publishing import Area, Disk, Publisher
from adlib.publishing.locks import LEASE_SECONDS, Lock, Owner, this_process
from adlib.runs import verify
from tests.publications import (
    DAY,
    StoppingDisk,
    ended_process,
    expected,
    nothing,
    pause,
    publish,
    publish_and_exit,
    published,
    start,
)

BUSY = 5


def lock_of(output: Path, owner: Owner | None = None, *, after: float = 0.0) -> Lock:
    """Return a lock as an owner sees it, so many seconds from now."""
    area = Area(output)
    area.locks(DAY).mkdir(parents=True, exist_ok=True)
    owner = owner or this_process()
    return Lock(area, DAY, owner, Disk(), now=lambda: time.time() + after)


@pytest.fixture
def output(tmp_path):
    return tmp_path / "out"


class TestLocks:
    def test_a_held_date_is_refused_and_a_released_one_is_taken_with_a_higher_number(self, output):
        first = lock_of(output)
        claim = first.take()
        with pytest.raises(BusyError, match=f"process {os.getpid()} on ") as busy:
            lock_of(output).take()
        assert busy.value.exit_code == BUSY
        first.release(claim)
        assert lock_of(output).take().fence == claim.fence + 1

    def test_the_lock_of_a_process_that_ended_is_taken_over_at_once(self, output, caplog):
        claim = lock_of(output, ended_process()).take()
        assert lock_of(output).take().fence == claim.fence + 1
        assert "which has ended" in caplog.text

    def test_a_process_on_another_machine_is_waited_for_until_its_lease_ends(self, output):
        there = Owner("token", "elsewhere", "another boot", 1, "1")
        lock_of(output, there).take()
        with pytest.raises(BusyError, match="on elsewhere, with a lease for"):
            lock_of(output).take()
        lock_of(output, after=LEASE_SECONDS + 1).take()

    def test_an_owner_that_was_taken_over_is_late_and_cannot_release_what_is_not_its_own(
        self, output
    ):
        late = lock_of(output)
        claim = late.take()
        successor = lock_of(output, after=LEASE_SECONDS + 1)
        taken = successor.take()
        with pytest.raises(BusyError, match="paused past its lease"):
            late.check(claim)
        late.release(claim)
        successor.check(taken)

    def test_a_number_that_was_used_and_tidied_away_gives_nothing(self, output, monkeypatch):
        slow, quick = lock_of(output), lock_of(output)
        standing = slow.claims()
        for _ in range(2):
            claim = quick.take()
            quick.tidy(claim)
            quick.release(claim)
        seen = iter([standing])
        claims = Lock.claims
        monkeypatch.setattr(Lock, "claims", lambda lock: next(seen, claims(lock)))
        with pytest.raises(BusyError):
            slow.take()
        monkeypatch.undo()
        assert [one.fence for one in quick.claims()] == [2]

    def test_an_altered_lock_is_named_with_what_to_do(self, output):
        lock_of(output).take()
        (file,) = Area(output).locks(DAY).iterdir()
        file.write_text(file.read_text().replace('"owner"', '"own_r"'))
        with pytest.raises(AdlibError, match="If nobody is publishing") as refused:
            lock_of(output).take()
        assert str(file) in str(refused.value)


def exit_code_of(process: BaseProcess) -> int:
    process.join()
    assert process.exitcode is not None
    return process.exitcode


def stops(process: BaseProcess) -> bool:
    """Wait until a process stops or ends; tell whether it stopped."""
    while process.is_alive():
        if Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T":
            return True
        time.sleep(0.002)
    return False


def test_of_publishers_at_once_one_publishes_and_the_others_exit_5_or_come_after(output, tmp_path):
    publish(Publisher(output), "first", tmp_path / "work")
    codes: list[int] = []
    for _ in range(8):
        several = [
            start(publish_and_exit, output, version, Disk())
            for version in ("second", "third", "second", "third")
        ]
        codes.extend(exit_code_of(process) for process in several)
        assert published(output) in (expected("second"), expected("third"))
        assert verify(output, DAY).problem is None
        assert not list((output.with_name(".out.adlib") / "bundles").iterdir())
    assert set(codes) <= {0, BUSY}
    assert codes.count(0) >= 8


class Paused:
    """A publication of the second version over the first, paused before one of its steps."""

    def __init__(self, place: Path, step: int) -> None:
        shutil.rmtree(place / "try", ignore_errors=True)
        shutil.copytree(place / "base", place / "try")
        self.output = place / "try" / "out"
        self.work = place / "try" / "work"
        self.process = start(publish_and_exit, self.output, "second", StoppingDisk(step, pause))
        assert stops(self.process)

    def __enter__(self) -> Self:
        return self

    def go_on(self) -> int:
        assert self.process.pid is not None
        os.kill(self.process.pid, signal.SIGCONT)
        return exit_code_of(self.process)

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.join()


def steps_of_a_publication(place: Path) -> list[str]:
    """Publish the first version at `place/base`, and return the steps of the second over it."""
    base, trial = place / "base", place / "trial"
    publish(Publisher(base / "out"), "first", base / "work")
    shutil.copytree(base, trial)
    disk = StoppingDisk(0, nothing)
    publish(Publisher(trial / "out", disk=disk), "second", trial / "work")
    return disk.steps


def first_step(steps: list[str], words: str) -> int:
    return next(place for place, step in enumerate(steps, 1) if words in step)


def test_while_an_owner_is_paused_within_its_lease_others_exit_5(tmp_path):
    steps = steps_of_a_publication(tmp_path)
    after_lock = first_step(steps, "claim ") + 1
    for step in range(after_lock, first_step(steps, "runs/dt"), 5):
        with Paused(tmp_path, step) as paused:
            with pytest.raises(BusyError, match="Somebody else is publishing 2024-02-29"):
                publish(Publisher(paused.output), "third", paused.work)
            assert paused.go_on() == 0
            assert published(paused.output) == expected("second")


def test_an_owner_paused_past_its_lease_at_any_step_is_taken_over_and_refused_when_it_wakes(
    tmp_path,
):
    steps = steps_of_a_publication(tmp_path)
    locked = first_step(steps, "claim ") + 1
    recorded = 1 + max(
        place for place, step in enumerate(steps, 1) if "move" in step and "run-" in step
    )
    late = 0
    for step in range(locked - 4, len(steps) + 1):
        with Paused(tmp_path, step) as paused:
            later = Publisher(paused.output, now=lambda: time.time() + LEASE_SECONDS + 1)
            publish(later, "third", paused.work)
            assert published(paused.output) == expected("third")
            code = paused.go_on()
            assert code in {0, BUSY}
            if locked <= step <= recorded:
                assert code == BUSY, steps[step - 1]
            if step >= locked:
                assert published(paused.output) == expected("third"), steps[step - 1]
            assert verify(paused.output, DAY).problem is None
            late += code == BUSY
    assert late >= recorded - locked
