"""How well scores agree with labels: figures of scikit-learn over weighted distinct scores.

A table is summarised as one entry for each distinct score (or for each bin of a fine histogram)
with the numbers of ordinary and of anomalous rows that have it; every figure is exact on that
summary.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np

from adlib.arrays import Floats, Ints


@dataclass(frozen=True, eq=False)
class ScoreCounts:
    """Rows by score: three arrays of shape (distinct scores,)."""

    scores: Floats
    ordinary: Ints
    anomalous: Ints

    @classmethod
    def of_rows(cls, scores: Floats, labels: Floats, rows: Ints | None = None) -> ScoreCounts:
        """Count rows by score: arrays of one shape, labels above 0 are anomalies.

        `rows` says how many rows each entry stands for, one where it is left out.
        """
        each = np.ones(len(scores), dtype=np.int64) if rows is None else rows
        distinct, places = np.unique(scores, return_inverse=True)
        count = len(distinct)
        strange = np.where(labels > 0, each, 0)
        anomalous = np.bincount(places, weights=strange, minlength=count).astype(np.int64)
        total = np.bincount(places, weights=each, minlength=count).astype(np.int64)
        return cls(distinct, total - anomalous, anomalous)

    @property
    def positives(self) -> int:
        """How many rows are anomalies."""
        return int(self.anomalous.sum())

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return int(self.ordinary.sum()) + self.positives


@dataclass(frozen=True)
class Confusion:
    """Counts of flagged and unflagged rows by label, and the figures that follow from them."""

    true_positives: int
    false_positives: int
    false_negatives: int
    true_negatives: int

    @property
    def rows(self) -> int:
        """How many rows were counted."""
        flagged = self.true_positives + self.false_positives
        return flagged + self.false_negatives + self.true_negatives

    def figures(self) -> dict[str, float | int | None]:
        """Return the counts, accuracy, precision, recall and F1; None where nothing defines it."""
        tp, fp, fn = self.true_positives, self.false_positives, self.false_negatives
        return {
            **asdict(self),
            "accuracy": _ratio(tp + self.true_negatives, self.rows),
            "precision": _ratio(tp, tp + fp),
            "recall": _ratio(tp, tp + fn),
            "f1": _ratio(2 * tp, 2 * tp + fp + fn),
        }


_AT_BUDGET = ("precision_at_budget", "recall_at_budget", "lift_at_budget")


def ranking_figures(counts: ScoreCounts, budget: float | None) -> dict[str, float | None]:
    """Return AUROC, average precision and, at the budget, precision, recall and lift.

    None stands where only one kind of row is there.
    """
    if counts.positives in {0, counts.rows}:
        at_budget = () if budget is None else _AT_BUDGET
        return dict.fromkeys(("auroc", "average_precision", *at_budget))
    from sklearn.metrics import average_precision_score, roc_auc_score

    scores = np.concatenate([counts.scores, counts.scores])
    labels = np.repeat([0, 1], len(counts.scores))
    weights = np.concatenate([counts.ordinary, counts.anomalous]).astype(np.float64)
    present = weights > 0.0
    figures: dict[str, float | None] = {
        "auroc": float(
            roc_auc_score(labels[present], scores[present], sample_weight=weights[present])
        ),
        "average_precision": float(
            average_precision_score(
                labels[present], scores[present], sample_weight=weights[present]
            )
        ),
    }
    if budget is not None:
        figures.update(_at_budget(counts, budget))
    return figures


def _at_budget(counts: ScoreCounts, budget: float) -> dict[str, float | None]:
    """Look at the strangest `budget` share of rows; of equal scores a proportional part."""
    looked_at = max(1, round(budget * counts.rows))
    hits, rows = 0.0, 0
    for anomalous, ordinary in zip(counts.anomalous[::-1], counts.ordinary[::-1], strict=True):
        here = int(anomalous + ordinary)
        if here == 0:  # a bin of a histogram may be empty
            continue
        taken = min(here, looked_at - rows)
        hits += float(anomalous) * taken / here
        rows += taken
        if rows == looked_at:
            break
    precision = hits / rows
    figures = (precision, hits / counts.positives, precision * counts.rows / counts.positives)
    return dict(zip(_AT_BUDGET, figures, strict=True))


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None
