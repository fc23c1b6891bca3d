"""The whole job on payments: what is published, what is said, what a rerun does."""

import json
import shutil
from collections import Counter
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pytest

from adlib.outputs import ANOMALIES, DAILY_SUMMARY, RUNS, SCORES
from adlib.runs import arrow_schema
from tests.jobs.conftest import DAYS, ROWS_A_DAY, payments


def test_anomalies_have_key_kept_columns_and_ours_in_the_contracts_types(finished):
    table = finished.table("anomalies")
    ours = arrow_schema(ANOMALIES)
    assert table.schema.names == ["id", "customer", *ours.names]
    assert table.schema.field("id").type == pa.int64()
    assert [table.schema.field(name).type for name in ours.names] == list(ours.types)


def test_every_date_has_one_file_ordered_by_score(finished):
    assert list(finished.anomaly_files()) == ["dt=2026-03-01", "dt=2026-03-02", "dt=2026-03-03"]
    for day in range(1, DAYS + 1):
        table = finished.table("anomalies")
        here = table.filter(pc.equal(table["event_date"], date(2026, 3, day)))
        scores = here["anomaly_score"].to_pylist()
        assert scores == sorted(scores, reverse=True)


def test_most_flagged_rows_are_the_planted_ones_and_the_reason_names_them(finished):
    table = finished.table("anomalies")
    planted = [row for row in table.to_pylist() if row["id"] % 100 == 50]
    assert len(planted) >= 0.8 * DAYS * ROWS_A_DAY / 100
    named = [row["reason_1_column"] == "fee" for row in planted]
    assert sum(named) >= 0.9 * len(named)
    assert all(row["reason"] for row in planted)


def test_runs_say_for_every_date_that_no_row_was_lost(finished):
    runs = finished.table("runs").to_pylist()
    assert finished.table("runs").schema.names == [column.name for column in RUNS]
    assert len(runs) == DAYS
    for run in runs:
        assert run["rows_read"] == run["rows_scored"] + run["rows_quarantined"]
        assert run["status"] == "published"
    assert sum(run["rows_read"] for run in runs) == DAYS * ROWS_A_DAY


def test_the_daily_summary_adds_up(finished):
    summary = finished.table("daily_summary")
    assert summary.schema.names == [column.name for column in DAILY_SUMMARY]
    for row in summary.to_pylist():
        flagged = row["low"] + row["medium"] + row["high"] + row["critical"]
        assert row["rows_flagged"] == flagged
        assert row["score_median"] <= row["score_p99"] <= row["score_highest"]
    assert pc.sum(summary["rows_flagged"]).as_py() == len(finished.table("anomalies"))


def test_scoring_again_does_nothing_and_says_so(finished, summary_of):
    before = finished.anomaly_files()
    assert summary_of(finished, "score")["status"] == "already published"
    assert finished.anomaly_files() == before


def test_evaluate_prints_the_figures_of_the_labels(finished, summary_of):
    metrics = summary_of(finished, "evaluate")["metrics"]
    assert metrics["labelled_rows"] == DAYS * ROWS_A_DAY
    assert metrics["auroc"] > 0.95
    assert metrics["true_positives"] + metrics["false_negatives"] == DAYS * ROWS_A_DAY / 100
    assert set(metrics["by_date"]) == {"2026-03-01", "2026-03-02", "2026-03-03"}


def test_evaluate_without_labels_says_so_and_gives_quantiles(finished, summary_of):
    metrics = summary_of(finished, "evaluate", "--set", "source.label=null")["metrics"]
    assert metrics["labelled_rows"] == 0
    assert set(metrics["score_quantiles"]) == {"0.5", "0.9", "0.99", "0.999", "1"}


def test_the_model_can_be_listed_shown_and_verified(finished, capfd):
    assert finished.call("models list", "--json") == 0
    listed = json.loads(capfd.readouterr().out.splitlines()[-1])
    assert listed["promoted"] in listed["models"]
    assert finished.call(f"models show {listed['promoted']}") == 0
    assert json.loads(capfd.readouterr().out)["id"] == listed["promoted"]
    assert finished.call("models verify") == 0


def test_a_date_by_itself_trains_on_what_came_before_and_publishes_that_date(workplace, summary_of):
    workplace.write(payments())
    summary = summary_of(workplace, "run", "--date", "2026-03-03")
    assert list(workplace.anomaly_files()) == ["dt=2026-03-03"]
    assert summary["training_rows"]["fit"] < DAYS * ROWS_A_DAY
    assert summary["rows_read"] == summary["rows_scored"] + summary["rows_quarantined"]


def test_a_rerun_of_a_date_replaces_that_date_alone_also_with_no_anomalies(workplace):
    workplace.write(payments())
    assert workplace.call("run") == 0
    before = workplace.anomaly_files()
    workplace.plain["threshold"] = {"kind": "fixed", "value": 1e30}
    assert workplace.call("train") == 0
    assert workplace.call("score", "--date", "2026-03-02") == 0
    after = workplace.anomaly_files()
    assert after["dt=2026-03-01"] == before["dt=2026-03-01"]
    assert after["dt=2026-03-03"] == before["dt=2026-03-03"]
    table = workplace.table("anomalies")
    assert date(2026, 3, 2) not in table["event_date"].to_pylist()
    assert after["dt=2026-03-02"] != before["dt=2026-03-02"]


def test_the_strangest_rows_of_each_date_are_published_and_the_record_says_so(
    workplace, summary_of
):
    workplace.write(payments())
    workplace.plain["threshold"] = {"kind": "top_k", "k": 5}
    assert summary_of(workplace, "run")["threshold"] == "by date"
    days = workplace.table("anomalies")["event_date"].to_pylist()
    assert Counter(days) == dict.fromkeys(days, 5)
    assert len(set(days)) == DAYS
    for record in workplace.table("runs").to_pylist():
        assert record["rows_flagged"] == 5
        assert record["asked_fraction"] == pytest.approx(5 / record["rows_scored"])
    lowest = min(workplace.table("anomalies")["anomaly_score"].to_pylist())
    assert min(workplace.table("runs")["threshold"].to_pylist()) == lowest
    assert summary_of(workplace, "score")["status"] == "already published"


def test_a_table_that_was_lost_is_published_again(workplace, summary_of):
    workplace.write(payments())
    assert workplace.call("run") == 0
    before = workplace.anomaly_files()
    shutil.rmtree(workplace.root / "out" / "daily_summary" / "dt=2026-03-02")
    assert summary_of(workplace, "score")["status"] == "done"
    assert len(workplace.table("daily_summary")) == DAYS
    assert workplace.anomaly_files() == before


def test_verify_looks_at_every_model_and_names_those_it_refuses(workplace, capfd):
    workplace.write(payments())
    assert workplace.call("preprocess") == 0
    assert workplace.call("train") == 0
    assert workplace.call("train", "--set", "seed=8") == 0
    first = min((workplace.root / "models" / "payments").glob("*/model.json"))
    first.write_bytes(first.read_bytes() + b" ")
    capfd.readouterr()
    assert workplace.call("models verify") == 4
    printed = capfd.readouterr()
    assert "is intact" in printed.out
    assert first.parent.name in printed.err.splitlines()[-1]
    assert workplace.call("models list", "--json") == 0
    table, listed = capfd.readouterr().out.rsplit("\n", 2)[:2]
    assert f"The model at {first.parent} is refused: model.json" in table
    found = json.loads(listed)
    assert found["refused"] == [first.parent.name]
    assert len(found["models"]) == 1


def test_every_score_is_published_where_it_is_asked_for(workplace):
    workplace.write(payments())
    assert workplace.call("run", "--set", "output.scores=true") == 0
    scores = workplace.table("scores")
    assert scores.schema.names == ["id", *(column.name for column in SCORES)]
    assert len(scores) == DAYS * ROWS_A_DAY
    assert pc.sum(scores["is_anomaly"]).as_py() == len(workplace.table("anomalies"))


@pytest.mark.parametrize("kind", ["driver", "executor"])
def test_driver_and_executor_train_the_same_model(workplace, finished, summary_of, kind):
    workplace.write(payments())
    assert workplace.call("preprocess") == 0
    summary = summary_of(workplace, "train", "--set", f"train.on={kind}")
    expected = summary_of(finished, "score")["model"]
    assert summary["model"] == expected


def test_a_table_of_many_float_columns_is_prepared(workplace):
    draw = np.random.default_rng(0)
    table = payments(60)
    for place in range(40):
        table = table.append_column(f"f{place}", pa.array(draw.random(60, dtype=np.float32)))
    workplace.write(table)
    assert workplace.call("preprocess") == 0


def test_what_was_published_is_verified_and_an_altered_file_is_named_and_put_right(
    workplace, capfd, summary_of
):
    workplace.write(payments())
    assert workplace.call("verify") == 3
    assert workplace.call("run") == 0
    capfd.readouterr()
    assert workplace.call("verify", "--json") == 0
    said = json.loads(capfd.readouterr().out.splitlines()[-1])
    assert said["intact"]
    assert list(said["dates"]) == ["2026-03-01", "2026-03-02", "2026-03-03"]
    file = next((workplace.root / "out" / "anomalies" / "dt=2026-03-02").iterdir())
    content = file.read_bytes()
    file.write_bytes(content[:-9] + bytes([content[-9] ^ 1]) + content[-8:])
    assert workplace.call("verify", "--date", "2026-03-01") == 0
    assert workplace.call("verify") == 3
    assert f"{file} was altered" in capfd.readouterr().err.splitlines()[-1]
    assert summary_of(workplace, "score")["status"] == "done"
    assert workplace.call("verify") == 0
    assert file.read_bytes() == content


OTHERWISE = [
    ("threshold={kind: fraction, fraction: 0.2}", "another threshold than"),
    ("detector={kind: histogram}", "another detector than"),
    ("explain={top: 1, method: occlusion}", "another explain.top and another explain.method than"),
]


def test_what_a_model_learned_otherwise_than_the_configuration_says_is_told(workplace, capfd):
    workplace.write(payments())
    assert workplace.call("run") == 0
    assert workplace.call("score") == 0
    assert "The model was trained with" not in capfd.readouterr().err
    for setting, words in OTHERWISE:
        assert workplace.call("score", "--set", setting) == 0
        said = capfd.readouterr().err
        assert words in said
        assert "Train again for the configuration's to count." in said


def test_keys_of_csv_are_published_as_they_are_written(workplace):
    table = payments()
    codes = [f"{row:06}" for row in range(table.num_rows)]
    codes[9] = "5"  # beside 000005, which is another key
    table = table.set_column(table.schema.get_field_index("id"), "id", pa.array(codes))
    (workplace.root / "source").mkdir()
    pacsv.write_csv(table, workplace.root / "source" / "payments.csv")
    workplace.plain["source"] |= {"format": "csv", "key": ["id"]}
    assert workplace.call("run", "--set", "output.scores=true") == 0
    assert sorted(workplace.table("scores")["id"].to_pylist()) == sorted(codes)
