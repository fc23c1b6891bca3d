"""Detectors beside each other: fitted on one sample, measured on the same rows and in one way.

Every detector sees what `train` would give it, and is put to the same held-out rows, their labels
where there are any, and the anomalies that the self-test plants in them. Nothing that is measured
of a detector depends on which others are compared, or on their order, but its agreement with them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import permutations
from typing import Any

import numpy as np

from adlib.arrays import Columns, Flags, Floats, NumberColumn, row_count
from adlib.artifacts import pack
from adlib.errors import AdlibError, ModelError
from adlib.metrics import ScoreCounts, ranking_figures
from adlib.model import Model, split
from adlib.selftest import SelfTest, self_test
from adlib.thresholds import cut_for_fraction

_LABELS = "labels"


@dataclass(frozen=True, eq=False)
class Trial:
    """What every detector is put to."""

    columns: Columns
    """The sample, in its order."""
    learns_from: Flags
    """Which rows may be learned from."""
    labels: Floats | None
    """1 is an anomaly, 0 ordinary, NaN unknown: shape (rows,). No detector sees them."""
    budget: float
    """The share of rows that may be flagged."""
    seed: int

    @property
    def held_out(self) -> Columns:
        """The rows that no detector learns from."""
        return split(self.columns, self.learns_from)[1]

    @property
    def held_out_labels(self) -> Floats:
        """Their labels, NaN where nobody knows."""
        if self.labels is None:
            return np.full(row_count(self.held_out), np.nan)
        named = {_LABELS: NumberColumn(self.labels)}
        held_out = split(named, self.learns_from)[1][_LABELS]
        return np.asarray(held_out.values, dtype=np.float64)


@dataclass(frozen=True)
class Ranking:
    """How well scores rank anomalies above ordinary rows; None where only one kind is there."""

    auroc: float | None = None
    average_precision: float | None = None
    recall_at_budget: float | None = None


@dataclass(frozen=True, eq=False)
class Outcome:
    """What came of one detector."""

    detector: str
    problem: str | None = None
    """Why it could not be fitted; then nothing was measured."""
    labelled: Ranking = Ranking()
    planted: Ranking = Ranking()
    weak: bool | None = None
    """Whether `train` would refuse it for what its self-test found; None where there is none."""
    planted_rows: int = 0
    fit_seconds: float | None = None
    """To encode, fit and calibrate."""
    score_seconds: float | None = None
    """To score the held-out rows as a worker does, with the reasons of those that are flagged."""
    model_bytes: int | None = None
    """Of the artifact, which travels to every worker."""
    scores: Floats | None = None
    """Of the held-out rows: shape (rows,)."""

    @property
    def merit(self) -> float:
        """What outcomes are ranked by: average precision by labels, else on planted anomalies."""
        for ranking in (self.labelled, self.planted):
            if ranking.average_precision is not None:
                return ranking.average_precision
        return -1.0 if self.problem is None else -2.0

    def plain(self) -> dict[str, Any]:
        """Return it as a flat row of plain values."""
        told = {name: getattr(self, name) for name in ("detector", "problem", "weak")}
        spent = ("fit_seconds", "score_seconds", "model_bytes")
        return {
            **told,
            **asdict(self.labelled),
            **{f"planted_{name}": value for name, value in asdict(self.planted).items()},
            **{name: getattr(self, name) for name in spent},
        }


@dataclass(frozen=True)
class Agreement:
    """How far two detectors see the same held-out rows as strange."""

    detector: str
    other: str
    same_flagged: float
    """Of the rows that the budget lets each flag, the share that both do."""
    rank_correlation: float
    """Spearman's, over all rows."""


@dataclass(frozen=True, eq=False)
class Comparison:
    """All outcomes, the best first, and how far those that were fitted agree."""

    budget: float
    held_out_rows: int
    labelled_rows: int
    labelled_anomalies: int
    planted_rows: int
    outcomes: tuple[Outcome, ...]
    agreements: tuple[Agreement, ...]
    """Of every pair, both ways round."""

    def rows(self) -> list[dict[str, Any]]:
        """Return a flat row for each detector."""
        return [
            {**outcome.plain(), "agreement": self._mean_agreement(outcome.detector)}
            for outcome in self.outcomes
        ]

    def _mean_agreement(self, detector: str) -> float | None:
        found = [one.same_flagged for one in self.agreements if one.detector == detector]
        return float(np.mean(found)) if found else None

    def to_json(self) -> dict[str, Any]:
        """Return the comparison as plain JSON values."""
        counts = ("held_out_rows", "labelled_rows", "labelled_anomalies", "planted_rows", "budget")
        return {
            **{name: getattr(self, name) for name in counts},
            "detectors": self.rows(),
            "agreement": [asdict(agreement) for agreement in self.agreements],
        }


def measure(trial: Trial, detector: str, fit: Callable[[], Model]) -> Outcome:
    """Fit a detector and put it to the trial; what keeps it from being fitted is its outcome."""
    began = time.perf_counter()
    try:
        model = fit()
        fitted = time.perf_counter()
        model.score(trial.held_out)
        scored = time.perf_counter()
        test = self_test(model, trial.columns, trial.seed, trial.learns_from)
    except AdlibError as error:
        return Outcome(detector, problem=str(error))
    scores = model.exact_scores(trial.held_out)
    outcome = Outcome(
        detector,
        labelled=_by_labels(trial, scores),
        fit_seconds=round(fitted - began, 3),
        score_seconds=round(scored - fitted, 3),
        model_bytes=_size(model),
        scores=scores,
    )
    return outcome if test is None else _with_test(outcome, test, trial.budget)


def _size(model: Model) -> int:
    stored = pack(model)
    return len(stored.document) + len(stored.tensors)


def _by_labels(trial: Trial, scores: Floats) -> Ranking:
    """Rank the held-out rows whose label is known."""
    labels = trial.held_out_labels
    known = ~np.isnan(labels)
    if not known.any():
        return Ranking()
    counts = ScoreCounts.of_rows(scores[known], labels[known])
    figures = ranking_figures(counts, trial.budget)
    return Ranking(**{name: figures[name] for name in asdict(Ranking())})


def _with_test(outcome: Outcome, test: SelfTest, budget: float) -> Outcome:
    """Add how well planted anomalies are ranked, and found at the budget of ordinary rows."""
    ordinary = test.sheet.ordinary
    planted = np.concatenate([*test.sheet.by_kind.values()])
    scores = np.concatenate([ordinary, planted])
    labels = np.repeat([0.0, 1.0], [len(ordinary), len(planted)])
    figures = ranking_figures(ScoreCounts.of_rows(scores, labels), None)
    found = test.sheet.mean_found(max(budget, 1.0 / len(ordinary)))
    ranking = Ranking(figures["auroc"], figures["average_precision"], found)
    return replace(outcome, planted=ranking, weak=test.is_weak, planted_rows=len(planted))


def compare_outcomes(trial: Trial, outcomes: Sequence[Outcome]) -> Comparison:
    """Put outcomes side by side.

    Raises:
        ModelError: if no detector could be fitted, with every reason.
    """
    ranked = sorted(outcomes, key=lambda outcome: (-outcome.merit, outcome.detector))
    if all(outcome.problem is not None for outcome in ranked):
        why = " ".join(f"{outcome.detector}: {outcome.problem}" for outcome in ranked)
        message = f"None of the {len(ranked)} detectors could be fitted. {why}"
        raise ModelError(message)
    labels = trial.held_out_labels
    return Comparison(
        budget=trial.budget,
        held_out_rows=len(labels),
        labelled_rows=int((~np.isnan(labels)).sum()),
        labelled_anomalies=int((labels > 0.0).sum()),
        planted_rows=max(outcome.planted_rows for outcome in ranked),
        outcomes=tuple(ranked),
        agreements=_agreements(ranked, trial.budget),
    )


def _agreements(outcomes: Sequence[Outcome], budget: float) -> tuple[Agreement, ...]:
    scores = {one.detector: one.scores for one in outcomes if one.scores is not None}
    flags = {name: _flagged(found, budget) for name, found in scores.items()}
    return tuple(
        Agreement(
            name,
            other,
            _same(flags[name], flags[other]),
            _rank_correlation(scores[name], scores[other]),
        )
        for name, other in permutations(scores, 2)
    )


def _flagged(scores: Floats, budget: float) -> Flags:
    cut = cut_for_fraction(np.sort(scores), max(budget, 1.0 / len(scores)))
    return np.asarray(scores >= cut)


def _same(flags: Flags, others: Flags) -> float:
    """Return the share of flagged rows that both flag (Dice, 1945): of 0 and 0 rows, all."""
    total = int(flags.sum() + others.sum())
    return float(2.0 * (flags & others).sum() / total) if total else 1.0


def _rank_correlation(scores: Floats, others: Floats) -> float:
    from scipy.stats import rankdata

    return float(np.corrcoef(rankdata(scores), rankdata(others))[0, 1])
