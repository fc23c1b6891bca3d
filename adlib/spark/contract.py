"""Comparing a feature table with what a model was trained on, before any work begins."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import types as T

from adlib.encoding import Feature, Kind
from adlib.errors import InputError

_TYPES: dict[Kind, tuple[type[T.DataType], ...]] = {
    Kind.NUMBER: (T.LongType, T.FloatType, T.DoubleType),
    Kind.CYCLE: (T.LongType, T.IntegerType, T.FloatType, T.DoubleType),
    Kind.BOOLEAN: (T.BooleanType,),
    Kind.CATEGORY: (T.StringType,),
    Kind.TEXT: (T.StringType,),
    Kind.VECTOR: (T.ArrayType,),
}


def check_features(schema: T.StructType, features: Sequence[Feature]) -> None:
    """Compare names and types; columns that the model does not know are no matter.

    Raises:
        InputError: naming every column that is missing or of another type.
    """
    found = {field.name: field.dataType for field in schema.fields}
    missing = [feature.name for feature in features if feature.name not in found]
    if missing:
        raise InputError.missing_columns(missing, list(found), "The feature table")
    differing = [
        f"{feature.name!r} was {feature.kind.value} in training and is "
        f"{found[feature.name].simpleString()} now"
        for feature in features
        if not isinstance(found[feature.name], _TYPES[feature.kind])
    ]
    if differing:
        message = (
            f"The feature table is not what the model was trained on: {'; '.join(differing)}. "
            "Restore the types in the source, or train a new model on the new ones."
        )
        raise InputError(message)
