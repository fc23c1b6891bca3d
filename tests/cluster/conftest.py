"""Workplaces in which everything has run, once and twice, and a standalone cluster."""

from __future__ import annotations

import os
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster import standalone_cluster
from tests.cluster.processes import Process, end_session, python_workers, running
from tests.cluster.submitting import EXECUTOR_PYTHON, PACKAGE, ROOT, SCORES, Jobs
from tests.jobs.conftest import payments

ADVICE = "run make test-cluster, or make -o .venv/.installed .venv-executor/.installed package"


class Cluster:
    """A master and two workers of one core each."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url = url
        self._executors = folder / "executors"

    def at_work(self) -> dict[str, Process]:
        """Return a Python worker, and whose it is up to the cluster's worker; {} while none is."""
        processes = running()
        for worker in python_workers(processes):
            executor = processes.get(processes[worker.parent].parent)
            if executor is None or "CoarseGrainedExecutorBackend" not in " ".join(executor.words):
                continue
            if self.url in processes[executor.parent].words:
                return {
                    "Python worker": worker,
                    "executor": executor,
                    "cluster's worker": processes[executor.parent],
                }
        return {}

    def executors_said(self) -> str:
        """Return what all executors logged."""
        logs = self._executors.glob("app-*/*/stderr")
        return "\n".join(log.read_text("utf-8", "replace") for log in logs)


@pytest.fixture(scope="session")
def package() -> Path:
    """Return the zip that `make package` made, of this very tree."""
    if not PACKAGE.is_file():
        pytest.fail(f"{PACKAGE} is missing: {ADVICE}")
    here = {str(file.relative_to(ROOT)): file.read_bytes() for file in ROOT.glob("adlib/**/*.py")}
    with zipfile.ZipFile(PACKAGE) as found:
        there = {name: found.read(name) for name in found.namelist() if name.endswith(".py")}
    if here != there:
        pytest.fail(f"{PACKAGE} is of other sources: {ADVICE}")
    return PACKAGE


@pytest.fixture(scope="session")
def cluster(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A standalone cluster; what it loses in one test it lacks in the next."""
    del package  # what is submitted
    if not EXECUTOR_PYTHON.is_file():
        pytest.fail(f"{EXECUTOR_PYTHON} is missing: {ADVICE}")
    folder = tmp_path_factory.mktemp("cluster")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("PYTHONPATH", raising=False)  # of the daemons, and so of their executors
        with standalone_cluster(1, folder, workers=2) as url:
            try:
                yield Cluster(url, folder)
            finally:  # executors outlive a worker that was killed for a while
                for daemon in daemons():
                    end_session(daemon)


def daemons() -> list[int]:
    """Return master and workers that were started here, ended ones too: each leads a session."""
    return [
        process.id
        for process in running(ended=True).values()
        if process.parent == os.getpid() and process.id == process.session
    ]


@pytest.fixture(scope="session")
def first_run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Jobs]:
    """A workplace in which everything has run once; tests only copy it."""
    made = Jobs(tmp_path_factory.mktemp("first"))
    made.write(payments())
    try:
        yield made.done("run")
    finally:
        made.stop()


@pytest.fixture(scope="session")
def second_run(first_run: Jobs, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Jobs]:
    """The same after a second, undisturbed run that publishes scores too; tests only read it."""
    made = copied(first_run, tmp_path_factory.mktemp("second"))
    try:
        yield made.done("run", *SCORES)
    finally:
        made.stop()


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Jobs]:
    """An empty workplace."""
    made = Jobs(tmp_path)
    yield made
    made.stop()


@pytest.fixture
def jobs(first_run: Jobs, tmp_path: Path) -> Iterator[Jobs]:
    """A workplace after the first run, to be disturbed in the second."""
    made = copied(first_run, tmp_path)
    yield made
    made.stop()


def copied(jobs: Jobs, root: Path) -> Jobs:
    """Return a copy of a workplace."""
    shutil.copytree(jobs.root, root, dirs_exist_ok=True)
    return Jobs(root)
