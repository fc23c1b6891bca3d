"""How a command ends: an exit code, and one sentence on the last line of standard error."""

from __future__ import annotations

import errno
import signal
import sys
import threading
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

import typer
from typer.exceptions import Exit, TyperException

from adlib.cli.app import app
from adlib.cli.logs import told_on_stderr, trace_file
from adlib.errors import AdlibError, ConfigError, TransientError, system_error
from adlib.spark.failures import translated

_NAME = "adlib"
_INTERRUPTED = 130
"""What Typer returns of an interrupt."""
_NOTHING_HALF = "Nothing half-done was published; run the command again."
_FORBIDDEN = {errno.EACCES, errno.EPERM, errno.EROFS}
_LONGEST_UNEXPECTED = 300


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code; standard error's last line says what it means."""
    with told_on_stderr(), _ended_by_sigterm() as sigterm:
        code, message = _outcome(arguments)
    if sigterm.is_set():
        code, message = TransientError.exit_code, f"Ended by SIGTERM. {_NOTHING_HALF}"
    if message is not None:
        sys.stdout.flush()
        print(f"adlib: {message} (exit code {code})", file=sys.stderr)  # noqa: T201
    return code


def _outcome(arguments: Sequence[str] | None) -> tuple[int, str | None]:
    """Run a command; return its exit code, and what to say of it if it failed."""
    try:
        ended = app(args=arguments, prog_name=_NAME, standalone_mode=False)
    except Exit as ending:
        return int(ending.exit_code), None
    except TyperException as error:
        said = error.format_message().replace("Value error, ", "").rstrip(".")
        stop = "" if said.endswith("?") else "."
        called = getattr(error, "ctx", None)
        command = _NAME if called is None else called.command_path
        return ConfigError.exit_code, f"{said}{stop} See `{command} --help`."
    except (KeyboardInterrupt, typer.Abort):
        ended = _INTERRUPTED
    except Exception as error:  # noqa: BLE001 - the door: whatever comes gets a sentence and a code
        known = explained(error)
        if known is None:
            kept = trace_file("".join(traceback.format_exception(error)))
            known = unexpected(error, f"The trace is in {kept}.")
        return known.exit_code, str(known)
    return (1, f"Interrupted. {_NOTHING_HALF}") if ended == _INTERRUPTED else (0, None)


@contextmanager
def _ended_by_sigterm() -> Iterator[threading.Event]:
    """Let SIGTERM end a command as Ctrl-C does, which cancels Spark's jobs; tell that it came."""
    received = threading.Event()

    def end(number: int, frame: FrameType | None) -> None:
        received.set()
        interrupt = signal.getsignal(signal.SIGINT)
        if callable(interrupt):
            interrupt(number, frame)
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield received  # only the main thread may handle signals
        return
    before = signal.signal(signal.SIGTERM, end)
    try:
        yield received
    finally:
        signal.signal(signal.SIGTERM, before)


def explained(error: Exception) -> AdlibError | None:
    """Return what went wrong as an error of our own, None where nobody foresaw it."""
    if isinstance(error, AdlibError):
        return error
    known = translated(error)
    if known is None and isinstance(error, OSError):
        return _of_the_system(error)
    return known


def _of_the_system(error: OSError) -> AdlibError | None:
    if error.errno in _FORBIDDEN:
        said = " ".join(str(part) for part in (error.strerror, error.filename) if part)
        return ConfigError(
            f"The system does not allow it: {said}. Change the owner or the mode of that path, or "
            "name another one."
        )
    told = system_error(error, "running the command")
    return told if isinstance(told, TransientError) else None


def unexpected(error: Exception, where: str, words: str | None = None) -> AdlibError:
    """Return an error of our own for one that nobody foresaw; `words` stand for what it says."""
    said = " ".join(str(error).split())[:_LONGEST_UNEXPECTED].rstrip(".")
    told = words or f"{type(error).__name__}: {said}"
    return AdlibError(
        f"Unexpected {told}. {where} Run the command again; if it ends so "
        "again, report it with the trace."
    )
