"""The sections that say what came before a row: windows and a sequence of an entity's past."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from adlib.config.section import Section
from adlib.detectors import DETECTORS

DURATION = re.compile(r"[1-9][0-9]{0,6}[mhd]")
Statistic = Literal["count", "sum", "mean", "std", "max", "gap", "ratio"]
_NEEDS_OF = {"sum", "mean", "std", "max", "ratio"}


def _listed(value: object) -> object:
    """Let one stand for a list of one."""
    return [value] if isinstance(value, str) else value


class WindowConfig(Section):
    """What the past of an entity adds to a row: trailing windows that end before it."""

    by: str = Field(description="The column of the entity whose past is looked at.")
    over: tuple[str, ...] = Field(
        min_length=1,
        description="One length or several, such as 30m, 12h or 7d. Rows whose windows the table "
        "does not fill are scored and not learned from.",
    )
    take: tuple[Statistic, ...] = Field(
        min_length=1,
        description="count: earlier rows; gap: seconds since the previous one; of the column `of`: "
        "sum, mean, std, max, and ratio, how many times the entity's own mean before.",
    )
    of: str | None = Field(
        None, description="The number to take it of. Only count and gap do without."
    )

    @field_validator("over", mode="before", json_schema_input_type=str | tuple[str, ...])
    @classmethod
    def _listed_lengths(cls, value: object) -> object:
        return _listed(value)

    @field_validator(
        "take", mode="before", json_schema_input_type=Statistic | tuple[Statistic, ...]
    )
    @classmethod
    def _listed_statistics(cls, value: object) -> object:
        return _listed(value)

    @field_validator("over")
    @classmethod
    def _durations(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        wrong = [length for length in value if not DURATION.fullmatch(length)]
        if wrong:
            listed = ", ".join(map(repr, wrong))
            message = f"{listed}: a length is a whole number and m, h or d, such as 12h"
            raise ValueError(message)
        return value

    @model_validator(mode="after")
    def _of_what(self) -> Self:
        needing = [statistic for statistic in self.take if statistic in _NEEDS_OF]
        if needing and self.of is None:
            message = f"take {', '.join(needing)} needs 'of', the column to take it of"
            raise ValueError(message)
        return self


class SequenceConfig(Section):
    """An entity's last few events, kept beside each row as arrays of the feature table.

    conv_autoencoder and recurrent_autoencoder read them; other detectors see each row by itself.
    """

    by: str = Field(
        description="The column of the entity whose events follow one another; a row without one "
        "has no past."
    )
    order: str | None = Field(
        None,
        description="A number or a time that says which of two events came first: of events of "
        "one source.event_time, or of all where there is none. Events that share both are not "
        "before each other.",
    )
    length: int = Field(
        8, ge=2, le=64, description="How many events a row is judged by, itself the last."
    )
    within: str = Field(
        "30d",
        description="How far back an earlier event may lie, such as 12h or 7d; with --date so many "
        "days before it are read. Without source.event_time every earlier event counts.",
    )

    @field_validator("within")
    @classmethod
    def _duration(cls, value: str) -> str:
        if not DURATION.fullmatch(value):
            message = f"{value!r}: a length is a whole number and m, h or d, such as 12h"
            raise ValueError(message)
        return value


def unordered(
    sequence: SequenceConfig | None, detector: str, event_time: str | None, label: str | None
) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Find detectors without the sequence that they read, and sequences without an order."""
    if sequence is None:
        if DETECTORS[detector].reads_past:
            said = f"{detector} judges an event by those before it and needs a section sequence"
            yield ("detector", "kind"), f"{said}, such as {{by: CUSTOMER, length: 8}}"
        return
    if event_time is None and sequence.order is None:
        said = "needs order, the column that says which event came first, or source.event_time"
        yield ("sequence",), said
    if label is not None and label in {sequence.by, sequence.order}:
        yield ("sequence",), f"{label!r} is the label; training never reads it"
