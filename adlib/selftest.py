"""The self-test of a fitted model: anomalies planted in held-out rows, and how many it finds.

A row is found if its score reaches the cut that flags as many of the same held-out rows, unplanted,
as the model's threshold does; so the model and the baselines beside it have one budget.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from adlib.arrays import Columns, Flags, Floats, row_count, take_rows
from adlib.baselines import BASELINES, MOST_ROWS, Standardised
from adlib.errors import ModelError
from adlib.model import Model, split
from adlib.planting import Planted, plant
from adlib.thresholds import cut_for_fraction

MOST_HELD_OUT = 10_000
FEWEST_HELD_OUT = 50
"""With fewer rows the cut is a matter of chance, and the test says nothing."""
USUAL_SHARE = 0.005
"""The budget where the model's threshold flags nothing or everything."""
MODEL = "found"
_DRAWS = 100
_ERRORS_ALLOWED = 2.0
_NEXT_TO_NOTHING = 2.0


@dataclass(frozen=True)
class Exam:
    """What models are put to: ordinary rows that were held out, and anomalies planted in them."""

    learned: Columns
    ordinary: Columns
    planted: Planted
    share: float
    """The budget: the share of ordinary rows that may be flagged."""


@dataclass(frozen=True)
class Sheet:
    """One detector's scores in an exam."""

    ordinary: Floats
    by_kind: Mapping[str, Floats]

    def found(self, share: float) -> dict[str, float]:
        """Return the share of planted rows of each kind that reach the cut of the budget."""
        cut = cut_for_fraction(np.sort(self.ordinary), share)
        return {kind: float((scores >= cut).mean()) for kind, scores in self.by_kind.items()}

    def mean_found(self, share: float) -> float:
        """Return the mean over the kinds of the found shares."""
        return float(np.mean([*self.found(share).values()]))

    def redrawn(self, draw: np.random.Generator) -> Sheet:
        """Return as many of the same scores, drawn with replacement."""
        by_kind = {kind: draw.choice(scores, len(scores)) for kind, scores in self.by_kind.items()}
        return Sheet(draw.choice(self.ordinary, len(self.ordinary)), by_kind)


@dataclass(frozen=True)
class SelfTest:
    """What a model and the baselines found."""

    exam: Exam
    sheet: Sheet
    """The model's."""
    by_kind: Mapping[str, Mapping[str, float]]
    """By kind, then by detector."""
    overall: Mapping[str, float]
    """By detector: the mean over the kinds."""
    errors: Mapping[str, float]
    """By baseline: the standard error of how much more it found than the model."""

    @property
    def is_weak(self) -> bool:
        """Whether the model found less than both baselines, each by over two standard errors.

        Or less than one of them, and next to nothing: no more than twice what flagging the budget
        by lot would find. The errors are the bootstrap's, over planted and ordinary rows, for with
        few ordinary rows the cut is the larger part of chance.
        """
        found = self.overall[MODEL]
        behind = [
            self.overall[name] - found > _ERRORS_ALLOWED * error
            for name, error in self.errors.items()
        ]
        return all(behind) or (any(behind) and found <= _NEXT_TO_NOTHING * self.exam.share)

    def to_json(self) -> dict[str, Any]:
        """Return the test as plain JSON values."""
        kinds = {kind: self.by_kind.get(kind) for kind in self.exam.planted.rows}
        return {
            **self.overall,
            "by_kind": {kind: found and dict(found) for kind, found in kinds.items()},
            "weak": self.is_weak,
            "share": self.exam.share,
            "held_out_rows": row_count(self.exam.ordinary),
            "planted_rows": row_count(self.exam.planted.columns),
        }


def self_test(
    model: Model, sample: Columns, seed: int, learns_from: Flags | None = None
) -> SelfTest | None:
    """Put a model, and the baselines beside it, to anomalies planted in its held-out rows.

    `learns_from` says which rows of the sample may be learned from, all where it is left out.
    None where fewer than 50 rows of its sample were held out, or where the table has no column that
    anything can be planted in.
    """
    exam = _set_exam(model, split(sample, learns_from), seed)
    if exam is None:
        return None
    sheets = {MODEL: sit(model, exam), **_baseline_sheets(model, exam, seed)}
    found = {name: sheet.found(exam.share) for name, sheet in sheets.items()}
    return SelfTest(
        exam=exam,
        sheet=sheets[MODEL],
        by_kind={
            kind: {name: kinds[kind] for name, kinds in found.items()}
            for kind in exam.planted.kinds
        },
        overall={name: sheet.mean_found(exam.share) for name, sheet in sheets.items()},
        errors=_errors(sheets, exam.share, seed),
    )


def refuse_weak(test: SelfTest) -> None:
    """Refuse a model that does worse than both baselines.

    Raises:
        ModelError: with the three figures and what to do.
    """
    if test.is_weak:
        others = " and ".join(
            f"{name.replace('_', ' ')} {test.overall[name]:.1%}" for name in test.errors
        )
        message = (
            f"The model finds {test.overall[MODEL]:.1%} of the anomalies planted in held-out rows, "
            f"where {others} are found by the baselines with the same budget; it was not saved. "
            "Raise sample.rows or widen source.path, use another detector, or set "
            "train.accept_weak: true."
        )
        raise ModelError(message)


def _set_exam(model: Model, parts: tuple[Columns, Columns], seed: int) -> Exam | None:
    learned, held_out = parts
    ordinary = take_rows(held_out, slice(0, MOST_HELD_OUT))
    if row_count(ordinary) < FEWEST_HELD_OUT:
        return None
    planted = plant(ordinary, model.columns, seed)
    exam = Exam(learned, ordinary, planted, _budget(model, row_count(ordinary)))
    return exam if planted.kinds else None


def _budget(model: Model, rows: int) -> float:
    share = alert_share(model, model.threshold.calibration)
    return max(share if 0.0 < share < 1.0 else USUAL_SHARE, 1.0 / rows)


def alert_share(model: Model, scores: Floats) -> float:
    """Return the share of rows that the model's own threshold flags."""
    return float(model.threshold.flags(scores).mean())


def sit(model: Model, exam: Exam) -> Sheet:
    """Let a model score an exam's rows.

    Raises:
        InputError: if a column that the model reads is missing or of another type.
    """
    planted = model.exact_scores(exam.planted.columns)
    return _sheet(model.exact_scores(exam.ordinary), planted, exam)


def _sheet(ordinary: Floats, planted: Floats, exam: Exam) -> Sheet:
    return Sheet(ordinary, {kind: planted[rows] for kind, rows in exam.planted.kinds.items()})


def _baseline_sheets(model: Model, exam: Exam, seed: int) -> dict[str, Sheet]:
    """Fit every baseline on the rows that the model learned from, and let it score the exam."""
    parts = (take_rows(exam.learned, slice(0, MOST_ROWS)), exam.ordinary, exam.planted.columns)
    encoded = [model.encoder.transform(part, np.float64) for part in parts]
    standardised = Standardised.fit(encoded[0])
    learned, ordinary, planted = (standardised(features) for features in encoded)
    scorers = {name: fit(learned, seed) for name, fit in BASELINES.items()}
    return {name: _sheet(score(ordinary), score(planted), exam) for name, score in scorers.items()}


def _errors(sheets: Mapping[str, Sheet], share: float, seed: int) -> dict[str, float]:
    """Return the bootstrap's standard error of each baseline's lead over the model.

    Every detector's scores are drawn by the same lots, so that what they have in common cancels.
    """
    redrawn = {
        name: np.asarray([sheet.redrawn(lots).mean_found(share) for lots in _lots(seed)])
        for name, sheet in sheets.items()
    }
    model = redrawn.pop(MODEL)
    return {name: float((found - model).std()) for name, found in redrawn.items()}


def _lots(seed: int) -> list[np.random.Generator]:
    return [np.random.default_rng([seed, number]) for number in range(_DRAWS)]
