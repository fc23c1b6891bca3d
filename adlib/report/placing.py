"""Putting pages and tables in their places under `reports/`: whole, or not at all."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from adlib.publishing import place_file


def place_page(output: Path, run_id: str, page: str) -> Path:
    """Write a run's page; return where it is."""
    return place_file(output, f"reports/{run_id}/index.html", page.encode())


def place_tables(
    output: Path, name: str, tables: Mapping[str, Sequence[Mapping[str, Any]]]
) -> Path:
    """Write tables of flat rows as CSV files into a report's directory; return where it is.

    What is not known is an empty field.
    """
    for table, rows in tables.items():
        place_file(output, f"reports/{name}/{table}.csv", _csv(rows).encode())
    return output / "reports" / name


def _csv(rows: Sequence[Mapping[str, Any]]) -> str:
    written = io.StringIO()
    names = list(dict.fromkeys(name for row in rows for name in row))
    writer = csv.DictWriter(written, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return written.getvalue()
