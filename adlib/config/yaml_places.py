"""YAML read safely, with the line of every key remembered."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import yaml

Place = tuple[str | int, ...]
LARGEST_DOCUMENT = 1_000_000
_MOST_NODES = 100_000
_BAD_VALUES = (yaml.YAMLError, ValueError, LookupError, AttributeError, ArithmeticError)
"""What PyYAML raises on values that are not of the type they look like or are tagged with."""


@dataclass
class PlacedYaml:
    """A document as plain values, the line of each place in it, and what is wrong with it."""

    values: Any = None
    lines: dict[Place, int] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


class _Reader(yaml.SafeLoader):
    """PyYAML's safe loader with the booleans of YAML 1.2: `on`, `no` and `y` are words."""

    yaml_implicit_resolvers = {  # noqa: RUF012 - PyYAML's own name and kind
        first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith(":bool")]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


_TRUE_OR_FALSE = re.compile(r"(?:true|True|TRUE|false|False|FALSE)$")
_Reader.add_implicit_resolver("tag:yaml.org,2002:bool", _TRUE_OR_FALSE, list("tTfF"))


def read_yaml(text: str) -> PlacedYaml:
    """Read one YAML document; duplicate keys, bombs and syntax errors become problems."""
    placed = PlacedYaml()
    if len(text) > LARGEST_DOCUMENT:
        placed.problems.append("the file has more than 1,000,000 characters; no more are read")
        return placed
    try:
        reader = _Reader(text)
        node = reader.get_single_node()
        if node is not None:
            _remember(node, (), placed)
            placed.values = reader.construct_document(node)
    except RecursionError:
        placed.problems.append("the file is nested too deeply, or an alias stands inside itself")
    except _BAD_VALUES as error:
        placed.problems.append(_said(error))
    return placed


def _remember(node: yaml.Node, place: Place, placed: PlacedYaml) -> None:
    """Note the line of every place, aliases written out, so that a small file cannot grow large."""
    placed.lines.setdefault(place, node.start_mark.line + 1)
    if len(placed.lines) > _MOST_NODES:
        message = f"the file, its aliases written out, holds more than {_MOST_NODES:,} values"
        raise yaml.YAMLError(message)
    if isinstance(node, yaml.ScalarNode):
        _refuse_half_characters(node)
    elif isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            _refuse_half_characters(key)
            inner = (*place, str(key.value))
            if inner in placed.lines:
                line, first = key.start_mark.line + 1, placed.lines[inner]
                dotted = ".".join(map(str, inner))
                placed.problems.append(f"line {line}: {dotted} stands already in line {first}")
                continue
            placed.lines[inner] = key.start_mark.line + 1
            _remember(value, inner, placed)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            _remember(value, (*place, index), placed)


def _refuse_half_characters(node: yaml.Node) -> None:
    """Refuse half of a surrogate pair, written as an escape: no file and no table can hold it."""
    if any("\ud800" <= character <= "\udfff" for character in str(node.value)):
        message = "an escape that stands for no character"
        raise yaml.MarkedYAMLError(problem=message, problem_mark=node.start_mark)


def _said(error: Exception) -> str:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        mark = error.problem_mark
        return f"line {mark.line + 1}: {error.problem or 'this is not YAML'}"
    return " ".join(f"this cannot be read as YAML ({error})".split())
