"""How far a command is: bars on a terminal, few plain lines elsewhere, nothing when quiet."""

import io
import logging

import pytest
from rich.console import Console

from adlib import progress
from adlib.progress import Bars, Lines, Silent, shown


class Clock:
    """A clock that is set."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch):
    made = Clock()
    monkeypatch.setattr(progress, "time", made)
    return made


@pytest.fixture
def told(caplog):
    caplog.set_level(logging.INFO, "adlib.progress")
    return lambda: [record.getMessage() for record in caplog.records]


class TestLines:
    def test_a_short_stage_says_that_it_begins_and_ends(self, clock, told):
        meter = Lines()
        meter.begin("train")
        for step in range(100):
            clock.now += 0.04
            meter.at(step, 100, "steps")
        meter.end("train", 4.0)
        assert told() == ["train ...", "train: done in 4.0 seconds"]

    def test_a_long_stage_says_each_tenth_with_its_percent(self, clock, told):
        meter = Lines()
        meter.begin("train")
        for step in range(1, 1_001):
            clock.now += 0.5
            meter.at(step, 1_000, "steps")
        said = told()[1:]
        assert len(said) == 10
        assert said[-1] == "train: 91%, 910 of 1,000 steps"

    def test_a_stage_that_hardly_moves_says_so_once_a_minute(self, clock, told):
        meter = Lines()
        meter.begin("score")
        for second in range(600):
            clock.now = float(second)
            meter.at(second // 100, 1_000_000, "tasks")
        assert 9 <= len(told()[1:]) <= 11

    def test_a_table_without_tasks_is_no_trouble(self, clock, told):
        meter = Lines()
        meter.begin("score")
        clock.now = 100.0
        meter.at(0, 0, "tasks")
        assert told()[-1] == "score: 0%, 0 of 0 tasks"


class TestBars:
    def test_a_stage_is_a_bar_that_ends_whole(self):
        screen = io.StringIO()
        console = Console(file=screen, force_terminal=True, width=100)
        with progress._bars(console) as drawn:
            meter = Bars(drawn)
            meter.begin("publish [x]")
            meter.at(1, 4, "dates")
            (task,) = drawn.tasks
            assert (task.completed, task.total) == (1, 4)
            assert task.fields["detail"] == "1 of 4 dates"
            meter.end("publish [x]", 1.0)
            assert drawn.finished
        assert "publish [x]" in screen.getvalue()


class TestShown:
    def test_quiet_shows_nothing(self, capsys):
        with shown(quiet=True) as meter:
            assert isinstance(meter, Silent)
            meter.begin("train")
            meter.at(1, 2, "steps")
            meter.end("train", 1.0)
        assert capsys.readouterr() == ("", "")

    def test_what_is_no_terminal_gets_lines(self, monkeypatch):
        monkeypatch.delenv("FORCE_COLOR", raising=False)
        with shown(quiet=False) as meter:
            assert isinstance(meter, Lines)

    def test_a_terminal_gets_bars(self, monkeypatch, capsys):
        monkeypatch.setenv("FORCE_COLOR", "1")
        monkeypatch.setenv("TERM", "xterm")
        with shown(quiet=False) as meter:
            assert isinstance(meter, Bars)
            meter.begin("train")
        assert "train" in capsys.readouterr().err
