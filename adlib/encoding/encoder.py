"""The encoder: every column's encoding, side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any, TypeGuard

import numpy as np

from adlib.arrays import (
    Block,
    Buffers,
    Column,
    Columns,
    FeatureMatrix,
    Flags,
    Layout,
    Past,
    PastColumn,
    event_places,
    row_count,
)
from adlib.encoding.category_columns import CategoryEncoding, HashedEncoding
from adlib.encoding.columns import ColumnEncoding, wrong_column
from adlib.encoding.features import EncodingSettings, Feature, Kind, feature_from_json
from adlib.encoding.fitting import fit_column
from adlib.encoding.number_columns import (
    BooleanEncoding,
    CycleEncoding,
    NumberEncoding,
    standardise,
)
from adlib.encoding.wide_columns import TextEncoding, VectorEncoding
from adlib.errors import InputError, ModelError

_ENCODINGS: Mapping[str, type[ColumnEncoding]] = {
    encoding.type_name: encoding
    for encoding in (
        NumberEncoding,
        BooleanEncoding,
        CycleEncoding,
        CategoryEncoding,
        HashedEncoding,
        TextEncoding,
        VectorEncoding,
    )
}
_PAST = "past"
"""The type of an entry that is no encoding but the past of a column that has one."""


@dataclass(frozen=True)
class Encoder:
    """The fitted transform from columns to a feature matrix."""

    encodings: tuple[ColumnEncoding, ...]
    pasts: tuple[Feature, ...] = ()
    """Columns of earlier values, which are encoded as the column that each is `of`."""

    @classmethod
    def fit(
        cls, columns: Columns, features: Sequence[Feature], settings: EncodingSettings
    ) -> Encoder:
        """Learn every column's encoding from the sample.

        Raises:
            InputError: if a column does not hold what its kind says.
        """
        plain = [feature for feature in features if feature.kind is not Kind.PAST]
        return cls(
            tuple(fit_column(feature, columns[feature.name], settings) for feature in plain),
            tuple(feature for feature in features if feature.kind is Kind.PAST),
        )

    @cached_property
    def layout(self) -> Layout:
        """What stands where in the matrix."""
        blocks: list[Block] = []
        start = 0
        for encoding in self.encodings:
            blocks.extend(encoding.blocks(start))
            start += encoding.width
        if not self.pasts:
            return Layout(tuple(blocks))
        return Layout(tuple(blocks), self._of_events.layout, self.pasts[0].steps)

    @cached_property
    def _of_events(self) -> Encoder:
        """The encoder of earlier events; its look-ups are its own, as their dictionaries are."""
        by_name = dict(zip(self.names, self.encodings, strict=True))
        return Encoder(tuple(replace(by_name[str(past.of)]) for past in self.pasts))

    @cached_property
    def spans(self) -> tuple[slice, ...]:
        """Each encoding's columns of the matrix."""
        stops = np.cumsum([encoding.width for encoding in self.encodings]).tolist()
        return tuple(slice(a, b) for a, b in zip([0, *stops], stops, strict=False))

    @cached_property
    def encodings_of_source(self) -> tuple[tuple[int, ...], ...]:
        """Which encodings speak for each of `layout.sources`."""
        sources = [encoding.feature.source for encoding in self.encodings]
        return tuple(
            tuple(place for place, own in enumerate(sources) if own == source)
            for source in self.layout.sources
        )

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The feature table's columns that are encoded, one for each encoding."""
        return tuple(encoding.feature.name for encoding in self.encodings)

    @cached_property
    def features(self) -> tuple[Feature, ...]:
        """The feature table's columns that the encoder reads, pasts last."""
        return (*(encoding.feature for encoding in self.encodings), *self.pasts)

    @cached_property
    def _steps(self) -> tuple[_Step, ...]:
        """The encodings with the rows of the matrix that they fill; alike numbers go together."""
        steps: list[_Step] = []
        numbers = places = 0
        for encoding in self.encodings:
            if isinstance(encoding, CategoryEncoding | HashedEncoding):
                steps.append(_Step([encoding], slice(places, places + 1), is_category=True))
                places += 1
                continue
            rows = slice(numbers, numbers + encoding.width)
            numbers = rows.stop
            if steps and steps[-1].takes(encoding):
                steps[-1] = steps[-1].with_one_more(encoding)
            else:
                steps.append(_Step([encoding], rows, is_category=False))
        return tuple(steps)

    def transform(
        self,
        columns: Columns,
        dtype: type[np.floating[Any]],
        rows: slice = slice(None),
        buffers: Buffers | None = None,
    ) -> FeatureMatrix:
        """Encode rows; a matrix made in `buffers` holds until the next is made there.

        Raises:
            InputError: if a column is missing or of another type than in training.
        """
        missing = [feature.name for feature in self.features if feature.name not in columns]
        if missing:
            raise InputError.missing_columns(missing, list(columns), "The feature table")
        count = len(range(*rows.indices(row_count(columns))))
        features = FeatureMatrix.empty(self.layout, count, dtype, buffers or Buffers())
        for step in self._steps:
            step.fill(columns, rows, features)
        return replace(features, past=self._past(columns, dtype, rows)) if self.pasts else features

    def _past(self, columns: Columns, dtype: type[np.floating[Any]], rows: slice) -> Past:
        """Encode what came before some rows."""
        pasts = [_past_column(past, columns[past.name]).take(rows) for past in self.pasts]
        events = {str(past.of): own.events for past, own in zip(self.pasts, pasts, strict=True)}
        return Past(self._of_events.transform(events, dtype), pasts[0].present)

    def earlier_events(self, columns: Columns, row: int) -> tuple[dict[str, str | None], ...]:
        """Return what a row's earlier events held in each column, as text, the oldest first."""
        encodings = zip(self.pasts, self._of_events.encodings, strict=True)
        held = [(encoding, _past_column(one, columns[one.name])) for one, encoding in encodings]
        if not held:
            return ()
        present = held[0][1].present
        return tuple(
            {one.feature.name: one.text_at(past.events, place) for one, past in held}
            for place in event_places(present.shape)[present[:, row], row]
        )

    def missing(self, columns: Columns) -> dict[str, Flags]:
        """Return, for every source column, which rows hold no value of it; windows do not count."""
        flags: dict[str, Flags] = {}
        for encoding in self.encodings:
            if encoding.feature.entity is None:
                source = encoding.feature.source
                here = encoding.is_missing(columns[encoding.feature.name])
                flags[source] = flags[source] | here if source in flags else here
        return flags

    def unseen(self, columns: Columns) -> dict[str, Flags]:
        """Return, for every category, which rows hold a value that training never saw."""
        return {
            encoding.feature.source: encoding.is_unseen(columns[encoding.feature.name])
            for encoding in self.encodings
            if isinstance(encoding, CategoryEncoding)
        }

    def to_json(self) -> list[dict[str, Any]]:
        """Return the encoder as plain JSON values."""
        pasts = [{"type": _PAST, "feature": _feature_to_json(past)} for past in self.pasts]
        return [*(encoding.to_json() for encoding in self.encodings), *pasts]

    @classmethod
    def from_json(cls, plain: Sequence[Mapping[str, Any]]) -> Encoder:
        """Build an encoder from what `to_json` wrote.

        Raises:
            ModelError: if it names an encoding that this version does not know.
        """
        pasts = [feature_from_json(one["feature"]) for one in plain if one.get("type") == _PAST]
        encoded = [dict(entry) for entry in plain if entry.get("type") != _PAST]
        return cls(tuple(map(_encoding_from_json, encoded)), tuple(pasts))


@dataclass(frozen=True)
class _Step:
    """Encodings that are filled in one go."""

    encodings: Sequence[ColumnEncoding]
    rows: slice
    """Of `FeatureMatrix.places` for a category, else of its numbers."""
    is_category: bool

    def takes(self, encoding: ColumnEncoding) -> bool:
        """Tell whether another encoding is a number like those of this step."""
        first = self.encodings[0]
        return _is_plain(first) and _is_plain(encoding) and first.squash == encoding.squash

    def with_one_more(self, encoding: ColumnEncoding) -> _Step:
        """Return the step with another number behind its own."""
        rows = slice(self.rows.start, self.rows.stop + 1)
        return _Step([*self.encodings, encoding], rows, is_category=False)

    @cached_property
    def _numbers(self) -> list[NumberEncoding]:
        return [encoding for encoding in self.encodings if _is_plain(encoding)]

    def fill(self, columns: Columns, rows: slice, features: FeatureMatrix) -> None:
        """Write this step's rows of the matrix."""
        out = features.places[self.rows] if self.is_category else features.numbers[self.rows]
        given = [columns[encoding.feature.name] for encoding in self.encodings]
        if self._numbers:
            standardise(given, self._numbers, out, rows)
        else:
            self.encodings[0].fill(given[0].take(rows), out)


def _is_plain(encoding: ColumnEncoding) -> TypeGuard[NumberEncoding]:
    """Tell whether an encoding is one standardised column and nothing else."""
    return isinstance(encoding, NumberEncoding) and not (encoding.knots or encoding.marks_missing)


def _past_column(feature: Feature, column: Column) -> PastColumn:
    if not isinstance(column, PastColumn) or len(column.present) != feature.steps:
        raise wrong_column(feature, column)
    return column


def _feature_to_json(feature: Feature) -> dict[str, Any]:
    return {**asdict(feature), "kind": feature.kind.value}


def _encoding_from_json(entry: dict[str, Any]) -> ColumnEncoding:
    type_name = entry.pop("type", None)
    if type_name not in _ENCODINGS:
        known = ", ".join(_ENCODINGS)
        message = (
            f"The model holds an encoding of type {type_name!r}; this version knows {known}. "
            "Score with the version that trained it, or train again."
        )
        raise ModelError(message)
    fields: dict[str, Any] = {
        key: tuple(part) if isinstance(part, list) else part for key, part in entry.items()
    }
    fields["feature"] = feature_from_json(entry["feature"])
    return _ENCODINGS[type_name](**fields)
