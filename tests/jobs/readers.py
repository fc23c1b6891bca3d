"""The published tables as five programs read them: each by its own means, put into one form."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

NUMBERS = {"BIGINT", "DOUBLE"}


@dataclass(frozen=True)
class Reading:
    """What a program found in a table, without the column `dt`, which is the directories'."""

    types: dict[str, str]
    """Of each column, in the contract's words."""
    rows: list[tuple[Any, ...]]
    """In an order that does not depend on who reads."""
    sums: dict[str, float | None]
    """Of the columns of numbers, as the program itself adds up; None of no value at all."""


def _reading(types: dict[str, str], table: pa.Table, sums: dict[str, Any]) -> Reading:
    plain = table.select(list(types))
    for name, kind in types.items():
        if kind == "TIMESTAMP":
            place = plain.schema.get_field_index(name)
            in_utc = plain[name].cast(pa.timestamp("us", tz="UTC"))
            plain = plain.set_column(place, name, in_utc)
    rows = [tuple(row.values()) for row in plain.to_pylist()]
    return Reading(types, sorted(rows, key=repr), {name: _plain(sums[name]) for name in sums})


def _plain(total: Any) -> float | None:
    return None if total is None or pd.isna(total) else float(total)


def _numbers(types: dict[str, str]) -> list[str]:
    return [name for name, kind in types.items() if kind in NUMBERS]


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def read_by_duckdb(directory: Path, _spark: SparkSession) -> Reading:
    """Read with the glob that the README shows."""
    kinds = {"VARCHAR": "STRING", "TIMESTAMP WITH TIME ZONE": "TIMESTAMP"}
    with duckdb.connect() as connection:
        found = connection.read_parquet(f"{directory}/*/*.parquet", hive_partitioning=False)
        types = {
            name: kinds.get(str(kind), str(kind))
            for name, kind in zip(found.columns, found.types, strict=True)
        }
        totals = {
            name: found.aggregate(f"sum({_quoted(name)})").fetchall()[0][0]
            for name in _numbers(types)
        }
        return _reading(types, found.to_arrow_table(), totals)


def read_by_polars(directory: Path, _spark: SparkSession) -> Reading:
    """Read the glob."""
    kinds = {
        pl.Int64(): "BIGINT",
        pl.Float64(): "DOUBLE",
        pl.Boolean(): "BOOLEAN",
        pl.String(): "STRING",
        pl.Date(): "DATE",
        pl.Datetime("us", "UTC"): "TIMESTAMP",
    }
    found = pl.read_parquet(f"{directory}/*/*.parquet", hive_partitioning=False)
    types = {name: kinds[kind] for name, kind in found.schema.items()}
    totals = {
        name: found[name].sum() if found[name].null_count() < len(found) else None
        for name in _numbers(types)
    }
    return _reading(types, found.to_arrow(), totals)


def read_by_pandas(directory: Path, _spark: SparkSession) -> Reading:
    """Read the directory, in Arrow's types: pandas' own have no whole number that is missing."""
    found = pd.read_parquet(directory, dtype_backend="pyarrow").drop(columns="dt")
    types = {str(name): _arrow_kind(kind.pyarrow_dtype) for name, kind in found.dtypes.items()}
    totals = {name: found[name].sum(min_count=1) for name in _numbers(types)}
    return _reading(types, pa.Table.from_pandas(found, preserve_index=False), totals)


def read_by_pyarrow(directory: Path, _spark: SparkSession) -> Reading:
    """Read the directory as a dataset."""
    found = ds.dataset(directory, partitioning="hive").to_table().drop_columns("dt")
    types = {field.name: _arrow_kind(field.type) for field in found.schema}
    totals = {name: pc.sum(found[name]).as_py() for name in _numbers(types)}
    return _reading(types, found, totals)


def _arrow_kind(kind: pa.DataType) -> str:
    kinds = {
        pa.int64(): "BIGINT",
        pa.float64(): "DOUBLE",
        pa.bool_(): "BOOLEAN",
        pa.string(): "STRING",
        pa.date32(): "DATE",
        pa.timestamp("us", tz="UTC"): "TIMESTAMP",
    }
    return kinds[kind]


def read_by_spark(directory: Path, spark: SparkSession) -> Reading:
    """Read the directory."""
    found = spark.read.parquet(str(directory)).drop("dt")
    types = {field.name: field.dataType.simpleString().upper() for field in found.schema}
    names = _numbers(types)
    ticked = ["`" + name.replace("`", "``") + "`" for name in names]
    totals = found.agg(F.count(F.lit(1)), *(F.sum(F.col(name)) for name in ticked)).collect()[0]
    return _reading(types, found.toArrow(), dict(zip(names, totals[1:], strict=True)))


READERS: dict[str, Callable[[Path, SparkSession], Reading]] = {
    "duckdb": read_by_duckdb,
    "polars": read_by_polars,
    "pandas": read_by_pandas,
    "pyarrow": read_by_pyarrow,
    "spark": read_by_spark,
}
