"""A real Airflow: its own environment, database and processes, with the DAGs of jobs/dags."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.jobs.conftest import Workplace, payments, submit_environment

ROOT = Path(__file__).parents[2]
ENVIRONMENT = ROOT / ".venv-airflow"
DAGS = ROOT / "jobs" / "dags"
PROCESSES = ("api-server", "dag-processor", "scheduler")
DEADLINE_SECONDS = 500
_OVER = {"success", "failed"}


class Airflow:
    """A running Airflow; asked by its command line and its REST interface."""

    def __init__(self, environment: dict[str, str], port: int) -> None:
        self.environment = environment
        self.address = f"http://127.0.0.1:{port}"

    def command(self, *words: str) -> str:
        """Run a command in Airflow's environment and return its standard output."""
        ended = subprocess.run(
            words, env=self.environment, capture_output=True, text=True, check=False
        )
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout

    def call(self, path: str, content: object = None, method: str | None = None) -> Any:
        """Send a request and return the answer."""
        headers = {"Content-Type": "application/json"}
        if not path.startswith("/auth"):
            headers["Authorization"] = f"Bearer {self.call('/auth/token')['access_token']}"
        body = None if content is None else json.dumps(content).encode()
        request = urllib.request.Request(  # noqa: S310 - the address is ours
            self.address + path, body, headers, method=method
        )
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
            return json.load(answer)

    def start(self, dag: str, **params: str) -> str:
        """Start a run without a logical date and return its id."""
        asked = {"logical_date": None, "conf": params}
        return str(self.call(f"/api/v2/dags/{dag}/dagRuns", asked)["dag_run_id"])

    def runs(self, dag: str) -> dict[str, str]:
        """Return the id and the state of each run."""
        found = self.call(f"/api/v2/dags/{dag}/dagRuns")["dag_runs"]
        return {run["dag_run_id"]: run["state"] for run in found}

    def tasks(self, dag: str, run: str) -> dict[str, dict[str, Any]]:
        """Return what became of each task of a run."""
        found = self.call(f"/api/v2/dags/{dag}/dagRuns/{run}/taskInstances")["task_instances"]
        return {task["task_id"]: task for task in found}

    def wait(self, dag: str, run: str) -> str:
        """Wait for the end of a run and return its state."""
        wait_until(lambda: self.runs(dag)[run] in _OVER)
        return self.runs(dag)[run]


def wait_until(is_so) -> None:
    """Wait until something is so.

    Raises:
        TimeoutError: it is not so after the deadline.
    """
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not is_so():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not so after {DEADLINE_SECONDS} seconds")
        time.sleep(0.2)


@pytest.fixture(scope="session")
def place(tmp_path_factory) -> Workplace:
    """A workplace whose whole table is prepared, and a checkout with what the DAGs call."""
    place = Workplace(tmp_path_factory.mktemp("place"))
    place.write(payments())
    (place.root / "config.yaml").write_text(yaml.safe_dump(place.plain), "utf-8")
    (place.root / "spark.conf").write_text("spark.driver.memory 1g\nspark.ui.enabled false\n")
    home = place.root / "home"
    home.mkdir()
    (home / "adlib").symlink_to(ROOT / "adlib")
    (home / "jobs").symlink_to(ROOT / "jobs")
    (home / ".venv").symlink_to(sys.prefix)
    shutil.copytree(ROOT / "adlib", place.root / "package" / "adlib")
    shutil.make_archive(str(home / "adlib"), "zip", place.root / "package")
    adlib(place, "preprocess")
    return place


def adlib(place: Workplace, *words: str) -> str:
    """Run adlib as a person would, outside of Airflow, and return its last line."""
    command = [
        ".venv/bin/python",
        "-m",
        "adlib",
        *words,
        "--config",
        str(place.root / "config.yaml"),
    ]
    ended = subprocess.run(
        [*command, "--json"],
        cwd=place.root / "home",
        env=submit_environment("local[2]"),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return ended.stdout.splitlines()[-1]


@pytest.fixture(scope="session")
def airflow(place, tmp_path_factory) -> Iterator[Airflow]:
    """An Airflow that runs; it ends with the tests."""
    if not ENVIRONMENT.is_dir():
        pytest.skip(f"no Airflow at {ENVIRONMENT}: make test-airflow installs one")
    home = tmp_path_factory.mktemp("airflow")
    port = _free_port()
    running = Airflow(_environment(place, home, port), port)
    running.command("airflow", "db", "migrate")
    running.command("airflow", "pools", "set", "adlib", "1", "one adlib command at a time")
    running.command("airflow", "dags", "reserialize")
    with _processes(running, home):
        yield running


def _environment(place: Workplace, home: Path, port: int) -> dict[str, str]:
    """Return the environment of Airflow's processes, which its tasks inherit."""
    own = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    # Airflow's programs first; spark-submit comes from adlib's environment.
    path = [ENVIRONMENT / "bin", os.environ["PATH"], Path(sys.prefix) / "bin"]
    settings = {
        "API__HOST": "127.0.0.1",
        "API__PORT": port,
        "API__SECRET_KEY": "not a secret of these tests",
        "API__WORKERS": 1,
        "API_AUTH__JWT_SECRET": "not a secret of these tests and longer than sixty-four characters",
        "CORE__DAGS_FOLDER": DAGS,
        "CORE__DEFAULT_TASK_RETRY_DELAY": 3,
        "CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{port}/execution/",
        "CORE__EXECUTOR": "LocalExecutor",
        "CORE__LOAD_EXAMPLES": False,
        "CORE__PARALLELISM": 2,
        "CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": True,
        "LOGGING__WORKER_LOG_SERVER_PORT": _free_port(),
    }
    return {
        **own,
        **{f"AIRFLOW__{name}": str(value) for name, value in settings.items()},
        "PATH": os.pathsep.join(map(str, path)),
        "PYSPARK_SUBMIT_ARGS": submit_environment("local[2]")["PYSPARK_SUBMIT_ARGS"],
        "AIRFLOW_HOME": str(home),
        "AIRFLOW_CONN_ADLIB_SPARK": json.dumps({"conn_type": "spark", "host": "local[2]"}),
        "AIRFLOW_VAR_ADLIB_CONFIG": str(place.root / "config.yaml"),
        "AIRFLOW_VAR_ADLIB_HOME": str(place.root / "home"),
        "AIRFLOW_VAR_ADLIB_SPARK_CONF": str(place.root / "spark.conf"),
    }


def _free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


@contextmanager
def _processes(airflow: Airflow, home: Path) -> Iterator[None]:
    """Run Airflow's processes, each in a session of its own, so that it ends with its children."""
    started = []
    try:
        for name in PROCESSES:
            with (home / f"{name}.log").open("wb") as log:
                process = subprocess.Popen(
                    ["airflow", name],
                    env=airflow.environment,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            started.append(process)
        wait_until(lambda: _answers(airflow))
        yield
    finally:
        for process in started:
            _end(process)


def _answers(airflow: Airflow) -> bool:
    try:
        health = airflow.call("/api/v2/monitor/health")
    except (urllib.error.URLError, ConnectionError):
        return False
    return all(health[name]["status"] == "healthy" for name in ("scheduler", "dag_processor"))


def _end(process: subprocess.Popen[bytes]) -> None:
    os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
