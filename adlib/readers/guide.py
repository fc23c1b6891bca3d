"""The columns of the published tables as a page for people and as JSON for programs."""

from __future__ import annotations

import json
import re

from adlib.outputs import SCHEMA_VERSION, TABLES, OutputColumn, OutputTable
from adlib.readers.published import Published

_INTRODUCTION = """\
# Anomalies: {name}

Written by adlib with each published date; what is changed here by hand is lost. Each table is a
directory of Parquet files, one directory a date (`dt=2026-11-22`), and the date is the column
`event_date` too. All columns are flat: BIGINT, DOUBLE, BOOLEAN, STRING, DATE, or TIMESTAMP in UTC
with microseconds; none holds NaN.

- `views/duckdb.sql`, `views/spark.sql` and `views/trino.sql` make views in the schema `{schema}`:
  the latest anomalies, anomalies with the run that published them, daily totals, the volume of
  alerts, quarantine by problem. They name this directory as the job saw it; where you see it
  elsewhere, replace it.
- `views/power_query.pq` reads a table into Power BI or Excel.
- `schema.json` says what stands below, for programs.

Of each date, the row of `runs/` with the status `published` and the latest `ended_at` marks the run
that the other tables are of. Rows read are rows scored and rows quarantined together.
"""


def schema_json(published: Published) -> str:
    """Return the columns of every table as JSON."""
    plain = {
        "name": published.name,
        "schema_version": SCHEMA_VERSION,
        "tables": {
            table.name: {
                "rows": table.rows,
                "files": f"{table.name}/dt=*/*.parquet",
                "columns": [
                    {"name": column.name, "type": column.type, "meaning": column.meaning}
                    for column in published.columns_of(table)
                ],
            }
            for table in TABLES
        },
    }
    return json.dumps(plain, indent=2, ensure_ascii=False) + "\n"


def readme(published: Published) -> str:
    """Return the page that stands beside the tables."""
    head = _INTRODUCTION.format(name=published.name, schema=published.schema)
    return "\n".join([head, *(_section(table, published) for table in TABLES)])


def _section(table: OutputTable, published: Published) -> str:
    rows = table.rows[0].upper() + table.rows[1:]
    lines = [f"## {table.name}", "", f"{rows}.", "", "| column | type | |", "| --- | --- | --- |"]
    return "\n".join([*lines, *map(_line, published.columns_of(table)), ""])


def _line(column: OutputColumn) -> str:
    return f"| {_code(column.name)} | {column.type} | {_cell(column.meaning)} |"


def _cell(text: str) -> str:
    return text.replace("|", r"\|")


def _code(text: str) -> str:
    """Return a name of whatever characters as code in a cell of a Markdown table."""
    shown = "".join(
        character if character.isprintable() else f"\\u{ord(character):04x}" for character in text
    )
    fence = "`" * (1 + max(map(len, re.findall("`+", shown)), default=0))
    space = " " if "`" in shown else ""
    return fence + space + _cell(shown) + space + fence
