"""The drawings of what was learned and, with labels, of what each cut would find."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from adlib.report.drawing import ACCENT, FLAG, INK, MUTED, Key, Plot, compact_ticks, draw
from adlib.report.values import Evaluation
from adlib.report.wording import measure, share

if TYPE_CHECKING:
    from matplotlib.axes import Axes


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


__all__ = ["precision_recall_curve", "roc_curve", "training_curve"]
