"""The views as scripts for DuckDB, Spark SQL and Trino; paths and names are quoted for each."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from adlib.outputs import TABLES, OutputTable
from adlib.readers.published import Published
from adlib.readers.queries import Query, queries

_HEAD = """\
-- Views of what adlib published; written with each date, a table without files has none.
-- {how}
"""
_TRINO_TYPES = {"STRING": "VARCHAR", "TIMESTAMP": "TIMESTAMP(3)"}


def duckdb_script(published: Published) -> str:
    """Return the views for DuckDB."""
    statements = [f"CREATE SCHEMA IF NOT EXISTS {published.schema}", f"USE {published.schema}"]
    for table in published.there:
        files = f"{_without_wildcards(str(published.output / table.name))}/*/*.parquet"
        source = f"read_parquet({_text(files)}, union_by_name = true, hive_partitioning = true)"
        select = f"SELECT {_listed(table, published, _quoted)}\nFROM {source}"
        statements.append(f"CREATE OR REPLACE VIEW {table.name} AS\n{select}")
    statements += [_view(query) for query in _queries(published)]
    return _script("duckdb my.duckdb < duckdb.sql", statements)


def spark_script(published: Published) -> str:
    """Return the views for Spark SQL."""
    schema = published.schema
    statements = [f"CREATE SCHEMA IF NOT EXISTS {schema}", f"USE {schema}"]
    for table in published.there:
        files = re.sub(r"([\\\[\]{}*?])", r"\\\1", f"file:{published.output / table.name}")
        source = f"parquet.{_ticked(files)} WITH (mergeSchema = true)"
        select = f"SELECT {_listed(table, published, _ticked)}\nFROM {source}"
        statements.append(f"CREATE OR REPLACE VIEW {table.name} AS\n{select}")
    statements += [_view(query) for query in _queries(published)]
    if any("${" in statement for statement in statements):
        statements.insert(0, "SET spark.sql.variable.substitute = false")
    return _script("spark-sql -f spark.sql", statements)


def trino_script(published: Published) -> str:
    """Return external tables and views for Trino's Hive connector."""
    schema = f"hive.{published.schema}"
    statements = [f"CREATE SCHEMA IF NOT EXISTS {schema}", f"USE {schema}"]
    for table in published.there:
        statements.append(f"DROP TABLE IF EXISTS {table.name}")
        statements.append(_trino_table(table, published))
        synchronised = f"{_text(published.schema)}, {_text(table.name)}, 'FULL'"
        statements.append(f"CALL hive.system.sync_partition_metadata({synchronised})")
    statements += [_view(query) for query in _queries(published)]
    how = (
        "trino --file trino.sql. Needs a catalog named hive. Run it after each published date: the "
        "CALLs find new ones."
    )
    return _script(how, statements)


def _trino_table(table: OutputTable, published: Published) -> str:
    columns = [
        f"  {_quoted(column.name)} {_TRINO_TYPES.get(column.type, column.type)},\n"
        for column in published.columns_of(table)
    ]
    place = _text((published.output / table.name).as_uri())
    return (
        f"CREATE TABLE {table.name} (\n{''.join(columns)}  dt DATE\n)\n"
        f"WITH (format = 'PARQUET', external_location = {place}, partitioned_by = ARRAY['dt'])"
    )


def _queries(published: Published) -> list[Query]:
    anomalies = next(table for table in TABLES if table.name == "anomalies")
    there = {table.name for table in published.there}
    return queries(there, published.columns_of(anomalies))


def _view(query: Query) -> str:
    return f"CREATE OR REPLACE VIEW {query.name} AS -- {query.answers}\n{query.sql}"


def _listed(table: OutputTable, published: Published, quote: Callable[[str], str]) -> str:
    """List a table's columns by name, and the date of its directory, by which files are skipped."""
    names = [quote(column.name) for column in published.columns_of(table)]
    return ",\n       ".join([*names, "dt"])


def _script(how: str, statements: Sequence[str]) -> str:
    return _HEAD.format(how=how) + "".join(f"\n{statement};\n" for statement in statements)


def _quoted(name: str) -> str:
    """Return a name as standard SQL quotes it."""
    return '"' + name.replace('"', '""') + '"'


def _ticked(name: str) -> str:
    """Return a name as Spark quotes it."""
    return "`" + name.replace("`", "``") + "`"


def _text(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _without_wildcards(path: str) -> str:
    """Return the pattern that matches exactly this path in DuckDB."""
    return re.sub(r"([\[*?])", r"[\1]", path)
