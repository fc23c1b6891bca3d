"""What a model of a date learns from: earlier dates, without what was flagged or judged there."""

import json
from datetime import date

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.jobs.conftest import DAYS, ROWS_A_DAY, payments

REASONS = ("flagged before", "feedback", "excluded dates")
DAY = f"2026-03-{DAYS:02}"


def left_out(summary):
    return tuple(summary["left_out_of_training"][why] for why in REASONS)


def flagged_before(workplace, day):
    rows = workplace.table("anomalies").to_pylist()
    return [row["id"] for row in rows if row["event_date"] < day]


@pytest.fixture
def published(workplace):
    """A workplace whose every date is published."""
    workplace.write(payments())
    assert workplace.call("run") == 0
    return workplace


def test_what_was_flagged_on_earlier_dates_stays_out_of_the_sample_of_a_date(published, summary_of):
    flagged = flagged_before(published, date(2026, 3, DAYS))
    summary = summary_of(published, "train", "--date", DAY)
    assert left_out(summary) == (len(flagged), 0, 0)
    kept = summary_of(published, "train", "--date", DAY, "--set", "train.exclude_flagged=false")
    assert left_out(kept) == (0, 0, 0)
    rows, all_rows = summary["training_rows"], kept["training_rows"]
    assert all_rows["fit"] - len(flagged) <= rows["fit"] < all_rows["fit"]
    assert rows["calibration"] == all_rows["calibration"]
    assert kept["model"] != summary["model"]
    shown = json.loads(
        (published.root / "models" / "payments" / summary["model"] / "model.json").read_text()
    )
    assert shown["provenance"]["left_out"]["flagged before"] == len(flagged)
    assert shown["provenance"]["eligible_rows"] == sum(all_rows.values()) - len(flagged)


def test_people_and_excluded_dates_decide_what_else_is_learned_from(published, summary_of):
    flagged = flagged_before(published, date(2026, 3, DAYS))
    verdicts = {"id": [flagged[0], 1], "verdict": ["ordinary", "anomaly"]}
    pq.write_table(pa.table(verdicts), published.root / "verdicts.parquet")
    published.plain["train"] = {"feedback": {"path": str(published.root / "verdicts.parquet")}}
    summary = summary_of(published, "train", "--date", DAY)
    assert left_out(summary) == (len(flagged) - 1, 1, 0)
    dates = "train.exclude_dates=[{from: 2026-03-02, to: 2026-03-02}]"
    first = [row for row in flagged[1:] if row in flagged_before(published, date(2026, 3, 2))]
    summary = summary_of(published, "train", "--date", DAY, "--set", dates)
    assert left_out(summary)[:2] == (len(first), 1)
    assert left_out(summary)[2] in range(ROWS_A_DAY - 60, ROWS_A_DAY + 60)


def test_a_rerun_learns_from_the_same_rows_and_finds_its_work_done(published, summary_of):
    first = summary_of(published, "run", "--date", DAY)
    assert left_out(first)[0] > 0
    again = summary_of(published, "run", "--date", DAY)
    assert again["model"] == first["model"]
    assert again["status"] == "already published"


def test_a_run_of_the_whole_table_learns_from_what_it_flagged_itself(
    published, finished, summary_of
):
    files = published.anomaly_files()
    again = summary_of(published, "run", "--set", "train.until=null")
    assert left_out(again) == (0, 0, 0)
    assert again["status"] == "already published"
    assert published.anomaly_files() == files == finished.anomaly_files()


def test_a_rerun_that_trains_before_a_date_and_publishes_all_finds_its_work_done(
    published, summary_of
):
    until = ("--set", f"train.until={DAY}")
    first = summary_of(published, "run", *until)
    assert left_out(first) == (0, 0, 0)
    assert summary_of(published, "run", *until)["status"] == "already published"


def test_a_table_without_times_leaves_out_what_earlier_runs_flagged(workplace, summary_of):
    workplace.write(payments(300).drop_columns(["id", "at"]))
    workplace.plain["source"] = {"path": str(workplace.root / "source"), "label": "fraud"}
    workplace.plain["windows"] = []
    first = summary_of(workplace, "run", "--date", "2026-03-01")
    assert left_out(first) == (0, 0, 0)
    assert summary_of(workplace, "run", "--date", "2026-03-01")["status"] == "already published"
    second = summary_of(workplace, "run", "--date", "2026-03-02")
    assert left_out(second) == (first["rows_flagged"], 0, 0)


@pytest.mark.parametrize("command", ["train", "run"])
def test_training_on_the_date_that_is_judged_is_refused(workplace, last_words, command):
    workplace.write(payments())
    workplace.plain["train"] = {"until": "2026-03-03"}
    assert workplace.call(command, "--date", "2026-03-02") == 2
    assert "With --date 2026-03-02 train.until is that date or an earlier one" in last_words()
    assert not (workplace.root / "work" / "features").exists()


def test_feedback_with_other_verdicts_ends_with_what_is_expected(published, last_words):
    (published.root / "verdicts.csv").write_text("id,verdict\n1,fraud\n", "utf-8")
    feedback = f"{{path: {published.root / 'verdicts.csv'}, format: csv}}"
    assert published.call("train", "--set", f"train.feedback={feedback}") == 3
    assert "one of anomaly, ordinary, found 1 rows with others" in last_words()
