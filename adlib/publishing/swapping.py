"""The swap: a sealed bundle's tables in the place of what is published, the record last."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from adlib.errors import AdlibError
from adlib.publishing import notices
from adlib.publishing.bundles import NOTICE, Bundle, Seal
from adlib.publishing.disk import Disk
from adlib.publishing.locks import Claim, Lock
from adlib.publishing.manifest import AlteredError
from adlib.publishing.places import RUNS, Area

_LOG = logging.getLogger(__name__)


def difference(disk: Disk, directory: Path, wanted: Mapping[str, str]) -> str | None:
    """Say in what a directory is not as wanted, by names and digests; None where it is.

    Nothing wanted means that there is no directory.
    """
    names = disk.names(directory)
    if not wanted:
        return None if names is None else f"{directory} should not be there"
    for name in sorted(wanted):
        if name not in (names or []):
            return f"{directory / name} is missing"
        if disk.digest(directory / name).sha256 != wanted[name]:
            return f"{directory / name} was altered"
    stray = sorted(set(names or []) - set(wanted))
    return f"{directory / stray[0]} is not in the manifest" if stray else None


@dataclass
class _Moves:
    """Renames that can be taken back, the last one first."""

    disk: Disk
    _back: list[Callable[[], object]] = field(default_factory=list)

    def move(self, source: Path, target: Path) -> None:
        self.disk.move(source, target)
        self._back.append(lambda: self.disk.move(target, source))

    def exchange(self, first: Path, second: Path) -> bool:
        exchanged = self.disk.exchange(first, second)
        if exchanged:
            self._back.append(lambda: self.disk.exchange(first, second))
        return exchanged

    def take_back(self) -> None:
        while self._back:
            self._back.pop()()


@dataclass(frozen=True)
class Swap:
    """One bundle, published under one number."""

    bundle: Bundle
    area: Area
    lock: Lock
    claim: Claim

    @property
    def disk(self) -> Disk:
        """The file operations."""
        return self.bundle.disk

    def carry_through(self) -> None:
        """Publish what is not yet published of the bundle; the record is the last of it.

        What was moved is moved back when a file operation fails before the record is there.

        Raises:
            AlteredError: if the bundle is not what was sealed; nothing was moved.
            BusyError: if somebody has taken the date over.
        """
        seal = self.bundle.sealed
        waiting = self._waiting(seal)
        recorded = self._is_recorded(seal)
        moves = _Moves(self.disk)
        try:
            for table, wanted in waiting.items():
                self.lock.check(self.claim)
                self._place(table, wanted, moves)
            if self.disk.kind(self._notice) is not None:
                self.disk.wait(notices.SECONDS)
            for table, wanted in waiting.items():
                self._withdraw_notices(table, wanted)
                self.disk.sync(self.area.output / table)
            self.lock.check(self.claim)
            if not recorded:
                self._record(seal)
        except (OSError, KeyboardInterrupt) as error:
            if not self.lock.counts(self.claim):
                raise self.lock.late() from error
            moves.take_back()
            raise
        self.disk.sync(self._records)

    @property
    def _records(self) -> Path:
        return self.area.final(RUNS, self.bundle.day)

    def _waiting(self, seal: Seal) -> dict[str, Mapping[str, str]]:
        """Return what is still to be moved, each file of it checked."""
        waiting: dict[str, Mapping[str, str]] = {}
        for table, wanted in seal.wanted().items():
            final = self.area.final(table, self.bundle.day)
            self._refuse_links(final)
            self._withdraw_notices(table, wanted)  # of a publisher that ended while they stood
            if difference(self.disk, final, wanted) is None:
                continue
            problem = wanted and difference(self.disk, self.bundle.table(table), wanted)
            if problem:
                raise AlteredError(problem)
            waiting[table] = wanted
        self._refuse_links(self._records)
        return waiting

    @property
    def _notice(self) -> Path:
        return self.bundle.root / NOTICE

    def _withdraw_notices(self, table: str, wanted: Mapping[str, str]) -> None:
        """Remove a table's notices from where its new files are: published, or waiting."""
        for place in (self.area.final(table, self.bundle.day), self.bundle.table(table)):
            notices.withdraw(self.disk, self._notice, place, wanted)

    def _is_recorded(self, seal: Seal) -> bool:
        """Tell whether the record is published; it is checked where it waits."""
        waits, stands = self.bundle.record(seal), self._records / seal.record_name
        for place in (waits, stands):
            if self.disk.kind(place) is not None:
                if self.disk.digest(place).sha256 == seal.record_sha256:
                    return place == stands
                raise AlteredError(f"{place} was altered")
        raise AlteredError(f"{waits} is missing")

    def _refuse_links(self, final: Path) -> None:
        """Refuse to follow a symbolic link out of the output."""
        for place in (final.parent, final):
            if self.disk.kind(place) not in {None, "directory"}:
                raise AdlibError(
                    f"{place} is not a directory but a file or a symbolic link, and what is "
                    f"published stays under {self.area.output}. Move it away and run the command "
                    "again."
                )

    def _place(self, table: str, wanted: Mapping[str, str], moves: _Moves) -> None:
        """Put one table's directory in place of the published one."""
        final, staged = self.area.final(table, self.bundle.day), self.bundle.table(table)
        self.disk.make(self.area.output)
        self.disk.make(final.parent)
        if not wanted:
            moves.move(final, self.bundle.replaced(table))
            return
        if self.disk.kind(final) is None:
            moves.move(staged, final)
            return
        notices.put(self.disk, self._notice, final, staged)
        if not moves.exchange(staged, final):
            _LOG.info(
                "This disk cannot exchange directories in one step: for a moment %s is not there.",
                final,
            )
            moves.move(final, self.bundle.replaced(table))
            moves.move(staged, final)

    def _record(self, seal: Seal) -> None:
        self.disk.make(self._records.parent)
        self.disk.make(self._records)
        self.disk.move(self.bundle.record(seal), self._records / seal.record_name)
