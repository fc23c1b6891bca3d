"""A survey as a configuration in YAML, every guess with a comment that says why."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from adlib.config import yaml_text
from adlib.survey.found import FEATURE_ROLES, Guess, Role, Survey
from adlib.survey.windows import WindowIdea

_WIDTH = 100
_MOST_LINES = 40
"""More columns of a kind than this stand in lines together, without a comment each."""
_MEANINGS: Mapping[Role, str] = {
    Role.NUMERIC: "amounts",
    Role.CATEGORICAL: "names: no order, no distance",
    Role.BOOLEAN: "true or false",
    Role.TIMESTAMP: "hour and weekday become features; a date has a weekday alone",
    Role.TEXT: "free text: which words stand in it",
    Role.VECTOR: "lists of numbers, all of one length",
}


@dataclass(frozen=True)
class Place:
    """Where the table is and where things go."""

    name: str
    path: str
    format: str
    schema_file: str
    """Of editors, relative to the configuration."""
    options: Mapping[str, str] = field(default_factory=dict)


def draft(found: Survey, place: Place) -> str:
    """Write the configuration."""
    lines = [
        f"# yaml-language-server: $schema={place.schema_file}",
        *_comment(
            f"Drafted by `adlib init` from {_looked_at(found)} Every guess says why; change what "
            "is wrong. docs/configuration.md and `adlib schema` list every key.",
            "",
        ),
        f"name: {yaml_text(place.name)}",
        "",
        *_source(found, place),
        "",
        *_features(found),
        "",
        *_windows(found),
        *_rest(found, place),
    ]
    return "\n".join(lines) + "\n"


def _looked_at(found: Survey) -> str:
    rows = f"{found.rows:,} rows"
    return f"all {rows} of the table." if found.whole else f"{rows} of the table, not all of it."


def _comment(text: str, indent: str) -> list[str]:
    """Wrap a text as comments; what cannot be printed is written as Python would."""
    plain = "".join(one if one.isprintable() else ascii(one)[1:-1] for one in text)
    return textwrap.wrap(
        plain,
        _WIDTH,
        initial_indent=f"{indent}# ",
        subsequent_indent=f"{indent}# ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def _source(found: Survey, place: Place) -> list[str]:
    lines = ["source:", f"  path: {yaml_text(place.path)}", f"  format: {place.format}"]
    if place.options:
        pairs = ", ".join(f"{name}: {_flow(value)}" for name, value in place.options.items())
        lines.append(f"  options: {{{pairs}}}")
    for part in (_key, _event_time, _entity, _label, _exclude, _keep):
        lines += part(found)
    return lines


def _key(found: Survey) -> list[str]:
    keys = found.of(Role.KEY)
    if not keys:
        return _comment(
            "No key: no column that looks like an identifier differs in every row. A row is known "
            "by row_hash, a hash of its content; name columns here if they identify a row.",
            "  ",
        )
    seen = (
        ""
        if found.whole
        else (
            f" in the {found.rows:,} rows looked at; if it is not in the whole table, copies of a "
            "key go to quarantine as duplicates"
        )
    )
    return [
        *_comment(f"{keys[0].why}{seen}.", "  "),
        f"  key: [{_flow(keys[0].column)}]",
    ]


def _event_time(found: Survey) -> list[str]:
    times = found.of(Role.EVENT_TIME)
    if not times:
        return _comment(
            "No event_time: no column holds times that look like the rows' own. Without one the "
            "whole table belongs to the date of the run, and there are no windows.",
            "  ",
        )
    return [
        *_comment(f"{times[0].why}.", "  "),
        f"  event_time: {yaml_text(times[0].column)}",
        *_comment("where a date begins, and the zone of times that name none", "  "),
        "  timezone: UTC",
    ]


def _entity(found: Survey) -> list[str]:
    entities = found.of(Role.ENTITY)
    if not entities:
        return _comment("No entity: no column names whom a row is about again and again.", "  ")
    return [
        *_comment(f"{entities[0].why}. No feature by itself; windows look at its past.", "  "),
        f"  entity: {yaml_text(entities[0].column)}",
    ]


def _label(found: Survey) -> list[str]:
    labels = found.of(Role.LABEL)
    if not labels:
        return []
    return [
        *_comment(f"{labels[0].why}.", "  "),
        f"  label: {yaml_text(labels[0].column)}",
    ]


def _exclude(found: Survey) -> list[str]:
    excluded = found.of(Role.EXCLUDE)
    return ["  exclude:", *_listed(excluded, "    ")] if excluded else []


def _keep(found: Survey) -> list[str]:
    kept = [*found.of(Role.ENTITY), *found.of(Role.KEEP)]
    if not kept:
        return []
    return [
        *_comment("carried to the anomalies for whoever looks at them; no features", "  "),
        "  keep:",
        *_listed([Guess(guess.column, guess.role, _short(guess)) for guess in kept], "    "),
    ]


def _short(guess: Guess) -> str:
    return "the entity" if guess.role is Role.ENTITY else guess.why


def _listed(guesses: Sequence[Guess], indent: str) -> list[str]:
    """Write a line a column, its comment beside it where that fits, else above."""
    lines = []
    for guess in guesses:
        line = f"{indent}- {_item(guess.column)}"
        beside = _comment(guess.why, "")
        if len(beside) == 1 and len(line) + len(beside[0]) + 2 <= _WIDTH:
            lines.append(f"{line}  {beside[0]}")
        else:
            lines += [*_comment(guess.why, indent), line]
    return lines


def _item(name: str) -> str:
    """Write a name as an item of a list in lines."""
    return yaml_text(name)


def _flow(name: str) -> str:
    """Write a name as an item of a list in brackets."""
    text = yaml_text([name])
    return text.removeprefix("- ") if not set("[]{},") & set(text) else _quoted(name)


def _quoted(name: str) -> str:
    escaped = name.replace("'", "''")
    return f"'{escaped}'" if name.isprintable() else yaml_text(name)


def _features(found: Survey) -> list[str]:
    lines = [
        *_comment(
            "What the model learns from. A column in no list is not read; write `features: auto` "
            "to decide by type at every training.",
            "",
        ),
        "features:",
    ]
    for role in FEATURE_ROLES:
        lines += _feature_list(role, _of_kind(found, role))
    return [*lines, *_left_out(found)]


def _of_kind(found: Survey, role: Role) -> tuple[Guess, ...]:
    """Return the columns of a kind; the event time is a feature too, for its hour and weekday."""
    if role is not Role.TIMESTAMP:
        return found.of(role)
    times = [Guess(one.column, role, "the event time") for one in found.of(Role.EVENT_TIME)]
    return (*times, *found.of(role))


def _feature_list(role: Role, guesses: Sequence[Guess]) -> list[str]:
    if not guesses:
        return []
    head = _comment(_MEANINGS[role], "  ")
    if len(guesses) <= _MOST_LINES:
        return [*head, f"  {role.value}:", *_listed(guesses, "    ")]
    return [*head, f"  {role.value}: [", *_packed([_flow(one.column) for one in guesses]), "  ]"]


def _packed(items: Sequence[str]) -> Iterator[str]:
    """Put as many items into a line as fit."""
    line = "   "
    for item in items:
        if len(line) + len(item) + 2 > _WIDTH and line.strip():
            yield line
            line = "   "
        line += f" {item},"
    yield line


def _left_out(found: Survey) -> list[str]:
    gone = found.of(Role.LEFT_OUT)
    if not gone:
        return []
    said = "" if found.whole else f" in the {found.rows:,} rows looked at"
    lines = _comment(f"Left out, by what they hold{said}:", "  ")
    for guess in gone:
        lines += _comment(f"  {yaml_text(guess.column)}: {guess.why}", "  ")
    return lines


def _windows(found: Survey) -> list[str]:
    if not found.windows:
        return []
    first, *others = found.windows
    lines = _comment(
        "What the entity's own past says of a row. Every window ends before the row's own time. "
        "Rows whose windows the table does not fill are not learned from.",
        "",
    )
    lines += ["windows:", *_window(first)]
    for other in others:
        lines += [
            f"  # {line.strip()}" if line.strip()[0] != "#" else line for line in _window(other)
        ]
    return [*lines, ""]


def _window(idea: WindowIdea) -> list[str]:
    of = f", of: {_flow(idea.of)}" if idea.of is not None else ""
    take = ", ".join(idea.take)
    return [
        *_comment(f"of each {idea.by}: {idea.why}", "  "),
        f"  - {{by: {_flow(idea.by)}, over: [{idea.over}]{of}, take: [{take}]}}",
    ]


def _rest(found: Survey, place: Place) -> list[str]:
    lines = [
        *_comment("How much there is time to look at: one row in two hundred.", ""),
        "threshold: {kind: budget, fraction: 0.005}",
        "",
    ]
    if found.by is not None:
        lines += [
            *_comment("Recall for each value of it: it says what kind of anomaly a row is.", ""),
            f"evaluate: {{by: {_flow(found.by)}}}",
            "",
        ]
    return [
        *lines,
        *_comment("The directories that adlib writes to, relative to where it is called.", ""),
        f"output: {{path: {_flow(f'out/{place.name}')}}}",
        f"work: {{path: {_flow(f'work/{place.name}')}}}",
        "models: {path: models}",
    ]
