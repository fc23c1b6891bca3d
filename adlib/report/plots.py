"""The drawings of a page, each from values and each with what it shows in numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np

from adlib.arrays import Flags, Floats
from adlib.report.drawing import (
    ACCENT,
    FLAG,
    INK,
    MUTED,
    ORDINARY,
    POINT_FLAG,
    POINT_ORDINARY,
    SEVERITY_COLOURS,
    Key,
    Plot,
    compact_ticks,
    draw,
)
from adlib.report.values import (
    Axis,
    DateFigures,
    Evaluation,
    FlaggedFigures,
    RunFigures,
    SampleFigures,
)
from adlib.report.wording import count, foreign, measure, of_rows, share

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST_BARS = 60
_MOST_POINTS = 6_000
_LONGEST_LABEL = 18
_SKEWED = 20.0
"""A column whose extremes lie so many times farther out than its bulk is drawn on a log scale."""
_FEW = 5


def score_distribution(
    sample: SampleFigures | None, flagged: FlaggedFigures, run: RunFigures
) -> Plot | None:
    """Draw how many rows have which score: below the cut by a sample, above it all of them."""
    cut = run.cut
    if cut is None or sample is None:
        return None
    edges = np.asarray(flagged.score_edges)
    width = float(edges[1] - edges[0]) if len(edges) > 1 else abs(cut) / 40 or 1.0
    below, heights = _below(sample, cut, width)

    def on(axes: Axes) -> None:
        axes.bar(below, heights, width * 0.92, align="edge", color=ORDINARY, linewidth=0)
        if len(edges) > 1:
            axes.bar(
                edges[:-1],
                flagged.score_counts,
                width * 0.92,
                align="edge",
                color=FLAG,
                linewidth=0,
            )
        axes.axvline(cut, color=INK, linewidth=0.9, linestyle=(0, (4, 3)))
        axes.annotate(
            f"cut {measure(cut)}",
            (cut, 1.0),
            xycoords=("data", "axes fraction"),
            xytext=(4, -2),
            textcoords="offset points",
            va="top",
            color=INK,
        )
        axes.set_yscale("log")
        axes.set_ylim(bottom=0.7)
        axes.set_xlabel("score")
        axes.set_ylabel("rows")
        compact_ticks(axes.xaxis)
        compact_ticks(axes.yaxis)

    quartiles = np.quantile(sample.scores, [0.5, 0.99]) if sample.rows else [np.nan, np.nan]
    label = (
        f"Histogram of scores. Half of the sampled rows score below {measure(quartiles[0])}, 99% "
        f"below {measure(quartiles[1])}; {of_rows(flagged.rows)} at or above the cut of "
        f"{measure(cut)}{_beyond(flagged, edges)}."
    )
    keys = (Key("ordinary", "not flagged, by the sample"), Key("flag", "flagged, all of them"))
    return draw("scores", on, label, keys)


def _below(sample: SampleFigures, cut: float, width: float) -> tuple[Floats, Floats]:
    """Count unflagged rows of the sample in bins down from the cut, scaled to the table."""
    scores = sample.scores[~sample.flagged & (sample.scores < cut)]
    if not len(scores):
        return np.zeros(0), np.zeros(0)
    bins = min(400, max(1, int(np.ceil((cut - scores.min()) / width))))
    edges = cut - width * np.arange(bins, -1, -1)
    counted, _ = np.histogram(np.maximum(scores, edges[0]), edges)
    return edges[:-1], counted * (sample.of_rows / sample.rows)


def _beyond(flagged: FlaggedFigures, edges: Floats) -> str:
    if len(flagged.score_counts) < 2 or not flagged.score_counts[-1]:  # noqa: PLR2004
        return ""
    return f", {count(flagged.score_counts[-1])} of them above {measure(float(edges[-2]))}"


def anomalies_over_time(dates: Sequence[DateFigures], flagged: FlaggedFigures) -> Plot | None:
    """Draw flagged rows by date and severity, or by hour where there is one date alone."""
    if len(dates) > 1:
        return _by_date(dates)
    if flagged.hours and flagged.rows:
        return _by_hour(flagged.hours)
    return None


def _by_date(dates: Sequence[DateFigures]) -> Plot:
    size = -(-len(dates) // _MOST_BARS)
    groups = [dates[start : start + size] for start in range(0, len(dates), size)]
    stacks = {
        severity: np.asarray([sum(day.severities[severity] for day in group) for group in groups])
        for severity in SEVERITY_COLOURS
    }

    def on(axes: Axes) -> None:
        bottom = np.zeros(len(groups))
        for severity, rows in stacks.items():
            colour = SEVERITY_COLOURS[severity]
            axes.bar(range(len(groups)), rows, 0.82, bottom, color=colour, linewidth=0)
            bottom += rows
        _date_ticks(axes, [group[0].day for group in groups])
        axes.set_ylabel("flagged rows" if size == 1 else f"flagged rows, {size} dates a bar")
        compact_ticks(axes.yaxis)

    most = max(dates, key=lambda day: day.rows_flagged)
    least = min(dates, key=lambda day: day.rows_flagged)
    label = (
        f"Flagged rows by date and severity over {len(dates)} dates: most on {most.day} with "
        f"{count(most.rows_flagged)} of {of_rows(most.rows_scored)}, fewest on {least.day} with "
        f"{count(least.rows_flagged)}."
    )
    return draw("dates", on, label, tuple(Key(name, name) for name in SEVERITY_COLOURS))


def _by_hour(hours: Sequence[int]) -> Plot:
    def on(axes: Axes) -> None:
        axes.bar(range(len(hours)), hours, 0.82, color=FLAG, linewidth=0)
        axes.set_xticks(range(0, len(hours), 3))
        axes.set_xlabel("hour of the day, UTC")
        axes.set_ylabel("flagged rows")
        compact_ticks(axes.yaxis)

    busiest = int(np.argmax(hours))
    label = (
        f"Flagged rows by hour of the day: most in the hour from {busiest}:00 UTC with "
        f"{count(hours[busiest])} of {count(sum(hours))}."
    )
    return draw("hours", on, label)


def _date_ticks(axes: Axes, days: Sequence[date]) -> None:
    """Write a handful of dates under the axis, the year where it is another."""
    step = -(-len(days) // _FEW)
    places = list(range(0, len(days), step))
    years = len({day.year for day in days}) > 1
    form = "%-d %b %y" if years else "%-d %b"
    axes.set_xticks(places, [days[place].strftime(form) for place in places])


def latent_space(sample: SampleFigures) -> Plot | None:
    """Draw the hidden codes of the sample in two dimensions."""
    if sample.latent is None or sample.explained is None:
        return None
    latent, (first, second) = sample.latent, sample.explained
    shown = _thinned(sample.flagged)

    def on(axes: Axes) -> None:
        axes.grid(visible=False)
        _points(axes, latent[:, 0], latent[:, 1], sample.flagged, shown)
        for limit, values in ((axes.set_xlim, latent[:, 0]), (axes.set_ylim, latent[:, 1])):
            limit(*_frame(values, sample.flagged))
        axes.set_xlabel(f"first direction, {share(first)} of variance")
        axes.set_ylabel(f"second, {share(second)}")

    label = (
        f"{'Hidden codes' if sample.of_codes else 'Encoded numbers'} of {of_rows(len(shown))}, "
        f"{count(sample.flagged.sum())} of them flagged, on the two directions that hold "
        f"{share(first + second)} of the variance. {_apart(latent, sample.flagged)}"
    )
    return draw("latent", on, label, _point_keys(), height=1.25)


def _apart(latent: Floats, flagged: Flags) -> str:
    if not flagged.any():
        return "No row of the sample is flagged."
    middle = np.median(latent[~flagged], axis=0)
    distance = np.hypot(*(latent - middle).T)
    ratio = np.median(distance[flagged]) / max(float(np.median(distance[~flagged])), 1e-12)
    return f"Flagged rows lie {ratio:.1f} times as far from the middle as others, by the median."


def _point_keys() -> tuple[Key, ...]:
    return (Key("ordinary", "not flagged", "dot"), Key("point-flag", "flagged", "dot"))


def _thinned(flagged: Flags) -> np.ndarray[Any, np.dtype[np.intp]]:
    """Return which rows to draw: every flagged one first of all, up to a number."""
    order = np.concatenate([np.flatnonzero(flagged), np.flatnonzero(~flagged)])
    return np.sort(order[:_MOST_POINTS])


def _points(
    axes: Axes, x: Floats, y: Floats, flagged: Flags, shown: np.ndarray[Any, np.dtype[np.intp]]
) -> None:
    ordinary, strange = shown[~flagged[shown]], shown[flagged[shown]]
    axes.scatter(
        x[ordinary], y[ordinary], 5, POINT_ORDINARY, alpha=0.4, linewidths=0, rasterized=True
    )
    axes.scatter(x[strange], y[strange], 13, POINT_FLAG, alpha=0.85, linewidths=0, rasterized=True)


def _frame(values: Floats, flagged: Flags) -> tuple[float, float]:
    """Return limits that hold nearly all points, so that one far out does not flatten the rest."""
    parts = [values[~flagged], values[flagged]] if flagged.any() else [values]
    low = min(float(np.quantile(part, 0.02 if len(part) < 500 else 0.002)) for part in parts)  # noqa: PLR2004
    high = max(float(np.quantile(part, 0.98 if len(part) < 500 else 0.998)) for part in parts)  # noqa: PLR2004
    margin = 0.05 * (high - low) or 1.0
    return low - margin, high + margin


def telling_scatter(sample: SampleFigures) -> Plot | None:
    """Draw the two most telling columns against each other."""
    if sample.scatter is None:
        return None
    across, up = sample.scatter
    shown = _thinned(sample.flagged)
    x, y = _spread(across, 1), _spread(up, 2)

    def on(axes: Axes) -> None:
        axes.grid(visible=False)
        _points(axes, x, y, sample.flagged, shown)
        _scale(axes.set_xscale, axes.xaxis, across)
        _scale(axes.set_yscale, axes.yaxis, up)
        if across.labels:
            axes.tick_params(axis="x", rotation=38)
            for text in axes.get_xticklabels():
                text.set_horizontalalignment("right")
                text.set_rotation_mode("anchor")
        axes.set_xlabel(foreign(across.name, 40))
        axes.set_ylabel(foreign(up.name, 28))

    label = (
        f"{of_rows(len(shown))}, {count(sample.flagged.sum())} of them flagged: "
        f"{foreign(across.name, 40)} across ({_said(across, sample.flagged)}), "
        f"{foreign(up.name, 40)} upwards ({_said(up, sample.flagged)})."
    )
    return draw("telling", on, label, _point_keys(), height=1.25)


def _said(axis: Axis, flagged: Flags) -> str:
    """Say what is usual of a column, among flagged rows and among the others."""
    parts = []
    for rows, name in ((flagged, "flagged"), (~flagged, "others")):
        values = axis.values[rows & np.isfinite(axis.values)]
        if not len(values):
            parts.append(f"{name}: none")
        elif axis.labels:
            place = int(np.bincount(values.astype(np.intp)).argmax())
            parts.append(f"{name}: mostly {foreign(axis.labels[place], 40)}")
        else:
            parts.append(f"{name}: median {measure(float(np.median(values)))}")
    return ", ".join(parts)


def _spread(axis: Axis, seed: int) -> Floats:
    """Shake places of categories a little, so that points do not hide each other."""
    if not axis.labels:
        return axis.values
    shaken: Floats = axis.values + np.random.default_rng(seed).uniform(-0.3, 0.3, len(axis.values))
    return shaken


def _scale(set_scale: Any, axis: Any, column: Axis) -> None:
    """Write the places of a category, or choose a scale on which a column's bulk can be seen."""
    if column.labels:
        labels = [foreign(label, _LONGEST_LABEL) for label in column.labels]
        axis.set_ticks(range(len(labels)), labels)
        return
    sizes = np.abs(column.values[np.isfinite(column.values) & (column.values != 0.0)])
    if len(sizes) and sizes.max() > _SKEWED * np.median(sizes):
        _log_ticks(set_scale, axis, column.values, float(np.median(sizes)))
        return
    compact_ticks(axis)


def _log_ticks(set_scale: Any, axis: Any, values: Floats, usual: float) -> None:
    """Put a few powers of ten on a scale that is linear around zero and logarithmic beyond."""
    from matplotlib.ticker import NullLocator

    present = values[np.isfinite(values)]
    bottom = float(np.floor(np.log10(usual))) - 1.0
    set_scale("symlog", linthresh=10.0**bottom, linscale=0.5)
    top = float(np.ceil(np.log10(np.abs(present).max())))
    both = bool(present.min() < 0.0 < present.max())
    step = max(1.0, float(np.ceil((top - bottom + 1.0) / (3.0 if both else 5.0))))
    powers = 10.0 ** np.arange(top, bottom, -step)[::-1]
    positive = powers if present.max() > 0.0 else powers[:0]
    negative = -powers[::-1] if present.min() < 0.0 else powers[:0]
    axis.set_ticks([*negative, 0.0, *positive])
    axis.set_minor_locator(NullLocator())
    compact_ticks(axis)


def training_curve(curve: Sequence[Sequence[float]], best: float | None) -> Plot | None:
    """Draw the loss of each look at the training, and where it stopped."""
    if len(curve) < 2:  # noqa: PLR2004 - a line has two ends
        return None
    steps, losses = np.asarray(curve, dtype=np.float64).T

    def on(axes: Axes) -> None:
        axes.plot(steps, losses, color=ACCENT, linewidth=1.6, marker="o", markersize=2.6)
        if best is not None and best in steps:
            axes.axvline(best, color=INK, linewidth=0.9, linestyle=(0, (4, 3)))
            at_end = best > 0.6 * steps[-1]
            axes.annotate(
                f"kept: step {best:.0f}",
                (best, 1.0),
                xycoords=("data", "axes fraction"),
                xytext=(-4 if at_end else 4, -2),
                textcoords="offset points",
                va="top",
                ha="right" if at_end else "left",
                color=INK,
            )
        axes.set_xlabel("step")
        axes.set_ylabel("validation loss")
        compact_ticks(axes.xaxis)
        compact_ticks(axes.yaxis)

    label = (
        f"Validation loss over training: {measure(losses[0])} at step {steps[0]:.0f}, "
        f"{measure(losses[-1])} at step {steps[-1]:.0f}"
        + ("." if best is None else f"; the state of step {best:.0f} was kept.")
    )
    return draw("training", on, label, height=1.25)


def roc_curve(evaluation: Evaluation) -> Plot | None:
    """Draw recall over the share of ordinary rows that are flagged, for every cut."""
    figures = evaluation.figures
    if not evaluation.roc:
        return None
    alarms, recall = np.asarray(evaluation.roc).T
    negatives = figures["false_positives"] + figures["true_negatives"]
    here = figures["false_positives"] / negatives if negatives else 0.0

    def on(axes: Axes) -> None:
        axes.plot([0, 1], [0, 1], color=MUTED, linewidth=0.8, linestyle=(0, (2, 3)))
        axes.fill_between(alarms, recall, color=ACCENT, alpha=0.12, linewidth=0)
        axes.plot(alarms, recall, color=ACCENT, linewidth=1.6)
        _mark(axes, here, figures["recall"])
        _unit_axes(axes, "share of ordinary rows flagged", "recall")

    label = (
        f"ROC curve: area {measure(figures['auroc'])}. At the cut {share(figures['recall'])} of "
        f"anomalies and {share(here)} of ordinary rows are flagged."
    )
    return draw(
        "roc", on, label, (Key("accent", "every cut", "line"), Key("flag", "this run", "dot"))
    )


def precision_recall_curve(evaluation: Evaluation) -> Plot | None:
    """Draw precision over recall, for every cut."""
    figures = evaluation.figures
    if not evaluation.precision_recall:
        return None
    recall, precision = np.asarray(evaluation.precision_recall).T
    positives = figures["true_positives"] + figures["false_negatives"]
    base = positives / figures["labelled_rows"]

    def on(axes: Axes) -> None:
        axes.axhline(base, color=MUTED, linewidth=0.8, linestyle=(0, (2, 3)))
        axes.fill_between(recall, precision, color=ACCENT, alpha=0.12, linewidth=0)
        axes.plot(recall, precision, color=ACCENT, linewidth=1.6)
        _mark(axes, figures["recall"], figures["precision"])
        _unit_axes(axes, "recall", "precision")

    label = (
        f"Precision over recall: average precision {measure(figures['average_precision'])}, where "
        f"flagging by lot gives {measure(base)}. At the cut precision is "
        f"{share(figures['precision'])} at a recall of {share(figures['recall'])}."
    )
    keys = (Key("accent", "every cut", "line"), Key("flag", "this run", "dot"))
    return draw("precision", on, label, keys)


def _mark(axes: Axes, x: float | None, y: float | None) -> None:
    if x is not None and y is not None:
        axes.plot([x], [y], color=FLAG, marker="o", markersize=6, linestyle="none", clip_on=False)


def _unit_axes(axes: Axes, across: str, up: str) -> None:
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1.02)
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0", "25%", "50%", "75%", "100%"])
    axes.set_yticks([0, 0.25, 0.5, 0.75, 1], ["0", "25%", "50%", "75%", "100%"])
    axes.set_xlabel(across)
    axes.set_ylabel(up)


def metrics_by_date(by_date: Mapping[str, Mapping[str, Any]]) -> Plot | None:
    """Draw precision and recall of each date."""
    if len(by_date) < 2:  # noqa: PLR2004 - a line has two ends
        return None
    days = [date.fromisoformat(day) for day in by_date]
    lines = {
        name: np.asarray([_number(figures.get(name)) for figures in by_date.values()])
        for name in ("precision", "recall")
    }

    def on(axes: Axes) -> None:
        for (_, values), colour in zip(lines.items(), (ACCENT, FLAG), strict=True):
            marker = "o" if len(days) <= _MOST_BARS else None
            axes.plot(values, color=colour, linewidth=1.5, marker=marker, markersize=3)
        axes.set_ylim(0, 1.02)
        axes.set_yticks([0, 0.25, 0.5, 0.75, 1], ["0", "25%", "50%", "75%", "100%"])
        _date_ticks(axes, days)

    said = "; ".join(f"{name} {_range(values)}" for name, values in lines.items())
    label = f"Precision and recall by date over {len(days)} dates: {said}."
    keys = (Key("accent", "precision", "line"), Key("flag", "recall", "line"))
    return draw("by-date", on, label, keys)


def _number(value: float | None) -> float:
    return float("nan") if value is None else float(value)


def _range(values: Floats) -> str:
    present = values[np.isfinite(values)]
    if not len(present):
        return "is not defined on any"
    return f"from {share(float(present.min()))} to {share(float(present.max()))}"


__all__ = [
    "anomalies_over_time",
    "latent_space",
    "metrics_by_date",
    "precision_recall_curve",
    "roc_curve",
    "score_distribution",
    "telling_scatter",
    "training_curve",
]
