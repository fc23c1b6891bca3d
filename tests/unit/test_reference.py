"""The reference pages say what the code says, and every key and column has a word said of it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from adlib.cli import main
from adlib.config import json_schema
from adlib.config.yaml_places import read_yaml
from adlib.outputs import TABLES
from adlib.reference import PAGES, configuration_reference, outputs_reference

ROOT = Path(__file__).parents[2]
CONFIGURATIONS = sorted((ROOT / "conf").glob("*.yaml"))
LEAST = {"name": "a", "source": {"path": "b"}, "output": {"path": "c"}, "work": {"path": "d"}}


def keys_of(node: Any, place: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every key of a schema with what is said of it."""
    if isinstance(node, dict):
        for name, inner in node.get("properties", {}).items():
            yield f"{place}.{name}", inner
        for name, inner in node.items():
            yield from keys_of(inner, f"{place}.{name}")


def described(node: dict[str, Any], schema: dict[str, Any]) -> bool:
    parts = [node, *node.get("anyOf", []), *node.get("oneOf", [])]
    named = [part["$ref"].rsplit("/", 1)[-1] for part in parts if "$ref" in part]
    found = [*parts, *(schema["$defs"][name] for name in named)]
    return any(part.get("description") for part in found)


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_what_would_be_made_now(name):
    written = (ROOT / "docs" / name).read_text("utf-8")
    assert written == PAGES[name](), "run `make docs`"


def test_every_key_is_described():
    schema = json_schema()
    assert [place for place, node in keys_of(schema) if not described(node, schema)] == []


def test_every_key_and_column_stands_on_its_page():
    page = configuration_reference()
    keys = {place.rsplit(".", 1)[-1] for place, _ in keys_of(json_schema())}
    assert {key for key in keys if f"| `{key}` |" not in page} == set()
    columns = {column.name for table in TABLES for column in table.columns}
    assert {name for name in columns if f"| `{name}` |" not in outputs_reference()} == set()


def test_the_schema_and_the_page_can_be_printed(capsys):
    assert main(["schema"]) == 0
    jsonschema.Draft202012Validator.check_schema(json.loads(capsys.readouterr().out))
    assert main(["schema", "--markdown"]) == 0
    assert capsys.readouterr().out == configuration_reference()


@pytest.mark.parametrize("path", CONFIGURATIONS, ids=lambda path: path.name)
def test_editors_find_nothing_wrong_in_the_configurations_that_come_with_it(path):
    jsonschema.validate(read_yaml(path.read_text("utf-8")).values, json_schema())


@pytest.mark.parametrize(
    "more",
    [
        {"windows": [{"by": "a", "over": "7d", "take": "count"}]},
        {"source": {"path": "b", "options": {"header": False, "sep": ";", "samplingRatio": 0.5}}},
        {"train": {"until": "2026-01-01", "exclude_dates": [{"from": "2026-01-01", "to": "x"}]}},
        {"detector": {"members": 4}},
    ],
)
def test_editors_accept_what_is_read(more):
    jsonschema.validate({**LEAST, **more}, json_schema())


@pytest.mark.parametrize(
    "wrong",
    [
        {"sead": 1},
        {"threshold": {"kind": "budgt"}},
        {"sample": {"rows": 1}},
        {"detector": {"kind": "blend", "depth": 1}},
        {"explain": {"top": 4}},
    ],
)
def test_editors_refuse_what_is_refused(wrong):
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**LEAST, **wrong}, json_schema())
