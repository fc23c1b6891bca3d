"""Who may publish a date: numbered claims, the highest of which counts.

A claim is a file with the next number, which only one can make. Its owner holds the date until it
lets go, its lease ends or, on the same machine, its process is gone; then the next number may be
taken. A number is never given twice while a higher one stands, so a late owner can tell.
"""

from __future__ import annotations

import json
import logging
import os
import re
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import date
from functools import cache
from pathlib import Path
from uuid import uuid4

from adlib.errors import AdlibError, BusyError
from adlib.publishing.disk import Disk
from adlib.publishing.manifest import canonical
from adlib.publishing.places import Area

_LOG = logging.getLogger(__name__)
LEASE_SECONDS = 600.0
"""Publishing takes seconds; who needs longer than this was paused, and has lost the date."""
_CLAIM = re.compile(r"([0-9]{8})\.json")
_START_FIELD = 19
"""Of a process's state in /proc, behind its name: when it began."""


@dataclass(frozen=True)
class Owner:
    """A process that publishes."""

    token: str
    host: str
    space: str | None
    """Which boot and which set of process ids; None where the system does not say."""
    pid: int
    began: str | None
    """When the process began, for ids are given again."""

    def is_gone(self) -> bool:
        """Tell whether the process has ended; never where this system cannot know."""
        if self.space is None or (self.host, self.space) != (socket.gethostname(), _space()):
            return False
        return self.began is None or _began(self.pid) != self.began


def this_process() -> Owner:
    """Return the calling process as an owner, with a token that nobody else has."""
    pid = os.getpid()
    return Owner(uuid4().hex[:16], socket.gethostname(), _space(), pid, _began(pid))


@cache
def _space() -> str | None:
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return None


def _began(pid: int) -> str | None:
    """Return when a process began; None where there is none, or it has ended unburied."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
    except OSError:
        return None
    fields = state.rpartition(")")[2].split()
    return None if fields[0] in {"Z", "X"} else fields[_START_FIELD]


@dataclass(frozen=True)
class Claim:
    """One file of the locks."""

    fence: int
    owner: Owner
    until: float
    """When the lease ends, in seconds since 1970."""
    released: bool = False

    def holds(self, now: float) -> bool:
        """Tell whether nobody else may take the date."""
        return not self.released and now < self.until and not self.owner.is_gone()

    def content(self) -> bytes:
        """Return the claim as it stands in its file."""
        return canonical({"adlib": "claim", **asdict(self)})


@dataclass(frozen=True)
class Lock:
    """The claims to one date, as one owner sees them."""

    area: Area
    day: date
    owner: Owner
    disk: Disk
    lease_seconds: float = LEASE_SECONDS
    now: Callable[[], float] = time.time

    @property
    def directory(self) -> Path:
        """Where the claims are."""
        return self.area.locks(self.day)

    def claims(self) -> list[Claim]:
        """Return the claims, the one that counts last."""
        names = self.disk.names(self.directory) or []
        found = (self._claim(name) for name in names if _CLAIM.fullmatch(name))
        return [claim for claim in found if claim is not None]

    def _claim(self, name: str) -> Claim | None:
        file = self.directory / name
        try:
            plain = json.loads(self.disk.read(file))
            owner = Owner(**plain["owner"])
            return Claim(int(name[:8]), owner, float(plain["until"]), plain["released"] is True)
        except FileNotFoundError:
            return None  # a lower one, which its successor has tidied away
        except (ValueError, KeyError, TypeError) as error:
            raise AdlibError(
                f"The lock {file} cannot be read: it was altered. If nobody is publishing "
                f"{self.day}, remove it and run the command again."
            ) from error

    def take(self) -> Claim:
        """Claim the date with the next number.

        Raises:
            BusyError: if somebody holds it, or was faster.
        """
        standing = self.claims()
        if standing and standing[-1].holds(self.now()):
            raise self._busy(standing[-1])
        fence = standing[-1].fence + 1 if standing else 1
        mine = Claim(fence, self.owner, self.now() + self.lease_seconds)
        if not self._make(mine):
            raise self._busy(self.claims()[-1])
        if standing and not standing[-1].released:
            _LOG.warning("Took %s over from %s", self.day, _told(standing[-1], self.now()))
        return mine

    def _make(self, mine: Claim) -> bool:
        """Make the claim's file; False where somebody was faster."""
        prepared = self.directory / f"{self.owner.token}.json"
        try:
            self.disk.write(prepared, mine.content())
            made = self.disk.claim(prepared, self._file(mine))
        except FileNotFoundError:  # tidied away, which is done by whoever holds the date
            return False
        self.disk.remove(prepared)
        self.disk.sync(self.directory)
        if made and not self.counts(mine):  # this number was given, used and tidied away before
            self.disk.remove(self._file(mine))
            return False
        return made

    def counts(self, mine: Claim) -> bool:
        """Tell whether no higher number was given."""
        claims = self.claims()
        return bool(claims) and claims[-1].fence == mine.fence and claims[-1].owner == mine.owner

    def check(self, mine: Claim) -> None:
        """Hold the number against the highest.

        Raises:
            BusyError: if this owner was paused past its lease and somebody has taken over.
        """
        if not self.counts(mine):
            raise self.late()

    def late(self) -> BusyError:
        """Return what is said to an owner that comes too late."""
        return BusyError(
            f"The publication of {self.day} was paused past its lease and somebody else has taken "
            "the date over. What this run had left to do was refused; look at the other run's "
            "result, and run this one again if it should replace it."
        )

    def tidy(self, mine: Claim) -> None:
        """Remove the claims before this one, and what was left of claims half made."""
        for name in self.disk.names(self.directory) or []:
            if _CLAIM.fullmatch(name) is None or int(name[:8]) < mine.fence:
                self.disk.remove(self.directory / name)

    def release(self, mine: Claim) -> None:
        """Let go of the date; the number stays, so that the next one is higher."""
        if self.counts(mine):
            with suppress(FileNotFoundError):  # a successor has tidied it away meanwhile
                self.disk.write(self._file(mine), replace(mine, released=True).content())

    def _file(self, claim: Claim) -> Path:
        return self.directory / f"{claim.fence:08}.json"

    def _busy(self, holder: Claim) -> BusyError:
        return BusyError(
            f"Somebody else is publishing {self.day}: {_told(holder, self.now())} Wait until it "
            "has ended, then run the command again."
        )


def _told(claim: Claim, now: float) -> str:
    left = claim.until - now
    lease = f"for {left:.0f} s more" if left > 0 else f"until {-left:.0f} s ago"
    gone = ", which has ended" if claim.owner.is_gone() else ""
    return f"process {claim.owner.pid} on {claim.owner.host}{gone}, with a lease {lease}."
