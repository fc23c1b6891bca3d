"""`adlib compare`: detectors beside each other on one sample; nothing is stored but the tables."""

import csv
from pathlib import Path

import pytest

from adlib.detectors.kmeans import KmeansSettings
from adlib.errors import ModelError
from tests.jobs.conftest import Workplace, payments


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    made = Workplace(tmp_path_factory.mktemp("compared"))
    made.write(payments())
    assert made.call("preprocess") == 0
    return made


@pytest.fixture
def kmeans_fails(monkeypatch):
    def fit(*_, **__):
        raise ModelError.degenerate("no crowd is found", "Widen the sample.")

    monkeypatch.setattr(KmeansSettings, "fit", fit)


def table_of(summary, name):
    file = Path(str(summary["comparison"])) / f"{name}.csv"
    return list(csv.DictReader(file.read_text("utf-8").splitlines()))


def test_detectors_are_measured_by_labels_and_planted_anomalies_and_no_model_is_stored(
    prepared, summary_of
):
    summary = summary_of(prepared, "compare", "--detectors", "kmeans,blend,histogram")
    assert summary["held_out_rows"] > 100
    assert summary["labelled_rows"] == summary["held_out_rows"]
    assert summary["labelled_anomalies"]
    rows = summary["detectors"]
    assert {row["detector"] for row in rows} == {"blend", "histogram", "kmeans"}
    for row in rows:
        assert row["problem"] is None
        assert 0.0 <= row["planted_auroc"] <= 1.0
        assert row["model_bytes"] > 1000
    best = rows[0]
    assert best["average_precision"] > 0.9
    assert len(summary["agreement"]) == 6
    assert not (prepared.root / "models").exists()
    assert not (prepared.root / "out" / "runs").exists()
    stored = table_of(summary, "detectors")
    assert [row["detector"] for row in stored] == [row["detector"] for row in rows]
    assert float(stored[0]["average_precision"]) == best["average_precision"]
    assert len(table_of(summary, "agreement")) == 6


def test_a_table_is_printed_and_the_order_of_detectors_changes_nothing(prepared, capfd, summary_of):
    first = summary_of(prepared, "compare", "--detectors", "kmeans,histogram")
    again = summary_of(prepared, "compare", "--detectors", "histogram,kmeans")
    measured = [
        [{name: value for name, value in row.items() if "seconds" not in name} for row in rows]
        for rows in (first["detectors"], again["detectors"])
    ]
    assert measured[0] == measured[1]
    assert first["comparison"] == again["comparison"]
    capfd.readouterr()
    assert prepared.call("compare", "--detectors", "kmeans,histogram") == 0
    printed = capfd.readouterr().out
    assert "detectors, the best first" in printed
    assert "agreement, the share" in printed
    assert "held-out rows and" in printed


def test_a_detector_of_sequences_says_what_it_lacks_and_the_others_go_on(prepared, summary_of):
    rows = summary_of(prepared, "compare", "--detectors", "recurrent_autoencoder,histogram")
    problems = {row["detector"]: row["problem"] for row in rows["detectors"]}
    assert problems["histogram"] is None
    assert "the configuration has no section sequence" in problems["recurrent_autoencoder"]


def test_the_configurations_own_detector_keeps_its_settings(prepared, summary_of):
    default = summary_of(prepared, "compare", "--detectors", "kmeans")["detectors"][0]
    few = ("--set", "detector={kind: kmeans, clusters: 2}")
    own = summary_of(prepared, "compare", "--detectors", "kmeans", *few)["detectors"][0]
    assert own["model_bytes"] < default["model_bytes"]


@pytest.mark.usefixtures("kmeans_fails")
def test_a_detector_that_cannot_be_fitted_keeps_none_from_being_compared(
    prepared, capfd, summary_of
):
    summary = summary_of(prepared, "compare", "--detectors", "kmeans,histogram")
    rows = {row["detector"]: row for row in summary["detectors"]}
    assert "no crowd is found" in rows["kmeans"]["problem"]
    assert rows["histogram"]["problem"] is None
    assert prepared.call("compare", "--detectors", "kmeans,histogram") == 0
    assert "kmeans could not be fitted: The model is degenerate" in capfd.readouterr().out


@pytest.mark.usefixtures("kmeans_fails")
def test_where_none_can_be_fitted_the_model_is_refused(prepared, last_words):
    assert prepared.call("compare", "--detectors", "kmeans") == 4
    assert "None of the 1 detectors could be fitted. kmeans: " in last_words()
    assert not (prepared.root / "out" / "runs").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--detectors", "kmean"), "found 'kmean'"),
        (("--set", "train.on=executor"), "--set train.on=driver"),
    ],
    ids=["unknown", "on an executor"],
)
def test_a_call_that_cannot_be_answered_is_refused(prepared, last_words, arguments, said):
    assert prepared.call("compare", *arguments) == 2
    assert said in last_words()
