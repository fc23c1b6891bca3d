"""Whole jobs and their Python workers killed: a rerun publishes what an undisturbed run does."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from adlib.publishing import notices
from adlib.runs import verify
from tests.cluster.processes import RunningJob, of_session, python_workers
from tests.cluster.submitting import SCORES, Jobs
from tests.publications import files_below

pytestmark = pytest.mark.cluster

Seen = Callable[[Jobs, RunningJob], bool]

PUBLISHED = re.compile(
    r"(anomalies|scores|quarantine|daily_summary)/dt=[0-9-]+/\1-[0-9a-f]{16}\.parquet"
    r"|manifests/dt=[0-9-]+/manifests-[0-9a-f]{16}\.json"
    r"|runs/dt=[0-9-]+/run-[0-9a-f]{16}\.parquet"
    r"|reports/[0-9a-f]{16}/.+|views/.+|README\.md|schema\.json"
)


def has_said(words: str) -> Seen:
    return lambda _, job: words in job.said()


def has_files(directory: str, name: str = "") -> Seen:
    """See files below one of the directories that a pattern names."""

    def seen(jobs: Jobs, _: RunningJob) -> bool:
        return any(
            name in file
            for found in jobs.root.glob(directory)
            for _, _, files in os.walk(found)  # unlike rglob, goes on where something vanishes
            for file in files
        )

    return seen


BEFORE_PUBLISHING: dict[str, Seen] = {
    "begins to preprocess": has_said("preprocess ..."),
    "writes features": has_files("work/staging/preprocess-table/features"),
    "begins to train": has_said("train ..."),
    "writes scored records": has_files("work/staging/*/records"),
}
WHILE_PUBLISHING: dict[str, Seen] = {
    "stages its first date": has_files(".out.adlib/bundles"),
    "journals a date": has_files(".out.adlib/bundles", "journal.json"),
    "has published a date": has_files("out/scores"),
    "has published all dates": has_said("publish: done"),
}
MOMENTS = {**BEFORE_PUBLISHING, **WHILE_PUBLISHING}


def assert_dates_are_whole(jobs: Jobs) -> None:
    """No file is there that is not published, and no table has two of a date but for notices.

    Killed while they stand they fail whoever reads them, until the next start.
    """
    names = list(jobs.published())
    assert [name for name in names if not PUBLISHED.fullmatch(name)] == []
    files = [name for name, held in jobs.tables().items() if not held.startswith(notices.CONTENT)]
    tables = [name.rpartition("/")[0] for name in files]
    assert len(tables) == len(set(tables))


def names_below(directory: Path) -> list[str]:
    return sorted(str(path.relative_to(directory)) for path in directory.rglob("*"))


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_job_killed_when_it(moment, jobs, second_run):
    before = files_below(jobs.output)
    job = jobs.start("run", *SCORES)
    job.wait_until(lambda: MOMENTS[moment](jobs, job))
    job.kill()
    assert_dates_are_whole(jobs)
    if moment in BEFORE_PUBLISHING:
        assert files_below(jobs.output) == before
    jobs.done("run", *SCORES)
    assert jobs.published() == second_run.published()
    # A bundle that never got its marker may be somebody else's new one: it stays for a lease.
    assert [name for name in names_below(jobs.bundles) if name.endswith("/owner.json")] == []
    assert names_below(jobs.root / "models") == names_below(second_run.root / "models")
    for directory in (jobs.output / "anomalies").iterdir():
        verify(jobs.output, date.fromisoformat(directory.name.removeprefix("dt=")))


def test_when_a_python_worker_is_killed_the_job_says_to_try_again_and_that_publishes_the_same(
    jobs, second_run
):
    before = files_below(jobs.output)
    job = jobs.start("score", *SCORES)
    session = lambda: {process.id: process for process in of_session(job.session)}  # noqa: E731
    job.wait_until(lambda: python_workers(session()))[-1].kill()
    assert job.ended() == 75, job.said()
    assert job.said().splitlines()[-1].endswith("(exit code 75)")
    assert files_below(jobs.output) == before
    jobs.done("score", *SCORES)
    assert jobs.tables() == second_run.tables()
