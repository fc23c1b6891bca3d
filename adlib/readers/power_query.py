"""A query in M, the language of Power BI and Excel, that reads one of the published tables."""

from __future__ import annotations

import unicodedata

from adlib.outputs import OutputTable
from adlib.readers.published import Published

_TYPES = {
    "BIGINT": "Int64.Type",
    "DOUBLE": "type number",
    "BOOLEAN": "type logical",
    "STRING": "type text",
    "DATE": "type date",
    "TIMESTAMP": "type datetimezone",
}
_QUERY = """\
// Power BI or Excel: New source, Blank query, Advanced editor; paste, and set Folder to where this
// computer sees the tables. Name another table to read that: {names}.
// The date is a column of every table: the names of directories (dt=...) are not read.
let
    Folder = {folder},
    Name = "anomalies",
    Separator = if Text.Contains(Folder, "\\") then "\\" else "/",
    Files = Folder.Files(Folder & Separator & Name),
    Parts = Table.SelectRows(Files, each [Extension] = ".parquet"),
    Columns = Record.Field([
{columns}
    ], Name),
    Rows = Table.Combine(
        List.Transform(Parts[Content], each Parquet.Document(_)),
        List.Transform(Columns, each _{{0}})
    ),
    Typed = Table.TransformColumnTypes(Rows, Columns)
in
    Typed
"""


def power_query(published: Published) -> str:
    """Return the query; it asks for one table and knows the columns of all that are there."""
    tables = published.there
    return _QUERY.format(
        folder=_text(str(published.output)),
        names=", ".join(table.name for table in tables),
        columns=",\n".join(
            f"        {table.name} = {_types(table, published)}" for table in tables
        ),
    )


def _types(table: OutputTable, published: Published) -> str:
    pairs = (
        f"{{{_text(column.name)}, {_TYPES[column.type]}}}" for column in published.columns_of(table)
    )
    return "{" + ", ".join(pairs) + "}"


def _text(text: str) -> str:
    """Return a text as M writes it; `#(` begins an escape, and controls need one."""
    escaped = text.replace("#(", "#(#)(").replace('"', '""')
    shown = [
        f"#({ord(character):04X})" if unicodedata.category(character) == "Cc" else character
        for character in escaped
    ]
    return '"' + "".join(shown) + '"'
