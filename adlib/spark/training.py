"""Training on the sample: on the driver, or in one Spark task so that no row reaches the driver.

Both sort the sample by its draw and call the same pure function, so both give the same model.
"""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import types as T

from adlib import __version__
from adlib.arrays import Columns, Flags
from adlib.artifacts import StoredModel, pack
from adlib.attribution import RESIDUAL
from adlib.detectors import DetectorSettings, Progress
from adlib.encoding import Candidate, EncodingSettings, FeatureChoice, choose_features
from adlib.errors import AdlibError, InputError, ModelError
from adlib.gate import compare
from adlib.model import Model, fit_model
from adlib.selftest import SelfTest, refuse_weak, self_test
from adlib.spark.columns import columns_from_arrow
from adlib.spark.hygiene import LEARNED
from adlib.spark.sampling import DRAW, ROW_HASH, Sample
from adlib.spark.tables import map_in_arrow
from adlib.thresholds import ThresholdSettings

_ANSWER = T.StructType(
    [
        T.StructField("document", T.BinaryType()),
        T.StructField("tensors", T.BinaryType()),
        T.StructField("error", T.StringType()),
        T.StructField("message", T.StringType()),
    ]
)
_ERRORS: Mapping[str, type[AdlibError]] = {
    error.__name__: error for error in (InputError, ModelError, AdlibError)
}


@dataclass(frozen=True)
class Training:
    """All that decides a model but the rows."""

    name: str
    candidates: tuple[Candidate, ...]
    encoding: EncodingSettings
    detector: DetectorSettings
    threshold: ThresholdSettings
    reasons: int
    seed: int
    rows: int
    """The sample is cut to so many rows."""
    rows_per_day: float | None
    accept_weak: bool
    """Whether a model that fails its self-test is kept all the same."""
    promoted: StoredModel | None
    """The model that the new one is held against, if any."""
    provenance: Mapping[str, Any]
    method: str = RESIDUAL
    """How flagged rows are explained."""


def train_on_driver(sample: Sample, training: Training, progress: Progress | None) -> StoredModel:
    """Collect the sample, whose size is capped, and fit.

    Raises:
        InputError: if the sample cannot be learned from.
        ModelError: if the model is degenerate or weak.
    """
    return fit_sample(sample.table.toArrow(), training, progress)


def train_on_executor(sample: Sample, training: Training) -> StoredModel:
    """Fit inside one task; only the model comes back.

    Raises:
        InputError: if the sample cannot be learned from.
        ModelError: if the model is degenerate or weak.
    """

    def fit(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        yield answer_of(list(batches), training)

    answer = map_in_arrow(sample.table.coalesce(1), fit, _ANSWER).first()
    if answer is None:
        raise _too_few(0)
    if answer["error"] is not None:
        raise _ERRORS[answer["error"]](answer["message"])
    return StoredModel(bytes(answer["document"]), bytes(answer["tensors"]))


def answer_of(batches: Sequence[pa.RecordBatch], training: Training) -> pa.RecordBatch:
    """Fit, and return the model or the refusal as one row."""
    answer: dict[str, list[bytes | str | None]] = {field: [None] for field in _ANSWER.fieldNames()}
    try:
        if not batches:
            raise _too_few(0)
        stored = fit_sample(pa.Table.from_batches(batches), training, None)
        answer.update(document=[stored.document], tensors=[stored.tensors])
    except AdlibError as error:
        answer.update(error=[type(error).__name__], message=[str(error)])
    types = {"document": pa.binary(), "tensors": pa.binary()}
    return pa.RecordBatch.from_pydict(
        {name: pa.array(value, types.get(name, pa.string())) for name, value in answer.items()}
    )


@dataclass(frozen=True)
class Drawn:
    """A collected sample in its own order, whatever order it came in."""

    table: pa.Table
    columns: Columns
    """Of every candidate; no other column of the table."""
    choice: FeatureChoice
    learns_from: Flags

    @classmethod
    def of(cls, table: pa.Table, training: Training) -> Drawn:
        """Sort a sample by its draw, cut it to size and choose its features.

        Raises:
            InputError: if no column can be a feature.
        """
        order = pc.sort_indices(table, [(DRAW, "ascending"), (ROW_HASH, "ascending")])
        table = table.take(order[: training.rows])
        features = [candidate.feature for candidate in training.candidates]
        columns = columns_from_arrow(table, features, {})
        choice = choose_features(columns, training.candidates)
        return cls(table, columns, choice, table.column(LEARNED).to_numpy())

    @property
    def digest(self) -> str:
        """A digest of which rows were drawn."""
        hashes = "\n".join(self.table.column(ROW_HASH).to_pylist())
        return hashlib.sha256(hashes.encode()).hexdigest()[:16]

    def fit(self, training: Training, progress: Progress | None) -> Model:
        """Fit a model.

        Raises:
            InputError: if the sample cannot be learned from.
            ModelError: if the model is degenerate.
        """
        used = {feature.name: self.columns[feature.name] for feature in self.choice.features}
        return fit_model(
            used,
            self.choice.features,
            learns_from=self.learns_from,
            name=training.name,
            encoding=training.encoding,
            detector=training.detector,
            threshold=training.threshold,
            reasons=training.reasons,
            method=training.method,
            seed=training.seed,
            rows_per_day=training.rows_per_day,
            provenance={
                **training.provenance,
                "seed": training.seed,
                "sample_digest": self.digest,
                "columns": dict(self.choice.notes),
                "versions": _versions(),
            },
            progress=progress,
        )


def fit_sample(table: pa.Table, training: Training, progress: Progress | None) -> StoredModel:
    """Fit a model on a collected sample, whatever order it comes in, and test it.

    Raises:
        InputError: if the sample cannot be learned from.
        ModelError: if the model is degenerate or weak.
    """
    drawn = Drawn.of(table, training)
    model = drawn.fit(training, progress)
    test = self_test(model, drawn.columns, training.seed, drawn.learns_from)
    return _examined(model, test, training)


def _examined(model: Model, test: SelfTest | None, training: Training) -> StoredModel:
    """Pack a model with its self-test, and with what the gate says of it, in its provenance."""
    if test is not None and not training.accept_weak:
        refuse_weak(test)
    told: dict[str, Any] = {"self_test": None if test is None else test.to_json()}
    if training.promoted is not None:
        told["compared"] = compare(pack(model).model_id, model, test, training.promoted)
    return pack(replace(model, provenance={**model.provenance, **told}))


def _too_few(rows: int) -> InputError:
    return InputError(f"Training needs at least 2 rows, got {rows}. Widen source.path.")


def _versions() -> dict[str, str]:
    return {
        "adlib": __version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "pyarrow": pa.__version__,
    }
