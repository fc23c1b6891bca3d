"""Replacing the values of columns by pseudonyms, in the workers, before anything else sees them."""

from __future__ import annotations

import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T
from pyspark.sql.pandas.functions import arrow_udf

from adlib.errors import ConfigError, InputError
from adlib.pseudonyms import Pseudonyms
from adlib.spark.planning import Preparation
from adlib.spark.tables import MALFORMED
from adlib.spark.values import column, trimmed, typed_kind

_LARGEST_WHOLE = 2.0**53
"""Up to here a DOUBLE tells whole numbers apart."""


def pseudonymised(table: DataFrame, preparation: Preparation) -> DataFrame:
    """Return a table whose columns to hide are strings of pseudonyms; nulls stay null.

    A line that could not be parsed may hold anything, so all of it becomes one pseudonym. The
    secret travels in the function that workers are sent, so that no plan shows it.
    """
    pseudonyms = preparation.pseudonyms
    if pseudonyms is None:
        return table
    fields = [table.schema[name] for name in pseudonyms.columns]
    texts = {one.name: _text(one, is_key=one.name in preparation.key) for one in fields}
    if MALFORMED in table.columns:
        texts[MALFORMED] = column(MALFORMED)

    def hide(values: pa.Array) -> pa.Array:
        return hidden(values, pseudonyms)

    # The hints of `hide` say which kind of UDF it is; Spark warns where an argument says so too.
    pseudonym = arrow_udf(hide, T.StringType())  # type: ignore[call-overload]
    return table.withColumns({name: pseudonym(text) for name, text in texts.items()})


def hidden(values: pa.Array, pseudonyms: Pseudonyms) -> pa.Array:
    """Return strings' pseudonyms, each distinct one made once."""
    known = values.dictionary_encode()
    made = [pseudonyms.of(text) for text in known.dictionary.to_pylist()]
    return pa.array(made, pa.string()).take(known.indices)


def check_hiding(schema: T.StructType, preparation: Preparation) -> None:
    """Hold the columns to hide against those of the source.

    Raises:
        ConfigError: if one would be measured, where nobody says what columns are.
        InputError: if one is not there, or is of a type that has no text.
    """
    if preparation.pseudonyms is None:
        return
    names = preparation.pseudonyms.columns
    missing = [name for name in names if name not in schema.names]
    if missing:
        raise InputError.missing_columns(missing, schema.names, "The source table")
    kinds = {name: typed_kind(schema[name].dataType) for name in names}
    unfit = [name for name, kind in kinds.items() if kind in {None, "vector"}]
    if unfit:
        raise InputError(
            f"privacy.pseudonymise has columns of types without a text: {_typed(unfit, schema)}. "
            "Convert them in the source, or leave them out of it."
        )
    free = set(names) - {*preparation.used, *preparation.exclude}
    measured = [name for name in names if name in free and kinds[name] != "text"]
    if measured and preparation.declared is None:
        raise ConfigError(
            "privacy.pseudonymise has columns that features: auto measures "
            f"({_typed(measured, schema)}), and a pseudonym has no size. Leave them out of it, or "
            "name them in features.categorical, source.keep or source.exclude."
        )


def _typed(names: list[str], schema: T.StructType) -> str:
    return ", ".join(f"{name!r} is {schema[name].dataType.simpleString()}" for name in names)


def _text(field: T.StructField, *, is_key: bool) -> Column:
    """Return the text that a value is known by, null where it is missing.

    Whole numbers are digits, also where the column is of floats; a date is 2026-03-01, a time
    2026-03-01 09:30:00 in UTC; blanks around a text count in a key alone.
    """
    value = column(field.name)
    text = value.cast(T.StringType())
    match field.dataType:
        case T.FloatType() | T.DoubleType():
            whole = (F.abs(value) <= F.lit(_LARGEST_WHOLE)) & (value == F.floor(value))
            digits = F.when(whole, value).cast(T.LongType()).cast(T.StringType())
            return F.when(~F.isnan(value), F.coalesce(digits, text))
        case data_type if typed_kind(data_type) == "text":
            return F.when(trimmed(text).isNotNull(), text if is_key else trimmed(text))
        case _:
            return text
