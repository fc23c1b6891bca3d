"""Hostile configurations, settings, dates and paths: a sentence, exit code 2, nothing touched."""

import re

import pytest
import yaml

from adlib.cli import main
from adlib.errors import AdlibError
from tests.corpus.cases import label
from tests.corpus.configs import DATES, FILES, LEAST, SETTINGS
from tests.corpus.paths import NO_DIRECTORY, NOWHERE, ODD, OF_ONE_ANOTHER, lay_traps


class StartedError(AdlibError):
    """A command got as far as to start Spark."""

    exit_code = 99


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A directory with traps, in which no command starts Spark."""

    def start(*_: object) -> None:
        raise StartedError("Started.")

    monkeypatch.setattr("adlib.cli.jobs.open_session", start)
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    monkeypatch.chdir(tmp_path)
    lay_traps(tmp_path)
    return tmp_path


@pytest.fixture
def ending(place, capfd):
    """Run a command; return its exit code once it has said it in one sentence and left nothing."""

    def ending(text, *arguments):
        content = text if isinstance(text, bytes) else text.encode()
        (place / "config.yaml").write_bytes(content)
        before = sorted(place.iterdir())
        code = main(["preprocess", "--config", "config.yaml", *arguments])
        errors = capfd.readouterr().err
        *_, last = errors.splitlines()
        assert re.search(rf"\S.* \(exit code {code}\)$", last)
        assert len(last) < 1200
        assert "Traceback" not in errors
        assert "Unexpected" not in errors
        if code != StartedError.exit_code:
            assert sorted(place.iterdir()) == before
        return code

    return ending


def with_paths(**paths):
    plain = {key: {"path": path} for key, path in {**ORDINARY, **paths}.items()}
    return yaml.safe_dump({"name": "a", **plain}, allow_unicode=True)


ORDINARY = {"source": "source", "output": "o", "work": "w", "models": "m"}


def test_the_ordinary_call_would_start(ending):
    assert ending(LEAST) == StartedError.exit_code


@pytest.mark.parametrize("text", FILES.values(), ids=FILES)
def test_a_hostile_file_is_refused(ending, text):
    assert ending(text) == 2


@pytest.mark.parametrize("setting", SETTINGS, ids=label)
def test_a_hostile_setting_is_refused(ending, setting):
    assert ending(LEAST, "--set", setting) == 2


@pytest.mark.parametrize("day", DATES, ids=label)
def test_a_hostile_date_is_refused(ending, day):
    assert ending(LEAST, "--date", day) == 2


@pytest.mark.parametrize("key", ["output", "work", "models"])
@pytest.mark.parametrize("path", NO_DIRECTORY, ids=label)
def test_a_path_that_is_no_directory_of_its_own_is_refused(ending, key, path):
    assert ending(with_paths(**{key: path})) == 2


@pytest.mark.parametrize("path", NOWHERE, ids=label)
def test_a_source_that_no_disk_can_hold_is_refused(ending, path):
    assert ending(with_paths(source=path)) == 2


@pytest.mark.parametrize("paths", OF_ONE_ANOTHER.values(), ids=OF_ONE_ANOTHER)
def test_paths_inside_of_one_another_are_refused(ending, paths):
    assert ending(with_paths(**paths)) == 2


@pytest.mark.parametrize("path", ODD, ids=label)
def test_an_odd_name_is_a_name(ending, path):
    assert ending(with_paths(output=path)) == StartedError.exit_code


@pytest.mark.parametrize("path", ["file", "fifo", "up/etc/passwd"])
def test_nothing_in_the_way_is_opened_or_written(ending, place, path):
    assert ending(with_paths(work=f"{path}/x")) == 2
    assert (place / "file").read_text("utf-8") == "in the way"


@pytest.mark.parametrize(
    "config", ["absent", ".", "loop", "file/x", "a\0b", "x" * 300, "/dev/zero"]
)
def test_a_configuration_that_is_no_file_is_refused(place, capfd, config):
    assert main(["verify", "--config", config]) == 2
    *_, last = capfd.readouterr().err.splitlines()
    assert last.endswith("(exit code 2)")
    assert "Unexpected" not in last
    assert not (place / "temporary").exists()
