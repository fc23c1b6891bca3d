"""The DAGs in a real Airflow: scheduled, rendered, run, killed and tried again."""

import json
import os
import shutil
import signal
import sys
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml

from adlib.registry import Registry
from tests.airflow.conftest import DAGS, Airflow, wait_until
from tests.jobs.conftest import Workplace

pytestmark = pytest.mark.airflow

SPARK, BASH = "adlib_daily_spark", "adlib_daily_bash"
FIRST, SECOND = "2026-03-02", "2026-03-03"


def scheduled_run(airflow: Airflow, dag: str) -> str:
    """Switch a DAG on and return the run that Airflow then schedules: the latest that is due."""
    airflow.call(f"/api/v2/dags/{dag}", {"is_paused": False}, method="PATCH")
    wait_until(lambda: airflow.runs(dag))
    (run,) = airflow.runs(dag)
    return run


def promoted(place: Workplace) -> str | None:
    return Registry(place.root / "models" / "payments").promoted()


@contextmanager
def configured(place: Workplace, **changes: object):
    """Change the configuration for a while."""
    config = place.root / "config.yaml"
    before = config.read_text("utf-8")
    config.write_text(yaml.safe_dump({**place.plain, **changes}), "utf-8")
    yield
    config.write_text(before, "utf-8")


@pytest.fixture(scope="session")
def model(airflow, place) -> str:
    """The model that the scheduled run of the weekly DAG trained and promoted."""
    dag = "adlib_weekly_spark"
    run = scheduled_run(airflow, dag)
    assert airflow.wait(dag, run) == "success"
    assert airflow.tasks(dag, run)["promoted"]["state"] == "success"
    found = promoted(place)
    assert found is not None
    return found


@pytest.fixture(scope="session")
def switched_on(airflow) -> dict[str, str]:
    """The scheduled run of each daily DAG, over: of yesterday, of which the source has no row."""
    runs = {dag: scheduled_run(airflow, dag) for dag in (SPARK, BASH)}
    for dag, run in runs.items():
        airflow.wait(dag, run)
    return runs


@pytest.fixture(scope="session")
def backfilled(airflow, model, switched_on) -> list[str]:
    """The runs of two dates by the Bash DAG and the backfill example."""
    assert BASH in switched_on
    airflow.command(str(DAGS / "backfill.sh"), BASH, FIRST, SECOND, model)
    runs = sorted(run for run in airflow.runs(BASH) if run.startswith("backfill"))
    assert [airflow.wait(BASH, run) for run in runs] == ["success", "success"]
    return runs


@pytest.fixture(scope="session")
def undisturbed(backfilled, place) -> Path:
    """What the backfill published, moved away."""
    assert len(backfilled) == 2
    moved: Path = place.root / "undisturbed"
    (place.root / "out").rename(moved)
    return moved


def test_every_dag_is_serialised_without_an_error(airflow):
    listed = airflow.call("/api/v2/dags?order_by=dag_id")["dags"]
    kinds = [f"adlib_{often}_{how}" for often in ("daily", "weekly") for how in ("bash", "spark")]
    assert [dag["dag_id"] for dag in listed] == kinds
    assert airflow.call("/api/v2/importErrors")["import_errors"] == []


def test_exit_codes_2_to_4_fail_at_once_and_all_others_may_be_tried_again(airflow):
    script = Path(__file__).with_name("exit_codes.py")
    said = airflow.command("env", f"PYTHONPATH={DAGS}", "python", str(script), sys.executable)
    for endings in json.loads(said.splitlines()[-1]).values():
        assert endings.pop("0") == []
        for code, (exception, message) in endings.items():
            hopeless = code in {"2", "3", "4"}
            assert exception == ("AirflowFailException" if hopeless else "AirflowException")
            assert f" code {code}" in message or f"code is: {code}" in message


def test_a_missing_connection_is_refused_and_not_taken_for_yarn(airflow):
    program = (
        "from adlib_operators import AdlibSubmit\n"
        "try: AdlibSubmit(task_id='task', command='score').execute({})\n"
        "except Exception as error: print(type(error).__name__, error)\n"
    )
    without = ("env", "-u", "AIRFLOW_CONN_ADLIB_SPARK", f"PYTHONPATH={DAGS}")
    said = airflow.command(*without, "python", "-c", program).splitlines()[-1]
    assert said.startswith("AirflowFailException There is no connection adlib_spark.")


def test_weekly_training_leaves_a_model_that_fails_its_gate_unpromoted(airflow, model, place):
    dag = "adlib_weekly_bash"
    with configured(place, threshold={"kind": "fixed", "value": 0.0}):  # flags everything
        run = scheduled_run(airflow, dag)
        assert airflow.wait(dag, run) == "success"
    ended = {name: task["state"] for name, task in airflow.tasks(dag, run).items()}
    assert ended == {
        "before": "success",
        "train": "success",
        "after": "success",
        "promoted": "skipped",
    }
    assert len(Registry(place.root / "models" / "payments").ids()) == 2
    assert promoted(place) == model


@pytest.mark.parametrize("dag", [SPARK, BASH])
def test_a_date_without_rows_fails_without_a_retry(airflow, switched_on, dag):
    run = switched_on[dag]
    tasks = airflow.tasks(dag, run)
    assert airflow.runs(dag)[run] == "failed"
    assert (tasks["preprocess"]["state"], tasks["preprocess"]["try_number"]) == ("failed", 1)
    assert tasks["preprocess"]["max_tries"] == 3
    assert tasks["score"]["state"] == "upstream_failed"


def test_a_run_with_neither_date_nor_interval_fails_without_a_retry(airflow, switched_on):
    assert set(switched_on) == {SPARK, BASH}
    run = airflow.start(BASH)
    assert airflow.wait(BASH, run) == "failed"
    preprocess = airflow.tasks(BASH, run)["preprocess"]
    assert (preprocess["state"], preprocess["try_number"]) == ("failed", 1)
    assert "--date '' " in preprocess["rendered_fields"]["bash_command"]


def test_a_backfill_renders_the_exact_commands_of_each_date(airflow, backfilled, model, place):
    config = f"--config '{place.root}/config.yaml'"
    for run, day in zip(backfilled, (FIRST, SECOND), strict=True):
        rendered = {
            name: task["rendered_fields"] for name, task in airflow.tasks(BASH, run).items()
        }
        assert {name: fields["bash_command"] for name, fields in rendered.items()} == {
            "models": f".venv/bin/python -m adlib models list {config} --json",
            "preprocess": f".venv/bin/python -m adlib preprocess {config} --date {day!r} --json",
            "score": f".venv/bin/python -m adlib score {config} --date {day!r} --model {model!r} "
            "--json",
            "verify": f".venv/bin/python -m adlib verify {config} --date {day!r} --json",
        }
        assert {fields["cwd"] for fields in rendered.values()} == {str(place.root / "home")}


def test_a_backfill_publishes_the_anomalies_of_each_date(undisturbed):
    for day in (FIRST, SECOND):
        (file,) = (undisturbed / "anomalies" / f"dt={day}").iterdir()
        anomalies = pq.ParquetFile(file).read()
        assert 0 < len(anomalies) < 40
        assert set(anomalies["event_date"].to_pylist()) == {date.fromisoformat(day)}
        assert anomalies["is_anomaly"].to_pylist() == [True] * len(anomalies)
    assert len(list((undisturbed / "anomalies").iterdir())) == 2


def test_a_submitted_score_that_is_killed_is_retried_and_publishes_the_same(
    airflow, model, place, undisturbed
):
    run = killed_and_retried(airflow, place, SPARK, FIRST, "org.apache.spark.deploy.SparkSubmit")
    assert published(place.root / "out", FIRST) == published(undisturbed, FIRST)
    tasks = airflow.tasks(SPARK, run)
    home, config = place.root / "home", ["--config", f"{place.root}/config.yaml"]
    arguments = {"preprocess": [], "score": ["--model", model]}
    for name, more in arguments.items():
        fields = tasks[name]["rendered_fields"]
        assert fields["application"] == f"{home}/jobs/{name}.py"
        assert fields["application_args"] == [*config, "--date", FIRST, *more, "--json"]
        assert fields["py_files"] == f"{home}/adlib.zip"
        assert fields["properties_file"] == f"{place.root}/spark.conf"
        assert fields["env_vars"] == {"PYSPARK_DRIVER_PYTHON": f"{home}/.venv/bin/python"}


def test_a_score_by_bash_that_is_killed_is_retried_and_publishes_the_same(
    airflow, place, undisturbed
):
    killed_and_retried(airflow, place, BASH, SECOND, "-m adlib score")
    assert published(place.root / "out", SECOND) == published(undisturbed, SECOND)


def killed_and_retried(airflow: Airflow, place: Workplace, dag: str, day: str, program: str) -> str:
    """Run a date, kill its score while it is at it, let Airflow try again; return the run."""
    shutil.rmtree(place.root / "work" / "staging" / "locks")
    run = airflow.start(dag, date=day)
    at_it = place.root / "work" / "staging" / "locks" / f"score-dt={day}"
    wait_until(lambda: at_it.exists() or airflow.runs(dag)[run] == "failed")
    os.kill(process_of(program, place), signal.SIGKILL)
    assert not (place.root / "out" / "anomalies" / f"dt={day}").exists()
    assert airflow.wait(dag, run) == "success"
    tries = {name: task["try_number"] for name, task in airflow.tasks(dag, run).items()}
    assert tries == {"models": 1, "preprocess": 1, "score": 2, "verify": 1}
    return run


def process_of(program: str, place: Workplace) -> int:
    """Return the process whose command line holds these words and this workplace's path."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = entry.read_bytes().replace(b"\0", b" ").decode()
        except (FileNotFoundError, ProcessLookupError):  # it ended in the meantime
            continue
        if program in line and str(place.root) in line and " score" in line.replace("/", " "):
            found.append(int(entry.parent.name))
    (process,) = found
    return process


def published(output: Path, day: str) -> dict[str, bytes]:
    """Return the files of a date's anomalies and summary, which no clock is in."""
    return {
        f"{table}/{file.name}": file.read_bytes()
        for table in ("anomalies", "daily_summary")
        for file in (output / table / f"dt={day}").iterdir()
    }
