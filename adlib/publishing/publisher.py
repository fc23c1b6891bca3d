"""The publisher: stages, seals, publishes and recovers the dates of one output."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from uuid import uuid4

from adlib.errors import AdlibError, BusyError, ConfigError, system_error
from adlib.publishing.bundles import JOURNAL, Bundle, CountedTable
from adlib.publishing.disk import Disk
from adlib.publishing.locks import LEASE_SECONDS, Claim, Lock, Owner, this_process
from adlib.publishing.manifest import AlteredError, Manifest
from adlib.publishing.places import RUNS, Area, is_ours
from adlib.publishing.swapping import Swap

_LOG = logging.getLogger(__name__)
_STAGING_SECONDS = 86_400.0
"""A bundle of another machine that is older than this and not sealed has been given up."""


@dataclass(frozen=True)
class Publisher:
    """Who publishes to one output."""

    output: Path
    disk: Disk = field(default_factory=Disk)
    owner: Owner = field(default_factory=this_process)
    lease_seconds: float = LEASE_SECONDS
    now: Callable[[], float] = time.time

    @property
    def area(self) -> Area:
        """Where publications are prepared."""
        return Area(self.output)

    def open(self, day: date) -> Bundle:
        """Return an empty bundle for a date."""
        with _told(f"preparing {day} for publication beside {self.output}"):
            self._make_area()
            bundle = Bundle.of(self.area, day, uuid4().hex[:16], self.disk)
            bundle.open(self.owner)
            return bundle

    def stage(self, bundle: Bundle, run_id: str, tables: Mapping[str, CountedTable]) -> Manifest:
        """Take a date's files in, checked; return their manifest."""
        with _told(f"staging {bundle.day} beside {self.output}"):
            return bundle.stage(run_id, tables)

    def seal(self, bundle: Bundle, manifest: Manifest, record: Path, run_id: str) -> None:
        """Take the date's row of `runs/` in and declare the bundle whole."""
        with _told(f"sealing {bundle.day} beside {self.output}"):
            bundle.seal(manifest, record, record_name(run_id))

    def publish(self, bundles: Sequence[Bundle]) -> None:
        """Publish dates one after the other, each as a whole or not at all.

        Raises:
            AdlibError: if one could not be published; it says which were.
        """
        done: list[date] = []
        try:
            for bundle in bundles:
                self._publish(bundle)
                done.append(bundle.day)
        except AdlibError as error:
            if len(bundles) == 1:
                raise
            left = [bundle.day for bundle in bundles[len(done) :]]
            message = f"{error} Published: {_listed(done)}; not published: {_listed(left)}."
            raise type(error)(message) from error

    def _publish(self, bundle: Bundle) -> None:
        day = bundle.day
        with _told(f"publishing {day} in {self.output}"):
            lock = replace(self._lock(day), owner=replace(self.owner, token=bundle.token))
            with self._held(lock) as claim:
                self._settle(lock, claim)
                lock.check(claim)
                bundle.journal(claim)
                try:
                    Swap(bundle, self.area, lock, claim).carry_through()
                except AlteredError as error:
                    self.disk.remove(bundle.root / JOURNAL)  # nothing was moved, nothing will be
                    raise _refused(bundle, error) from error
                self._retire(bundle)
            self._clean()

    def discard(self, bundles: Sequence[Bundle]) -> None:
        """Remove what was prepared and will not be published; what has been is gone from there."""
        with suppress(OSError):  # what stays is removed at the next start
            for bundle in bundles:
                if not bundle.is_journalled():
                    bundle.delete()

    def place_record(self, day: date, record: Path, run_id: str) -> None:
        """Put a row into `runs/` that publishes nothing."""
        with _told(f"recording a run of {day} in {self.output}"):
            bundle, final = self.open(day), self.area.final(RUNS, day)
            staged = bundle.take_record(record, record_name(run_id))
            for directory in (self.output, final.parent, final):
                self.disk.make(directory)
            self.disk.move(staged, final / staged.name)
            self.disk.sync(final)
            bundle.delete()

    def recover(self) -> None:
        """Carry through what was journalled and discard what was not, of publishers that ended."""
        with _told(f"recovering {self.output}"):
            bundles = self._bundles()
            for day in sorted({bundle.day for bundle in bundles}):
                lock = self._lock(day)
                of_day = [bundle for bundle in bundles if bundle.day == day]
                if any(self._is_abandoned(bundle, lock) for bundle in of_day):
                    with suppress(BusyError), self._held(lock) as claim:  # then somebody is at it
                        self._settle(lock, claim)
            self._clean()

    def _make_area(self) -> None:
        root = self.area.root
        self.disk.make_path(root.parent)
        for directory in (root, self.area.bundles, self.area.retired, root / "locks"):
            self.disk.make(directory)
        if self.disk.kind(self.output) is None or self.disk.on_one_disk(self.output, root):
            return
        raise ConfigError(
            f"output.path ({self.output}) is a disk of its own, and what is published is prepared "
            f"beside it, on the same disk. Name a directory on it, such as {self.output}/published."
        )

    def _lock(self, day: date) -> Lock:
        return Lock(self.area, day, self.owner, self.disk, self.lease_seconds, self.now)

    @contextmanager
    def _held(self, lock: Lock) -> Iterator[Claim]:
        """Hold a date; who fails in it finds out whether that is because it was taken over."""
        self.disk.make(lock.directory)
        claim = lock.take()
        try:
            yield claim
        except (OSError, AdlibError) as error:
            with suppress(OSError):  # a lock that is not let go of is taken over
                if not lock.counts(claim):
                    raise lock.late() from error
                lock.release(claim)
            raise
        lock.release(claim)

    def _bundles(self) -> list[Bundle]:
        area = self.area.bundles
        found = (Bundle.found(area / name, self.disk) for name in self.disk.names(area) or [])
        return [bundle for bundle in found if bundle is not None]

    def _is_abandoned(self, bundle: Bundle, lock: Lock) -> bool:
        """Tell whether nobody is at work on a bundle, or its owner's lease has ended."""
        if bundle.is_journalled():
            return True
        claimed = {claim.owner.token for claim in lock.claims() if not claim.holds(self.now())}
        if bundle.token in claimed:
            return True
        owner = bundle.owner()
        if owner is not None and owner.is_gone():
            return True
        limit = self.lease_seconds if owner is None else _STAGING_SECONDS
        try:
            return self.now() - self.disk.modified(bundle.root) > limit
        except FileNotFoundError:
            return False

    def _settle(self, lock: Lock, claim: Claim) -> None:
        """Bring to an end what others left of a date: carry it through, or discard it."""
        mine = lock.owner.token
        for bundle in self._bundles():
            ours = bundle.day == lock.day and bundle.token != mine
            if ours and self._is_abandoned(bundle, lock):
                self._settle_one(bundle, lock, claim)
        lock.tidy(claim)

    def _settle_one(self, bundle: Bundle, lock: Lock, claim: Claim) -> None:
        token = uuid4().hex[:16]
        try:  # from here on its owner can move nothing
            taken = bundle.moved(Bundle.of(self.area, bundle.day, token, self.disk).root)
        except FileNotFoundError:
            return  # it was discarded by its owner
        if not taken.is_journalled():
            taken.delete()
            _LOG.info("Discarded an unfinished publication of %s.", bundle.day)
            return
        try:
            Swap(taken, self.area, lock, claim).carry_through()
        except AlteredError as error:
            _LOG.warning("%s", _refused(taken, error))
        else:
            _LOG.info("Carried an interrupted publication of %s through.", bundle.day)
        self._retire(taken)

    def _retire(self, bundle: Bundle) -> None:
        """Keep what was replaced for a while: a reader that is listing it finds names that fail.

        Files removed at once would be a date without rows to who has opened its directory.
        """
        retired = bundle.moved(self.area.retired / f"{bundle.root.name}.{self.now() * 1000:.0f}")
        for place in retired.replaced_files():
            if not is_ours(place.name):
                _LOG.warning("%s was among the files replaced and is not ours: it stays.", place)

    def _clean(self) -> None:
        """Delete what was replaced longer ago than a lease."""
        oldest_kept = self.now() - self.lease_seconds
        for name in self.disk.names(self.area.retired) or []:
            bundle = Bundle.found(self.area.retired / name, self.disk)
            stamp = name.rpartition(".")[2]
            if bundle is not None and stamp.isdecimal() and int(stamp) / 1000 < oldest_kept:
                bundle.delete()


def record_name(run_id: str) -> str:
    """Return the name of a run's record."""
    return f"run-{run_id}.parquet"


def _refused(bundle: Bundle, error: AlteredError) -> AdlibError:
    return AdlibError(
        f"The publication of {bundle.day} is refused: {bundle.root} is not what was sealed, "
        f"{error}. Nothing more of it is moved; run the command again, and look at the disk if it "
        "stays."
    )


def _listed(days: Sequence[date]) -> str:
    return ", ".join(map(str, days)) or "none"


@contextmanager
def _told(doing: str) -> Iterator[None]:
    """Say what was being done when the system failed."""
    try:
        yield
    except OSError as error:
        raise system_error(error, doing) from error
