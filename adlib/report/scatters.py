"""The drawings of a sample's rows as points, flagged ones marked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from adlib.arrays import Flags, Floats
from adlib.report.drawing import POINT_FLAG, POINT_ORDINARY, Key, Plot, compact_ticks, draw
from adlib.report.values import Axis, SampleFigures
from adlib.report.wording import count, foreign, measure, of_rows, share

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST_POINTS = 6_000
_LONGEST_LABEL = 18
_SKEWED = 20.0
"""A column whose extremes lie so many times farther out than its bulk is drawn on a log scale."""


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


__all__ = ["latent_space", "telling_scatter"]
