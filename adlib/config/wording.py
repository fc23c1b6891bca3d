"""What is wrong with a value, in words that say what was expected and what was found."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import yaml
from pydantic_core import ErrorDetails

_LONGEST_FOUND = 200
"""Characters of a wrong value or key that a message repeats."""

_Limits = Mapping[str, Any]

_WHOLE, _NUMBER, _TEXT = "a whole number", "a number", "text"
_LIST = "a list such as [a, b]"
_DATE = "a date written YYYY-MM-DD"
_BOOLEAN = "true or false"

_EXPECTED: Mapping[str, str | Callable[[_Limits], str]] = MappingProxyType(
    {
        **dict.fromkeys(("int_type", "int_parsing", "int_parsing_size", "int_from_float"), _WHOLE),
        **dict.fromkeys(("float_type", "float_parsing"), _NUMBER),
        **dict.fromkeys(("bool_type", "bool_parsing"), _BOOLEAN),
        **dict.fromkeys(("date_type", "date_parsing", "date_from_datetime_parsing"), _DATE),
        "date_from_datetime_inexact": _DATE,
        **dict.fromkeys(("tuple_type", "list_type"), _LIST),
        "string_type": _TEXT,
        "path_type": "a path",
        "finite_number": "a finite number",
        "invalid_key": "keys that are text",
        "string_too_short": "at least one character",
        "greater_than_equal": lambda limits: f"at least {limits['ge']:,g}",
        "greater_than": lambda limits: f"more than {limits['gt']:,g}",
        "less_than_equal": lambda limits: f"at most {limits['le']:,g}",
        "less_than": lambda limits: f"less than {limits['lt']:,g}",
        "literal_error": lambda limits: f"one of {_alternatives(limits['expected'])}",
        "enum": lambda limits: f"one of {_alternatives(limits['expected'])}",
        "too_short": lambda limits: f"at least {_entries(limits['min_length'])}",
        "too_long": lambda limits: f"at most {_entries(limits['max_length'])}",
        "string_pattern_mismatch": "letters, digits, '.', '_' or '-', the first a letter or a "
        "digit, 64 at most",
    }
)
"""What pydantic's kinds of errors expected."""


_SECTIONS = {"model_type", "model_attributes_type", "dict_type"}
_EXAMPLES = MappingProxyType(
    {
        "source": "path: data/payments",
        "sample": "rows: 200000",
        "features": "numeric: [AMOUNT]",
        "windows": "by: CUSTOMER, over: 7d, take: count",
        "sequence": "by: CUSTOMER, length: 8",
        "train": "on: driver",
        "exclude_dates": "from: 2026-03-01, to: 2026-03-02",
        "feedback": "path: verdicts.csv, format: csv",
        "detector": "kind: blend",
        "privacy": "pseudonymise: [CUSTOMER], key_env: ADLIB_KEY",
        "quarantine": "limit: 0.05",
        "threshold": "kind: budget, fraction: 0.005",
        "output": "path: out",
        "work": "path: work",
        "models": "path: models",
    }
)
"""What may stand in a section."""


def words_of(detail: ErrorDetails) -> str:
    """Return what was expected and what was found."""
    found = f"; found {shortened(yaml_text(detail['input']))}"
    if detail["type"] in _SECTIONS:
        known = [_EXAMPLES[key] for key in map(str, detail["loc"]) if key in _EXAMPLES]
        example = known[-1] if known else "key: value"
        return f"expected keys and values, such as {{{example}}}{found}"
    expected = _EXPECTED.get(detail["type"])
    if expected is None:
        said = detail["msg"].removeprefix("Value error, ")
        said = said[:1].lower() + said[1:]
        return said if "; found" in said else said + found
    if not isinstance(expected, str):
        expected = expected(detail.get("ctx", {}))
    return f"expected {expected}{found}"


def _alternatives(listed: str) -> str:
    """Take the quotes off a list of words."""
    return listed.replace("'", "")


def _entries(count: int) -> str:
    return "one entry" if count == 1 else f"{count} entries"


def shortened(text: str) -> str:
    """Cut a text to what a message has room for, in one line."""
    line = " ".join(text.splitlines())
    return line if len(line) <= _LONGEST_FOUND else line[: _LONGEST_FOUND - 1] + "…"


def yaml_text(value: Any) -> str:
    """Print a plain value as YAML would, in one line."""
    if isinstance(value, str) and not value.isprintable():
        return json.dumps(value)
    try:
        text = yaml.safe_dump(
            value, width=float("inf"), default_flow_style=True, allow_unicode=True
        )
    except yaml.YAMLError:
        text = repr(value)
    return text.removesuffix("\n").removesuffix("\n...").strip()
