"""Putting the page in its place: whole, or not at all."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4


def place_page(output: Path, run_id: str, page: str) -> Path:
    """Write a run's page beside its place and move it in; return where it is."""
    directory = output / "reports" / run_id
    directory.mkdir(parents=True, exist_ok=True)
    final = directory / "index.html"
    staged = directory / f".{uuid4().hex}.html"
    try:
        staged.write_text(page, encoding="utf-8")
        staged.replace(final)
    finally:
        staged.unlink(missing_ok=True)
    return final
