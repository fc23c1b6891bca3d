"""Tables and configurations to run whole commands on."""

import json
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from adlib.cli import main

DAYS = 3
ROWS_A_DAY = 400


def payments(rows: int = DAYS * ROWS_A_DAY, seed: int = 1) -> pa.Table:
    """Make payments over some days; one in a hundred has a fee fifty times what it should be."""
    rng = np.random.default_rng(seed)
    planted = np.arange(rows) % 100 == 50
    start = datetime(2026, 3, 1, tzinfo=UTC)
    seconds = np.sort(rng.uniform(0, DAYS * 86_400, rows))
    amounts = rng.lognormal(3.0, 0.5, rows)
    return pa.table(
        {
            "id": np.arange(rows),
            "at": [start + timedelta(seconds=float(second)) for second in seconds],
            "customer": [f"c{number}" for number in rng.integers(0, 20, rows)],
            "amount": amounts,
            "fee": np.where(planted, amounts, amounts * 0.02 + rng.normal(0.0, 0.01, rows)),
            "method": rng.choice(["card", "cash", "wire"], rows, p=[0.7, 0.2, 0.1]),
            "fraud": planted.astype(np.int64),
        }
    )


@pytest.fixture(scope="session", autouse=True)
def _session(spark):
    """Let every command of these tests share one session."""


class Workplace:
    """A directory with a source, a configuration and what the commands make of them."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.plain: dict[str, Any] = {
            "name": "payments",
            "source": {
                "path": str(root / "source"),
                "key": ["id"],
                "event_time": "at",
                "entity": "customer",
                "label": "fraud",
                "keep": ["customer"],
            },
            "windows": [
                {"by": "customer", "over": ["1d"], "of": "amount", "take": ["mean", "ratio"]}
            ],
            "threshold": {"kind": "budget", "fraction": 0.02},
            "output": {"path": str(root / "out")},
            "work": {"path": str(root / "work")},
            "models": {"path": str(root / "models")},
        }

    def write(self, table: pa.Table, name: str = "part.parquet") -> None:
        """Write a file of the source."""
        (self.root / "source").mkdir(exist_ok=True)
        pq.write_table(table, self.root / "source" / name)

    def call(self, command: str, *arguments: str) -> int:
        """Run a command on the configuration as it is now; return its exit code."""
        config = self.root / "config.yaml"
        config.write_text(yaml.safe_dump(self.plain), "utf-8")
        return main([*command.split(), "--config", str(config), *arguments])

    def anomaly_files(self) -> dict[str, str]:
        """Return the name of each date's file of anomalies: a digest of its content."""
        files = sorted((self.root / "out" / "anomalies").glob("dt=*/*.parquet"))
        return {file.parent.name: file.name for file in files}

    def table(self, name: str) -> pa.Table:
        """Read a published table."""
        files = sorted((self.root / "out" / name).glob("dt=*/*.parquet"))
        return pa.concat_tables([pq.ParquetFile(file).read() for file in files])


@pytest.fixture
def workplace(tmp_path: Path) -> Workplace:
    """An empty workplace."""
    return Workplace(tmp_path)


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Workplace:
    """A workplace in which `run` has run over payments; tests only read it."""
    made = Workplace(tmp_path_factory.mktemp("finished"))
    made.write(payments())
    assert made.call("run") == 0
    return made


@pytest.fixture
def summary_of(capfd: pytest.CaptureFixture[str]) -> Callable[[Workplace, str], dict[str, object]]:
    """Run a command with --json and return the summary of its last line."""

    def call(workplace: Workplace, command: str, *arguments: str) -> dict[str, object]:
        capfd.readouterr()
        assert workplace.call(command, *arguments, "--json") == 0
        return dict(json.loads(capfd.readouterr().out.splitlines()[-1]))

    return call


@pytest.fixture
def last_words(capfd: pytest.CaptureFixture[str]) -> Callable[[], str]:
    """Return the last line of standard error so far."""
    return lambda: capfd.readouterr().err.splitlines()[-1]


def submit_environment(master: str) -> dict[str, str]:
    """Return the environment in which a command runs on a master of its own."""
    arguments = f"--master {master} --driver-memory 1g --conf spark.ui.enabled=false pyspark-shell"
    return {**os.environ, "PYSPARK_SUBMIT_ARGS": arguments}


def plain_table(**columns: object) -> pa.Table:
    """Return a table of columns of any values."""
    return pa.table(columns)


def without_windows(workplace, **source):
    """Leave windows out, and of the source all but its path and what is given."""
    workplace.plain["windows"] = []
    workplace.plain["source"] = {"path": workplace.plain["source"]["path"], **source}


def assert_refused(workplace, last_words, code, *words):
    """Run; see that it ends with a code and words, and publishes nothing."""
    assert workplace.call("run") == code
    said = last_words()
    for word in words:
        assert word in said
    assert said.endswith(f"(exit code {code})")
    assert not (Path(workplace.plain["output"]["path"]) / "anomalies").exists()
