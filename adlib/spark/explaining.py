"""Reasons that cost too much for every flagged row, found for the strangest of each date.

Scoring gives every flagged row the reasons of the detector's own account, and lets it carry what
the model read of it. Once the flagged rows are settled, those of the highest scores are spread over
the executors and get the reasons that the model's method finds in their place.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession, Window
from pyspark.sql import functions as F
from pyspark.sql import types as T

from adlib.artifacts import ModelParts, construct
from adlib.coalitions import NEEDS, lacking
from adlib.model import Model
from adlib.spark.columns import Dictionaries, columns_from_arrow, vector_lengths
from adlib.spark.probing import probe_executors
from adlib.spark.records import settle
from adlib.spark.scoring import Carried, ship_model
from adlib.spark.tables import map_in_arrow
from adlib.spark.values import column
from adlib.spark.worker import ANOMALY, OURS, RECORD, reason_columns, worker_model

_LOG = logging.getLogger(__name__)
_FEATURE = f"{OURS}feature "
"""What the names begin with under which records hold what the model read."""
_CHOSEN = f"{OURS}chosen"
_TASKS_A_CORE = 4
_ROWS_A_TASK = 10
"""No fewer: a worker that explains imports for seconds first."""


@dataclass(frozen=True)
class Explaining:
    """Which of the flagged rows are to be explained by a costly method, and by what model."""

    parts: ModelParts
    method: str
    limit: int
    """How many of a date."""
    identity: tuple[str, ...]
    """Columns that tell rows of one score apart."""

    @classmethod
    def of(cls, parts: ModelParts, limit: int, identity: tuple[str, ...]) -> Explaining | None:
        """Return what is to be done after scoring with a model, None where it explains at once."""
        explainer = construct(parts).explainer
        if explainer is None or not explainer.costly:
            return None
        return cls(parts, explainer.method, limit, identity)

    def carried(self, schema: T.StructType) -> tuple[Carried, ...]:
        """Return what flagged rows have to carry, of a feature table with this schema."""
        return tuple(
            Carried(f"{_FEATURE}{name}", name, column(name), schema[name].dataType)
            for name in _names(construct(self.parts))
        )


def refuse_absent_packages(spark: SparkSession, method: str) -> None:
    """Refuse to start what executors cannot explain; those of a method without needs are not asked.

    Raises:
        ConfigError: naming what is not installed, and where.
    """
    if method not in NEEDS:
        return
    for probe in probe_executors(spark, NEEDS[method], None):
        absent = [name for name, version in probe.versions.items() if version is None]
        if absent:
            where = f"where executors run ({probe.executable} on {probe.host})"
            raise lacking(method, absent, where)


def explain_strangest(
    spark: SparkSession, records: DataFrame, asked: Explaining, directory: Path
) -> tuple[DataFrame, int]:
    """Give the strangest rows of each date their reasons; return all records, and how many did.

    Rows that are the same in score and identity are treated the same, even beyond the limit.
    """
    flagged = records.where(F.col(RECORD) == ANOMALY)
    order = [F.col("anomaly_score").desc(), *(column(name).asc() for name in asked.identity)]
    place = F.rank().over(Window.partitionBy("event_date").orderBy(*order))
    ranked = flagged.withColumn(_CHOSEN, place <= asked.limit)
    is_chosen = F.col(_CHOSEN)
    chosen, rest = (ranked.where(wanted).drop(_CHOSEN) for wanted in (is_chosen, ~is_chosen))
    rows = chosen.count()
    _LOG.info(
        "Explaining %d flagged rows by %s, %d of a date at the most (explain.limit); %d keep the "
        "detector's own account.",
        rows,
        asked.method,
        asked.limit,
        rest.count(),
    )
    most = _TASKS_A_CORE * spark.sparkContext.defaultParallelism
    spread = chosen.repartition(max(1, min(most, rows // _ROWS_A_TASK)))
    settled = settle(spark, _told(spark, spread, asked.parts).unionByName(rest), directory)
    return records.where(F.col(RECORD) != ANOMALY).unionByName(settled), rows


def _told(spark: SparkSession, chosen: DataFrame, parts: ModelParts) -> DataFrame:
    """Replace the reasons of rows by those that the model's method finds."""
    load, model_id = ship_model(spark, parts), parts.model_id

    def tell(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        known = Dictionaries()
        for batch in batches:
            if batch.num_rows:
                yield _explained(batch, worker_model(model_id, load), known)

    return map_in_arrow(chosen, tell, chosen.schema)


def _names(model: Model) -> list[str]:
    return [feature.name for feature in model.columns]


def _explained(batch: pa.RecordBatch, model: Model, known: Dictionaries) -> pa.RecordBatch:
    names = _names(model)
    read = [batch.column(f"{_FEATURE}{name}") for name in names]
    features = pa.RecordBatch.from_arrays(read, names=names)
    lengths = vector_lengths(model.encoder)
    reasons = model.explain(columns_from_arrow(features, model.columns, lengths, known))
    replaced = reason_columns(reasons)
    arrays = [
        pa.array(replaced[field.name], type=field.type)
        if field.name in replaced
        else batch.column(field.name)
        for field in batch.schema
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=batch.schema)
