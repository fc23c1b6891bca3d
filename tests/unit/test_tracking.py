"""What MLflow is told of a run, and what is said where it does not listen."""

import os
import sqlite3
import subprocess
import sys
from dataclasses import replace

import pytest

from adlib.artifacts import write_model
from adlib.errors import ConfigError, ModelError
from adlib.tracking import (
    TrackedRun,
    _log,
    _not_taken,
    metrics_of,
    parameters_of,
    refuse_untracked,
)
from tests.docs import ROOT
from tests.frames import in_pandas

MINIMAL = """
name: payments
source: {path: in, options: {password: secret}}
threshold: {kind: budget, fraction: 0.01}
output: {path: out}
work: {path: work}
"""
TRACKED = f"{MINIMAL}mlflow: {{tracking_uri: 'sqlite:///runs.db'}}\n"


class TestFigures:
    def test_parameters_are_the_configurations_keys_without_what_may_be_a_secret(self, load):
        parameters = parameters_of(load(TRACKED))
        assert parameters["name"] == "payments"
        assert parameters["threshold.fraction"] == "0.01"
        assert parameters["source.key"] == "[]"
        assert not [name for name in parameters if "mlflow" in name or "options" in name]
        assert "secret" not in str(parameters)

    def test_metrics_are_numbers_and_no_name_is_a_value_of_the_source(self):
        document = {
            "provenance": {
                "fit": {"loss": 0.5},
                "self_test": {"found": 0.25, "by_kind": {"swapped_values": {"found": 0.5}}},
            }
        }
        figures = {
            "rows_read": 10,
            "promoted": True,
            "gate": None,
            "self_test": {"found": 0.9},
            "metrics": {"auroc": 0.75, "precision": None, "by_group": {"Ms Smith": {"recall": 1}}},
        }
        assert metrics_of(document, figures) == {
            "rows_read": 10.0,
            "fit.loss": 0.5,
            "self_test.found": 0.25,
            "self_test.by_kind.swapped_values.found": 0.5,
            "evaluation.auroc": 0.75,
        }


class TestRefusing:
    def test_mlflow_that_is_asked_for_and_not_installed_is_one_sentence(self, load, monkeypatch):
        refuse_untracked(load(TRACKED))
        monkeypatch.setattr("adlib.tracking.find_spec", lambda _name: None)
        refuse_untracked(load(MINIMAL))
        with pytest.raises(ConfigError, match=r"Run `pip install 'adlib\[mlflow\]'`"):
            refuse_untracked(load(TRACKED))

    def test_a_database_needs_more_than_a_server(self, load, monkeypatch):
        monkeypatch.setattr("adlib.tracking.find_spec", lambda name: name == "mlflow" or None)
        refuse_untracked(load(f"{MINIMAL}mlflow: {{tracking_uri: 'https://mlflow.example'}}\n"))
        with pytest.raises(ConfigError, match=r"not installed: sqlalchemy, alembic\. Run `pip"):
            refuse_untracked(load(TRACKED))

    @pytest.mark.parametrize("uri", ["mlruns", "file:///mlruns", "sqlite://", "databricks-not"])
    def test_what_is_no_tracking_store_is_refused_with_the_kinds_there_are(self, refusal, uri):
        (problem,) = refusal(f"{MINIMAL}mlflow: {{tracking_uri: '{uri}'}}\n")
        assert "expected https://" in problem

    def test_where_runs_are_logged_to_does_not_decide_their_results(self, load):
        from adlib.config import config_digest

        assert config_digest(load(TRACKED)) == config_digest(load(MINIMAL))

    @pytest.mark.parametrize(
        "uri",
        [
            "postgresql://me:secret@host/db",
            "postgresql://me:sec/secret@host/db",
            "postgresql://host/db?password=secret",
        ],
    )
    def test_no_password_stands_in_what_is_said(self, uri):
        said = str(_not_taken(uri, OSError(f"no route to {uri}: refused.")))
        assert "secret" not in said
        assert "MLflow at postgresql://host/db did not take it: no route to postgresql://" in said


@pytest.mark.filterwarnings("ignore")  # MLflow's own, of its inside
class TestStore:
    @pytest.fixture
    def run(self, stored, tmp_path, monkeypatch):
        pytest.importorskip("mlflow")
        monkeypatch.chdir(tmp_path)
        write_model(stored, tmp_path / stored.model_id)
        page = tmp_path / "index.html"
        page.write_text("<p>page</p>", "utf-8")
        return TrackedRun(
            "payments",
            {"threshold.kind": "budget", "features.numeric": "x" * 7000},
            {"rows_read": 10.0},
            {"adlib.command": "run", "adlib.model": stored.model_id},
            tmp_path / stored.model_id,
            page,
        )

    def test_a_store_of_one_file_keeps_figures_page_and_a_model_to_be_served(
        self, run, model, columns, tmp_path
    ):
        import mlflow

        run_id = _log(run, f"sqlite:///{tmp_path}/runs.db", "adlib")
        kept = mlflow.get_run(run_id).data
        assert kept.params["threshold.kind"] == "budget"
        assert kept.metrics == {"rows_read": 10.0}
        assert kept.tags["adlib.command"] == "run"
        artifacts = tmp_path / "mlruns"
        assert [file.read_text() for file in artifacts.rglob("index.html")] == ["<p>page</p>"]
        suffixes = {file.suffix for file in artifacts.rglob("*") if file.is_file()}
        assert suffixes <= {"", ".yaml", ".txt", ".json", ".safetensors", ".html"}
        served = mlflow.pyfunc.load_model(f"runs:/{run_id}/model")
        few = {name: column.take(slice(0, 20)) for name, column in columns.items()}
        assert served.predict(in_pandas(few))["score"].tolist() == model.score(few).scores.tolist()

    def test_a_logged_model_of_which_a_byte_was_altered_is_refused(self, run, tmp_path):
        import mlflow

        run_id = _log(run, f"sqlite:///{tmp_path}/runs.db", "adlib")
        (document,) = (tmp_path / "mlruns").rglob("data/*/model.json")
        document.write_bytes(document.read_bytes().replace(b"payments", b"Payments"))
        with pytest.raises(ModelError, match="does not match its digest"):
            mlflow.pyfunc.load_model(f"runs:/{run_id}/model")
        with sqlite3.connect(tmp_path / "runs.db") as store:
            assert store.execute("SELECT status FROM runs").fetchall() == [("FINISHED",)]

    def test_what_is_there_already_is_not_logged_again_and_other_work_is(self, run, tmp_path):
        uri = f"sqlite:///{tmp_path}/runs.db"
        first = _log(run, uri, "adlib")
        assert _log(run, uri, "adlib") == first
        another_day = replace(run, tags={**run.tags, "adlib.date": "2026-03-02"})
        assert _log(another_day, uri, "adlib") != first
        assert _log(run, uri, "elsewhere") != first
        with sqlite3.connect(tmp_path / "runs.db") as store:
            assert store.execute("SELECT count(*) FROM runs").fetchone() == (3,)

    def test_what_broke_half_way_is_logged_again(self, run, tmp_path):
        uri = f"sqlite:///{tmp_path}/runs.db"
        with pytest.raises(OSError, match="gone"):
            _log(replace(run, page=tmp_path / "gone"), uri, "adlib")
        _log(run, uri, "adlib")
        with sqlite3.connect(tmp_path / "runs.db") as store:
            found = store.execute("SELECT status FROM runs").fetchall()
        assert sorted(found) == [("FAILED",), ("FINISHED",)]

    def test_nothing_leaves_the_machine(self, run, tmp_path):
        program = f"""
import socket
from pathlib import Path
from adlib.tracking import TrackedRun, _log
asked = []
socket.socket.connect = lambda _, address: asked.append(address)
socket.getaddrinfo = lambda host, *_, **__: asked.append(host) or []
_log(TrackedRun("payments", {{}}, {{}}, {dict(run.tags)!r}, Path({str(run.model)!r}), None),
     "sqlite:///{tmp_path}/runs.db", "adlib")
from mlflow.telemetry import get_telemetry_client
print(get_telemetry_client(), asked)
"""
        environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", program],
            env=environment, cwd=tmp_path, capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert done.stdout.splitlines()[-1] == "None []"
        assert done.stderr == ""
