"""A stored model behind MLflow's pyfunc: a DataFrame in, scores and reasons out.

MLflow finds this module by its name in a logged model and hands it the model's directory, which is
the one of the registry: JSON and safetensors, checked by digest before anything is built.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from adlib.artifacts import read_model, unpack
from adlib.encoding import Feature, Kind
from adlib.errors import InputError
from adlib.explanations import sentence_of
from adlib.model import Model
from adlib.spark.columns import TEXT_KINDS, columns_from_arrow, vector_lengths


@dataclass(frozen=True)
class ServedModel:
    """What MLflow calls."""

    model: Model

    def predict(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Score rows that hold the columns of the feature table.

        Severity and reason are of anomalies alone. Where the threshold decides date by date, a row
        by itself is judged by the score that dates are likely to be cut at.

        Raises:
            InputError: if a column is missing or of another type than in training.
        """
        table = _arrow_table(rows, self.model.columns)
        lengths = vector_lengths(self.model.encoder)
        scored = self.model.score(columns_from_arrow(table, self.model.columns, lengths))
        flagged, threshold = scored.flagged, self.model.threshold
        severities, reasons = (np.full(len(rows), None, dtype=object) for _ in range(2))
        severities[flagged.rows] = flagged.severities
        reasons[flagged.rows] = [sentence_of(each) for each in flagged.reasons]
        return pd.DataFrame(
            {
                "score": scored.scores,
                "is_anomaly": scored.is_anomaly,
                "percentile": threshold.percentiles(scored.scores),
                "p_value": threshold.p_values(scored.scores),
                "severity": severities,
                "reason": reasons,
            },
            index=rows.index,
        )


def _arrow_table(rows: pd.DataFrame, features: tuple[Feature, ...]) -> pa.Table:
    found = [str(name) for name in rows.columns]
    missing = [feature.name for feature in features if feature.name not in found]
    if missing:
        raise InputError.missing_columns(missing, found, "The DataFrame")
    types = {feature.name: _arrow_type(feature, features) for feature in features}
    return pa.table({one.name: _array(rows[one.name], one, types[one.name]) for one in features})


def _array(values: pd.Series, feature: Feature, expected: pa.DataType) -> pa.Array:
    try:
        return pa.Array.from_pandas(values, type=expected)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError) as error:
        message = (
            f"Column {feature.name!r} is {feature.kind.value} and holds something else, as "
            f"{values.dtype}. Convert it to {expected}."
        )
        raise InputError(message) from error


def _arrow_type(feature: Feature, features: Sequence[Feature]) -> pa.DataType:
    if feature.kind is Kind.PAST:
        of = next(one for one in features if one.name == feature.of)
        return pa.list_(_arrow_type(of, features))
    if feature.kind in TEXT_KINDS:
        return pa.string()
    if feature.kind is Kind.VECTOR:
        return pa.list_(pa.float64())
    if feature.kind is Kind.BOOLEAN:
        return pa.bool_()
    return pa.float32() if feature.single else pa.float64()


def _load_pyfunc(path: str) -> ServedModel:
    """Open a model's directory: MLflow calls this by its name."""
    return ServedModel(unpack(read_model(Path(path)), path))
