"""The job files under spark-submit, with the package as a zip, as on a cluster."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.jobs.conftest import payments

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def package(tmp_path_factory) -> Path:
    """Return the zip for --py-files."""
    staged = tmp_path_factory.mktemp("package")
    shutil.copytree(ROOT / "adlib", staged / "tree" / "adlib")
    return Path(shutil.make_archive(str(staged / "adlib"), "zip", staged / "tree"))


def submit(job: str, package: Path, config: Path, *arguments: str):
    command = [
        *(str(Path(sys.executable).with_name("spark-submit")), "--master", "local[2]"),
        *("--driver-memory", "1g", "--conf", "spark.ui.enabled=false"),
        *("--py-files", str(package), str(ROOT / "jobs" / f"{job}.py")),
        *("--config", str(config), *arguments),
    ]
    environment = {**os.environ, "PYSPARK_PYTHON": sys.executable}
    environment.pop("PYSPARK_SUBMIT_ARGS", None)
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_a_submitted_run_publishes_what_the_command_line_does(workplace, finished, package):
    workplace.write(payments())
    config = workplace.root / "config.yaml"
    config.write_text(yaml.safe_dump(workplace.plain), "utf-8")
    ended = submit("run", package, config, "--json")
    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout.splitlines()[-1])["status"] == "done"
    assert workplace.anomaly_files() == finished.anomaly_files()


def test_a_submitted_job_passes_its_exit_code_on(workplace, package):
    config = workplace.root / "config.yaml"
    config.write_text(yaml.safe_dump({**workplace.plain, "nmae": "x"}), "utf-8")
    ended = submit("score", package, config)
    assert ended.returncode == 2
    said = ended.stdout  # spark-submit sends the standard error of Python there
    assert "unknown key 'nmae'" in said
    assert said.splitlines()[-1].endswith("(exit code 2)")
