"""The `threshold` section: its kinds, and what each can be told."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, Self

from pydantic import Field, model_validator

from adlib.config.section import Section
from adlib.thresholds import DEFAULT_FRACTION

_NEEDED: Mapping[str, tuple[frozenset[str], ...]] = MappingProxyType(
    {
        "budget": tuple(map(frozenset, ((), ("fraction",), ("rows_a_day",)))),
        "fraction": (frozenset(["fraction"]),),
        "percentile": (frozenset(["value"]),),
        "zscore": (frozenset(["value"]),),
        "fixed": (frozenset(["value"]),),
        "conformal": tuple(map(frozenset, ((), ("value",)))),
        "fdr": tuple(map(frozenset, ((), ("value",)))),
        "pot": tuple(map(frozenset, ((), ("value",)))),
        "top_k": (frozenset(["k"]),),
        "auto": (frozenset(),),
    }
)
"""What each kind of threshold can be told."""
_BETWEEN = MappingProxyType(
    {"percentile": 100.0, "conformal": 1.0, "fdr": 1.0, "pot": 1.0},
)
"""Kinds whose value lies between 0 and a bound."""


class ThresholdConfig(Section):
    """Where strange begins."""

    kind: Literal[
        "budget",
        "fraction",
        "percentile",
        "zscore",
        "fixed",
        "conformal",
        "fdr",
        "pot",
        "top_k",
        "auto",
    ] = Field(
        "budget",
        description="budget: what people can look at, a fraction or rows_a_day, half a percent if "
        "nothing is said; fraction; percentile; zscore; fixed: a score; conformal: a p-value; pot: "
        "peaks over threshold; auto: where scores are more than the bulk's tail accounts for; by "
        "date, scoring twice: top_k, and fdr, a share of false alarms (Benjamini-Hochberg).",
    )
    value: float | None = Field(
        None,
        allow_inf_nan=False,
        description="Of fixed (a score), percentile (0-100), zscore (deviations), conformal (a "
        "p-value, 0.01), fdr (share of ordinary rows among those flagged of a date, 0.1) and pot "
        "(share of rows, 0.001).",
    )
    fraction: float | None = Field(
        None, gt=0.0, lt=1.0, description="Of fraction and budget: share of rows."
    )
    rows_a_day: float | None = Field(
        None, gt=0.0, allow_inf_nan=False, description="Of budget: rows of a date, scoring twice."
    )
    k: int | None = Field(None, ge=1, description="Of top_k: rows of each date.")

    @property
    def parameters(self) -> dict[str, float]:
        """What the kind of threshold is told; a budget that says nothing is half a percent."""
        given = {name: getattr(self, name) for name in self._given}
        return given or ({"fraction": DEFAULT_FRACTION} if self.kind == "budget" else {})

    @property
    def _given(self) -> frozenset[str]:
        names = ("value", "fraction", "rows_a_day", "k")
        return frozenset(name for name in names if getattr(self, name) is not None)

    @model_validator(mode="after")
    def _what_the_kind_needs(self) -> Self:
        if self._given not in _NEEDED[self.kind]:
            named = ["".join(way) for way in _NEEDED[self.kind] if way]
            ways = " or ".join(named) or "nothing more"
            found = ", ".join(sorted(self._given)) or "neither"
            message = f"kind {self.kind} takes {ways}; found {found}"
            raise ValueError(message)
        bound = _BETWEEN.get(self.kind)
        if self.value is not None and bound and not 0.0 < self.value < bound:
            message = f"the value of {self.kind} lies between 0 and {bound:g}; found {self.value}"
            raise ValueError(message)
        return self
