"""Every error raised on purpose.

Each class is one exit code. A message says what was expected, what was found and what to do. The
classes take one string, so that an error raised in a Python worker survives the way to the driver;
constructors with names write the messages that several places share.
"""

from __future__ import annotations

import errno
from collections.abc import Sequence


class AdlibError(Exception):
    """The base of every error raised on purpose; exit code 1."""

    exit_code = 1


class ConfigError(AdlibError):
    """The configuration or the call is wrong; exit code 2."""

    exit_code = 2


class InputError(AdlibError):
    """The input breaks its contract: missing column, wrong type, nothing to read; exit code 3."""

    exit_code = 3

    @classmethod
    def missing_columns(
        cls, missing: Sequence[str], found: Sequence[str], where: str
    ) -> InputError:
        """Say which columns are not there, and which are."""
        return cls(
            f"{where} has no column {_listed(missing)}; it has {_listed(found)}. "
            "Name the columns as the table does, or widen source.path."
        )

    @classmethod
    def differing(
        cls,
        where: str,
        columns: tuple[Sequence[str], Sequence[str]],
        types: Sequence[str],
        advice: str,
    ) -> InputError:
        """Say all in which a table is not as expected: `columns` are the missing and the found."""
        missing, found = columns
        said = []
        if missing:
            said.append(f"has no column {_listed(missing)}; it has {_listed(found)}")
        if types:
            said.append(f"has columns of types that are not as expected: {'; '.join(types)}")
        return cls(f"{where} {', and it '.join(said)}. {advice}")

    @classmethod
    def nothing_to_read(cls, where: str, advice: str) -> InputError:
        """Say that a table, or the part of it that was asked for, holds no row."""
        return cls(f"Nothing to read: {where} holds no row. {advice}")


class ModelError(AdlibError):
    """The model is refused: not found, altered, degenerate or too new; exit code 4."""

    exit_code = 4

    @classmethod
    def degenerate(cls, why: str, advice: str) -> ModelError:
        """Say why a fitted detector cannot tell rows apart."""
        return cls(f"The model is degenerate and was not saved: {why}. {advice}")

    @classmethod
    def altered(cls, path: str, what: str) -> ModelError:
        """Say that a stored model is not what was stored."""
        return cls(
            f"The model at {path} is refused: {what}. It was altered or cut short after training; "
            "restore it from a backup or train again."
        )


class BusyError(AdlibError):
    """Somebody else is publishing this date; exit code 5."""

    exit_code = 5


class TransientError(AdlibError):
    """The infrastructure failed and the same call may succeed later; exit code 75."""

    exit_code = 75


_TRANSIENT = {errno.ENOSPC, errno.EIO, errno.EDQUOT, errno.EMFILE, errno.ENFILE, errno.ESTALE}


def system_error(error: OSError, doing: str) -> AdlibError:
    """Say what the system refused to do; exit code 75 where it may do it later, otherwise 1."""
    if error.errno in _TRANSIENT:
        advice = "Free space or wait, then run the command again."
        return TransientError(f"The system failed while {doing}: {error}. {advice}")
    advice = "Put that right, such as the owner or mode of the path, and run the command again."
    return AdlibError(f"The system refused a step of {doing}: {error}. {advice}")


_LISTED = 12


def _listed(names: Sequence[str]) -> str:
    """Quote names for a message, the first dozen of them."""
    if not names:
        return "none"
    shown = ", ".join(repr(name) for name in names[:_LISTED])
    more = len(names) - _LISTED
    return f"{shown} and {more} more" if more > 0 else shown
