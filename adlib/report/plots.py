"""The drawings of a run's scores and dates, each with what it shows in numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np

from adlib.arrays import Floats
from adlib.report.drawing import (
    ACCENT,
    FLAG,
    INK,
    ORDINARY,
    SEVERITY_COLOURS,
    Key,
    Plot,
    compact_ticks,
    draw,
)
from adlib.report.values import (
    DateFigures,
    FlaggedFigures,
    RunFigures,
    SampleFigures,
)
from adlib.report.wording import count, measure, of_rows, share

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST_BARS = 60
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


__all__ = ["anomalies_over_time", "metrics_by_date", "score_distribution"]
