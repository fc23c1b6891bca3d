"""What a source's columns hold, as the types of the feature table and as digests."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import Column
from pyspark.sql import functions as F
from pyspark.sql import types as T

_HASH_SEEDS = (7919, 104729)

_DAYS_THAT_ARE_INSTANTS = ("0001-01-01", "9999-12-31")
"""Parquet holds dates of five million years, more than a timestamp can count."""
_BLANKS = " \t\n\r\x0b\x0c"
_STARTS_WITH_A_DATE = r"^[+-]?[0-9]{4,6}-[0-9]{1,2}"
_ENDS_WITH_A_ZONE = r"(Z|UTC|GMT|[+-][0-9]{2}:?[0-9]{2})$"


def column(name: str) -> Column:
    """Return the column of exactly this name, whatever characters it holds."""
    quoted = name.replace("`", "``")
    return F.col(f"`{quoted}`")


def typed_kind(data_type: T.DataType) -> str | None:
    """Say what a Spark type is to a detector: number, boolean, text, timestamp, vector or None.

    A column that holds nothing but nulls, which some formats give a type of its own, is text.
    """
    match data_type:
        case T.BooleanType():
            return "boolean"
        case T.NumericType():
            return "number"
        case T.StringType() | T.CharType() | T.VarcharType() | T.NullType():
            return "text"
        case T.TimestampType() | T.TimestampNTZType() | T.DateType():
            return "timestamp"
        case T.ArrayType(elementType=T.NumericType()):
            return "vector"
        case _:
            return None


def content_hash(schema: T.StructType, seed: int = 0) -> Column:
    """Return a 64-bit hash of a row: the same whatever the order of the columns.

    `xxhash64` passes over nulls, so that without flags (null, 5) and (5, null) would be one.
    """
    parts = [F.lit(_HASH_SEEDS[seed])]
    for one in sorted(schema.fields, key=lambda found: found.name):
        parts += _hashable(one)
    return F.xxhash64(*parts)


def content_digest(schema: T.StructType) -> Column:
    """Return a 128-bit hash of a row as 32 hexadecimal digits."""
    halves = [F.lpad(F.lower(F.hex(content_hash(schema, seed))), 16, "0") for seed in (0, 1)]
    return F.concat(*halves)


def _hashable(one: T.StructField) -> Sequence[Column]:
    """Return what of a column is hashed: whether it is null, and what it holds."""
    value = column(one.name)
    match one.dataType:
        case T.ArrayType(elementType=T.NumericType()):
            return value.isNull(), value, F.transform(value, lambda item: item.isNull())
        case data_type if isinstance(data_type, T.AtomicType) and _is_plain(data_type):
            return value.isNull(), value
        case _:
            return value.isNull(), as_json([one.name])


def _is_plain(data_type: T.AtomicType) -> bool:
    """Tell whether Spark hashes a type as it stands."""
    return typed_kind(data_type) is not None or isinstance(data_type, T.BinaryType)


def as_json(names: Sequence[str]) -> Column:
    """Return columns as one JSON object, nulls included."""
    return F.to_json(F.struct(*map(column, names)), {"ignoreNullFields": "false"})


def readable(text: Column) -> Column:
    """Return a string with U+FFFD for bytes that are no UTF-8, which files may hold."""
    return F.make_valid_utf8(text)


def trimmed(text: Column) -> Column:
    """Return a string without the blanks around it, null where nothing is left."""
    inner = F.btrim(text, F.lit(_BLANKS))
    return F.nullif(inner, F.lit(""))


def instant(value: Column, data_type: T.DataType, timezone: str) -> Column:
    """Return a date, a timestamp or a string as an instant, null where it is none.

    What names no zone is local time of `timezone`. A string needs at least a year and a month:
    Spark would read a bare time as today's.
    """
    match data_type:
        case T.TimestampType():
            return value
        case T.DateType():
            first, last = (F.lit(day).cast(T.DateType()) for day in _DAYS_THAT_ARE_INSTANTS)
            day = F.when(value.between(first, last), value).cast(T.TimestampType())
            return F.to_utc_timestamp(day, timezone)
        case T.TimestampNTZType():
            return F.to_utc_timestamp(value.cast(T.TimestampType()), timezone)
        case _:
            text = trimmed(value.cast(T.StringType()))
            parsed = F.when(text.rlike(_STARTS_WITH_A_DATE), text).try_cast(T.TimestampType())
            zoned = text.rlike(_ENDS_WITH_A_ZONE)
            return F.when(zoned, parsed).otherwise(F.to_utc_timestamp(parsed, timezone))


def typed(name: str, data_type: T.DataType, kind: str, timezone: str) -> Column:
    """Return a source column as the type that the feature table has for this kind.

    A value that cannot be read as the kind becomes null. A DATE stays one.
    """
    value = column(name)
    match kind:
        case "number":
            return _number(value, data_type)
        case "boolean":
            return _boolean(value, data_type)
        case "timestamp":
            is_date = isinstance(data_type, T.DateType)
            return value if is_date else instant(value, data_type, timezone)
        case "vector":
            single = isinstance(data_type, T.ArrayType) and data_type.elementType == T.FloatType()
            return value if single else value.cast(T.ArrayType(T.DoubleType()))
        case _:
            text = readable(value.cast(T.StringType()))
            return trimmed(text) if typed_kind(data_type) == "text" else text


def _number(value: Column, data_type: T.DataType) -> Column:
    """Return whole numbers as BIGINT, FLOAT as it is, all else as DOUBLE."""
    match data_type:
        case T.IntegralType():
            return value.cast(T.LongType())
        case T.FloatType():
            return value
        case T.NumericType() | T.BooleanType():
            return value.cast(T.DoubleType())
        case _:
            return trimmed(value.cast(T.StringType())).try_cast(T.DoubleType())


def _boolean(value: Column, data_type: T.DataType) -> Column:
    """Return true and false, 1 and 0, and the words that Spark knows for them."""
    match data_type:
        case T.BooleanType():
            return value
        case T.NumericType():
            return F.when(value == F.lit(1), F.lit(True)).when(value == F.lit(0), F.lit(False))  # noqa: FBT003
        case _:
            return trimmed(value.cast(T.StringType())).try_cast(T.BooleanType())


def is_missing(field: T.StructField) -> Column:
    """Tell whether a value is null, blank or not a number."""
    value = column(field.name)
    match field.dataType:
        case T.FloatType() | T.DoubleType():
            return value.isNull() | F.isnan(value)
        case data_type if typed_kind(data_type) == "text":
            return trimmed(value.cast(T.StringType())).isNull()
        case _:
            return value.isNull()
