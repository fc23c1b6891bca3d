"""Workplaces whose commands run as processes, by the command line or by spark-submit."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

import yaml

from tests.cluster.processes import RunningJob
from tests.jobs.conftest import Workplace
from tests.publications import files_below

ROOT = Path(__file__).parents[2]
EXECUTOR_PYTHON = ROOT / ".venv-executor" / "bin" / "python"
"""NumPy, pandas and PyArrow, and nothing else that adlib needs."""
PACKAGE = ROOT / "dist" / "adlib.zip"
SCORES = ("--set", "output.scores=true")
"""What the second of two runs publishes besides, so that its id and its manifests are others."""

_HOST = "127.0.0.1"
_SETTINGS = {
    "spark.driver.memory": "1g",
    "spark.driver.host": _HOST,
    "spark.driver.bindAddress": _HOST,
    "spark.ui.enabled": "false",
    "spark.sql.shuffle.partitions": "4",
    "spark.python.unix.domain.socket.enabled": "true",
    # Two executors of one core and 1 GB, where the master is a cluster's.
    "spark.cores.max": "2",
    "spark.executor.cores": "1",
    "spark.executor.memory": "1g",
    "spark.scheduler.minRegisteredResourcesRatio": "1.0",
    # These jobs are over before the second compiler would have paid.
    "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1",
    "spark.executor.extraJavaOptions": "-XX:TieredStopAtLevel=1",
}
_LOOPBACK = {"SPARK_LOCAL_IP": _HOST, "SPARK_LOCAL_HOSTNAME": _HOST}


def _options(master: str) -> list[str]:
    settings = (("--conf", f"{name}={value}") for name, value in _SETTINGS.items())
    return ["--master", master, *(word for pair in settings for word in pair)]


def local_environment(master: str) -> dict[str, str]:
    """Return the environment in which Spark starts as these tests want it."""
    return {"PYSPARK_SUBMIT_ARGS": " ".join([*_options(master), "pyspark-shell"]), **_LOOPBACK}


class Jobs(Workplace):
    """A workplace whose commands run as processes, each on a Spark of its own."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.plain["detector"] = {"steps": 100}
        self._started: list[RunningJob] = []

    @property
    def output(self) -> Path:
        """Where the published tables are."""
        return self.root / "out"

    @property
    def bundles(self) -> Path:
        """Where publications wait."""
        return self.root / ".out.adlib" / "bundles"

    def start(self, command: str, *arguments: str, master: str = "local[2]") -> RunningJob:
        """Start a command by the command line."""
        words = [sys.executable, "-m", "adlib", command, "--config", str(self.configure())]
        environment = {**local_environment(master), "PYTHONPATH": str(ROOT)}
        return self._start([*words, *arguments], environment)

    def submit(self, job: Path, *arguments: str, master: str, **environment: str) -> RunningJob:
        """Submit a program with the packaged zip; Python workers have no PyTorch."""
        submit = Path(sys.executable).with_name("spark-submit")
        words = [str(submit), *_options(master), "--py-files", str(PACKAGE), str(job)]
        pythons = {"PYSPARK_PYTHON": str(EXECUTOR_PYTHON), "PYSPARK_DRIVER_PYTHON": sys.executable}
        return self._start([*words, *arguments], {**pythons, **environment})

    def submit_job(self, command: str, *arguments: str, master: str) -> RunningJob:
        """Submit a command as a cluster's user does."""
        job = ROOT / "jobs" / f"{command}.py"
        return self.submit(job, "--config", str(self.configure()), *arguments, master=master)

    def done(self, command: str, *arguments: str) -> Jobs:
        """Run a command to its end, which has to be a good one."""
        job = self.start(command, *arguments)
        assert job.ended() == 0, job.said()
        return self

    def stop(self) -> None:
        """End whatever still runs."""
        for job in self._started:
            job.stop()

    def published(self) -> Mapping[str, bytes]:
        """Return the published files and what they hold, but for what times are in."""
        here = str(self.root).encode()
        return {
            name: b"" if name.startswith(("runs/", "reports/")) else content.replace(here, b"")
            for name, content in files_below(self.output).items()
        }

    def tables(self) -> Mapping[str, bytes]:
        """Return the files of the tables that a date's manifest speaks for, and the manifests."""
        return {
            name: content
            for name, content in self.published().items()
            if not name.startswith(("runs/", "reports/")) and "/dt=" in name
        }

    def configure(self) -> Path:
        """Write the configuration as it is now; return its file."""
        file = self.root / "config.yaml"
        file.write_text(yaml.safe_dump(self.plain), "utf-8")
        return file

    def _start(self, words: list[str], environment: Mapping[str, str]) -> RunningJob:
        theirs = {name: value for name, value in os.environ.items() if not _decisive(name)}
        job = RunningJob(words, self.root, {**theirs, **_LOOPBACK, **environment})
        self._started.append(job)
        return job


def _decisive(variable: str) -> bool:
    """Tell whether a variable would configure Spark, or bring adlib to who should have the zip."""
    return variable.startswith(("SPARK_", "PYSPARK_")) or variable == "PYTHONPATH"
