"""The page: values and drawings into one file that loads nothing and runs nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, StrictUndefined, Template
from markupsafe import Markup

from adlib.baselines import BASELINES
from adlib.report import curves, plots, scatters
from adlib.report.drawing import Plot
from adlib.report.values import Absent, Evaluation, Report, RunFigures, SampleFigures
from adlib.report.wording import (
    NOTHING,
    count,
    days,
    foreign,
    measure,
    moment,
    of_rows,
    share,
)
from adlib.surrogate import Surrogate

_MOST_EARLIER = 7
_MOST_HEALTH = 60
_FAR_FROM = 1.5
"""Delivered is said beside asked as so many times only from here on."""
_CLASSES = {"shifted": "bad strong", "moved": "warn", "steady": "good", "not compared": "muted"}
_TOLD_DATES = 5


def render(report: Report) -> str:
    """Return a run's page as HTML."""
    return _template().render(_context(report))


@lru_cache(maxsize=1)
def _template() -> Template:
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {
        "count": count,
        "days": days,
        "fixed": lambda value: NOTHING if value is None else f"{value:.3f}",
        "foreign": foreign,
        "measure": measure,
        "moment": moment,
        "share": share,
        "whole_share": lambda value: NOTHING if value is None else f"{value:.0%}",
    }
    return environment.from_string(_text("page.html"))


def _text(name: str) -> str:
    return files("adlib.report").joinpath(name).read_text(encoding="utf-8")


def _context(report: Report) -> dict[str, Any]:
    sample = report.sample if isinstance(report.sample, SampleFigures) else None
    evaluation = report.evaluation if isinstance(report.evaluation, Evaluation) else None
    history = [report.run, *report.earlier[:_MOST_EARLIER]]
    return {
        "css": Markup(_text("page.css")),  # noqa: S704 - our own file
        "setting": report.setting,
        "run": report.run,
        "notes": _notes(report),
        "verdict": _verdict(report.run),
        "severe": _severe(report),
        "cut_kind": _cut_kind(report.model["threshold"]),
        "history": history,
        "widest": max((run.delivered_fraction or 0.0 for run in history), default=0.0) or 1.0,
        "flagged": report.flagged,
        "quarantine": report.quarantine,
        "rules_asked": report.surrogate is not None,
        "surrogate": report.surrogate if isinstance(report.surrogate, Surrogate) else None,
        "sample": sample,
        "sampled": _sampled(sample),
        "model": _model(report.model),
        "health": {
            "story": _health_story(sample),
            "class_of": _CLASSES,
            "most": _MOST_HEALTH,
        },
        "evaluation": evaluation,
        "labels": _labels(evaluation),
        "plots": _plots(report, sample, evaluation),
        "why": _why(report),
        "seconds": ", ".join(f"{name} {spent:.1f}" for name, spent in report.run.seconds.items())
        or NOTHING,
    }


def _plots(
    report: Report, sample: SampleFigures | None, evaluation: Evaluation | None
) -> dict[str, Plot | None]:
    fit = report.model["provenance"].get("fit", {})
    by_date = evaluation.figures.get("by_date", {}) if evaluation else {}
    return {
        "scores": plots.score_distribution(sample, report.flagged, report.run),
        "time": plots.anomalies_over_time(report.dates, report.flagged),
        "telling": scatters.telling_scatter(sample) if sample else None,
        "latent": scatters.latent_space(sample) if sample else None,
        "training": curves.training_curve(fit.get("curve", ()), fit.get("steps")),
        "roc": curves.roc_curve(evaluation) if evaluation else None,
        "precision_recall": curves.precision_recall_curve(evaluation) if evaluation else None,
        "by_date": plots.metrics_by_date(by_date),
    }


def _why(report: Report) -> dict[str, str]:
    """Say of each part why it may not be there."""
    absent = report.sample.why if isinstance(report.sample, Absent) else None
    none_flagged = None if report.flagged.rows else "No row of this run is flagged."
    return {
        "sample": absent or "",
        "surrogate": report.surrogate.why if isinstance(report.surrogate, Absent) else "",
        "telling": absent or "Fewer than two of these columns can be drawn as they are.",
        "scores": absent or "No row reaches the cut, and no score of this run is known.",
        "time": none_flagged or "This run has one date, and its rows have no time of day.",
        "latent": absent or "The rows vary in fewer than two directions.",
        "training": "The detector is not trained step by step, or its model keeps no losses.",
        "curves": "There is no curve where all labelled rows are of one kind.",
        "evaluation": report.evaluation.why if isinstance(report.evaluation, Absent) else "",
    }


def _verdict(run: RunFigures) -> str:
    """Say in a sentence what the run came to."""
    if not run.rows_scored:
        return f"None of {of_rows(run.rows_read)} could be scored."
    flagged = f"{of_rows(run.rows_flagged)} of {run.rows_scored:,}"
    delivered, asked = run.delivered_fraction or 0.0, run.asked_fraction
    said = f"{flagged} {'is' if run.rows_flagged == 1 else 'are'} flagged, {share(delivered)}"
    if not asked:
        return f"{said}."
    times = delivered / asked
    if times >= _FAR_FROM:
        return f"{said}: {times:.1f} times the {share(asked)} that was asked for."
    if times <= 1.0 / _FAR_FROM:
        return f"{said}; {share(asked)} was asked for."
    return f"{said}, where {share(asked)} was asked for."


def _severe(report: Report) -> str:
    totals = {
        name: sum(day.severities.get(name, 0) for day in report.dates)
        for name in ("critical", "high")
    }
    return ", ".join(f"{rows:,} {name}" for name, rows in totals.items())


def _cut_kind(threshold: Mapping[str, Any]) -> str:
    """Say how the cut was found."""
    asked = threshold.get("asked_fraction")
    kind = str(threshold["kind"]).replace("_", " ")
    return kind if asked is None else f"{kind}, {share(asked)}"


def _notes(report: Report) -> list[str]:
    notes = list(report.notes)
    if report.run.over_delivered:
        told = _told(report.run.over_delivered)
        notes.append(f"Far more was flagged than was asked for on {told}.")
    if report.run.superseded:
        told = _told(report.run.superseded)
        notes.append(f"Another run has published {told} since; this page leaves them out.")
    return notes


def _told(found: Sequence[Any]) -> str:
    more = len(found) - _TOLD_DATES
    said = ", ".join(map(str, found[:_TOLD_DATES]))
    return f"{said} and {more} more" if more > 0 else said


def _sampled(sample: SampleFigures | None) -> str:
    if sample is None:
        return "no sample"
    if sample.rows == sample.of_rows:
        return f"all {of_rows(sample.rows)}"
    return f"a sample of {sample.rows:,} of {of_rows(sample.of_rows)}"


def _model(document: Mapping[str, Any]) -> dict[str, Any]:
    provenance = document["provenance"]
    test = provenance.get("self_test")
    return {
        "name": f"{document['detector']['kind'].replace('_', ' ')}, {document['id']}",
        "story": _model_story(provenance),
        "self_test": test,
        "detectors": [name for name in ("found", *BASELINES) if test and name in test],
    }


def _model_story(provenance: Mapping[str, Any]) -> str:
    rows = provenance["rows"]
    parts = [f"Learned from {of_rows(rows['fit'])}, calibrated on {count(rows['calibration'])}."]
    left = {why: found for why, found in provenance.get("left_out", {}).items() if found}
    if left:
        named = ", ".join(f"{why.replace('_', ' ')} {found:,}" for why, found in left.items())
        parts.append(f"Left out of training: {named}.")
    gate = provenance.get("compared") or {}
    if gate.get("why"):
        verb = "Held" if gate.get("passed") else "Not promoted when held"
        parts.append(f"{verb} against model {gate['with']}: {gate['why']}.")
    return " ".join(parts)


def _health_story(sample: SampleFigures | None) -> str:
    if sample is None:
        return ""
    found = [entry.verdict for entry in sample.health]
    if all(verdict == "not compared" for verdict in found):
        return (
            "The model keeps no reference of its training rows, so nothing can be said to have "
            "moved; train again to have one."
        )
    shifted, moved = found.count("shifted"), found.count("moved")
    if not shifted and not moved:
        return "No column has moved from what it was in training."
    return (
        f"{of_rows(shifted, 'column')} shifted and {moved} moved from what they were in training."
    )


def _labels(evaluation: Evaluation | None) -> dict[str, Any]:
    if evaluation is None or not evaluation.figures.get("labelled_rows"):
        return {"basis": "", "since": "", "tiles": []}
    figures, since = evaluation.figures, evaluation.measured_from
    return {
        "basis": ", curves from a fine histogram of scores" if not evaluation.exact else "",
        "since": f" Measured from {since} on." if since else "",
        "tiles": [
            ("precision", share(figures["precision"])),
            ("recall", share(figures["recall"])),
            ("F1", measure(figures["f1"])),
            ("AUROC", measure(figures["auroc"])),
            ("average precision", measure(figures["average_precision"])),
            ("accuracy", share(figures["accuracy"])),
        ],
    }
