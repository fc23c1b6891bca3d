"""A standalone Spark cluster on the loopback address, out of what pip installed."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pyspark

_HOST = "127.0.0.1"
_DEPLOY = "org.apache.spark.deploy"
_SECONDS_TO_START = 60.0
_SECONDS_TO_END = 20.0


@contextmanager
def standalone_cluster(cores: int, folder: Path, workers: int = 1) -> Iterator[str]:
    """Start a master and workers of so many cores; return the master's URL; end them all after."""
    port = _free_port()
    url = f"spark://{_HOST}:{port}"
    memory = f"{cores + 1}g"
    environment = {
        **os.environ,
        "SPARK_LOCAL_IP": _HOST,
        "SPARK_WORKER_DIR": str(folder / "executors"),
        "SPARK_MASTER_OPTS": "-Dspark.master.rest.enabled=false",
        "SPARK_DAEMON_MEMORY": "512m",
    }
    master = ["master.Master", "-h", _HOST, "-p", str(port), "--webui-port", "0"]
    worker = ["worker.Worker", "-h", _HOST, "-c", str(cores), "-m", memory, "--webui-port", "0"]
    with ExitStack() as stack:
        stack.enter_context(_running(master, environment, folder / "master.log"))
        _wait_for_port(port)
        for place in range(workers):
            log = folder / f"worker-{place}.log"
            stack.enter_context(_running([*worker, url], environment, log))
        yield url


def executors_of(url: str, executors: int) -> dict[str, str]:
    """Return the environment in which Spark takes so many executors, of one core and 1 GB each."""
    settings = {
        "spark.cores.max": executors,
        "spark.executor.cores": 1,
        "spark.executor.memory": "1g",
        "spark.driver.memory": "1g",
        "spark.driver.host": _HOST,
        "spark.driver.bindAddress": _HOST,
        "spark.ui.enabled": "false",
        "spark.python.unix.domain.socket.enabled": "true",
        "spark.scheduler.minRegisteredResourcesRatio": 1.0,
        "spark.scheduler.maxRegisteredResourcesWaitingTime": f"{_SECONDS_TO_START:.0f}s",
    }
    words = " ".join(f"--conf {name}={value}" for name, value in settings.items())
    return {
        "PYSPARK_SUBMIT_ARGS": f"--master {url} {words} pyspark-shell",
        "SPARK_LOCAL_IP": _HOST,
    }


@contextmanager
def _running(words: list[str], environment: Mapping[str, str], log: Path) -> Iterator[None]:
    """Run one of Spark's daemons in the foreground of a process of ours."""
    spark_class = Path(pyspark.__file__).parent / "bin" / "spark-class"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [str(spark_class), f"{_DEPLOY}.{words[0]}", *words[1:]],
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # its executors are in it too, whoever wants to find them
        )
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(_SECONDS_TO_END)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((_HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_for_port(port: int) -> None:
    until = time.monotonic() + _SECONDS_TO_START
    while time.monotonic() < until:
        with socket.socket() as probe:
            if probe.connect_ex((_HOST, port)) == 0:
                return
        time.sleep(0.2)
    message = f"The Spark master did not answer on port {port} within {_SECONDS_TO_START:.0f} s."
    raise TimeoutError(message)
