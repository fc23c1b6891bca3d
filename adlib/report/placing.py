"""Putting the page in its place: whole, or not at all."""

from __future__ import annotations

from pathlib import Path

from adlib.publishing import place_file


def place_page(output: Path, run_id: str, page: str) -> Path:
    """Write a run's page; return where it is."""
    return place_file(output, f"reports/{run_id}/index.html", page.encode())
