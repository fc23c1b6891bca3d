"""All that is needed to score a row, as one value: encoder, detector, threshold, provenance.

`Model.score` is the seam between the engines and the numbers: columns in, scores out, and nothing
of Spark, files or PyTorch in between.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from adlib.arrays import (
    Buffers,
    Columns,
    Flags,
    Floats,
    Ints,
    Texts,
    row_count,
    take_rows,
)
from adlib.attribution import RESIDUAL, Explainer
from adlib.detectors import Detector, DetectorSettings, Judgement, Progress
from adlib.drift import Reference
from adlib.encoding import Encoder, EncodingSettings, Feature, Kind
from adlib.errors import InputError
from adlib.explanations import Reason, explain
from adlib.thresholds import Threshold, ThresholdSettings

BLOCK_ROWS = 2048
"""Rows that are scored at a time: their matrices fit the second-level cache."""
CALIBRATION_FRACTION = 0.2
FEWEST_ROWS = 2
"""One row to learn from and one to calibrate with."""
_LARGEST_SCORE = float(np.finfo(np.float32).max)
_MARGIN_FACTOR = 10.0
_SMALLEST_MARGIN = 1e-4


@dataclass(frozen=True)
class Flagged:
    """The flagged rows of a batch, in its order; every array has shape (flagged rows,)."""

    rows: Ints
    """Where in the batch they stand."""
    percentiles: Floats
    p_values: Floats
    severities: Texts
    reasons: list[tuple[Reason, ...]]
    missing_columns: Ints
    unseen_columns: Ints


@dataclass(frozen=True)
class ScoredBatch:
    """What scoring makes of a batch."""

    scores: Floats
    """Shape (rows,), float64; higher is stranger."""
    is_anomaly: Flags
    flagged: Flagged


@dataclass(frozen=True, eq=False)
class Model:
    """A fitted model; it never changes."""

    name: str
    encoder: Encoder
    detector: Detector
    threshold: Threshold
    screen_margin: float
    """Share of the threshold, or of the usual score where that is larger, by which a float32 score
    can miss the float64 one."""
    reasons: int
    """How many reasons a flagged row carries."""
    provenance: Mapping[str, Any]
    explainer: Explainer | None = None
    """What says why, where the detector itself does not."""

    @property
    def columns(self) -> tuple[Feature, ...]:
        """The columns of the feature table that the model reads: its input contract."""
        return self.encoder.features

    def score(self, columns: Columns, cuts: Floats | None = None) -> ScoredBatch:
        """Score a batch; explain the rows that are flagged, by what is not too costly.

        `cuts` are the lowest scores that are flagged: shape (rows,), the threshold's where left
        out. A float32 pass screens all rows; those near or above the threshold are scored again in
        float64, row by row, and stored with float32's precision, so that whether a row is flagged,
        and everything stored of it, depends on that row alone.

        Raises:
            InputError: if a column is missing or of another type than in training.
        """
        scores = self._screen(columns)
        cut = np.broadcast_to(self.threshold.cut if cuts is None else cuts, scores.shape)
        is_anomaly = np.zeros(len(scores), dtype=bool)
        reasons: list[tuple[Reason, ...]] = []
        near = np.flatnonzero(~(scores < self._screened_at(cut)))
        for start in range(0, len(near), BLOCK_ROWS):
            rows = near[start : start + BLOCK_ROWS]
            block = take_rows(columns, rows)
            features = self.encoder.transform(block, np.float64)
            judged = self.detector.judge(features)
            scores[rows] = exact = _as_stored(judged.scores)
            is_anomaly[rows] = strange = exact >= cut[rows]
            told = judged.take(strange)
            if self.explainer is not None and not self.explainer.costly and strange.any():
                told = self.explainer.judge(self.detector, features.take(strange))
            reasons.extend(explain(self.encoder, told, take_rows(block, strange), self.reasons))
        return ScoredBatch(scores, is_anomaly, self._flagged(columns, scores, is_anomaly, reasons))

    def judge(self, columns: Columns) -> Judgement:
        """Say what the scores of rows are made of, in the way that flagged rows are explained."""
        features = self.encoder.transform(columns, np.float64)
        if self.explainer is None:
            return self.detector.judge(features)
        return self.explainer.judge(self.detector, features)

    def explain(self, columns: Columns) -> list[tuple[Reason, ...]]:
        """Return the reasons of every row, found as the model was told to, whatever it costs.

        Raises:
            ConfigError: if a library that the method takes is not installed.
        """
        return explain(self.encoder, self.judge(columns), columns, self.reasons)

    def _screened_at(self, cut: Floats) -> Floats:
        """Return the float32 scores below which a float64 one cannot reach the cut."""
        finite = np.isfinite(cut)
        known = np.where(finite, cut, 0.0)
        return np.where(finite, known - self.screen_error(known), cut)

    def screen_error(self, cut: Floats) -> Floats:
        """Return by how much a float32 score near a cut can miss the float64 one."""
        return self.screen_margin * np.maximum(np.abs(cut), self.threshold.usual_size)

    def _screen(self, columns: Columns) -> Floats:
        """Score in float32; what overflows is not below any cut."""
        return _block_scores(self.encoder, self.detector, columns, np.float32)

    def exact_scores(self, columns: Columns) -> Floats:
        """Score in float64, each row by itself, rounded to float32's precision: shape (rows,)."""
        return exact_scores(self.encoder, self.detector, columns)

    def _flagged(
        self,
        columns: Columns,
        scores: Floats,
        is_anomaly: Flags,
        reasons: list[tuple[Reason, ...]],
    ) -> Flagged:
        rows = np.flatnonzero(is_anomaly)
        chosen, strange = take_rows(columns, rows), scores[rows]
        return Flagged(
            rows,
            self.threshold.percentiles(strange),
            self.threshold.p_values(strange),
            self.threshold.severities(strange),
            reasons,
            _count(self.encoder.missing(chosen), len(rows)),
            _count(self.encoder.unseen(chosen), len(rows)),
        )


def exact_scores(encoder: Encoder, detector: Detector, columns: Columns) -> Floats:
    """Score in float64, each row by itself, rounded to float32's precision: shape (rows,)."""
    return _as_stored(_block_scores(encoder, detector, columns, np.float64))


def _as_stored(scores: Floats) -> Floats:
    """Round scores to float32's precision, none of them infinite."""
    return np.clip(scores, -_LARGEST_SCORE, _LARGEST_SCORE).astype(np.float32).astype(np.float64)


def _block_scores(
    encoder: Encoder, detector: Detector, columns: Columns, dtype: type[np.floating[Any]]
) -> Floats:
    """Score block after block, all in the same buffers: shape (rows,), float64."""
    scores = np.empty(row_count(columns), dtype=np.float64)
    buffers = Buffers()
    with np.errstate(over="ignore", invalid="ignore"):
        for start in range(0, len(scores), BLOCK_ROWS):
            block = slice(start, start + BLOCK_ROWS)
            features = encoder.transform(columns, dtype, block, buffers)
            scores[block] = detector.score(features, buffers)
    return scores


def _count(flags: Mapping[str, Flags], rows: int) -> Ints:
    """Count in how many columns a flag is set: shape (rows,)."""
    counts = np.zeros(rows, dtype=np.int64)
    for here in flags.values():
        counts += here
    return counts


def fit_model(  # noqa: PLR0913 - one value for each choice of the configuration
    columns: Columns,
    features: Sequence[Feature],
    *,
    learns_from: Flags | None = None,
    name: str,
    encoding: EncodingSettings,
    detector: DetectorSettings,
    threshold: ThresholdSettings,
    reasons: int,
    method: str = RESIDUAL,
    seed: int,
    rows_per_day: float | None,
    provenance: Mapping[str, Any],
    progress: Progress | None = None,
) -> Model:
    """Fit on the first four fifths of the sample, calibrate on the last.

    The sample comes ordered by a hash, so that its last rows are a random part of it. Rows that are
    not to be learned from, anomalies of old, only calibrate.

    Raises:
        InputError: if there are too few rows.
        ModelError: if the result cannot tell rows apart.
    """
    rows = row_count(columns)
    if rows < FEWEST_ROWS:
        message = (
            f"Training needs at least {FEWEST_ROWS} rows, one to learn from and one to calibrate "
            f"with, got {rows}. Raise sample.rows or widen source.path."
        )
        raise InputError(message)
    fit_part, calibration = split(columns, learns_from)
    read = [one for one in features if detector.reads_past or one.kind is not Kind.PAST]
    encoder = Encoder.fit(fit_part, read, encoding)
    learned = encoder.transform(fit_part, np.float32)
    looks: list[list[float]] = []
    fitted = detector.fit(learned, seed=seed, progress=_noting(looks, progress))
    exact = exact_scores(encoder, fitted, calibration)
    calibrated = Threshold.calibrate(threshold, exact, rows_per_day)
    fast = _block_scores(encoder, fitted, calibration, np.float32)
    return Model(
        name=name,
        encoder=encoder,
        detector=fitted,
        threshold=calibrated,
        screen_margin=_screen_margin(fast, exact, calibrated),
        reasons=reasons,
        provenance={
            **provenance,
            "rows": {"fit": row_count(fit_part), "calibration": len(exact)},
            "fit": {**fitted.metrics, "curve": looks},
            "reference": Reference.of(encoder, fit_part, calibration).to_json(),
        },
        explainer=Explainer.fit(method, learned),
    )


def _noting(looks: list[list[float]], progress: Progress | None) -> Progress:
    """Return a progress that also keeps the step and loss of each look at the training."""

    def note(step: int, steps: int, loss: float) -> None:
        if np.isfinite(loss):
            looks.append([step, loss])
        if progress is not None:
            progress(step, steps, loss)

    return note


def split(columns: Columns, learns_from: Flags | None = None) -> tuple[Columns, Columns]:
    """Return the rows of a sample that are learned from, and the last fifth, which is held out.

    `learns_from` says which rows may be learned from, all of them where it is left out.

    Raises:
        InputError: if no row may be learned from.
    """
    rows = row_count(columns)
    learned = rows - max(1, round(rows * CALIBRATION_FRACTION))
    learnable = np.ones(rows, dtype=np.bool_) if learns_from is None else learns_from
    chosen = np.flatnonzero(learnable[:learned])
    if not len(chosen):
        message = (
            f"Training needs a row to learn from, got {learned} that are all known anomalies. "
            "Raise sample.rows or widen source.path."
        )
        raise InputError(message)
    return take_rows(columns, chosen), take_rows(columns, slice(learned, rows))


def _screen_margin(screened: Floats, exact: Floats, threshold: Threshold) -> float:
    """Return ten times the largest error of float32 among the calibration rows.

    Relative to the score, to the cut or to the median score, whichever is largest: far below the
    cut no error matters. What overflows in float32 is scored again in any case.
    """
    finite = np.isfinite(screened)
    error = np.abs(np.where(finite, screened, exact) - exact)
    least = max(threshold.usual_size, float(np.finfo(np.float32).tiny))
    scale = np.maximum(np.abs(exact), least)
    return max(_SMALLEST_MARGIN, _MARGIN_FACTOR * float(np.max(error / scale)))
