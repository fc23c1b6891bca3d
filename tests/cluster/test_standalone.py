"""A standalone cluster that loses its parts while it scores, without PyTorch where it scores."""

import subprocess

import pytest

from tests.cluster.submitting import EXECUTOR_PYTHON, SCORES
from tests.jobs.conftest import payments

pytestmark = pytest.mark.cluster

ABSENT = ["torch", "sklearn", "scipy", "safetensors", "pydantic", "typer", "rich", "yaml", "adlib"]
LOSSES = {
    "Python worker": "Python worker exited unexpectedly",
    "executor": "Lost executor",
    "cluster's worker": "Lost executor",
}
"""What Spark says when it misses the part; the last one is not replaced."""


def test_executors_have_no_pytorch_and_nothing_of_adlib_but_what_is_submitted():
    look = f"import importlib.util as i; print([n for n in {ABSENT} if i.find_spec(n)])"
    command = [str(EXECUTOR_PYTHON), "-I", "-c", look]
    found = subprocess.run(command, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_the_packaged_zip_publishes_on_a_cluster_what_the_command_line_does(
    cluster, empty, first_run
):
    empty.write(payments())
    job = empty.submit_job("run", master=cluster.url)
    worker = job.wait_until(cluster.at_work)["Python worker"]
    assert worker.words[0] == str(EXECUTOR_PYTHON)
    assert job.ended() == 0, job.said()
    assert empty.published() == first_run.published()


def test_a_way_to_explain_that_executors_lack_the_library_for_is_refused_at_once(cluster, empty):
    empty.write(payments())
    job = empty.submit_job("run", "--set", "explain.method=shap", master=cluster.url)
    assert job.ended() == 2, job.said()
    assert f"not installed where executors run ({EXECUTOR_PYTHON} on " in job.said()
    assert "pip install -c constraints.txt shap" in job.said()


@pytest.mark.parametrize("part", LOSSES)
def test_a_job_that_loses_while_it_scores_a(part, cluster, jobs, second_run):
    job = jobs.submit_job("score", *SCORES, master=cluster.url)
    job.wait_until(cluster.at_work)[part].kill()
    assert job.ended() == 0, job.said()
    assert LOSSES[part] in job.said() + cluster.executors_said()
    assert jobs.tables() == second_run.tables()
