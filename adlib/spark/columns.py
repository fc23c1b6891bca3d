"""Arrow to columns: what the encoder reads, out of what Spark hands over."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import Column as SparkColumn
from pyspark.sql import functions as F
from pyspark.sql import types as T

from adlib.arrays import (
    Column,
    Floats,
    NumberColumn,
    PastColumn,
    TextColumn,
    Texts,
    VectorColumn,
)
from adlib.encoding import Encoder, Feature, Kind
from adlib.encoding.wide_columns import VectorEncoding
from adlib.spark.values import column

TEXT_KINDS = {Kind.CATEGORY, Kind.TEXT}
SINGLES, DOUBLES, TEXTS = "adlib singles", "adlib doubles", "adlib texts"


class Dictionaries:
    """The dictionary that each column came with last, so that an equal one is the same object.

    What is looked up of a dictionary is then looked up once, not once a batch.
    """

    def __init__(self) -> None:
        self._last: dict[str, tuple[pa.Array, Texts]] = {}

    def values(self, name: str, dictionary: pa.Array) -> Texts:
        """Return a dictionary's strings."""
        last = self._last.get(name)
        if last is None or not last[0].equals(dictionary):
            last = self._last[name] = dictionary, dictionary.to_numpy(zero_copy_only=False)
        return last[1]


def columns_from_arrow(
    table: pa.Table | pa.RecordBatch,
    features: Sequence[Feature],
    lengths: Mapping[str, int],
    dictionaries: Dictionaries | None = None,
) -> dict[str, Column]:
    """Turn Arrow columns into the columns of the features; `lengths` are those of the vectors."""
    known = dictionaries or Dictionaries()
    return {
        feature.name: _column(table.column(feature.name), feature, lengths, known)
        for feature in features
    }


def _column(
    array: pa.Array, feature: Feature, lengths: Mapping[str, int], dictionaries: Dictionaries
) -> Column:
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    if feature.kind in TEXT_KINDS:
        return text_column(array, feature.name, dictionaries)
    if feature.kind is Kind.VECTOR:
        length = lengths.get(feature.name)
        return vector_column(array, common_length(array) if length is None else length)
    if feature.kind is Kind.PAST:
        return past_column(array, feature, dictionaries)
    return number_column(array)


def number_column(array: pa.Array) -> NumberColumn:
    """Return numbers and booleans as float64, or float32 where they are; nulls become NaN."""
    if not pa.types.is_floating(array.type):
        if pa.types.is_boolean(array.type):
            array = array.cast(pa.int8())
        array = array.cast(pa.float64(), safe=False)
    return NumberColumn(array.to_numpy(zero_copy_only=False))


def text_column(array: pa.Array, name: str, dictionaries: Dictionaries) -> TextColumn:
    """Return strings as codes into a dictionary; nulls get the code -1."""
    encoded = array if pa.types.is_dictionary(array.type) else array.dictionary_encode()
    codes = pc.fill_null(encoded.indices, -1).to_numpy(zero_copy_only=False)
    return TextColumn(codes, dictionaries.values(name, encoded.dictionary))


def common_length(array: pa.Array) -> int:
    """Return the commonest length of the vectors, 0 where there is none."""
    counts = pc.value_counts(pc.list_value_length(array).drop_null()).to_pylist()
    return max(((entry["counts"], entry["values"]) for entry in counts), default=(0, 0))[1]


def vector_column(array: pa.Array, length: int) -> VectorColumn:
    """Return vectors of one length; a null, or a vector of another length, becomes a row of NaN."""
    values = np.full((len(array), length), np.nan)
    fits = pc.fill_null(pc.equal(pc.list_value_length(array), length), fill_value=False)
    rows = fits.to_numpy(zero_copy_only=False)
    flat = array.filter(fits).flatten().cast(pa.float64())
    values[rows] = flat.to_numpy(zero_copy_only=False).reshape(-1, length) if length else 0.0
    return VectorColumn(values)


def past_column(array: pa.Array, feature: Feature, dictionaries: Dictionaries) -> PastColumn:
    """Return lists of earlier values, the last of each list being the one just before its row."""
    lengths = pc.fill_null(pc.list_value_length(array), 0).to_numpy(zero_copy_only=False)
    before = np.arange(feature.steps, 0, -1)[:, None]
    present = lengths >= before
    flat, places = array.flatten(), (np.cumsum(lengths) - before)[present]
    if not pa.types.is_string(flat.type) and not pa.types.is_large_string(flat.type):
        given = number_column(flat).values
        values = np.full(present.shape, np.nan, dtype=given.dtype)
        values[present] = given[places]
        return PastColumn(NumberColumn(values.ravel()), present)
    texts = text_column(flat, feature.name, dictionaries)
    codes = np.full(present.shape, -1, dtype=np.int32)
    codes[present] = texts.codes[places]
    return PastColumn(TextColumn(codes.ravel(), texts.values), present)


def vector_lengths(encoder: Encoder) -> dict[str, int]:
    """Return the lengths that the vectors had in training."""
    return {
        encoding.feature.name: len(encoding.centre)
        for encoding in encoder.encodings
        if isinstance(encoding, VectorEncoding)
    }


@dataclass(frozen=True)
class Packing:
    """Feature columns packed into few: Spark's cost of crossing into Python is by column.

    Numbers cross as one array<double>, those of float32 as one array<float>, strings as one
    array<string>, vectors and pasts as they are.
    """

    singles: tuple[str, ...]
    doubles: tuple[str, ...]
    texts: tuple[str, ...]
    vectors: tuple[tuple[str, int], ...]
    """Names and lengths."""
    pasts: tuple[Feature, ...] = ()

    @classmethod
    def of(cls, encoder: Encoder, schema: T.StructType) -> Packing:
        """Sort the encoder's columns by how they cross."""
        features = [encoding.feature for encoding in encoder.encodings]
        texts = tuple(feature.name for feature in features if feature.kind in TEXT_KINDS)
        vectors = vector_lengths(encoder)
        numbers = [name for name in encoder.names if name not in {*texts, *vectors}]
        singles = [name for name in numbers if isinstance(schema[name].dataType, T.FloatType)]
        doubles = [name for name in numbers if name not in singles]
        return cls(tuple(singles), tuple(doubles), texts, tuple(vectors.items()), encoder.pasts)

    def expressions(self) -> list[SparkColumn]:
        """Return the columns to select from the feature table."""
        packed = []
        for name, names, element in self._packed():
            if names:
                elements = [column(entry).cast(element) for entry in names]
                packed.append(F.array(*elements).alias(name))
        whole = [*(name for name, _ in self.vectors), *(past.name for past in self.pasts)]
        return [*packed, *map(column, whole)]

    def _packed(self) -> Iterator[tuple[str, tuple[str, ...], str]]:
        yield SINGLES, self.singles, "float"
        yield DOUBLES, self.doubles, "double"
        yield TEXTS, self.texts, "string"

    def unpack(self, batch: pa.RecordBatch, dictionaries: Dictionaries) -> dict[str, Column]:
        """Return the columns again."""
        unpacked: dict[str, Column] = {}
        for packed, names in ((SINGLES, self.singles), (DOUBLES, self.doubles)):
            if names:
                table = _matrix(batch.column(packed), len(names))
                unpacked |= zip(names, map(NumberColumn, table), strict=True)
        if self.texts:
            flat, step = batch.column(TEXTS).flatten(), len(self.texts)
            for place, name in enumerate(self.texts):
                own = flat.take(pa.array(range(place, len(flat), step)))
                unpacked[name] = text_column(own, name, dictionaries)
        for name, length in self.vectors:
            unpacked[name] = vector_column(batch.column(name), length)
        for past in self.pasts:
            unpacked[past.name] = past_column(batch.column(past.name), past, dictionaries)
        return unpacked


def _matrix(array: pa.Array, width: int) -> Floats:
    """Turn a list array of one length into contiguous columns: shape (width, rows)."""
    flat = array.flatten().to_numpy(zero_copy_only=False)
    return np.ascontiguousarray(flat.reshape(-1, width).T)
