"""A new model that alerts too much is stored and not promoted, and the work goes on."""

from pathlib import Path

import pytest

from tests.jobs.conftest import payments

NOISY = ("--set", "threshold={kind: fixed, value: 0.0}")


def promoted_of(workplace) -> str:
    pointer: Path = workplace.root / "models" / "payments" / "promoted.json"
    return pointer.read_text("utf-8")


@pytest.fixture
def trained(workplace):
    workplace.write(payments())
    assert workplace.call("preprocess") == 0
    assert workplace.call("train") == 0
    return workplace


def test_train_shows_the_self_test(trained, capfd, summary_of):
    test = summary_of(trained, "train")["self_test"]
    assert set(test) == {"found", "mahalanobis", "isolation_forest", "by_kind"}
    assert test["found"] > 0.3
    assert trained.call("train") == 0
    printed = capfd.readouterr().out
    assert "self-test, shares of planted anomalies found" in printed
    assert "wrong magnitude" in printed


@pytest.mark.parametrize("place", ["driver", "executor"])
def test_a_model_that_alerts_too_much_is_stored_and_not_promoted(trained, summary_of, place):
    before = promoted_of(trained)
    summary = summary_of(trained, "train", *NOISY, "--set", f"train.on={place}")
    assert summary["promoted"] is False
    assert "it flags" in str(summary["gate"])
    assert promoted_of(trained) == before
    stored = trained.root / "models" / "payments" / str(summary["model"])
    assert (stored / "model.json").is_file()


def test_a_run_goes_on_with_the_promoted_model_and_again_ends_with_nothing_to_do(
    trained, summary_of
):
    first = summary_of(trained, "run", *NOISY)
    assert first["promoted"] is False
    assert str(first["model"]) in promoted_of(trained)
    assert len(trained.table("anomalies")) < 100
    again = summary_of(trained, "run", *NOISY)
    assert again["status"] == "already published"
    assert again["model"] == first["model"]


def test_without_promotion_nothing_is_compared(trained, summary_of):
    summary = summary_of(trained, "train", *NOISY, "--no-promote")
    assert summary["promoted"] is False
    assert summary["gate"] is None


def test_the_same_model_is_promoted_again(trained, summary_of):
    summary = summary_of(trained, "train")
    assert summary["promoted"] is True
    assert summary["gate"] == "it is the promoted model"


def test_an_altered_promoted_model_is_in_nobodys_way(trained, summary_of):
    for document in (trained.root / "models" / "payments").glob("*/model.json"):
        document.write_bytes(document.read_bytes() + b" ")
    summary = summary_of(trained, "train", "--set", "seed=8")
    assert summary["promoted"] is True
    assert "not compared with the promoted model: The model at" in str(summary["gate"])
    assert str(summary["model"]) in promoted_of(trained)
