"""What a publisher that ended leaves behind is carried through or discarded, and who is said."""

import errno
import json
import logging
import os
import socket
import time
from dataclasses import replace

import pytest

from adlib.errors import AdlibError, BusyError, TransientError
from adlib.publishing import Area, Disk, Publisher
from adlib.publishing.locks import Lock, Owner, _began, _space, this_process
from adlib.publishing.publisher import _STAGING_SECONDS, _listed
from adlib.runs import verify
from tests.publications import (
    DAY,
    StoppingDisk,
    ended_process,
    expected,
    failing,
    files_below,
    nothing,
    prepare,
    publish,
    published,
)

CARRIED = "Carried an interrupted publication of 2024-02-29 through."
ADVICE = "Nothing more of it is moved; run the command again, and look at the disk if it stays."
DISCARDED = "Discarded an unfinished publication of 2024-02-29."
ELSEWHERE = Owner("0123456789abcdef", "elsewhere", "another boot", 1, "1")


class KilledError(BaseException):
    """Stands for a signal: nothing is cleaned up on its way."""


def kill(*_: object) -> None:
    raise KilledError


@pytest.fixture
def interrupted(output, work, monkeypatch):
    """Publish, and end at a step; return the steps."""

    def interrupted(at=10_000, version="second", owner=None):
        disk = StoppingDisk(at, kill)
        publisher = Publisher(output, disk=disk, owner=owner or ended_process())
        with monkeypatch.context() as patched:
            patched.setattr(Publisher, "discard", nothing)
            try:
                publish(publisher, version, work / "interrupted")
            except KilledError:
                assert len(disk.steps) == at
        return disk.steps

    return interrupted


def bundles_of(output):
    return Publisher(output)._bundles()


@pytest.mark.parametrize("share", [0.1, 0.3, 0.45, 0.55, 0.65, 0.75, 0.85, 0.95])
def test_the_next_start_carries_through_what_was_journalled_and_discards_the_rest(
    output, work, interrupted, caplog, tmp_path, share
):
    publish(Publisher(output), "first", work / "first")
    undisturbed = StoppingDisk(10_000, nothing)
    other = tmp_path / "other"
    publish(Publisher(other), "first", work / "first")
    publish(Publisher(other, disk=undisturbed), "second", work / "other")
    steps = interrupted(int(share * len(undisturbed.steps)))
    journalled = any("journal.json" in step and step.startswith("move") for step in steps[:-1])
    with caplog.at_level(logging.INFO):
        Publisher(output).recover()
    assert published(output) == expected("second" if journalled else "first")
    opened = any("bundles" in step for step in steps[:-1])
    assert (DISCARDED in caplog.messages) == (opened and not journalled)
    assert bundles_of(output) == []
    publish(Publisher(output), "second", work / "again")
    assert files_below(output) == files_below(other)


def journalled(output, work, interrupted):
    """Leave a journalled bundle of the second version of which nothing was moved."""
    publish(Publisher(output), "first", work / "first")
    kept = StoppingDisk(10_000, nothing)
    other = output.with_name("rehearsal")
    publish(Publisher(other), "first", work / "first")
    publish(Publisher(other, disk=kept), "second", work / "rehearsal")
    at = next(
        place
        for place, step in enumerate(kept.steps, 1)
        if step.startswith("move") and step.endswith("journal.json")
    )
    interrupted(at + 1)
    (bundle,) = bundles_of(output)
    assert bundle.is_journalled()
    return bundle


def test_what_was_carried_through_is_said_and_what_it_replaced_is_kept_for_a_lease(
    output, work, interrupted, caplog
):
    journalled(output, work, interrupted)
    with caplog.at_level(logging.INFO):
        Publisher(output).recover()
    assert caplog.messages[1:] == [CARRIED]  # first, that the lock was taken over
    assert [*Area(output).retired.iterdir()]
    now = time.time()
    Publisher(output, now=lambda: now + 599.0).recover()
    assert [*Area(output).retired.iterdir()]
    Publisher(output, now=lambda: now + 603.0).recover()
    assert not [*Area(output).retired.iterdir()]


def test_a_journalled_bundle_that_was_altered_is_refused_and_moved_aside(
    output, work, interrupted, caplog
):
    bundle = journalled(output, work, interrupted)
    staged = next(file for file in bundle.root.rglob("scores-*.parquet"))
    staged.write_bytes(staged.read_bytes()[:-1])
    Publisher(output).recover()
    assert published(output) == expected("first")
    assert bundles_of(output) == []
    _, said = caplog.messages
    assert said.startswith("The publication of 2024-02-29 is refused: ")
    assert " is not what was sealed, " in said
    assert said.endswith(ADVICE)


@pytest.mark.parametrize(("beyond", "stays"), [(-60.0, True), (60.0, False)])
def test_what_another_machine_is_staging_is_left_to_it_for_a_day(output, beyond, stays):
    bundle = Publisher(output, owner=ELSEWHERE).open(DAY)
    Publisher(output, now=lambda: time.time() + _STAGING_SECONDS + beyond).recover()
    assert bundle.root.exists() is stays


@pytest.mark.parametrize(("age", "stays"), [(0.0, True), (590.0, True), (610.0, False)])
def test_a_bundle_that_nobody_has_signed_is_left_for_a_lease(output, age, stays):
    bundle = Publisher(output).open(DAY)
    (bundle.root / "owner.json").unlink()
    Publisher(output, now=lambda: time.time() + age).recover()
    assert bundle.root.exists() is stays


def test_what_this_process_is_staging_stays(output, work):
    publisher = Publisher(output)
    bundle = publisher.open(DAY)
    prepare(publisher, bundle, "first", work)
    Publisher(output, owner=ELSEWHERE).recover()
    assert bundle.root.exists()
    publisher.publish([bundle])
    assert published(output) == expected("first")


def test_a_bundle_of_a_claim_that_has_ended_is_discarded(output):
    publisher = Publisher(output, owner=ELSEWHERE)
    bundle = publisher.open(DAY)
    lock = publisher._lock(DAY)
    lock.directory.mkdir()
    claim = replace(lock, owner=replace(ELSEWHERE, token=bundle.token)).take()
    Publisher(output).recover()
    assert bundle.root.exists()
    Publisher(output, now=lambda: claim.until + 1.0).recover()
    assert not bundle.root.exists()


def test_a_sealed_bundle_that_was_altered_is_refused_and_what_was_altered_is_named(output, work):
    publish(Publisher(output), "first", work / "first")
    publisher = Publisher(output)

    def refused(name, alter):
        bundle = publisher.open(DAY)
        prepare(publisher, bundle, "second", work / name)
        (file,) = bundle.root.glob(name)
        alter(file)
        with pytest.raises(AdlibError) as error:
            publisher.publish([bundle])
        assert not bundle.is_journalled()
        publisher.discard([bundle])
        before = f"The publication of 2024-02-29 is refused: {bundle.root} is not what was sealed, "
        after = f". {ADVICE}"
        said = str(error.value)
        assert said.startswith(before)
        assert said.endswith(after)
        return said.removeprefix(before).removesuffix(after).replace(str(file), "FILE")

    def cut(file):
        file.write_bytes(file.read_bytes()[:-1])

    assert refused("tables/scores/scores-*", cut) == "FILE was altered"
    assert refused("tables/scores/scores-*", os.unlink) == "FILE is missing"
    assert refused("record/run-second.parquet", cut) == "FILE was altered"
    assert refused("record/run-second.parquet", os.unlink) == "FILE is missing"
    assert refused("seal.json", cut) == "its digest is not that of its content"
    assert refused("seal.json", lambda file: file.write_bytes(b"[]")) == "it is no JSON object"
    broken = refused("seal.json", lambda file: file.write_bytes(b"{"))
    assert broken.startswith("it is no JSON (Expecting property name")
    assert published(output) == expected("first")


def test_a_journal_names_the_number_it_was_published_under(output, work, interrupted):
    bundle = journalled(output, work, interrupted)
    journal = json.loads((bundle.root / "journal.json").read_bytes())
    lock = json.loads(max(Area(output).locks(DAY).iterdir()).read_bytes())
    assert (journal["adlib"], lock["adlib"]) == ("journal", "claim")
    assert journal["fence"] == 2
    assert journal["owner"] == lock["owner"]


class TestTakenBack:
    """A step that fails after tables were moved has them moved back, the last one first."""

    @pytest.fixture(params=[True, False], ids=["exchange", "two renames"])
    def failed(self, request, output, work):
        """Publish the first version, then fail at a step of the second one; return the error."""
        publish(Publisher(output), "first", work / "first")

        def failed(step, code=errno.EIO):
            def fail(operation, path):
                if f"{operation} {path}".startswith(step):
                    raise OSError(code, os.strerror(code), str(path))

            disk = StoppingDisk(0, fail, on=True, exchanges=request.param)
            with pytest.raises(AdlibError) as error:
                publish(Publisher(output, disk=disk), "second", work / "second")
            return str(error.value)

        return failed

    @pytest.mark.parametrize("of", ["scores", "manifests", "runs"])
    def test_the_old_tables_stand_and_are_intact(self, failed, output, work, of):
        step = {"runs": f"move {output}/runs", "manifests": f"sync {output}/manifests"}
        said = failed(step.get(of, f"sync {output}/{of}"))
        assert said.startswith(f"The system failed while publishing 2024-02-29 in {output}: ")
        assert published(output) == expected("first")
        assert verify(output, DAY).run_id == "first"
        publish(Publisher(output), "second", work / "again")
        assert published(output) == expected("second")

    def test_what_was_being_done_is_said_of_each_part(self, failed, output, work):
        bundles = Area(output).bundles
        for step, doing in {
            f"make {bundles}/dt=": f"preparing 2024-02-29 for publication beside {output}",
            "footer": f"staging 2024-02-29 beside {output}",
            f"digest {work}/second/2024-02-29/record": f"sealing 2024-02-29 beside {output}",
        }.items():
            assert failed(step).startswith(f"The system failed while {doing}: ")


class TestOwner:
    def test_this_process_is_there_and_one_that_ended_is_gone(self):
        mine = this_process()
        assert (mine.host, mine.pid, len(mine.token)) == (socket.gethostname(), os.getpid(), 16)
        assert not mine.is_gone()
        assert ended_process().is_gone()

    def test_another_process_with_the_number_of_one_that_ended_is_not_it(self):
        assert replace(this_process(), began="1").is_gone()
        assert replace(this_process(), began=None).is_gone()

    @pytest.mark.parametrize(
        "changes", [{"host": "elsewhere"}, {"space": "another boot"}, {"space": None}]
    )
    def test_of_another_machine_or_boot_nobody_can_know(self, changes):
        assert not replace(ended_process(), **changes).is_gone()

    def test_what_the_system_does_not_say_is_not_known(self):
        assert _began(2**22 + 1) is None
        assert _began(os.getpid()) == _began(os.getpid()) is not None
        assert str(os.readlink("/proc/self/ns/pid")) in str(_space())  # noqa: PTH115


class TestWords:
    def lock(self, output, owner, now):
        Area(output).locks(DAY).mkdir(parents=True, exist_ok=True)
        return Lock(Area(output), DAY, owner, Disk(), now=lambda: now)

    def test_who_holds_a_date_is_named_with_what_is_left_of_the_lease(self, output):
        self.lock(output, ELSEWHERE, 1000.0).take()
        with pytest.raises(BusyError) as busy:
            self.lock(output, this_process(), 1100.0).take()
        assert str(busy.value) == (
            "Somebody else is publishing 2024-02-29: process 1 on elsewhere, with a lease for 500 "
            "s more. Wait until it has ended, then run the command again."
        )

    def test_who_was_taken_over_is_named(self, output, caplog):
        self.lock(output, ELSEWHERE, 1000.0).take()
        self.lock(output, this_process(), 1605.0).take()
        gone = ended_process()
        later = self.lock(output, gone, 9000.0)
        later.take()
        self.lock(output, this_process(), 9001.0).take()
        took = "Took 2024-02-29 over from process"
        assert caplog.messages == [
            f"{took} 1 on elsewhere, with a lease until 5 s ago.",
            f"{took} {os.getpid()} on {gone.host}, with a lease until 6795 s ago.",
            f"{took} {gone.pid} on {gone.host}, which has ended, with a lease for 599 s more.",
        ]

    def test_who_comes_too_late_is_told_so(self, output):
        lock = self.lock(output, ELSEWHERE, 1000.0)
        claim = lock.take()
        self.lock(output, this_process(), 2000.0).take()
        with pytest.raises(BusyError) as late:
            lock.check(claim)
        assert str(late.value) == (
            "The publication of 2024-02-29 was paused past its lease and somebody else has taken "
            "the date over. What this run had left to do was refused; look at the other run's "
            "result, and run this one again if it should replace it."
        )

    def test_what_was_being_done_when_the_system_failed_is_said(self, output):
        disk = StoppingDisk(1, failing(28))
        publisher = Publisher(output, disk=disk)
        for call, doing in {
            lambda: publisher.open(DAY): f"preparing 2024-02-29 for publication beside {output}",
            publisher.recover: f"recovering {output}",
        }.items():
            disk.steps.clear()
            with pytest.raises(TransientError) as failed:
                call()
            said = f"The system failed while {doing}: [Errno 28] No space left"
            assert str(failed.value).startswith(said)

    def test_dates_are_listed(self):
        assert _listed([]) == "none"
        assert _listed([DAY, DAY]) == "2024-02-29, 2024-02-29"


def test_an_unreadable_lock_stops_a_publication(output, work):
    publish(Publisher(output), "first", work / "first")
    lock = next(Area(output).locks(DAY).iterdir())
    lock.write_bytes(b"{}")
    with pytest.raises(AdlibError, match="was altered"):
        publish(Publisher(output), "second", work / "second")
    assert published(output) == expected("first")
