"""The examples of the README and of `docs/`, taken apart."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "adlib" / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
_FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)[^)]*\)")


@dataclass(frozen=True)
class Example:
    """A fenced block and where it stands."""

    page: Path
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def examples(language: str) -> list[Example]:
    """Return every block of a language."""
    return [
        Example(page, text.count("\n", 0, block.start()) + 1, block[2])
        for page in PAGES
        for text in [page.read_text("utf-8")]
        for block in _FENCE.finditer(text)
        if block[1] == language
    ]


def links() -> list[tuple[Path, str]]:
    """Return every link to a file of the project, with the page that it stands on."""
    found = [(page, target) for page in PAGES for target in _LINK.findall(page.read_text("utf-8"))]
    return [(page, target) for page, target in dict.fromkeys(found) if "://" not in target]


def commands(text: str) -> Iterator[list[str]]:
    """Yield the commands of a shell example as words: lines joined, comments left out."""
    for line in text.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        if words:
            yield words
