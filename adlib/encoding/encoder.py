"""The encoder: every column's encoding, side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from adlib.arrays import Block, Columns, FeatureMatrix, Flags, Layout, row_count
from adlib.encoding.columns import (
    BooleanEncoding,
    CategoryEncoding,
    ColumnEncoding,
    CycleEncoding,
    HashedEncoding,
    NumberEncoding,
    TextEncoding,
    VectorEncoding,
)
from adlib.encoding.features import EncodingSettings, Feature, feature_from_json
from adlib.encoding.fitting import fit_column
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


@dataclass(frozen=True)
class Encoder:
    """The fitted transform from columns to a feature matrix."""

    encodings: tuple[ColumnEncoding, ...]

    @classmethod
    def fit(
        cls, columns: Columns, features: Sequence[Feature], settings: EncodingSettings
    ) -> Encoder:
        """Learn every column's encoding from the sample.

        Raises:
            InputError: if a column does not hold what its kind says.
        """
        return cls(
            tuple(fit_column(feature, columns[feature.name], settings) for feature in features)
        )

    @cached_property
    def layout(self) -> Layout:
        """What stands where in the matrix."""
        blocks: list[Block] = []
        start = 0
        for encoding in self.encodings:
            blocks.extend(encoding.blocks(start))
            start += encoding.width
        return Layout(tuple(blocks))

    @cached_property
    def spans(self) -> tuple[slice, ...]:
        """Each encoding's columns of the matrix."""
        stops = np.cumsum([encoding.width for encoding in self.encodings]).tolist()
        return tuple(slice(a, b) for a, b in zip([0, *stops], stops, strict=False))

    @property
    def names(self) -> tuple[str, ...]:
        """The feature table's columns that the encoder reads."""
        return tuple(encoding.feature.name for encoding in self.encodings)

    def transform(self, columns: Columns, dtype: type[np.floating[Any]]) -> FeatureMatrix:
        """Encode rows into a matrix of shape (rows, layout.width).

        Raises:
            InputError: if a column is missing or of another type than in training.
        """
        missing = [name for name in self.names if name not in columns]
        if missing:
            raise InputError.missing_columns(missing, list(columns), "The feature table")
        values = np.zeros((row_count(columns), self.layout.width), dtype=dtype)
        for encoding, span in zip(self.encodings, self.spans, strict=True):
            encoding.fill(columns[encoding.feature.name], values[:, span])
        return FeatureMatrix(values, self.layout)

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
        return [encoding.to_json() for encoding in self.encodings]

    @classmethod
    def from_json(cls, plain: Sequence[Mapping[str, Any]]) -> Encoder:
        """Build an encoder from what `to_json` wrote.

        Raises:
            ModelError: if it names an encoding that this version does not know.
        """
        return cls(tuple(_encoding_from_json(dict(entry)) for entry in plain))


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
