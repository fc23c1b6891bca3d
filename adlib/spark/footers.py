"""What the footers of Parquet files say: their row groups, and whether their columns are right."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple, dataclass, fields
from functools import partial
from typing import Any
from urllib.parse import unquote, urlsplit

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow.fs import FileSystem, LocalFileSystem
from pyspark.sql import SparkSession
from pyspark.sql import types as T

from adlib.errors import InputError

_FILES_READ_HERE = 64
"""More footers than these are read by the workers."""
_FILES_A_TASK = 500
_THREADS = 16
_FOUND = T.StructType(
    [
        T.StructField("file", T.StringType()),
        T.StructField("number", T.IntegerType()),
        T.StructField("bytes", T.LongType()),
        T.StructField("rows", T.LongType()),
        T.StructField("problem", T.StringType()),
    ]
)


@dataclass(frozen=True)
class RowGroup:
    """A row group of a Parquet file."""

    file: str
    """As Spark names it: a URI."""
    number: int
    bytes: int
    """Compressed, of all columns."""
    rows: int


@dataclass(frozen=True)
class _Footer:
    """One entry of what a worker found."""

    file: str
    number: int = 0
    bytes: int = 0
    rows: int = 0
    problem: str | None = None


def open_file(uri: str) -> pa.NativeFile:
    """Open a file by the URI that Spark has for it."""
    parts = urlsplit(uri)
    if parts.scheme == "file":
        return LocalFileSystem(use_mmap=True).open_input_file(unquote(parts.path))
    filesystem, path = FileSystem.from_uri(uri)
    return filesystem.open_input_file(path)


def read_row_groups(
    spark: SparkSession, files: Sequence[str], expected: Mapping[str, pa.DataType]
) -> list[RowGroup]:
    """Read all footers, here or, where there are many, in the workers.

    Raises:
        InputError: naming the first file that cannot be read or whose columns are not the expected
            ones.
    """
    if len(files) <= _FILES_READ_HERE:
        with ThreadPoolExecutor(_THREADS) as pool:
            read = pool.map(partial(_read_footer, expected=expected), files)
            found = [entry for footer in read for entry in footer]
    else:
        found = _read_in_workers(spark, files, expected)
    problems = [entry.problem for entry in found if entry.problem is not None]
    if problems:
        more = f" {len(problems) - 1} more files have problems." if len(problems) > 1 else ""
        message = (
            f"{problems[0]}{more} Run `adlib preprocess` again, or restore the file from a backup."
        )
        raise InputError(message)
    return [RowGroup(entry.file, entry.number, entry.bytes, entry.rows) for entry in found]


def _read_in_workers(
    spark: SparkSession, files: Sequence[str], expected: Mapping[str, pa.DataType]
) -> list[_Footer]:
    """Read footers by a Spark job: a task for some hundred files."""
    tasks = [list(files[at : at + _FILES_A_TASK]) for at in range(0, len(files), _FILES_A_TASK)]
    columns = dict(expected)
    listed = spark.createDataFrame([("\n".join(task),) for task in tasks], "files string")

    def read(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for task in batch.column("files").to_pylist():
                found = [part for file in task.split("\n") for part in _read_footer(file, columns)]
                yield _as_batch(found)

    spread = listed.repartition(len(tasks))
    rows = spread.mapInArrow(read, _FOUND).toArrow().to_pylist()
    return sorted((_Footer(**row) for row in rows), key=lambda entry: (entry.file, entry.number))


def _as_batch(found: Sequence[_Footer]) -> pa.RecordBatch:
    types = [pa.string(), pa.int32(), pa.int64(), pa.int64(), pa.string()]
    names = [entry.name for entry in fields(_Footer)]
    values: list[tuple[Any, ...]] = list(zip(*map(astuple, found), strict=True)) or [()] * 5
    arrays = [pa.array(part, kind) for part, kind in zip(values, types, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, names=names)


def _read_footer(file: str, expected: Mapping[str, pa.DataType]) -> list[_Footer]:
    """Return a file's row groups, or one entry that says what is wrong with it."""
    try:
        with open_file(file) as source:
            metadata = pq.read_metadata(source)
        schema = metadata.schema.to_arrow_schema()
    except (OSError, pa.ArrowException) as error:
        return [_Footer(file, problem=f"The file {file} cannot be read as Parquet ({error}).")]
    wrong = _differences(schema, expected)
    if wrong:
        said = f"The file {file} is not like the feature table: {'; '.join(wrong)}."
        return [_Footer(file, problem=said)]
    groups = (metadata.row_group(number) for number in range(metadata.num_row_groups))
    return [
        _Footer(file, number, _compressed_bytes(group), group.num_rows)
        for number, group in enumerate(groups)
    ]


def _compressed_bytes(group: pq.RowGroupMetaData) -> int:
    return sum(group.column(place).total_compressed_size for place in range(group.num_columns))


def _differences(schema: pa.Schema, expected: Mapping[str, pa.DataType]) -> list[str]:
    """Say which columns are missing or of another type."""
    types = dict(zip(schema.names, schema.types, strict=True))
    wrong = []
    for name, wanted in expected.items():
        found = types.get(name)
        if found is None:
            wrong.append(f"column {name!r} is missing")
        elif found != wanted and _plain(found) != _plain(wanted):
            wrong.append(f"column {name!r} is {found} where {wanted} is expected")
    return wrong


def _plain(kind: pa.DataType) -> pa.DataType | tuple[Any, ...]:
    """Return a type without what makes no difference to its values."""
    if pa.types.is_dictionary(kind):
        return _plain(kind.value_type)
    if pa.types.is_map(kind):
        return "map", _plain(kind.key_type), _plain(kind.item_type)
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return "list", _plain(kind.value_type)
    if pa.types.is_struct(kind):
        return "struct", *((part.name, _plain(part.type)) for part in kind)
    return {pa.large_string(): pa.string(), pa.large_binary(): pa.binary()}.get(kind, kind)
