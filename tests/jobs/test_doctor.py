"""The doctor looks at the machine, the executors and all that a configuration names."""

import json

import pytest

from adlib.doctor import executors
from tests.jobs.conftest import payments


@pytest.fixture
def checks_of(capfd):
    """Run the doctor and return its exit code and its lines."""

    def call(workplace, *arguments):
        capfd.readouterr()
        code = workplace.call("doctor", *arguments, "--json")
        said = json.loads(capfd.readouterr().out.splitlines()[-1])
        return code, {check["name"]: check for check in said["checks"]}, said["log"]

    return call


def test_where_all_is_in_place_every_line_says_so_and_the_log_is_named(finished, checks_of):
    code, checks, log = checks_of(finished)
    assert [name for name, check in checks.items() if not check["ok"]] == []
    assert code == 0
    assert log.startswith(str(finished.root / "work" / "logs" / "doctor-"))
    (packages,) = (check["found"] for name, check in checks.items() if name.endswith("packages"))
    assert "pyarrow" in packages
    for what in ("Python", "work.path", "spark.local.dir", "clock"):
        assert any(name.startswith("executors on ") and name.endswith(what) for name in checks)
    assert checks["session time zone"]["found"] == "UTC"
    assert checks["model"]["found"].endswith(", intact")
    assert checks["source"]["found"].endswith("7 columns")


def test_each_thing_that_is_wrong_is_a_line_and_the_exit_code_is_that_of_the_configuration(
    workplace, checks_of, monkeypatch
):
    workplace.write(payments().drop_columns(["fee", "amount"]))
    workplace.plain["source"]["timezone"] = "Europe/Berlin"
    assert workplace.call("models list") == 0
    models = workplace.root / "models" / "payments"
    models.mkdir(parents=True)
    (models / "promoted.json").write_text('{"id": "00"}', "utf-8")
    monkeypatch.setattr(executors, "local_seconds", lambda *_: [0, 0])
    code, checks, _ = checks_of(workplace)
    assert code == 2
    wrong = {name: check["found"] for name, check in checks.items() if not check["ok"]}
    assert sorted(wrong) == ["model", "source", "source.timezone"]
    assert "no promoted model '00' any more" in wrong["model"]
    assert "has no column 'amount'" in wrong["source"]
    assert "disagree about Europe/Berlin" in wrong["source.timezone"]
    monkeypatch.undo()
    (models / "promoted.json").unlink()
    workplace.write(payments())
    code, checks, _ = checks_of(workplace)
    assert code == 0
    assert "none is promoted yet" in checks["model"]["found"]
