"""The strangest rows of a finished run, printed."""

from __future__ import annotations

from pathlib import Path

import pyarrow.dataset as ds
from rich.console import Console
from rich.markup import escape
from rich.table import Table

TOP_ROWS = 10
SHOWN = ["anomaly_score", "severity", "flow_id", "src_ip", "reason"]


def show_top(console: Console, output: Path) -> None:
    """Print the strangest rows, each with its reason, and where all of them are."""
    anomalies = output / "anomalies"
    files = sorted(anomalies.glob("dt=*/anomalies-*.parquet"))
    if not files:
        console.print(f"No flow was flagged: there is no table under {anomalies}.")
        return
    found = ds.dataset([str(file) for file in files]).to_table(columns=SHOWN)
    top = found.sort_by([("anomaly_score", "descending"), ("flow_id", "ascending")])
    shown = Table(title=f"The strangest of {found.num_rows:,} flagged flows")
    for name in SHOWN:
        shown.add_column(name, overflow="fold")
    for row in top.slice(0, TOP_ROWS).to_pylist():
        shown.add_row(
            f"{row['anomaly_score']:.3f}", *(escape(str(row[name])) for name in SHOWN[1:])
        )
    console.print(shown)
    console.print(f"Anomalies, as Parquet, of {len(files)} dates: {anomalies}", soft_wrap=True)


def show_report(console: Console, output: Path) -> None:
    """Print where the page of the last run is."""
    pages = output.glob("reports/*/index.html")
    last = max(pages, key=lambda page: page.stat().st_mtime)
    console.print(f"Report, to be opened in a browser: {last}", soft_wrap=True)
