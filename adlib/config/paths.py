"""Which texts can be paths: what no disk can hold is refused where it stands in the file."""

from __future__ import annotations

import errno
import re
import unicodedata
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator

_CONTROL = "Cc"
"""Unicode's category of line breaks, NUL and their like."""
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")
_BESIDE = ".{}.adlib"
"""What is published is prepared in a directory of such a name."""
_NOWHERE = {errno.ELOOP, errno.ENAMETOOLONG}


def _can_be_there(path: str) -> str:
    """Refuse a source that no disk can hold; what is elsewhere is Spark's to find."""
    _refuse_control_characters(path)
    if not _SCHEME.match(path):
        _resolved(Path(path))
    return path


def _a_directory(path: Path) -> Path:
    """Refuse what cannot be a local directory with room beside it."""
    _refuse_control_characters(str(path))
    if _SCHEME.match(str(path)):
        message = (
            "expected a directory that driver and executors share, such as /data/out, without "
            "a scheme"
        )
        raise ValueError(message)
    found = _resolved(path)
    if found == found.parent:
        raise ValueError("expected a directory of its own, and this is the root of the disk")
    _resolved(found.with_name(_BESIDE.format(found.name)))
    return path


def _refuse_control_characters(text: str) -> None:
    if any(unicodedata.category(character) == _CONTROL for character in text):
        raise ValueError("expected a path without line breaks and other control characters")


def _resolved(path: Path) -> Path:
    """Follow the links of a path, refusing one that leads nowhere or is too long for a disk."""
    try:
        found = path.resolve()
        found.lstat()
    except OSError as error:
        if error.errno in _NOWHERE:
            raise _leads_nowhere() from error
        return path.absolute()  # not there yet, or not ours to see: said where it is used
    except RuntimeError as error:  # a circle of links, as pathlib puts it
        raise _leads_nowhere() from error
    return found


def _leads_nowhere() -> ValueError:
    return ValueError("expected a path, and this one is too long or a circle of symbolic links")


SourcePath = Annotated[str, AfterValidator(_can_be_there)]
DirectoryPath = Annotated[Path, AfterValidator(_a_directory)]
