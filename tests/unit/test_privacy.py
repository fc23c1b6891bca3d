"""The `privacy` section: what may be hidden, and how a row with a hidden key is looked up."""

import json
from datetime import date

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from adlib.config import config_digest
from adlib.detectors import DETECTORS
from adlib.doctor.examining import _private
from adlib.errors import ConfigError, InputError
from adlib.lookup import PublishedRow, QuarantinedRow, look_up
from adlib.pseudonyms import Pseudonyms

VARIABLE, KEY = "SOME_KEY", "0123456789abcdef"
HIDDEN = Pseudonyms((), KEY.encode())
CONFIG = f"""name: payments
source: {{path: source, key: [id, ip], event_time: at, label: fraud, entity: customer}}
features: {{numeric: [fee], categorical: [method], text: [note]}}
windows:
  - {{by: customer, over: 1d, of: amount, take: mean}}
  - {{by: ip, over: 1d, of: fee, take: mean}}
privacy: {{pseudonymise: [id, customer, method], key_env: {VARIABLE}}}
"""


@pytest.fixture
def config(load, tmp_path):
    return load(CONFIG, *(f"{part}.path={tmp_path / part}" for part in ("output", "work")))


def refused(load, *settings):
    with pytest.raises(ConfigError) as error:
        load(CONFIG, "output.path=out", "work.path=work", *settings)
    return str(error.value)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("at", "'at' is the event time, which a pseudonym cannot be"),
        ("fraud", "'fraud' is the label, which a pseudonym cannot be"),
        ("amount", "'amount' is what a window is of"),
        ("fee", "'fee' is what a window is of"),
        ("note", "'note' is a text feature, and a pseudonym has neither size nor words"),
    ],
)
def test_what_has_to_stay_as_it_is_cannot_be_hidden(load, name, said):
    assert said in refused(load, f"privacy.pseudonymise=[id, {name}]")


def test_a_numeric_feature_cannot_be_hidden(load):
    said = refused(load, "windows=[]", "privacy.pseudonymise=[fee]")
    assert "'fee' is a numeric feature" in said
    assert "list it as categorical, or take it out" in said


def test_nothing_is_not_a_list_of_columns_to_hide(load):
    assert "at least one entry" in refused(load, "privacy.pseudonymise=[]")


def test_a_key_in_place_of_its_variable_is_not_repeated(load):
    said = refused(load, "privacy.key_env=s3cr3t-in-the-file")
    assert "the name of an environment variable" in said
    assert "s3cr3t" not in said


@pytest.mark.parametrize("kind", sorted(DETECTORS))
def test_detectors_that_keep_rows_are_refused_and_the_others_are_not(load, kind):
    if DETECTORS[kind].keeps_rows:
        said = refused(load, f"detector.kind={kind}")
        assert f"{kind} keeps rows of the table" in said
        others = said.partition("choose among ")[2].partition(".")[0].split(", ")
        assert "blend" in others
        assert kind not in others
    else:
        past = "sequence={by: customer}"
        load(CONFIG, "output.path=out", "work.path=work", past, f"detector.kind={kind}")


def test_what_puts_events_in_order_cannot_be_hidden_and_whose_they_are_can(load):
    said = refused(load, "sequence={by: customer, order: ip}", "privacy.pseudonymise=[ip]")
    assert "'ip' is the order of a sequence, which a pseudonym cannot be" in said


def test_the_columns_decide_the_results_and_the_variables_name_does_not(load, config):
    paths = ("output.path=out", "work.path=work")
    assert config_digest(load(CONFIG, *paths, "privacy.key_env=OTHER")) == config_digest(config)
    other = load(CONFIG, *paths, "privacy.pseudonymise=[id]")
    assert config_digest(other) != config_digest(config)


@pytest.fixture
def published(config):
    """Return a configuration under which a row with a hidden part of its key was published."""
    row = {"id": HIDDEN.of("77"), "ip": "10.0.0.1", "event_date": date(2026, 2, 1), "reason": "odd"}
    _write(row, config.output.path / "anomalies")
    raw = json.dumps({"id": HIDDEN.of("78"), "ip": "10.0.0.1"})
    problem = {"problem": "missing_event_time", "problem_column": "at"}
    row = {"event_date": date(2026, 2, 1), "row_hash": "h", "raw_row": raw, **problem}
    _write(row, config.output.path / "quarantine")
    return config


def _write(row, directory):
    (directory / "dt=2026-02-01").mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist([row]), directory / "dt=2026-02-01" / "part.parquet")


def test_a_hidden_key_is_found_by_what_it_was_and_by_what_it_is(published, monkeypatch):
    monkeypatch.setenv(VARIABLE, KEY)
    for told in ("77", HIDDEN.of("77")):
        found = look_up(published, [told, "10.0.0.1"], None, None)
        assert isinstance(found, PublishedRow)
        assert found.key == {"id": HIDDEN.of("77"), "ip": "10.0.0.1"}
    quarantined = look_up(published, ["78", "10.0.0.1"], None, None)
    assert isinstance(quarantined, QuarantinedRow)


def test_without_the_variable_a_hidden_key_is_found_by_what_it_is_alone(published, monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    found = look_up(published, [HIDDEN.of("77"), "10.0.0.1"], None, None)
    assert isinstance(found, PublishedRow)
    with pytest.raises(ConfigError, match=f"{VARIABLE}, and that is not set"):
        look_up(published, ["77", "10.0.0.1"], None, None)


def test_a_hidden_key_that_is_not_there_is_not_repeated(published, monkeypatch):
    monkeypatch.setenv(VARIABLE, KEY)
    with pytest.raises(InputError) as nothing:
        look_up(published, ["CANARY", "10.0.0.1"], None, None)
    assert "CANARY" not in str(nothing.value)


def test_doctor_says_whether_the_key_is_there(config, monkeypatch):
    monkeypatch.setenv(VARIABLE, KEY)
    (there,) = _private(config)
    monkeypatch.setenv(VARIABLE, "short")
    (short,) = _private(config)
    assert (there.name, there.ok, short.ok) == (f"key in {VARIABLE}", True, False)
    assert "found 5" in short.found
