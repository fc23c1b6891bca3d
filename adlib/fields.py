"""Whether the fields of a dataclass that was read from a file hold what their types say."""

from __future__ import annotations

import dataclasses
import math
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

_LARGEST_EXACT = 2**53
"""Whole numbers to here are floats without loss."""


def mistyped(value: Any) -> str | None:
    """Return the name of the first field that is not of its type, None where all are.

    Looked at are booleans, numbers, texts, tuples of them and unions; numbers are finite. Fields of
    other types are taken as they are.
    """
    hints = get_type_hints(type(value))
    for field in dataclasses.fields(value):
        if not _fits(getattr(value, field.name), hints[field.name]):
            return field.name
    return None


def _fits(value: Any, hint: Any) -> bool:
    origin = get_origin(hint)
    if origin in {Union, UnionType}:
        return any(_fits(value, one) for one in get_args(hint))
    if origin is tuple:
        return isinstance(value, tuple) and all(_fits(one, get_args(hint)[0]) for one in value)
    if hint is float:
        return _is_number(value)
    if hint is int:
        return type(value) is int
    return isinstance(value, hint) if hint in {bool, str, NoneType} else True


def _is_number(value: Any) -> bool:
    if type(value) is int:
        return abs(value) <= _LARGEST_EXACT
    return type(value) is float and math.isfinite(value)
