"""Figures of a scored table from counts of rows: by date, by group, by label and by score."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np

from adlib.arrays import Flags, Floats, Ints, Texts
from adlib.metrics import Confusion, ScoreCounts, ranking_figures

_QUANTILES = (0.5, 0.9, 0.99, 0.999, 1.0)
_MOST_GROUPS = 50


@dataclass(frozen=True, eq=False)
class CountedRows:
    """Equal rows counted together; every array has shape (entries,)."""

    days: Texts
    """Event dates."""
    groups: Texts
    """Values of the column that figures are broken down by; None where there is none."""
    labels: Floats
    """1 is an anomaly, 0 is ordinary, NaN is not labelled."""
    flagged: Flags
    scores: Floats
    rows: Ints

    def where(self, chosen: Flags) -> CountedRows:
        """Return the chosen entries."""
        return CountedRows(
            self.days[chosen],
            self.groups[chosen],
            self.labels[chosen],
            self.flagged[chosen],
            self.scores[chosen],
            self.rows[chosen],
        )

    @property
    def total(self) -> int:
        """How many rows were counted."""
        return int(self.rows.sum())


def evaluate_rows(counted: CountedRows, budget: float | None) -> dict[str, Any]:
    """Return every figure: with labels accuracy and its kin, without them the scores' quantiles."""
    figures: dict[str, Any] = {
        "rows": counted.total,
        "flagged_fraction": _share(counted.rows, counted.flagged),
        "score_quantiles": _quantiles(counted),
    }
    labelled = counted.where(~np.isnan(counted.labels))
    if labelled.total == 0:
        return {"labelled_rows": 0, **figures}
    return {
        "labelled_rows": labelled.total,
        **figures,
        **ranking_figures(_score_counts(labelled), budget),
        **_confusion(labelled).figures(),
        "by_date": {str(day): _figures_of_date(part) for day, part in _by_date(labelled)},
        "by_group": _by_group(labelled),
    }


def _score_counts(labelled: CountedRows) -> ScoreCounts:
    return ScoreCounts.of_rows(labelled.scores, labelled.labels, labelled.rows)


def _confusion(labelled: CountedRows) -> Confusion:
    positive = labelled.labels > 0.0
    return Confusion(
        *(
            int(labelled.rows[cell].sum())
            for cell in (
                positive & labelled.flagged,
                ~positive & labelled.flagged,
                positive & ~labelled.flagged,
                ~positive & ~labelled.flagged,
            )
        )
    )


def _by_date(counted: CountedRows) -> Iterator[tuple[date, CountedRows]]:
    for day in sorted(set(counted.days.tolist())):
        yield day, counted.where(counted.days == day)


def _figures_of_date(counted: CountedRows) -> dict[str, Any]:
    return {
        **ranking_figures(_score_counts(counted), None),
        **_confusion(counted).figures(),
    }


def _by_group(labelled: CountedRows) -> dict[str, dict[str, float | int]]:
    """Return for each group of anomalies how many there are and which share was flagged."""
    anomalies = labelled.where(labelled.labels > 0.0)
    if all(group is None for group in anomalies.groups):
        return {}
    named = np.asarray(
        ["missing" if group is None else str(group) for group in anomalies.groups], dtype=object
    )
    figures = {}
    for name in sorted(set(named.tolist())):
        part = anomalies.where(named == name)
        figures[name] = {"rows": part.total, "recall": _share(part.rows, part.flagged)}
    ranked = sorted(figures.items(), key=lambda entry: -int(entry[1]["rows"]))
    return dict(ranked[:_MOST_GROUPS])


def _share(rows: Ints, chosen: Flags) -> float:
    return float(rows[chosen].sum() / rows.sum()) if rows.sum() else 0.0


def _quantiles(counted: CountedRows) -> dict[str, float]:
    if counted.total == 0:
        return {}
    order = np.argsort(counted.scores)
    reached = np.cumsum(counted.rows[order])
    places = [int(np.searchsorted(reached, share * reached[-1])) for share in _QUANTILES]
    return {
        f"{share:g}": float(counted.scores[order[place]])
        for share, place in zip(_QUANTILES, places, strict=True)
    }


_MOST_POINTS = 200


def curves_of(counted: CountedRows) -> dict[str, list[list[float]]] | None:
    """Return the ROC and the precision–recall curve, thinned to 200 points each.

    Points are [false alarms among ordinary rows, recall] and [recall, precision]. None where only
    one kind of row is labelled.
    """
    counts = _score_counts(counted.where(~np.isnan(counted.labels)))
    if counts.positives in {0, counts.rows}:
        return None
    found = np.cumsum(counts.anomalous[::-1]).astype(np.float64)
    false = np.cumsum(counts.ordinary[::-1]).astype(np.float64)
    recall, precision = found / found[-1], found / (found + false)
    alarms = np.append(0.0, false / false[-1])
    return {
        "roc": _thinned(alarms, np.append(0.0, recall)),
        "precision_recall": _thinned(recall, precision),
    }


def _thinned(x: Floats, y: Floats) -> list[list[float]]:
    """Keep so many points of a curve, evenly spaced along it, its ends among them."""
    length = np.append(0.0, np.cumsum(np.hypot(np.diff(x), np.diff(y))))
    marks = np.linspace(0.0, length[-1], _MOST_POINTS)
    kept = np.unique(np.minimum(np.searchsorted(length, marks), len(x) - 1))
    return [[float(x[place]), float(y[place])] for place in kept]
