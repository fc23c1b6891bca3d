"""Traces that say where a command failed, and nothing of what a row held."""

from __future__ import annotations

import re
import traceback
from collections.abc import Iterator

from pyspark.errors import PySparkException

from adlib.errors import AdlibError

_JAVA_FRAME = re.compile(
    r"^\s+at [\w.$/<>]+\((?:\w+\.(?:java|scala)(?::\d+)?|Native Method)\)$", re.MULTILINE
)
_WITHHELD = "what it says is withheld, since privacy is asked for and it may quote a row"


def bare_trace(error: BaseException) -> str:
    """Return a trace in which only our own errors say something: the others may quote a row."""
    told = ("".join((*_frames(one), f"{bare_words(one)}\n")) for one in _causes(error))
    return "\nthe cause of:\n\n".join(reversed(list(told)))


def bare_words(error: BaseException) -> str:
    """Return what an error is, and what it says if it is ours."""
    name = type(error).__name__
    if isinstance(error, AdlibError):
        return f"{name}: {error}"
    condition = error.getCondition() if isinstance(error, PySparkException) else None
    return f"{name} ({condition or 'no condition'}; {_WITHHELD})"


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """Return an error, what it was raised for, what that was raised for, and so on."""
    while error is not None:
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _frames(error: BaseException) -> Iterator[str]:
    """Return where an error was raised, in Python and in Java."""
    yield from traceback.format_tb(error.__traceback__)
    yield from (f"{frame[0]}\n" for frame in _JAVA_FRAME.finditer(str(error)))
