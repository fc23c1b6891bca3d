"""Deciding what each column of the feature table is, and saying so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from adlib.arrays import Columns, Ints, NumberColumn, PastColumn, TextColumn, VectorColumn
from adlib.encoding.features import Feature, Kind
from adlib.encoding.words import LONGEST_TEXT
from adlib.errors import InputError

LEFT_OUT = "left out: "
"""What the note of a column that is no feature begins with."""
_IDENTIFIER_ROWS = 1000
"""With fewer values than this, all of them being different says nothing."""
_IDENTIFIER_SHARE = 0.9
_WORDS_OF_TEXT, _TIMES_OF_TEXT, _TIMES_OF_MANY = 4.0, 2.0, 10.0
"""So many words on average are free text where a value stands at most twice on average, or where a
thousand and more do at most ten times: sentences made of parts, and no titles of things."""
_WEEK = 7
_SAMPLED_VALUES = 1000
_WITH_A_PAST = {Kind.NUMBER, Kind.BOOLEAN, Kind.CATEGORY, Kind.CYCLE}
"""Kinds narrow enough to be read once for every earlier event."""


@dataclass(frozen=True)
class Candidate:
    """A column that may become a feature."""

    feature: Feature
    """What the column is taken for; its kind is a guess by its type unless declared."""
    declared: bool = False
    """Whether the configuration names it, so that it is kept whatever it holds."""
    unfit: str | None = None
    """Why it is no feature, whatever it holds; None where its values decide."""


@dataclass(frozen=True)
class FeatureChoice:
    """The columns that the model reads, and a word on every column that was looked at."""

    features: tuple[Feature, ...]
    notes: Mapping[str, str]


def without_weekdays(
    candidates: Sequence[Candidate], days: int, event_time: str | None
) -> tuple[Candidate, ...]:
    """Return candidates; of fewer than seven dates the weekday of the event time is no feature.

    The weekdays to come would all be strangers, for no other reason than that they come later.
    """
    if days >= _WEEK:
        return tuple(candidates)
    why = f"a weekday, which rows of fewer than {_WEEK} dates do not know all of"
    return tuple(
        replace(candidate, unfit=why)
        if candidate.feature.source == event_time and candidate.feature.period == _WEEK
        else candidate
        for candidate in candidates
    )


def choose_features(columns: Columns, candidates: Sequence[Candidate]) -> FeatureChoice:
    """Keep what can tell rows apart; leave out identifiers and constants.

    Raises:
        InputError: if nothing is left.
    """
    features: list[Feature] = []
    notes: dict[str, str] = {}
    for candidate in sorted(candidates, key=lambda one: one.feature.kind is Kind.PAST):
        column = columns[candidate.feature.name]
        if isinstance(column, PastColumn):
            feature, note = _decide_past(candidate.feature, features)
        else:
            feature, note = _decide(column, candidate)
        notes[candidate.feature.name] = note
        if feature is not None:
            features.append(feature)
    if not features:
        looked_at = "; ".join(f"{name!r}: {note}" for name, note in notes.items()) or "no column"
        message = (
            f"No column can be a feature ({looked_at}). List the columns to use under features, "
            "or point source.path at a table whose columns vary."
        )
        raise InputError(message)
    return FeatureChoice(tuple(features), notes)


def _decide_past(feature: Feature, chosen: Sequence[Feature]) -> tuple[Feature | None, str]:
    """Keep the past of columns that are read themselves and are not wide."""
    if any(one.name == feature.of and one.kind in _WITH_A_PAST for one in chosen):
        return feature, f"past: up to {feature.steps} earlier values of {feature.of}"
    return None, f"{LEFT_OUT}{feature.of} is left out, or text or a vector"


def _decide(
    column: NumberColumn | TextColumn | VectorColumn, candidate: Candidate
) -> tuple[Feature | None, str]:
    feature = candidate.feature
    if candidate.unfit is not None:
        return None, f"{LEFT_OUT}{candidate.unfit}"
    if candidate.declared:
        return feature, f"{feature.kind.value}, as configured"
    if isinstance(column, TextColumn):
        return _decide_text(column, feature)
    if isinstance(column, NumberColumn):
        return _decide_number(column, feature)
    return _decide_vector(column, feature)


def _decide_number(column: NumberColumn, feature: Feature) -> tuple[Feature | None, str]:
    present = column.values[~np.isnan(column.values)]
    distinct = len(np.unique(present))
    if distinct == 0:
        return None, f"{LEFT_OUT}always missing"
    if distinct == 1 and len(present) == len(column):
        return None, f"{LEFT_OUT}constant"
    everything_differs = distinct == len(present) >= _IDENTIFIER_ROWS
    if feature.integral and feature.entity is None and everything_differs:
        return None, f"{LEFT_OUT}an identifier (whole numbers, every one different)"
    return feature, feature.kind.value


def _decide_text(column: TextColumn, feature: Feature) -> tuple[Feature | None, str]:
    used = np.unique(column.codes[column.codes >= 0])
    present = int((column.codes >= 0).sum())
    if len(used) == 0:
        return None, f"{LEFT_OUT}always missing"
    if len(used) == 1 and present == len(column):
        return None, f"{LEFT_OUT}constant"
    most_times = _TIMES_OF_MANY if len(used) >= _IDENTIFIER_ROWS else _TIMES_OF_TEXT
    if present <= most_times * len(used) and _mean_words(column, used) >= _WORDS_OF_TEXT:
        return replace(feature, kind=Kind.TEXT), "text: many words, many different values"
    if len(used) >= _IDENTIFIER_SHARE * present and present >= _IDENTIFIER_ROWS:
        return None, f"{LEFT_OUT}an identifier (hardly any value stands twice)"
    return feature, f"categorical: {len(used)} values"


def _decide_vector(column: VectorColumn, feature: Feature) -> tuple[Feature | None, str]:
    present = column.values[~np.isnan(column.values).any(axis=1)]
    if present.size == 0:
        return None, f"{LEFT_OUT}always missing"
    if len(present) == len(column) and bool((present == present[0]).all()):
        return None, f"{LEFT_OUT}constant"
    return feature, feature.kind.value


def _mean_words(column: TextColumn, used: Ints) -> float:
    values = column.values[used[:_SAMPLED_VALUES]]
    return float(np.mean([len(value[:LONGEST_TEXT].split()) for value in values]))
