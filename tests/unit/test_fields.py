"""Fields of what was read from a file are of the types that they say, or named."""

from dataclasses import dataclass, replace

import pytest

from adlib.fields import mistyped


@dataclass(frozen=True)
class Example:
    share: float = 0.5
    count: int = 3
    exact: bool = True
    name: str = "a"
    knots: tuple[float, ...] = (1.0, 2)
    most: float | None = None
    other: object = None


@pytest.mark.parametrize(
    "changes",
    [{}, {"share": 1}, {"share": -(2**53)}, {"knots": ()}, {"most": 2.5}, {"other": {"a": 1}}],
)
def test_what_is_of_its_type_passes(changes):
    assert mistyped(replace(Example(), **changes)) is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("share", "0.5"),
        ("share", True),
        ("share", None),
        ("share", float("nan")),
        ("share", float("-inf")),
        ("share", 2**53 + 1),
        ("count", 3.0),
        ("count", True),
        ("exact", 1),
        ("name", None),
        ("name", ["a"]),
        ("knots", [1.0]),
        ("knots", (1.0, "2")),
        ("knots", 1.0),
        ("most", "2"),
    ],
)
def test_what_is_not_is_named(name, value):
    assert mistyped(replace(Example(), **{name: value})) == name
