"""What a column of the feature table is, and what the encoder's fit can be told about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any


class Kind(Enum):
    """What a column of the feature table is."""

    NUMBER = "numeric"
    BOOLEAN = "boolean"
    CATEGORY = "categorical"
    CYCLE = "cycle"
    TEXT = "text"
    VECTOR = "vector"
    PAST = "past"
    """What another column held in the entity's earlier events."""


class Scale(Enum):
    """How numbers are brought to one size."""

    ASINH = "asinh"
    """Inverse hyperbolic sine of the value over its robust spread (interquartile range, or standard
    deviation where that is 0): keeps order, squashes heavy tails."""
    STANDARD = "standard"
    MINMAX = "minmax"
    ROBUST = "robust"
    """Median and interquartile range."""
    QUANTILE = "quantile"
    """Rank among the sample's quantiles, -1 to 1, and linear beyond them."""


@dataclass(frozen=True)
class EncodingSettings:
    """What the encoder's fit can be told."""

    scale: Scale = Scale.ASINH
    vocabulary: int = 1000
    """A category with more values than this is hashed."""
    hash_buckets: int = 256
    text_buckets: int = 64


@dataclass(frozen=True)
class Feature:
    """A column of the feature table that the model reads, and what it means to a person."""

    name: str
    kind: Kind
    source: str
    """The source's column that a reason names."""
    integral: bool = False
    """Whether the source holds whole numbers, so that reasons print whole numbers."""
    single: bool = False
    """Whether the source holds float32, so that reasons print its digits and no more."""
    period: float = 0.0
    """Of a cycle: after how many units it starts again."""
    entity: str | None = None
    """Of a window or a past: whose it is."""
    take: str | None = None
    """Of a window column: what it takes of that past."""
    over: str | None = None
    """Of a window column: how far it looks back."""
    of: str | None = None
    """Of a past: the column of the feature table whose earlier values it holds."""
    steps: int = 0
    """Of a past: how many earlier values it holds at most."""


def feature_from_json(plain: Mapping[str, Any]) -> Feature:
    """Build a feature from what `to_json` wrote."""
    return Feature(**{**plain, "kind": Kind(plain["kind"])})
