"""Publications of little tables, made as a run makes them and disturbed as a machine may."""

import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from unittest.mock import patch

import pyarrow as pa
import pyarrow.parquet as pq

from adlib.errors import AdlibError
from adlib.outputs import RUNS
from adlib.publishing import Bundle, CountedTable, Disk, Publisher, notices
from adlib.publishing.locks import Owner, this_process
from adlib.runs import PUBLISHED, RunRecord, write_rows

DAY = date(2024, 2, 29)
OURS = pa.schema([("event_date", pa.date32()), ("version", pa.string()), ("row", pa.int64())])
ROWS = {"first": 7, "second": 11, "third": 5}
TABLES = ("anomalies", "daily_summary", "quarantine", "scores")
NOON = datetime(2024, 3, 1, 12, tzinfo=UTC)
UNREADABLE = "a notice among the files"
Step = Callable[[str, Path], None]

_ROOT = Path(__file__).parents[1]
_PROCESSES = multiprocessing.get_context("forkserver")
_PROCESSES.set_forkserver_preload([__name__, "pandas"])  # PyArrow imports pandas when it is used


class StoppingDisk(Disk):
    """A disk on which something happens at one step, or from one step on."""

    def __init__(self, at: int, happen: Step, *, on: bool = False, exchanges: bool = True) -> None:
        self.at = at
        self.steps: list[str] = []
        self._happen = happen
        self._on = on
        self._exchanges = exchanges

    def step(self, operation: str, path: Path) -> None:
        self.steps.append(f"{operation} {path}")
        if len(self.steps) == self.at or (self._on and len(self.steps) > self.at):
            self._happen(operation, path)

    def exchange(self, first: Path, second: Path) -> bool:
        if self._exchanges:
            return super().exchange(first, second)
        self.step("exchange", second)
        return False


def nothing(_operation: str, _path: Path) -> None:
    """Let the step be."""


def kill(_operation: str, _path: Path) -> None:
    """End this process as the system would."""
    os.kill(os.getpid(), signal.SIGKILL)


def tear(operation: str, path: Path) -> None:
    """Write part of a file that is about to be written or copied, and end."""
    if operation in {"write", "copy"}:
        path.write_bytes(b'{"adlib": "jour')
    kill(operation, path)


def pause(_operation: str, _path: Path) -> None:
    """Stop until somebody says go on."""
    os.kill(os.getpid(), signal.SIGSTOP)


def failing(code: int) -> Step:
    """Return a step that the system refuses."""

    def fail(_operation: str, path: Path) -> None:
        raise OSError(code, os.strerror(code), str(path))

    return fail


def ended_process() -> Owner:
    """Return a process of this machine that has ended."""
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    return replace(this_process(), pid=ended.pid, began="1")


def tables_of(version: str, work: Path, day: date = DAY) -> dict[str, CountedTable]:
    """Write the tables of a version as a run leaves them; the second has no quarantine."""
    tables = {}
    for name in TABLES:
        rows = 0 if (name, version) == ("quarantine", "second") else ROWS[version]
        file = work / name / f"{version}.parquet"
        files = [_write(file, version, rows, day)] if rows else []
        tables[name] = CountedTable(files, rows, OURS)
    return tables


def _write(file: Path, version: str, rows: int, day: date) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    columns = {"event_date": [day] * rows, "version": [version] * rows, "row": [*range(rows)]}
    pq.write_table(pa.table(columns, schema=OURS), file)
    return file


def prepare(publisher: Publisher, bundle: Bundle, version: str, work: Path) -> None:
    """Stage and seal a version of a date."""
    tables = tables_of(version, work, bundle.day)
    manifest = publisher.stage(bundle, version, tables)
    record = RunRecord(bundle.day, version, PUBLISHED, NOON, NOON, manifest_digest=manifest.digest)
    file = write_rows([record.row()], RUNS, work / "record")
    publisher.seal(bundle, manifest, file, version)


def publish(publisher: Publisher, version: str, work: Path, days: Sequence[date] = (DAY,)) -> None:
    """Recover, then publish a version of some dates, as `adlib score` does."""
    publisher.recover()
    bundles: list[Bundle] = []
    try:
        for day in days:
            bundles.append(publisher.open(day))
            prepare(publisher, bundles[-1], version, work / day.isoformat())
        publisher.publish(bundles)
    finally:
        publisher.discard(bundles)


def start(target: Callable[..., None], *arguments: object) -> multiprocessing.process.BaseProcess:
    """Start a function in a process of its own, which has no JVM, no PyTorch and no threads."""
    process = _PROCESSES.Process(target=target, args=arguments)
    with patch.dict(os.environ, PYTHONPATH=str(_ROOT)):  # where their server finds this module
        process.start()
    return process


def publish_and_exit(output: Path, version: str, disk: Disk) -> None:
    """Publish, and end with the exit code that `adlib score` would have."""
    try:
        publish(Publisher(output, disk=disk), version, output.parent / f"work-{os.getpid()}")
    except AdlibError as error:
        sys.exit(error.exit_code)


def published(output: Path, day: date = DAY) -> dict[str, str | None]:
    """Return which version each table of a date holds, whole; None where it has no directory."""
    found: dict[str, str | None] = {}
    for table in TABLES:
        directory = output / table / f"dt={day.isoformat()}"
        found[table] = version_of(directory) if directory.exists() else None
    return found


def version_of(directory: Path) -> str:
    """Return the one version that a directory holds, whole, or that whoever reads it fails."""
    files = sorted(directory.iterdir())
    if any(file.read_bytes().startswith(notices.CONTENT) for file in files):
        return UNREADABLE
    rows = pa.concat_tables([pq.ParquetFile(file).read() for file in files]).to_pylist()
    (version,) = {row["version"] for row in rows}
    assert len(rows) == ROWS[version], f"{len(rows)} rows of {version} in {directory}"
    return str(version)


def expected(version: str) -> dict[str, str | None]:
    """Return what `published` finds after an undisturbed publication."""
    return {
        table: None if (table, version) == ("quarantine", "second") else version for table in TABLES
    }


def files_below(directory: Path) -> Mapping[str, bytes]:
    """Return the files below a directory and what they hold."""
    return {
        str(path.relative_to(directory)): path.read_bytes()
        for path in sorted(directory.rglob("*"))
        if path.is_file()
    }
