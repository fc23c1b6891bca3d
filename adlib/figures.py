"""What a summary says of a ledger, a model and a scored table."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from adlib.baselines import BASELINES
from adlib.runs import over_delivers
from adlib.spark.ledger import Ledger
from adlib.spark.planning import NEW
from adlib.spark.records import DateCounts
from adlib.thresholds import THRESHOLDS, Threshold


def figures_of_ledger(ledger: Ledger) -> dict[str, Any]:
    """Return rows read and quarantined, over all dates, and which columns are new."""
    quarantined: dict[str, int] = {}
    for entry in ledger.dates:
        for problem, rows in entry.quarantined.items():
            quarantined[problem] = quarantined.get(problem, 0) + rows
    return {
        "rows_read": sum(entry.rows_read for entry in ledger.dates),
        "context_rows": ledger.context_rows,
        "rows_quarantined": sum(quarantined.values()),
        "quarantined_by_problem": quarantined,
        "short_history_rows": sum(entry.short_history for entry in ledger.dates),
        "new_columns": sorted(name for name, why in ledger.left_out.items() if why == NEW),
    }


def figures_of_model(document: Mapping[str, Any], *, promoted: bool) -> dict[str, Any]:
    """Return what was trained, on how many rows, what its self-test and the gate said."""
    test = document["provenance"].get("self_test")
    names = ("found", *BASELINES, "by_kind")
    return {
        "model": document["id"],
        "promoted": promoted,
        "gate": gate_of(document).get("why"),
        "training_rows": document["provenance"]["rows"],
        "left_out_of_training": document["provenance"]["left_out"],
        "threshold": _cut_of(document["threshold"]),
        "self_test": None if test is None else {name: test[name] for name in names},
    }


def _cut_of(threshold: Mapping[str, Any]) -> float | str:
    """Return the cut, or that each date has its own."""
    settings = THRESHOLDS[threshold["kind"]](**threshold["settings"])
    return float(threshold["cut"]) if settings.date_rule() is None else "by date"


def gate_of(document: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what the gate of promotion said of a model; empty where it was not asked."""
    return document["provenance"].get("compared") or {}


def figures_of_scores(
    counts: Mapping[date, DateCounts], threshold: Threshold, times_asked: float
) -> dict[str, Any]:
    """Return rows scored and flagged, the share asked for and delivered, and where it is over."""
    asked = threshold.asked_fraction
    over = [
        day.isoformat()
        for day, entry in sorted(counts.items())
        if over_delivers(entry.rows_flagged, entry.rows_scored, asked, times_asked)
    ]
    scored = sum(entry.rows_scored for entry in counts.values())
    flagged = sum(entry.rows_flagged for entry in counts.values())
    return {
        "rows_scored": scored,
        "rows_flagged": flagged,
        "asked_fraction": asked,
        "delivered_fraction": flagged / scored if scored else None,
        "dates": len(counts),
        "over_delivered": None if asked is None else bool(over),
        "over_delivered_dates": over,
    }
