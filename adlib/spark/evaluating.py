"""Counting scored rows by date, group, label and score: exact, or by a fine histogram when many."""

from __future__ import annotations

import numpy as np
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from adlib.errors import InputError
from adlib.evaluation import CountedRows
from adlib.spark.values import column
from adlib.spark.worker import ANOMALY, RECORD, ROW

LABEL, GROUP = "adlib label", "adlib group"
MOST_EXACT_ROWS = 10_000_000
_FINEST_SCORE = 1e6
_BINS_PER_FOLD = 300.0
_TRUE, _FALSE = ("true", "t", "yes", "y", "1"), ("false", "f", "no", "n", "0")


def label_of(name: str, schema: T.StructType) -> Column:
    """Return a label as 1 for an anomaly, 0 for an ordinary row, null for neither.

    Numbers other than 0 are anomalies; strings are read as true or false, yes or no, 1 or 0.

    Raises:
        InputError: if the column is of a type that is no label.
    """
    data_type = schema[name].dataType
    if isinstance(data_type, T.BooleanType):
        return column(name).cast("double")
    if isinstance(data_type, T.NumericType):
        number = column(name).cast("double")
        return F.when(number.isNotNull() & ~F.isnan(number), (number != 0.0).cast("double"))
    if isinstance(data_type, T.StringType):
        word = F.lower(F.trim(column(name)))
        number = F.when(word.isin(*_TRUE), F.lit(1.0)).when(word.isin(*_FALSE), F.lit(0.0))
        return number.otherwise((word.try_cast("double") != 0.0).cast("double"))
    message = (
        f"The label {name!r} is {data_type.simpleString()}; a label is a boolean, a number or one "
        "of true, false, yes and no. Name another column under source.label."
    )
    raise InputError(message)


def refuse_unread_labels(features: DataFrame, name: str) -> None:
    """Refuse labels of words none of which is one.

    Raises:
        InputError: if the column is of a type that is no label, or holds other words alone.
    """
    label = label_of(name, features.schema)
    if not isinstance(features.schema[name].dataType, T.StringType):
        return
    if features.where(label.isNotNull()).head(1):
        return
    words = features.where(column(name).isNotNull()).agg(F.count_distinct(column(name))).first()
    if words is not None and words[0]:
        message = (
            f"The label {name!r} holds {words[0]:,} different texts, and none is a label: a "
            "boolean, a number or one of true, false, yes and no. Name another column under "
            "source.label, or none."
        )
        raise InputError(message)


def count_rows(records: DataFrame, rows: int) -> CountedRows:
    """Count records by what is carried; beyond ten million rows scores are counted by fine bins."""
    scored = records.where(F.col(RECORD).isin(ROW, ANOMALY))
    if rows > MOST_EXACT_ROWS:
        scored = scored.withColumn("anomaly_score", _binned(F.col("anomaly_score")))
    measured = ["event_date", GROUP, LABEL, "is_anomaly", "anomaly_score"]
    counted = scored.groupBy(*(column(name) for name in measured)).count().toPandas()
    return CountedRows(
        counted["event_date"].to_numpy(dtype=object),
        counted[GROUP].to_numpy(dtype=object),
        counted[LABEL].to_numpy(dtype=np.float64),
        counted["is_anomaly"].to_numpy(dtype=bool),
        counted["anomaly_score"].to_numpy(dtype=np.float64),
        counted["count"].to_numpy(dtype=np.int64),
    )


def _binned(score: Column) -> Column:
    """Round a score to one of 300 to a factor of e, so that there are few to count."""
    folds = F.signum(score) * F.log1p(F.abs(score) * _FINEST_SCORE)
    middle = (F.floor(folds * _BINS_PER_FOLD) + 0.5) / _BINS_PER_FOLD
    return F.signum(middle) * F.expm1(F.abs(middle)) / _FINEST_SCORE
