"""How commands end: what is printed where, what the log keeps, and what a signal does."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from adlib.cli import main
from tests.jobs.conftest import payments, submit_environment


def log_of(workplace) -> str:
    (log,) = (workplace.root / "work" / "logs").glob("*.log")
    return str(log.read_text("utf-8"))


def test_a_run_ends_with_a_short_table_and_its_log(workplace, capfd):
    workplace.write(payments())
    assert workplace.call("run") == 0
    printed = capfd.readouterr()
    assert len(printed.out.splitlines()) < 30
    assert "1,200 read, 0 quarantined, 1,200 scored" in printed.out
    assert "Training, step" not in printed.err
    assert "train: done in" in printed.err
    assert "Training, step" in log_of(workplace)


def test_quiet_prints_nothing_but_json(workplace, capfd):
    workplace.write(payments())
    assert workplace.call("preprocess", "--quiet", "--json") == 0
    printed = capfd.readouterr()
    assert printed.err == ""
    (line,) = printed.out.splitlines()
    assert json.loads(line)["rows_read"] == 1_200


def test_quiet_prints_errors(workplace, capfd):
    assert workplace.call("preprocess", "--quiet") == 3
    printed = capfd.readouterr()
    assert printed.out == ""
    where, last = printed.err.splitlines()
    assert where.endswith(".log")
    assert last.endswith("(exit code 3)")


def test_the_trace_of_a_failure_is_in_the_log_that_is_named_before_the_last_line(
    workplace, capfd, monkeypatch
):
    def broken(*_: object) -> None:
        raise ZeroDivisionError("by nothing.")

    workplace.write(payments())
    monkeypatch.setattr("adlib.cli.jobs.pipelines.preprocess", broken)
    assert workplace.call("preprocess", "--json") == 1
    printed = capfd.readouterr()
    where, last = printed.err.splitlines()[-2:]
    assert "Traceback" not in printed.err
    assert "Unexpected ZeroDivisionError: by nothing. The trace is in" in last
    named = Path(where.rpartition(" ")[2])
    assert "ZeroDivisionError: by nothing." in named.read_text("utf-8")
    summary = json.loads(printed.out.splitlines()[-1])
    assert (summary["status"], summary["exit_code"], summary["log"]) == ("failed", 1, str(named))


def test_a_command_without_a_log_keeps_its_trace_in_a_file(tmp_path, capsys, monkeypatch):
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.setattr("adlib.cli.looking.json_schema", broken)
    assert main(["schema"]) == 1
    (kept,) = tmp_path.glob("adlib-*.log")
    assert "ZeroDivisionError" in kept.read_text("utf-8")
    assert str(kept) in capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (PermissionError(13, "Permission denied", "/data/x"), 2, "owner or the mode"),
        (OSError(30, "Read-only file system", "/data/x"), 2, "owner or the mode"),
        (OSError(28, "No space left on device", "/data/x"), 75, "Free space"),
    ],
)
def test_what_the_system_refuses_is_named_with_what_to_do(
    workplace, last_words, monkeypatch, error, code, words
):
    def refused(*_: object) -> None:
        raise error

    monkeypatch.setattr("adlib.cli.jobs.pipelines.preprocess", refused)
    assert workplace.call("preprocess") == code
    said = last_words()
    assert "/data/x" in said
    assert words in said


def test_a_path_that_may_not_be_written_is_refused_before_any_work(
    workplace, last_words, monkeypatch
):
    monkeypatch.setattr(
        "adlib.publishing.places.os.access", lambda _, mode, **__: not mode & os.W_OK
    )
    assert workplace.call("run") == 2
    assert "output.path" in last_words()


def test_logs_are_few(workplace):
    logs = workplace.root / "work" / "logs"
    logs.mkdir(parents=True)
    for second in range(40):
        (logs / f"run-20260101T0000{second:02}Z-1.log").write_text("old", "utf-8")
    (logs / "mine.log").write_text("mine", "utf-8")
    assert workplace.call("preprocess") == 3
    names = sorted(file.name for file in logs.iterdir())
    assert len(names) == 31
    assert "mine.log" in names
    assert "run-20260101T000010Z-1.log" not in names


def test_a_date_that_delivers_far_more_than_was_asked_is_marked(workplace, summary_of):
    workplace.plain["windows"] = []
    workplace.write(payments())
    assert workplace.call("run", "--set", "threshold.fraction=0.05") == 0
    assert {run["over_delivered"] for run in workplace.table("runs").to_pylist()} == {False}
    table = payments()
    place = table.schema.get_field_index("fee")
    workplace.write(table.set_column(place, "fee", table["amount"]))
    assert workplace.call("preprocess") == 0
    summary = summary_of(workplace, "score", "--set", "threshold.fraction=0.05")
    assert summary["over_delivered"] is True
    assert len(summary["over_delivered_dates"]) == 3
    latest = [run for run in workplace.table("runs").to_pylist() if run["rows_flagged"] > 100]
    assert {run["over_delivered"] for run in latest} == {True}


@pytest.mark.parametrize(
    ("number", "code", "words"),
    [(signal.SIGINT, 1, "Interrupted."), (signal.SIGTERM, 75, "Ended by SIGTERM.")],
)
def test_a_signal_ends_a_run_with_a_sentence_and_nothing_half_done(workplace, number, code, words):
    workplace.write(payments())
    config = workplace.root / "config.yaml"
    config.write_text(yaml.safe_dump(workplace.plain), "utf-8")
    errors, printed = workplace.root / "errors", workplace.root / "printed"
    environment = {**submit_environment("local[1]"), "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "-m", "adlib", "run", "--json", "--config", str(config)]
    with (
        errors.open("w") as stderr,
        printed.open("w") as stdout,
        subprocess.Popen(command, env=environment, stderr=stderr, stdout=stdout) as running,
    ):
        while "train ..." not in errors.read_text("utf-8"):
            assert running.poll() is None
            time.sleep(0.1)
        os.kill(running.pid, number)
        assert running.wait(60) == code
    last = errors.read_text("utf-8").splitlines()[-1]
    assert last == (
        f"adlib: {words} Nothing half-done was published; run the command again. (exit code {code})"
    )
    assert not (workplace.root / "out").exists()
    (summary,) = printed.read_text("utf-8").splitlines()
    assert json.loads(summary)["status"] == "interrupted"
    assert "WARNING: Using incubator modules" in log_of(workplace)
