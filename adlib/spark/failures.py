"""What Spark throws, as errors of our own: whose fault it is, and what to do."""

from __future__ import annotations

import re

from py4j.protocol import Py4JError, Py4JNetworkError
from pyspark.errors import PySparkException

from adlib.errors import AdlibError, ConfigError, InputError, ModelError, TransientError

_OWN = {error.__name__: error for error in (ConfigError, InputError, ModelError)}
_RAISED_IN_WORKER = re.compile(r"adlib\.errors\.(\w+): ([^\n]+)")
_UNREADABLE = re.compile(
    r"\[FAILED_READ_FILE[^\]]*\][^\n]*?(?:file:)?(/[^\s]+)|(file:\S+) is not a Parquet file"
)
_FORBIDDEN = re.compile(r"Access(?:Denied|Control)Exception: (?:Permission denied: )?([^\n]+)")
_NO_CONNECTOR = re.compile(
    r"No FileSystem for scheme|ClassNotFoundException: Class (\S+FileSystem)"
)
_INFRASTRUCTURE = (
    "No space left on device",
    "ExecutorLostFailure",
    "FetchFailed",
    "Lost executor",
    "Connection refused",
    "OutOfMemoryError",
    "Python worker exited unexpectedly",
    "Python daemon failed to launch worker",
    "SparkContext was shut down",
    "Disk quota exceeded",
)


def translated(error: BaseException) -> AdlibError | None:
    """Return an error of our own for one of Spark's, None for what is not Spark's or not known."""
    if isinstance(error, Py4JNetworkError | ConnectionError):
        message = "The Spark driver's JVM is gone. Give it more memory or run the command again."
        return TransientError(message)
    if not isinstance(error, PySparkException | Py4JError):
        return None
    text = str(error)
    return _raised_in_worker(text) or _about_the_source(text) or _about_resources(text)


def _raised_in_worker(text: str) -> AdlibError | None:
    raised = _RAISED_IN_WORKER.search(text)
    return _OWN[raised[1]](raised[2]) if raised is not None and raised[1] in _OWN else None


def _about_the_source(text: str) -> AdlibError | None:
    if _NO_CONNECTOR.search(text):
        message = (
            "Spark has no connector for this kind of path. Add its package with spark-submit "
            "--packages, or copy the table to a disk that driver and executors share."
        )
        return ConfigError(message)
    forbidden = _FORBIDDEN.search(text)
    if forbidden is not None:
        message = (
            f"The system does not let Spark at {forbidden[1].strip()}. Change the owner or the "
            "mode of that path, or name another one."
        )
        return InputError(message)
    unreadable = _UNREADABLE.search(text)
    if unreadable is None:
        return None
    file = "/" + (unreadable[1] or unreadable[2]).removeprefix("file:").strip("/.")
    message = (
        f"The file {file} cannot be read: it is damaged, cut short, not what source.format and "
        "the first file's columns say, or has a header without a name of its own for each column. "
        "Restore, convert or remove it; if it is one of the feature table, run `adlib preprocess` "
        "again."
    )
    return InputError(message)


def _about_resources(text: str) -> AdlibError | None:
    for sign in _INFRASTRUCTURE:
        if sign in text:
            message = (
                f"Spark failed for want of resources ({sign}). Run it again; if it goes on, give "
                "the job more memory or disk."
            )
            return TransientError(message)
    return None
