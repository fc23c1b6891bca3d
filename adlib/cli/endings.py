"""How a command ends: an exit code, and one sentence on the last line of standard error."""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import Sequence

import typer
from typer.exceptions import Exit, TyperException

from adlib.cli.app import app
from adlib.errors import AdlibError, TransientError, system_error
from adlib.spark.failures import translated

_INTERRUPTED = 130
"""What Typer returns of an interrupt."""
_INTERRUPTION = "Interrupted. Nothing half-done was published; run the command again."


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code; standard error's last line says what it means."""
    logging.basicConfig(stream=sys.stderr, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    logging.getLogger("adlib").setLevel(logging.INFO)
    try:
        ended = app(args=arguments, standalone_mode=False)
    except Exit as ending:
        return int(ending.exit_code)
    except TyperException as error:
        return _ended(2, f"{error.format_message()} See `adlib --help`.")
    except (KeyboardInterrupt, typer.Abort):
        ended = _INTERRUPTED
    except AdlibError as error:
        return _ended(error.exit_code, str(error))
    except Exception as error:  # noqa: BLE001 - the door: whatever comes gets a sentence and a code
        return _unexpected(error)
    return _ended(1, _INTERRUPTION) if ended == _INTERRUPTED else 0


def _ended(code: int, message: str) -> int:
    """Print why a command ended, the last line of standard error."""
    sys.stdout.flush()
    print(f"adlib: {message} (exit code {code})", file=sys.stderr)  # noqa: T201
    return code


def _unexpected(error: Exception) -> int:
    known = translated(error)
    if known is None and isinstance(error, OSError):
        told = system_error(error, "running the command")
        known = told if isinstance(told, TransientError) else None
    if known is not None:
        return _ended(known.exit_code, str(known))
    traceback.print_exception(error)
    words = " ".join(str(error).split())[:300]
    return _ended(1, f"Unexpected {type(error).__name__}: {words}. The trace above says where.")
