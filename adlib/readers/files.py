"""Writing what readers are given, each file in one step and only where it changes."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from adlib.publishing import Area
from adlib.readers.guide import readme, schema_json
from adlib.readers.power_query import power_query
from adlib.readers.published import Published
from adlib.readers.views import duckdb_script, spark_script, trino_script

_UNFINISHED = ".part"

_FILES = {
    "README.md": readme,
    "schema.json": schema_json,
    "views/duckdb.sql": duckdb_script,
    "views/spark.sql": spark_script,
    "views/trino.sql": trino_script,
    "views/power_query.pq": power_query,
}


def write_guide(published: Published) -> None:
    """Write the guide, the schema and the views beside the published tables."""
    beside = Area(published.output).root
    beside.mkdir(parents=True, exist_ok=True)
    with _alone(beside):
        for left in beside.glob(f"*{_UNFINISHED}"):  # by a run that was killed
            left.unlink()
        for name, text_of in _FILES.items():
            _write(published.output / name, text_of(published).encode(), beside)


@contextmanager
def _alone(beside: Path) -> Iterator[None]:
    """Wait until no other run writes these files; the system ends the turn of one that was killed.

    Yields:
        When it is this run's turn.
    """
    with (beside / "guide.lock").open("w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _write(final: Path, content: bytes, beside: Path) -> None:
    if final.is_file() and final.read_bytes() == content:
        return
    unfinished = beside / f"{final.name}{_UNFINISHED}"
    unfinished.write_bytes(content)
    final.parent.mkdir(parents=True, exist_ok=True)
    unfinished.replace(final)
