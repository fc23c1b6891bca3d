"""From a file and the command line's settings to a `Config`, or to one error with every problem."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from adlib.config.detectors import DETECTOR_KINDS
from adlib.config.schema import CONTRADICTION, Config
from adlib.config.wording import shortened, words_of
from adlib.config.yaml_places import LARGEST_DOCUMENT, Place, PlacedYaml, read_yaml
from adlib.errors import ConfigError

_SET = "--set"


def load_config(path: Path, settings: Sequence[str] = ()) -> Config:
    """Read a configuration and apply settings such as `threshold.fraction=0.01` to it.

    Raises:
        ConfigError: if anything is wrong, naming everything that is and where it stands.
    """
    try:
        with path.open(encoding="utf-8") as file:
            text = file.read(LARGEST_DOCUMENT + 1)  # it may be a device, which never ends
    except (OSError, ValueError) as error:
        message = f"The configuration {path} cannot be read ({error}). Give --config an UTF-8 file."
        raise ConfigError(message) from error
    placed = read_yaml(text)
    if placed.values is not None and not isinstance(placed.values, dict):
        placed.problems.append("line 1: expected keys and values such as `name: card-payments`")
    overridden: set[Place] = set()
    if not placed.problems:
        placed.values = placed.values or {}
        for setting in settings:
            _apply(setting, placed, overridden)
    if placed.problems:
        raise _refusal(path, placed.problems)
    try:
        return Config.model_validate(placed.values)
    except ValidationError as error:
        details = _told_once(error.errors())
        details += _contradictions(placed.values, details)
        problems = [_problem(detail, placed, overridden) for detail in details]
        raise _refusal(path, problems) from None


def _told_once(details: Sequence[ErrorDetails]) -> list[ErrorDetails]:
    """Leave out that a list is too short where that is because an item of it is wrong."""
    lists = {_place_in_file(detail)[:-1] for detail in details}
    return [
        detail
        for detail in details
        if detail["type"] != "too_short" or _place_in_file(detail) not in lists
    ]


def _contradictions(values: Any, wrong: Sequence[ErrorDetails]) -> list[ErrorDetails]:
    """Return what pydantic does not look for once a key is wrong: leave out the wrong ones."""
    if any(detail["type"] == CONTRADICTION for detail in wrong):
        return []
    try:
        Config.model_validate(_without(values, {_place_in_file(detail) for detail in wrong}, ()))
    except ValidationError as error:
        return [detail for detail in error.errors() if detail["type"] == CONTRADICTION]
    return []


def _without(value: Any, wrong: Collection[Place], place: Place) -> Any:
    """Copy plain values without those at the wrong places."""
    if isinstance(value, dict):
        return {
            key: _without(inner, wrong, (*place, key))
            for key, inner in value.items()
            if (*place, key) not in wrong
        }
    if isinstance(value, list):
        return [
            _without(inner, wrong, (*place, index))
            for index, inner in enumerate(value)
            if (*place, index) not in wrong
        ]
    return value


def _refusal(path: Path, problems: Sequence[str]) -> ConfigError:
    """Return an error whose last line says what is wrong, if only the first of it."""
    first = problems[0] if problems[0].endswith("?") else f"{problems[0].rstrip('.')}."
    advice = "`adlib schema` prints every key."
    if len(problems) == 1:
        return ConfigError(
            f"The configuration {path} has one problem, {first} Correct it; {advice}"
        )
    listed = "\n".join(f"  {problem}" for problem in problems)
    return ConfigError(
        f"The configuration {path} has {len(problems)} problems:\n{listed}\n"
        f"The first: {first} Correct what is listed; {advice}"
    )


def _apply(setting: str, placed: PlacedYaml, overridden: set[Place]) -> None:
    """Set one key; the value is read as YAML."""
    dotted, equals, text = setting.partition("=")
    said = f"{_SET} {shortened(setting)}"
    keys = dotted.strip().split(".")
    if not equals or not all(keys):
        placed.problems.append(f"{said}: expected key.path=value")
        return
    value = read_yaml(text)
    if value.problems:
        placed.problems.append(f"{said}: {value.problems[0]}")
        return
    section = placed.values
    for depth, key in enumerate(keys[:-1], 1):
        inner = section.get(key)
        if isinstance(inner, list):
            advice = f"{key} is a list; set all of it, as in {key}=[...]"
            placed.problems.append(f"{said}: {advice}")
            return
        if not isinstance(inner, dict):
            inner = section[key] = {}
            overridden.add(tuple(keys[:depth]))
        section = inner
    section[keys[-1]] = value.values
    overridden.add(tuple(keys))


def _problem(detail: ErrorDetails, placed: PlacedYaml, overridden: set[Place]) -> str:
    place = _place_in_file(detail)
    if detail["type"] == "invalid_key":  # lines are by what stands in the file
        place = (*place[:-1], str(place[-1]))
    dotted = ".".join(str(part) for part in place)
    where = _where(place, placed.lines, overridden)
    said = _words(detail, place, dotted)
    return f"{where}: {said.removeprefix(f'{dotted}: ') if where == f'{_SET} {dotted}' else said}"


def _where(place: Place, lines: Mapping[Place, int], overridden: set[Place]) -> str:
    for length in range(len(place), -1, -1):
        if place[:length] in overridden:
            return f"{_SET} {shortened('.'.join(map(str, place[:length])))}"
        if place[:length] in lines:
            return f"line {lines[place[:length]]}"
    return "the file"


def _words(detail: ErrorDetails, place: Place, dotted: str) -> str:
    if detail["type"] == "extra_forbidden":
        return f"unknown key {shortened(dotted)!r}{_meant(place[-1], _known_keys(detail))}"
    if detail["type"] == "missing":
        return f"{dotted!r} is missing"
    if detail["type"] == CONTRADICTION:
        return f"{dotted}: {detail['msg'][:1].lower()}{detail['msg'][1:]}"
    said = words_of(detail)
    if detail["type"] == "unknown_kind" and isinstance(detail["input"], Mapping):
        said += _meant(detail["input"].get("kind"), DETECTOR_KINDS)
    if detail["type"] == "literal_error":
        said += _meant(detail["input"], re.findall("'([^']*)'", detail["ctx"]["expected"]))
    return f"{dotted}: {said}" if dotted else said


def _meant(found: Any, known: Collection[str]) -> str:
    """Return the nearest of what is known as a question, nothing where none is near."""
    near = difflib.get_close_matches(str(found), known, n=1, cutoff=0.4)
    return f"; did you mean {near[0]!r}?" if near else ""


def _place_in_file(detail: ErrorDetails) -> Place:
    """Return where a problem stands; pydantic puts a detector's kind between section and key."""
    first, *rest = detail["loc"] or ("",)
    tagged = first == "detector" and rest and rest[0] in DETECTOR_KINDS
    return tuple(detail["loc"]) if not tagged else (first, *rest[1:])


def _known_keys(detail: ErrorDetails) -> list[str]:
    section: type[BaseModel] = Config
    for part in detail["loc"][:-1]:
        if isinstance(part, int):
            continue
        inner = DETECTOR_KINDS.get(part) or _section_of(section, part)
        if inner is None:
            return []
        section = inner
    return [field.alias or name for name, field in section.model_fields.items()]


def _section_of(section: type[BaseModel], key: str) -> type[BaseModel] | None:
    """Return the section that a key holds, looking through unions and lists."""
    if key not in section.model_fields:
        return None
    waiting: list[Any] = [section.model_fields[key].annotation]
    while waiting:
        annotation = waiting.pop()
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            return annotation
        waiting.extend(get_args(annotation))
    return None
