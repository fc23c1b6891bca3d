"""What a summary says to a person: a line for each thing, in the order that people ask."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from adlib.baselines import BASELINES
from adlib.selftest import FEWEST_HELD_OUT
from adlib.summary import Summary

_TOLD = {
    *("rows_read", "rows_quarantined", "quarantined_by_problem", "rows_scored", "context_rows"),
    *("rows_flagged", "asked_fraction", "delivered_fraction", "dates"),
    *("rows_explained", "explained_by"),
    *("over_delivered", "over_delivered_dates"),
    *("model", "promoted", "gate", "training_rows", "left_out_of_training", "trained_on"),
    *("new_columns", "self_test", "metrics", "short_history_rows", "message", "exit_code"),
    *("detectors", "agreement", "budget", "held_out_rows", "planted_rows"),
    *("labelled_rows", "labelled_anomalies"),
}
"""Figures that have words of their own below; others stand under their own names."""
_QUALITY = ("auroc", "average_precision", "precision", "recall")
_MOST_GROUPS = 8


def told(summary: Summary) -> Iterator[tuple[str, str]]:
    """Return the lines: what about, and what."""
    figures = summary.figures
    for name, said in (
        ("rows", _rows(figures)),
        ("new columns", _new_columns(figures)),
        ("anomalies", _anomalies(figures)),
        ("model", _model(figures)),
        ("trained on", _training(figures)),
        ("self-test", _self_test(figures, by_kind=summary.command != "train")),
        ("quality", _quality(figures.get("metrics"))),
        ("recall by group", _groups(figures.get("metrics"))),
        ("compared on", _compared(figures)),
    ):
        if said:
            yield name, said
    for name, value in figures.items():
        if name not in _TOLD and value not in (None, {}):
            yield name.replace("_", " "), words(value)
    if summary.seconds:
        yield "seconds", words({stage: f"{spent:.1f}" for stage, spent in summary.seconds.items()})
    if summary.log is not None:
        yield "log", str(summary.log)


def words(value: object) -> str:
    """Print a figure: large numbers with separators, shares with five digits."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:.5g}"
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {words(part)}" for key, part in value.items())
    return str(value)


def percent(share: float) -> str:
    """Print a share in percent, with three digits."""
    return f"{100 * share:.3g}%"


def _rows(figures: Mapping[str, Any]) -> str:
    parts = [
        f"{figures[name]:,} {what}"
        for name, what in (
            ("rows_read", "read"),
            ("context_rows", "more for windows alone"),
            ("rows_quarantined", "quarantined"),
            ("rows_scored", "scored"),
            ("short_history_rows", "with a short history"),
        )
        if figures.get(name) or (name == "rows_quarantined" and name in figures)
    ]
    problems = figures.get("quarantined_by_problem")
    return ", ".join(parts) + (f" (quarantined: {words(problems)})" if problems else "")


def _new_columns(figures: Mapping[str, Any]) -> str:
    found = figures.get("new_columns")
    if not found:
        return ""
    shown = ", ".join(found[:_MOST_GROUPS])
    more = f" and {len(found) - _MOST_GROUPS} more" if len(found) > _MOST_GROUPS else ""
    return (
        f"{shown}{more}: not read, the model does not know them; to learn from them, preprocess "
        "the whole table and train a new model"
    )


def _anomalies(figures: Mapping[str, Any]) -> str:
    if "rows_flagged" not in figures:
        return ""
    said = f"{figures['rows_flagged']:,} of {figures['rows_scored']:,} rows"
    delivered, asked = figures["delivered_fraction"], figures["asked_fraction"]
    said += "" if delivered is None else f", {percent(delivered)}"
    said += "" if asked is None else f" where {percent(asked)} is asked for"
    if figures["dates"] > 1:
        said += f", in {figures['dates']:,} dates"
    if "rows_explained" in figures:
        said += f", {figures['rows_explained']:,} explained by {figures['explained_by']}"
    over = figures.get("over_delivered_dates")
    return said + (
        f"; FAR MORE THAN ASKED FOR in {len(over):,} of {figures['dates']:,}" if over else ""
    )


def _model(figures: Mapping[str, Any]) -> str:
    if "model" not in figures:
        return ""
    said = str(figures["model"])
    if "promoted" in figures:
        said += ", promoted" if figures["promoted"] else ", not promoted"
    return said + (f" ({figures['gate']})" if figures.get("gate") else "")


def _training(figures: Mapping[str, Any]) -> str:
    rows = figures.get("training_rows")
    if not rows:
        return ""
    left = {why: count for why, count in figures["left_out_of_training"].items() if count}
    said = f"{sum(rows.values()):,} rows ({words(rows)})"
    said += f" of {figures['trained_on']}" if "trained_on" in figures else ""
    return said + (f"; left out: {words(left)}" if left else "")


def _self_test(figures: Mapping[str, Any], *, by_kind: bool) -> str:
    if "self_test" not in figures:
        return ""
    test = figures["self_test"]
    if test is None:
        held_out = (figures.get("training_rows") or {}).get("calibration", 0)
        return (
            f"none: it needs {FEWEST_HELD_OUT} held-out rows and a column that anomalies can be "
            f"planted in; {held_out:,} rows were held out"
        )
    beside = ", ".join(f"{name.replace('_', ' ')} {percent(test[name])}" for name in BASELINES)
    kinds = ", ".join(
        f"{kind.replace('_', ' ')} {percent(found['found'])}"
        for kind, found in test["by_kind"].items()
        if found is not None
    )
    of_kinds = f" ({kinds})" if by_kind and kinds else ""
    return f"finds {percent(test['found'])} of planted anomalies{of_kinds}; {beside}"


def _quality(metrics: Mapping[str, Any] | None) -> str:
    if metrics is None:
        return ""
    if not metrics["labelled_rows"]:
        return "unknown: no row is labelled"
    known = {name.replace("_", " "): metrics.get(name) for name in _QUALITY}
    said = ", ".join(f"{name} {value:.3f}" for name, value in known.items() if value is not None)
    on = f"{metrics['labelled_rows']:,} labelled rows"
    return f"{said}, on {on}" if said else f"unknown: of {on} none is an anomaly"


def _compared(figures: Mapping[str, Any]) -> str:
    if "agreement" not in figures:
        return ""
    labelled = figures["labelled_rows"]
    of_them = f"; {figures['labelled_anomalies']:,} of {labelled:,} labelled rows are anomalies"
    return (
        f"{figures['held_out_rows']:,} held-out rows and {figures['planted_rows']:,} planted "
        f"anomalies{of_them if labelled else '; no row is labelled'}; budget "
        f"{percent(figures['budget'])}"
    )


def _groups(metrics: Mapping[str, Any] | None) -> str:
    groups = (metrics or {}).get("by_group", {})
    recalls = {name: found["recall"] for name, found in list(groups.items())[:_MOST_GROUPS]}
    shown = [f"{name} {percent(share)}" for name, share in recalls.items() if share is not None]
    more = len(groups) - len(recalls)
    return ", ".join(shown) + (f" and {more} more" if more > 0 else "")
