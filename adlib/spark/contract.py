"""Comparing tables before any work begins: a date with those before it, features with a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import types as T
from pyspark.sql.pandas.types import from_arrow_schema

from adlib.encoding import Feature, Kind
from adlib.errors import InputError
from adlib.spark.ledger import read_ledger
from adlib.spark.planning import NEW, OURS, Plan, Preparation
from adlib.spark.sequences import past_name
from adlib.spark.tables import MALFORMED
from adlib.spark.windows import window_columns

CALENDAR = ("_hour", "_weekday")
"""What the names of columns end with that are made of a time."""
_TYPES: dict[Kind, tuple[type[T.DataType], ...]] = {
    Kind.NUMBER: (T.LongType, T.FloatType, T.DoubleType),
    Kind.CYCLE: (T.LongType, T.IntegerType, T.FloatType, T.DoubleType),
    Kind.BOOLEAN: (T.BooleanType,),
    Kind.CATEGORY: (T.StringType,),
    Kind.TEXT: (T.StringType,),
    Kind.VECTOR: (T.ArrayType,),
    Kind.PAST: (T.ArrayType,),
}


def check_features(schema: T.StructType, features: Sequence[Feature]) -> None:
    """Compare names and types; columns that the model does not know are no matter.

    Raises:
        InputError: naming every column that is missing or of another type.
    """
    found = {field.name: field.dataType for field in schema.fields}
    missing = [feature.name for feature in features if feature.name not in found]
    differing = [
        f"{feature.name!r} was {feature.kind.value} in training and is "
        f"{found[feature.name].simpleString()} now"
        for feature in features
        if feature.name in found and not isinstance(found[feature.name], _TYPES[feature.kind])
    ]
    if missing or differing:
        raise InputError.differing(
            "The feature table",
            (missing, list(found)),
            differing,
            "The model was trained on another table. Restore the columns in the source and run "
            "`adlib preprocess`, or train a new model on the table as it is.",
        )


@dataclass(frozen=True)
class Prepared:
    """What the feature table has of a date that was prepared before, with the same settings."""

    date: date
    schema: T.StructType
    left_out: Mapping[str, str]

    def new_columns(self, source: T.StructType, preparation: Preparation) -> frozenset[str]:
        """Return the columns of the source that were not there when the date was prepared."""
        seen = {name for name, why in self.left_out.items() if why != NEW}
        named = {*preparation.used, *preparation.exclude, *OURS, MALFORMED}
        return frozenset(source.names) - seen - named - set(self.schema.names)

    def refuse_drift(self, source: T.StructType, features: T.StructType, plan: Plan) -> None:
        """Refuse features that would not be one table with those of the date.

        Raises:
            InputError: naming every column that the source has no more, or of another type.
        """
        planned = {field.name: field.dataType.simpleString() for field in features.fields}
        before = {field.name: field.dataType.simpleString() for field in self.schema.fields}
        windows = {window.name for window in window_columns(plan.preparation.windows)}
        sequence = plan.preparation.sequence
        pasts = {past_name(name, sequence.by) for name in before} if sequence else set()
        there = {*planned, *source.names, *plan.calendar, *windows, *pasts, *OURS}
        gone = [name for name in before if name not in there]
        missing = [name for name in gone if not _is_calendar_of(gone, name)]
        differing = [
            f"{name!r} was {kind} and is {planned[name]} now"
            for name, kind in before.items()
            if name in planned and planned[name] != kind
        ]
        if missing or differing:
            raise InputError.differing(
                "The source table",
                (missing, source.names),
                differing,
                f"{self.date} was prepared with other columns. Restore them in the source, or run "
                "`adlib preprocess` without --date, which prepares every date anew, and train a "
                "new model.",
            )


def _is_calendar_of(names: Sequence[str], name: str) -> bool:
    """Tell whether a column was made of another one, as its hour or weekday."""
    return any(name.removesuffix(suffix) in names for suffix in CALENDAR if name.endswith(suffix))


def prepared_like(work: Path, preparation: Preparation, day: date) -> Prepared | None:
    """Return the latest other date that was prepared with the same settings, if there is one."""
    days = sorted(file.stem.removeprefix("dt=") for file in (work / "ledger").glob("dt=*.json"))
    for other in map(date.fromisoformat, reversed(days)):
        files = sorted((work / "features" / f"dt={other}").glob("*.parquet"))
        if other == day or not files:
            continue
        ledger = read_ledger(work, other)
        if ledger.dates[0].preparation == preparation.digest:
            return Prepared(other, _schema_of(files[0]), ledger.left_out)
    return None


def _schema_of(file: Path) -> T.StructType:
    try:
        schema = pq.read_schema(file)
    except (pa.ArrowException, OSError) as error:
        message = (
            f"The file {file} of the feature table cannot be read: it is damaged or cut short. Run "
            "`adlib preprocess` for its date again, or without --date for all."
        )
        raise InputError(message) from error
    return from_arrow_schema(schema)
