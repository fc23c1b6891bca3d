"""A run that is logged to MLflow: what the store keeps, and what comes of one that is down."""

import os
import socket
from contextlib import chdir
from pathlib import Path

import mlflow
import pyarrow.parquet as pq
import pytest
from mlflow.utils.autologging_utils import autologging_is_disabled

from adlib.artifacts import read_model, unpack
from adlib.spark.columns import columns_from_arrow, vector_lengths
from tests.docs import examples
from tests.jobs.conftest import Workplace, payments


def store_of(workplace):
    return f"sqlite:///{workplace.root}/mlflow.db"


def logged(workplace):
    """Return every run of a workplace's store, whatever its experiment and status."""
    mlflow.set_tracking_uri(store_of(workplace))
    return mlflow.search_runs(search_all_experiments=True, output_format="list")


@pytest.fixture(scope="module")
def tracked(tmp_path_factory):
    """A workplace whose run is logged to a file of SQLite beside it."""
    made = Workplace(tmp_path_factory.mktemp("tracked"))
    made.plain["mlflow"] = {"tracking_uri": store_of(made), "experiment": "payments by day"}
    made.write(payments())
    with chdir(made.root):
        assert made.call("run") == 0
    return made


def test_the_store_has_what_was_asked_for_and_what_came_of_it(tracked):
    (run,) = logged(tracked)
    assert run.info.status == "FINISHED"
    assert mlflow.get_experiment(run.info.experiment_id).name == "payments by day"
    assert run.data.params["threshold.fraction"] == "0.02"
    assert run.data.params["source.label"] == "fraud"
    published = tracked.table("runs").to_pylist()
    assert run.data.metrics["rows_read"] == 1_200
    assert run.data.metrics["rows_flagged"] == sum(day["rows_flagged"] for day in published)
    assert 0.9 < run.data.metrics["evaluation.auroc"] <= 1
    assert 0 < run.data.metrics["self_test.found"] <= 1
    assert run.data.tags["adlib.run_id"] == published[0]["run_id"]
    assert run.data.tags["adlib.model"] == published[0]["model_version"]


def test_the_store_has_the_page_and_the_files_of_the_model(tracked, tmp_path):
    (run,) = logged(tracked)
    run_id = run.data.tags["adlib.run_id"]
    uri = f"runs:/{run.info.run_id}"
    page = mlflow.artifacts.download_artifacts(f"{uri}/report/index.html", dst_path=str(tmp_path))
    stored = tracked.root / "out" / "reports" / run_id / "index.html"
    assert Path(page).read_text("utf-8") == stored.read_text("utf-8")
    (model,) = (tracked.root / "models").rglob(run.data.tags["adlib.model"])
    mlflow.artifacts.download_artifacts(f"{uri}/model", dst_path=str(tmp_path))
    (copied,) = tmp_path.rglob(model.name)
    assert {file.name: file.read_bytes() for file in copied.iterdir()} == {
        file.name: file.read_bytes() for file in model.iterdir()
    }


def test_the_served_model_scores_the_feature_table_as_the_stored_one_does(tracked):
    (run,) = logged(tracked)
    (directory,) = (tracked.root / "models").rglob(run.data.tags["adlib.model"])
    model = unpack(read_model(directory), str(directory))
    rows = pq.read_table(tracked.root / "work" / "features")
    lengths = vector_lengths(model.encoder)
    expected = model.score(columns_from_arrow(rows.combine_chunks(), model.columns, lengths))
    found = mlflow.pyfunc.load_model(f"runs:/{run.info.run_id}/model").predict(rows.to_pandas())
    assert found["score"].tolist() == expected.scores.tolist()
    assert found["is_anomaly"].tolist() == expected.is_anomaly.tolist()
    assert 0 < found["is_anomaly"].sum() < len(found)
    assert found["reason"].notna().equals(found["is_anomaly"])


def test_spark_is_not_listened_to(tracked):
    assert len(logged(tracked)) == 1
    assert autologging_is_disabled("spark")
    assert autologging_is_disabled("pyspark.ml")


def test_the_example_of_the_documentation_serves_the_model(tracked, monkeypatch, capsys):
    (example,) = (each for each in examples("python") if each.page.name == "mlflow.md")
    (run,) = logged(tracked)
    monkeypatch.chdir(tracked.root)
    assert "runs:/RUN/model" in example.text
    exec(example.text.replace("RUN", run.info.run_id), {})  # noqa: S102 - our own page
    assert "is_anomaly" in capsys.readouterr().out


def test_the_same_run_again_is_not_logged_again(tracked, summary_of, monkeypatch):
    monkeypatch.chdir(tracked.root)
    (before,) = logged(tracked)
    summary = summary_of(tracked, "run")
    assert summary["status"] == "already published"
    assert summary["mlflow_run"] == before.info.run_id
    assert len(logged(tracked)) == 1


def test_a_store_that_is_down_costs_nothing_and_the_same_run_again_is_logged_whole(
    tracked, workplace, summary_of, last_words, monkeypatch
):
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # bound and not listening: every call is refused
        workplace.plain["mlflow"] = {
            "tracking_uri": f"http://me:secret@127.0.0.1:{nobody.getsockname()[1]}",
            "experiment": "payments by day",
        }
        workplace.write(payments())
        monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
        monkeypatch.chdir(workplace.root)
        assert workplace.call("run") == os.EX_TEMPFAIL
    said = last_words()
    assert "MLflow at http://127.0.0.1:" in said
    assert "what it published and stored stays" in said
    assert "run the same command again" in said
    assert "secret" not in said
    published = workplace.anomaly_files()
    assert published == tracked.anomaly_files()
    workplace.plain["mlflow"]["tracking_uri"] = store_of(workplace)
    assert summary_of(workplace, "run")["status"] == "already published"
    assert workplace.anomaly_files() == published
    (late,) = logged(workplace)
    (prompt,) = logged(tracked)
    assert late.data.metrics == prompt.data.metrics


def test_without_the_extra_nothing_begins_and_the_last_line_says_how_to_install_it(
    workplace, last_words, monkeypatch
):
    monkeypatch.setattr("adlib.tracking.find_spec", lambda _name: None)
    workplace.plain["mlflow"] = {"tracking_uri": store_of(workplace)}
    workplace.write(payments())
    assert workplace.call("run") == 2
    assert "Run `pip install 'adlib[mlflow]'`, or take the section out." in last_words()
    assert not (workplace.root / "work").exists()
