"""The reference pages of `docs/`, made of the schema and of the outputs' columns.

`python -m adlib.reference docs` writes them; a test holds the files to what is made here.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from adlib.config import json_schema, yaml_text
from adlib.outputs import RESERVED_NAMES, TABLES, OutputTable

_Node = Mapping[str, Any]
_MADE = "<!-- Made by `make docs`; change what it is made of, not this file. -->"
_CONFIGURATION = """\
One YAML file. Unknown keys are refused with the nearest known one, and every problem is in one
message with its line. Any key can be set for one call: `--set threshold.fraction=0.01`. `adlib
init` drafts the file; with the schema that it puts beside it, or `adlib schema >
adlib.schema.json`, editors complete and check it."""
_OUTPUTS = """\
Parquet under `output.path`, one directory a table and in it one a date, `dt=2026-11-22`; the
date is a column too. Columns are flat: BIGINT, DOUBLE, BOOLEAN, STRING, DATE and TIMESTAMP (UTC,
microseconds), without NaN. A date is replaced as a whole, or not at all; who reads it at that very
moment gets an error, and reads again."""
_SEVERITY = """\
Severities are cut by p-values, and a p-value goes in steps of 1 / (1 + calibration rows), which are
a fifth of the rows of the training sample. Of those that reach the threshold, about the share asked
for, the strangest third begins medium, the strangest tenth high; what is stranger than all of them
is critical at once. So nothing is high where fewer than 19 calibration rows reach the threshold,
and nothing medium where fewer than 5 do: with `fraction: 0.005` high takes 3,800 calibration rows,
a sample of 19,000. With fewer, order by `anomaly_score`, or raise `sample.rows`."""
_BOUNDS = {
    "minimum": "at least {}",
    "exclusiveMinimum": "above {}",
    "maximum": "at most {}",
    "exclusiveMaximum": "below {}",
}
_TYPES = {
    "null": "",
    "object": "names and values",
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
}
_FORMATS = {"date": "date", "path": "path"}
_IDENTITY = {
    "none": "",
    "key": "The key stands first, `row_hash` where there is none. ",
    "key and kept": "The key stands first, `row_hash` where there is none, then the kept columns. ",
}


def configuration_reference() -> str:
    """Return every key of the configuration as Markdown, a section each."""
    schema = json_schema()
    lines = [_MADE, "# The configuration", "", _CONFIGURATION, "", *_table(schema, schema)]
    for key, node in schema["properties"].items():
        for section in _sections(node, schema):
            lines += ["", f"## {_heading(key, section)}", "", _said_of(node, section), ""]
            lines += _table(section, schema)
            lines += _inner(key, section, schema)
    return "\n".join(lines) + "\n"


def _heading(key: str, section: _Node) -> str:
    kind = section["properties"].get("kind", {}).get("const")
    return f"{key}: {kind}" if kind else key


def _said_of(node: _Node, section: _Node) -> str:
    """Say what a section is: its own words where a key may hold one of several."""
    several = "kind" in section["properties"] and "oneOf" in node
    return str(
        section["description"] if several else node.get("description", section["description"])
    )


def _inner(key: str, section: _Node, schema: _Node) -> Iterator[str]:
    """Yield the sections inside a section."""
    for name, node in section["properties"].items():
        for inner in _sections(node, schema):
            yield from ("", f"### {key}.{name}", "", inner["description"], "")
            yield from _table(inner, schema)


def _sections(node: _Node, schema: _Node) -> list[_Node]:
    """Return the sections that a key may hold, each once."""
    found = [one for one in _alternatives(node, schema) if "properties" in one]
    listed = [one["items"] for one in _alternatives(node, schema) if "items" in one]
    return found + [section for item in listed for section in _sections(item, schema)]


def _alternatives(node: _Node, schema: _Node) -> list[_Node]:
    """Return what a node may be, references followed."""
    if "$ref" in node:
        return _alternatives(schema["$defs"][node["$ref"].rsplit("/", 1)[-1]], schema)
    inner = node.get("anyOf") or node.get("oneOf") or node.get("allOf")
    return [one for part in inner for one in _alternatives(part, schema)] if inner else [node]


def _table(section: _Node, schema: _Node) -> list[str]:
    required = set(section.get("required", ()))
    return [
        "| key | value | default | says |",
        "| --- | --- | --- | --- |",
        *(
            f"| `{name}` | {_value(node, schema)} | {_default(node, name in required)} "
            f"| {_cell(_description(node, schema))} |"
            for name, node in section["properties"].items()
        ),
    ]


def _description(node: _Node, schema: _Node) -> str:
    """Return a key's description: that of its section where it has none of its own."""
    own = [one["description"] for one in _alternatives(node, schema) if "description" in one]
    return str(node.get("description") or " ".join(own))


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _value(node: _Node, schema: _Node) -> str:
    said = [_type(one, schema) for one in _alternatives(node, schema)]
    return " or ".join(dict.fromkeys(word for word in said if word))


def _type(node: _Node, schema: _Node) -> str:
    """Say in words what a value may be; nothing of null, which is to leave a key out."""
    if "const" in node or "enum" in node:
        return ", ".join(f"`{one}`" for one in node.get("enum", [node.get("const")]))
    kind = node["type"]
    if kind == "array":
        return f"list of {_value(node['items'], schema)}"
    if kind == "object" and "properties" in node:
        return "section"
    words = _FORMATS.get(node.get("format", ""), _TYPES[kind])
    return " ".join([words, *_bounds(node)])


def _bounds(node: _Node) -> list[str]:
    said = [words.format(f"{node[key]:,}") for key, words in _BOUNDS.items() if key in node]
    return [", ".join(said)] if said else []


def _default(node: _Node, required: bool) -> str:  # noqa: FBT001 - a column of the table
    if required:
        return "needed"
    default = node.get("default")
    if default is None or default in ([], {}) or isinstance(default, Mapping):
        return ""
    return f"`{yaml_text(default)}`"


def outputs_reference() -> str:
    """Return every published table and its columns as Markdown."""
    reserved = ", ".join(f"`{name}`" for name in sorted(RESERVED_NAMES))
    lines = [_MADE, "# The outputs", "", _OUTPUTS]
    for table in TABLES:
        lines += ["", f"## {table.name}", "", *_columns(table)]
    lines += ["", "## Severity and small samples", "", _SEVERITY]
    lines += ["", "## Names of ours", "", f"Key and kept columns may not be called: {reserved}."]
    return "\n".join(lines) + "\n"


def _columns(table: OutputTable) -> Iterator[str]:
    yield f"{_IDENTITY[table.identity]}{table.rows[:1].upper()}{table.rows[1:].rstrip('.')}."
    yield from ("", "| column | type | says |", "| --- | --- | --- |")
    for column in table.columns:
        yield f"| `{column.name}` | {column.type} | {_cell(column.meaning)} |"


PAGES = {"configuration.md": configuration_reference, "outputs.md": outputs_reference}


def write_pages(folder: Path) -> None:
    """Write the pages into a folder."""
    for name, make in PAGES.items():
        (folder / name).write_text(make(), "utf-8")


def _main(arguments: Sequence[str]) -> None:
    write_pages(Path(arguments[0]))


if __name__ == "__main__":
    _main(sys.argv[1:])
