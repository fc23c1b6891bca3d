"""A headless Chromium, and pages opened in it as a person would: from a file, without a network."""

import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from adlib.report import render
from tests.reports import report


@pytest.fixture(scope="session")
def browser():
    """Debian's Chromium, for all tests."""
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("no chromium on the PATH: run sh .ci/chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        # Without the sandbox, which wants rights that a container's root has not.
        opened = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield opened
        opened.close()


@dataclass
class Opened:
    """A page that is open, and what happened while it opened."""

    page: Any
    said: list[str] = field(default_factory=list)
    """Messages of the console and errors."""
    requested: list[str] = field(default_factory=list)
    """What the page asked for beyond its own file."""


@pytest.fixture
def open_page(browser):
    """Open a file at a width and in a colour scheme."""
    contexts = []

    def opened(file: Path, width=1280, scheme="light"):
        context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, offline=True
        )
        contexts.append(context)
        found = Opened(context.new_page())
        found.page.on("console", lambda message: found.said.append(message.text))
        found.page.on("pageerror", lambda error: found.said.append(str(error)))
        found.page.on("request", lambda request: found.requested.append(request.url))
        found.page.goto(file.as_uri())
        found.requested.remove(file.as_uri())
        return found

    yield opened
    for context in contexts:
        context.close()


@pytest.fixture(scope="session")
def hostile_page(tmp_path_factory):
    """A page of a table whose names and values would like to be more than text."""
    file = tmp_path_factory.mktemp("page") / "index.html"
    file.write_text(render(report()), encoding="utf-8")
    return file
