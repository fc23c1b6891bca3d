"""Where things are: the published tables, the area beside them, and what may not overlap."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from adlib.errors import ConfigError

MANIFESTS, RUNS = "manifests", "runs"
CLEANABLE = {"quarantine"}
"""Tables of which a date may go after some time while what was published stays as it is."""
_NAME_DIGITS = 16
_OURS = re.compile(r"[a-z_]+-[0-9a-f]{16}(-[0-9]+)?\.(parquet|json)")


def date_directory(day: date) -> str:
    """Return the name of a date's directory."""
    return f"dt={day.isoformat()}"


def date_of(directory: str) -> date | None:
    """Return the date of a directory's name, None where it is no date's."""
    try:
        return date.fromisoformat(directory.removeprefix("dt="))
    except ValueError:
        return None


def name_by_content(table: str, sha256: str, suffix: str = ".parquet") -> str:
    """Name a published file by its content, so that no other content ever has its name."""
    return f"{table}-{sha256[:_NAME_DIGITS]}{suffix}"


def is_ours(name: str) -> bool:
    """Tell whether a file has a name that we give."""
    return _OURS.fullmatch(name) is not None


@dataclass(frozen=True)
class Area:
    """The directory beside the output where publications are prepared; no reader looks there.

    It is beside the output because only what lies on one disk can be renamed, and because whoever
    publishes there, from whatever work path, has to find the same locks.
    """

    output: Path

    @property
    def root(self) -> Path:
        """The area itself."""
        return self.output.with_name(f".{self.output.name}.adlib")

    @property
    def bundles(self) -> Path:
        """What is being published: one directory for each date and publisher."""
        return self.root / "bundles"

    @property
    def retired(self) -> Path:
        """What was replaced, kept for those who were listing it."""
        return self.root / "retired"

    def locks(self, day: date) -> Path:
        """Where the claims to a date are."""
        return self.root / "locks" / date_directory(day)

    def final(self, table: str, day: date) -> Path:
        """Return the published directory of a table's date."""
        return self.output / table / date_directory(day)


def refuse_overlap(named: Mapping[str, Path], source: Path | None) -> None:
    """Refuse paths that are equal or inside one another, the input among them.

    Raises:
        ConfigError: naming the two that overlap.
    """
    places = {name: path.resolve() for name, path in named.items()}
    if source is not None:
        places["source.path"] = source.resolve()
    names = list(places)
    for index, first in enumerate(names):
        for second in names[index + 1 :]:
            if _overlap(places[first], places[second]):
                message = (
                    f"{first} ({places[first]}) and {second} ({places[second]}) overlap: what one "
                    "run writes another would read or replace. Give each a directory of its own."
                )
                raise ConfigError(message)


def refuse_files(named: Mapping[str, Path]) -> None:
    """Refuse paths that cannot be directories.

    Raises:
        ConfigError: naming the one that is a file, or lies inside of one.
    """
    for name, path in named.items():
        existing = path.resolve()
        while not existing.exists():
            existing = existing.parent
        if not existing.is_dir():
            message = (
                f"{name} ({path}) is to be a directory, and {existing} is a file. "
                "Name another place, or move the file away."
            )
            raise ConfigError(message)


def refuse_unwritable(named: Mapping[str, Path]) -> None:
    """Refuse paths that this user may not write to.

    Raises:
        ConfigError: naming the first of them.
    """
    for name, path in named.items():
        existing = path.resolve()
        while not existing.exists():
            existing = existing.parent
        if not os.access(existing, os.W_OK | os.X_OK):
            message = (
                f"{name} ({path}) is to be written to, and this user may not write to {existing}. "
                "Change its owner or mode, or name another place."
            )
            raise ConfigError(message)


def _overlap(first: Path, second: Path) -> bool:
    return first == second or first in second.parents or second in first.parents
