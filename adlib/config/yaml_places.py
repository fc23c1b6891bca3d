"""YAML read safely, with the line of every key remembered."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import yaml

Place = tuple[str | int, ...]
_LARGEST_DOCUMENT = 1_000_000
_MOST_ALIASES = 100


@dataclass
class PlacedYaml:
    """A document as plain values, the line of each place in it, and what is wrong with it."""

    values: Any = None
    lines: dict[Place, int] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


class _Reader(yaml.SafeLoader):
    """PyYAML's safe loader, counting aliases, so that a small file cannot grow without bound."""

    aliases = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            self.aliases += 1
            if self.aliases > _MOST_ALIASES:
                mark = self.peek_event().start_mark
                raise yaml.MarkedYAMLError(problem="more than 100 aliases", problem_mark=mark)
        return super().compose_node(parent, index)


def read_yaml(text: str) -> PlacedYaml:
    """Read one YAML document; duplicate keys, bombs and syntax errors become problems."""
    placed = PlacedYaml()
    if len(text) > _LARGEST_DOCUMENT:
        placed.problems.append(f"the file has {len(text):,} characters; at most 1,000,000 are read")
        return placed
    reader = _Reader(text)
    try:
        node = reader.get_single_node()
        if node is not None:
            _remember(node, (), placed)
            placed.values = reader.construct_document(node)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        placed.problems.append(_said(error))
    finally:
        reader.dispose()
    return placed


def _remember(node: yaml.Node, place: Place, placed: PlacedYaml) -> None:
    placed.lines.setdefault(place, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            inner = (*place, str(key.value))
            if inner in placed.lines:
                line, first = key.start_mark.line + 1, placed.lines[inner]
                dotted = ".".join(map(str, inner))
                placed.problems.append(f"line {line}: {dotted} stands already in line {first}")
            placed.lines[inner] = key.start_mark.line + 1
            _remember(value, inner, placed)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            _remember(value, (*place, index), placed)


def _said(error: Exception) -> str:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        mark = error.problem_mark
        return f"line {mark.line + 1}: {error.problem or 'this is not YAML'}"
    return f"this is not YAML ({error})"
