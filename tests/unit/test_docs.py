"""Whoever copies an example from the README or from docs finds that it is understood."""

import re
from pathlib import Path

import pytest
import typer

from adlib.cli import app
from adlib.config import load_config
from tests.docs import PAGES, ROOT, commands, examples, links

NAMES = {"adlib", ".venv/bin/adlib"}
CALLS = [(str(example), words) for example in examples("sh") for words in commands(example.text)]
ADLIB = [(place, words[1:]) for place, words in CALLS if words[0] in NAMES]
SUBMITTED = [(place, words[1:]) for place, words in CALLS if words[0] == "spark-submit"]
MADE = [(place, words[1]) for place, words in CALLS if words[0] == "make"]


def ids(cases):
    return [
        f"{place} {' '.join(words) if isinstance(words, list) else words}" for place, words in cases
    ]


def parse(arguments):
    """Parse a call as the command line would, without running it."""
    command = typer.main.get_command(app)
    context = command.make_context("adlib", list(arguments))
    while hasattr(command, "resolve_command"):
        given = [*context._protected_args, *context.args]
        name, command, rest = command.resolve_command(context, given)
        context = command.make_context(name, rest, parent=context)
    return context


@pytest.mark.parametrize(("place", "arguments"), ADLIB, ids=ids(ADLIB))
def test_a_command_line_is_understood(place, arguments):
    assert parse(arguments).command is not None, place


@pytest.mark.parametrize(("place", "words"), SUBMITTED, ids=ids(SUBMITTED))
def test_a_submitted_job_is_there_and_understands_its_arguments(place, words):
    (position,) = [at for at, word in enumerate(words) if re.search(r"(^|/)jobs/\w+\.py$", word)]
    job = Path(words[position].removeprefix("local:///opt/adlib/"))
    assert (ROOT / job).is_file(), place
    parse([job.stem, *words[position + 1 :]])
    if "--properties-file" in words:
        assert (ROOT / words[words.index("--properties-file") + 1]).is_file()


@pytest.mark.parametrize(("place", "target"), MADE, ids=ids(MADE))
def test_what_is_made_has_a_rule(place, target):
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE), place


@pytest.mark.parametrize("example", examples("yaml"), ids=str)
def test_a_configuration_loads(example, tmp_path):
    (tmp_path / "example.yaml").write_text(example.text, "utf-8")
    load_config(tmp_path / "example.yaml")


@pytest.mark.parametrize(("page", "target"), links(), ids=ids(links()))
def test_a_link_leads_to_a_file(page, target):
    assert (page.parent / target).exists()


def test_no_page_names_the_host_of_a_registry():
    words = " ".join(page.read_text("utf-8") for page in PAGES)
    assert not re.search(r"\b(docker\.io|ghcr\.io|quay\.io|pypi\.org)\b", words)


def test_every_promise_names_tests_that_are_there():
    section = (ROOT / "README.md").read_text("utf-8").partition("## What is promised\n")[2]
    table = re.findall(r"^\| .+$", section.partition("\n## ")[0], re.MULTILINE)
    for promise in table[2:]:
        named = re.findall(r"`(tests/[^`]+)`", promise)
        assert named, promise
        assert all((ROOT / file).is_file() for file in named), promise
    assert len(table) > 10


def test_a_call_that_is_wrong_is_not_understood():
    with pytest.raises(Exception, match="--colour"):
        parse(["run", "--config", "a.yaml", "--colour"])
