"""Any order of publications, crashes, takeovers and recoveries keeps the invariant."""

import os
import shutil
import tempfile
import time
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from adlib.errors import AdlibError
from adlib.publishing import Disk, Publisher
from adlib.publishing.locks import LEASE_SECONDS
from adlib.runs import verify
from tests.publications import (
    DAY,
    UNREADABLE,
    StoppingDisk,
    ended_process,
    expected,
    publish,
    published,
)

MOST_STEPS = 220
VERSIONS = st.sampled_from(["first", "second", "third"])
STEPS = st.integers(1, MOST_STEPS)
ENDED = ended_process()
MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108 - no disk to wait for


class Crash(BaseException):
    """The process is gone; nothing that it would still do happens."""


def crash(_operation: str, _path: Path) -> None:
    raise Crash


class Publications(RuleBasedStateMachine):
    """One output, its publishers coming and going."""

    def __init__(self) -> None:
        super().__init__()
        self.place = Path(tempfile.mkdtemp(prefix="adlib-machine-", dir=MEMORY))
        self.output, self.work = self.place / "out", self.place / "work"
        self.later = 0.0
        self.tried: set[str] = set()
        self.settled: str | None = None

    def publisher(self, disk: Disk, lateness: float = 0.0) -> Publisher:
        """Return a publisher whose process will have ended when the next one comes."""
        now = lambda: time.time() + self.later + lateness  # noqa: E731 - a clock
        return Publisher(self.output, disk=disk, owner=ENDED, now=now)

    @initialize(version=VERSIONS)
    def begin(self, version: str) -> None:
        self.publish_undisturbed(version)

    @rule(version=VERSIONS)
    def publish_undisturbed(self, version: str) -> None:
        publish(self.publisher(Disk()), version, self.work)
        self.tried, self.settled = {version}, version

    @rule(version=VERSIONS, step=STEPS, exchanges=st.booleans())
    def publish_and_crash(self, version: str, step: int, exchanges: bool) -> None:
        disk = StoppingDisk(step, crash, on=True, exchanges=exchanges)
        self.tried.add(version)
        self.settled = None
        try:
            publish(self.publisher(disk), version, self.work)
        except Crash:
            return
        self.tried, self.settled = {version}, version

    @rule(step=STEPS)
    def recover_and_crash(self, step: int) -> None:
        try:
            self.publisher(StoppingDisk(step, crash, on=True)).recover()
        except Crash:
            return

    @rule()
    def recover(self) -> None:
        self.publisher(Disk()).recover()
        (version,) = {version for version in published(self.output).values() if version}
        assert published(self.output) == expected(version)
        assert verify(self.output, DAY).problem is None
        self.tried, self.settled = {version}, version

    @rule(older=VERSIONS, newer=VERSIONS, step=STEPS)
    def publish_while_another_is_paused_past_its_lease(
        self, older: str, newer: str, step: int
    ) -> None:
        """The newer publication comes and goes before a step of the older one."""
        overtaken: list[str] = []

        def overtake(operation: str, _path: Path) -> None:
            publish(self.publisher(Disk(), LEASE_SECONDS + 1), newer, self.work / "newer")
            overtaken.append(operation)

        disk = StoppingDisk(step, overtake)
        living = Publisher(self.output, disk=disk, now=lambda: time.time() + self.later)
        self.tried |= {older, newer}
        try:
            publish(living, older, self.work / "older")
        except AdlibError as refused:
            assert overtaken, refused
            self.settled = newer
        else:
            (self.settled,) = {one for one in published(self.output).values() if one}
        self.tried = {self.settled}

    @rule()
    def wait_past_a_lease(self) -> None:
        self.later += LEASE_SECONDS + 1

    @invariant()
    def every_table_is_of_one_publication_that_was_tried(self) -> None:
        if self.output.exists():
            assert set(published(self.output).values()) <= {*self.tried, UNREADABLE, None}

    @invariant()
    def what_is_settled_is_intact(self) -> None:
        if self.settled is not None:
            assert published(self.output) == expected(self.settled)
            assert verify(self.output, DAY).run_id == self.settled

    def teardown(self) -> None:
        shutil.rmtree(self.place)


TestPublications = Publications.TestCase
TestPublications.settings = settings(
    max_examples=40, stateful_step_count=12, deadline=None, derandomize=True
)
