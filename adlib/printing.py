"""What commands print for people: short tables on standard output."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from adlib.cleaning import Leftover
from adlib.doctor import Check
from adlib.explanations import Reason
from adlib.lookup import Found, ScoredRow
from adlib.summary import Summary
from adlib.wording import told, words

_MOST_DATES = 14
_COMPARED = (
    *("auroc", "average_precision", "recall_at_budget"),
    *("planted_auroc", "planted_average_precision", "planted_recall_at_budget"),
    *("agreement", "fit_seconds", "score_seconds", "model_bytes"),
)
_LAID_OUT = {"columns", "derived_columns", "earlier_events"}
"""Of a row: what has a table of its own."""
_DIGITS = 3
_WIDE = 200
"""Columns of what is no terminal, so that a line there is one line."""


def _console() -> Console:
    """Return standard output, wide where it is no terminal."""
    console = Console()
    return console if console.is_terminal else Console(width=_WIDE)


def print_summary(summary: Summary) -> None:
    """Print what a command did: a line for each thing, the details where they are its result."""
    console = _console()
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column()
    table.add_column(overflow="fold")
    table.add_row(Text(f"adlib {summary.command}", style="bold"), Text(_status(summary)))
    for name, said in told(summary):
        table.add_row(Text(name), Text(said))
    console.print(table)
    if summary.command == "train" and summary.figures.get("self_test"):
        _print_self_test(console, summary.figures["self_test"])
    if summary.command == "evaluate" and "metrics" in summary.figures:
        _print_metrics(console, summary.figures["metrics"])
    if summary.command == "compare" and "agreement" in summary.figures:
        _print_comparison(console, summary.figures)


def _status(summary: Summary) -> str:
    day = f" for {summary.day}" if summary.day else ""
    spent = sum(summary.seconds.values())
    return f"{summary.name}{day}: {summary.status}" + (f" in {spent:.0f} s" if spent else "")


def print_row(row: Found) -> None:
    """Print what is known of one row."""
    console = _console()
    about = Table(show_header=False, box=None, pad_edge=False)
    about.add_column()
    about.add_column(overflow="fold")
    for name, value in row.plain().items():
        if name not in _LAID_OUT and value not in (None, (), {}):
            listed = ", ".join(value) if isinstance(value, tuple) else words(value)
            about.add_row(Text(name.replace("_", " ")), Text(listed))
    console.print(about)
    if isinstance(row, ScoredRow):
        console.print(_columns_of("column", row.whole.sources, row.unseen_columns))
        if row.whole.derived:
            console.print(_columns_of("window, hour or weekday", row.whole.derived))
        if row.earlier_events:
            console.print(_events(row.earlier_events))


def _events(events: Sequence[Mapping[str, str | None]]) -> Table:
    """Lay out what came before a row, a line for each event."""
    title = "earlier events, the oldest first"
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for name in events[0]:
        table.add_column(Text(name), overflow="fold")
    for event in events:
        table.add_row(*(Text("missing" if value is None else value) for value in event.values()))
    return table


def _columns_of(what: str, reasons: Sequence[Reason], unseen: Sequence[str] = ()) -> Table:
    """Lay out columns of a row beside what was expected of them."""
    table = Table(box=None, pad_edge=False)
    for name in (what, "actual", "expected", "direction", "share"):
        table.add_column(name, overflow="fold", justify="right" if name == "share" else "left")
    for one in reasons:
        cells = (one.column, one.actual or "missing", one.expected)
        differs = one.share and one.actual != one.expected
        said = one.direction if differs or one.column in unseen else ""
        table.add_row(*map(Text, (*cells, said, f"{one.share:.1%}")))
    return table


def _print_self_test(console: Console, test: Mapping[str, Any]) -> None:
    """Print the shares of planted anomalies that the model and the baselines found."""
    detectors = tuple(name for name in test if name != "by_kind")
    kinds = {kind.replace("_", " "): found or {} for kind, found in test["by_kind"].items()}
    title = "self-test, shares of planted anomalies found"
    _print_parts(console, title, {**kinds, "mean": test}, detectors)


def _print_metrics(console: Console, metrics: Mapping[str, Any]) -> None:
    if not metrics["labelled_rows"]:
        console.print("No row is labelled, so there is nothing to compare the scores with.")
    table = Table(show_header=False, box=None, pad_edge=False)
    for name, value in metrics.items():
        if name not in {"by_date", "by_group"}:
            table.add_row(
                Text(name.replace("_", " ")), Text(words(value) if value is not None else "-")
            )
    console.print(table)
    _print_parts(console, "by group", metrics.get("by_group", {}), ("rows", "recall"))
    columns = ("auroc", "average_precision", "precision", "recall", "true_positives")
    by_date = dict(list(metrics.get("by_date", {}).items())[-_MOST_DATES:])
    if len(by_date) > 1:
        _print_parts(console, f"by date, the last {len(by_date)}", by_date, columns)


def _print_comparison(console: Console, figures: Mapping[str, Any]) -> None:
    """Print a line for each detector, how far pairs of them agree, and why some have no figures."""
    rows = {row["detector"]: _rounded(row) for row in figures["detectors"]}
    columns = [name for name in _COMPARED if any(row[name] is not None for row in rows.values())]
    _print_parts(console, "detectors, the best first", rows, columns)
    pairs: dict[str, dict[str, float]] = {}
    for pair in figures["agreement"]:
        pairs.setdefault(pair["detector"], {})[pair["other"]] = pair["same_flagged"]
    shown = [name for name in rows if name in pairs]
    title = "agreement, the share of flagged rows that are the same"
    _print_parts(console, title, {name: _rounded(pairs[name]) for name in shown}, shown)
    for name, row in rows.items():
        if row["problem"]:
            console.print(Text(f"{name} could not be fitted: {row['problem']}"))
        elif row["weak"]:
            console.print(Text(f"{name}: train would refuse it, for the baselines find more."))


def _rounded(figures: Mapping[str, Any]) -> dict[str, Any]:
    """Return figures with so many digits as mean something."""
    return {
        name: round(value, _DIGITS) if isinstance(value, float) else value
        for name, value in figures.items()
    }


def _print_parts(
    console: Console, title: str, parts: Mapping[str, Mapping[str, Any]], columns: Sequence[str]
) -> None:
    if not parts:
        return
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    table.add_column("")
    for name in columns:
        table.add_column(name.replace("_", " "), justify="right")
    for name, figures in parts.items():
        cells = [figures.get(key) for key in columns]
        table.add_row(Text(name), *(Text("-" if cell is None else words(cell)) for cell in cells))
    console.print(table)


def print_models(
    documents: Sequence[Mapping[str, Any]], refused: Mapping[str, str], promoted: str | None
) -> None:
    """Print a line for each model, and why some are refused."""
    if not documents and not refused:
        Console().print("No model yet. Train one with `adlib train`.")
        return
    table = Table(box=None, pad_edge=False)
    for name in ("model", "detector", "threshold", "trained on", ""):
        table.add_column(name)
    for document in documents:
        rows = document["provenance"]["rows"]
        table.add_row(
            Text(document["id"]),
            Text(document["detector"]["kind"]),
            Text(f"{document['threshold']['kind']} {document['threshold']['cut']:.4g}"),
            Text(f"{rows['fit']:,} rows"),
            Text("promoted" if document["id"] == promoted else ""),
        )
    for model_id in refused:
        mark = "promoted, refused" if model_id == promoted else "refused"
        table.add_row(Text(model_id), "", "", "", Text(mark))
    _console().print(table)
    for problem in refused.values():
        _console().print(Text(problem))


def print_checks(checks: Sequence[Check], log: Path | None) -> None:
    """Print a line for each check, and where the log is."""
    table = Table(show_header=False, box=None, pad_edge=False)
    for check in checks:
        mark = Text("ok", style="green") if check.ok else Text("no", style="bold red")
        table.add_row(mark, Text(check.name), Text(check.found))
    if log is not None:
        table.add_row("", Text("log"), Text(str(log)))
    _console().print(table)


def print_leftovers(found: Sequence[Leftover], *, dry_run: bool) -> None:
    """Print a line for each thing that goes."""
    console = Console(soft_wrap=True, highlight=False, markup=False)
    for leftover in found:
        notes = (f"{leftover.since:%Y-%m-%d}", megabytes(leftover.size_bytes), leftover.note)
        console.print(f"{leftover.kind} {leftover.path} ({', '.join(filter(None, notes))})")
    total = sum(leftover.size_bytes for leftover in found)
    verb = "Would delete" if dry_run else "Deleting"
    console.print(f"{verb} {len(found):,} things, {megabytes(total)}.")


def megabytes(size_bytes: int) -> str:
    """Print a size."""
    return f"{size_bytes / 1e6:.2f} MB"
