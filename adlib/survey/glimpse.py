"""Read some rows of a table, without Spark where the files are here."""

from __future__ import annotations

import codecs
import glob
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.dataset as ds
import pyarrow.json as pajson

from adlib.config import shortened
from adlib.errors import ConfigError, InputError
from adlib.spark.session import open_session
from adlib.spark.tables import Source, read_source

MOST_ROWS = 100_000
_MOST_CELLS = 20_000_000
"""Rows times columns of what is read: 160 MB of numbers."""
_PIECES = 8
"""So many row groups, spread over the table, are looked into."""
_BLOCK_BYTES = 16_000_000
"""So much of a text file is read."""
_FORMATS: Mapping[str, str] = {
    ".parquet": "parquet",
    ".pq": "parquet",
    ".csv": "csv",
    ".tsv": "csv",
    ".json": "json",
    ".jsonl": "json",
    ".ndjson": "json",
    ".orc": "orc",
}
_COMPRESSIONS = {".gz", ".bz2", ".zst", ".lz4", ".snappy"}
_MAGIC: Mapping[bytes, str] = {b"PAR1": "parquet", b"ORC": "orc"}
_SEPARATORS = ",;\t|"


@dataclass(frozen=True)
class Glimpse:
    """Some rows of a table, and how Spark is to read it."""

    table: pa.Table
    format: str
    whole: bool
    """Whether these are all of its rows."""
    options: Mapping[str, str] = field(default_factory=dict)
    days: Mapping[str, float] = field(default_factory=dict)
    """How many days each time spans, where the files' footers say so."""


def take_glimpse(path: str, named_format: str | None) -> Glimpse:
    """Read at most 100,000 rows of a table, of Parquet from several places in it.

    Raises:
        ConfigError: if the format is neither named nor to be seen.
        InputError: if nothing is there, or what is there cannot be read.
    """
    if named_format == "table" or "://" in path:
        return _by_spark(path, named_format)
    files = _files(path)
    if not files:
        raise InputError(
            f"Expected a table at {path}, found no file there. Give --source a file, a directory "
            "or a glob, or a table's name with --format table."
        )
    kind = named_format or _format_of(files[0])
    try:
        glimpse = _of_lines(files, kind) if kind in {"csv", "json"} else _of_columns(files, kind)
    except (pa.ArrowException, OSError, UnicodeError) as error:
        raise _unreadable(path, files, kind, error) from error
    if not glimpse.table.num_rows:
        raise InputError.nothing_to_read(path, "Give --source a table that has some.")
    _refuse_times_of_day(path, glimpse)
    return glimpse


def _unreadable(path: str, files: Sequence[Path], kind: str, error: Exception) -> InputError:
    """Name the file that is no whole one of its kind, else say what the reader says."""
    broken = next((file for file in files if not _opens(file, kind)), None)
    if broken is not None:
        return InputError(
            f"The file {broken} cannot be read as {kind}: it is damaged, cut short or of another "
            "format. Restore it or leave it out of --source; if it is of another format, name that "
            "with --format."
        )
    said = shortened(str(error)).rstrip(".")
    return InputError(
        f"{path} cannot be read as {kind}: {said}. Look at the files, or name their format with "
        "--format."
    )


def _opens(file: Path, kind: str) -> bool:
    """Tell whether the head or the footer of a file is one of its kind."""
    if kind in {"csv", "json"}:
        return True  # whatever lines it holds
    try:
        ds.dataset([str(file)], format=kind)
    except (pa.ArrowException, OSError):
        return False
    return True


def _refuse_times_of_day(path: str, glimpse: Glimpse) -> None:
    """Refuse at once what Spark will not read, whatever the configuration says."""
    times = [one.name for one in glimpse.table.schema if pa.types.is_time(one.type)]
    if glimpse.format == "parquet" and times:
        raise InputError(
            f"{path} holds times of day without a date, which Spark cannot read: "
            f"{', '.join(map(repr, times))}. Store them as text, or leave them out."
        )


def _by_spark(path: str, named_format: str | None) -> Glimpse:
    """Let Spark read what only Spark can reach."""
    if named_format is None:
        raise ConfigError(f"The format of {path} cannot be seen from here. Name it with --format.")
    rows = read_source(open_session("adlib init"), Source(path, named_format)).limit(MOST_ROWS)
    table = rows.toArrow()
    if not table.num_rows:
        raise InputError.nothing_to_read(path, "Give --source a table that has some.")
    return Glimpse(table, named_format, whole=table.num_rows < MOST_ROWS)


def _files(path: str) -> list[Path]:
    """Return the files that Spark would read: hidden ones left out, partitions included."""
    given = path.removeprefix("file:")
    places = sorted(glob.glob(given)) if glob.has_magic(given) else [given]  # noqa: PTH207
    return [file for place in places for file in _within(Path(place))]


def _within(place: Path) -> list[Path]:
    if not place.is_dir():
        return [place] if place.is_file() else []
    seen = sorted(one for one in place.iterdir() if not one.name.startswith((".", "_")))
    inner = [one for one in seen if one.is_file() or "=" in one.name]
    return [file for one in inner for file in _within(one)]


def _format_of(file: Path) -> str:
    """Tell a file's format by its name, else by its first bytes."""
    suffixes = [suffix for suffix in map(str.lower, file.suffixes) if suffix not in _COMPRESSIONS]
    if suffixes and suffixes[-1] in _FORMATS:
        return _FORMATS[suffixes[-1]]
    with file.open("rb") as opened:
        first = opened.read(4)
    for magic, known in _MAGIC.items():
        if first.startswith(magic):
            return known
    raise ConfigError(
        f"The format of {file} cannot be told from its name. Name it with --format: parquet, csv, "
        "json or orc."
    )


def _of_columns(files: Sequence[Path], kind: str) -> Glimpse:
    """Read some rows of each of several row groups, the first and the last among them."""
    root = files[0].parent
    while "=" in root.name:
        root = root.parent
    table = ds.dataset(
        [str(file) for file in files],
        format=kind,
        partitioning="hive",
        partition_base_dir=str(root),
    )
    pieces = list(table.get_fragments())
    chosen = _spread(pieces)
    whole = len(chosen) == len(pieces)
    days: dict[str, float] = {}
    if kind == "parquet":
        groups = [group for piece in chosen for group in piece.split_by_row_group()]
        whole, days = whole and len(groups) <= _PIECES, _days(groups)
        chosen = _spread(groups)
    most = _most_rows(len(table.schema)) // max(1, len(chosen))
    parts = [piece.scanner(schema=table.schema).head(most) for piece in chosen]
    cut = any(part.num_rows == most for part in parts)
    return Glimpse(pa.concat_tables(parts), kind, whole=whole and not cut, days=days)


def _days(groups: Sequence[ds.ParquetFileFragment]) -> dict[str, float]:
    """Return how many days lie between the first and the last time, by the statistics."""
    times: dict[str, list[datetime]] = {}
    for group in groups:
        for name, bounds in (group.row_groups[0].statistics or {}).items():
            if isinstance(bounds["min"], datetime):
                times.setdefault(name, []).extend(bounds.values())
    return {name: (max(seen) - min(seen)).total_seconds() / 86_400 for name, seen in times.items()}


def _spread(pieces: Sequence[ds.Fragment]) -> list[ds.Fragment]:
    if len(pieces) <= _PIECES:
        return list(pieces)
    last = len(pieces) - 1
    return [pieces[round(place * last / (_PIECES - 1))] for place in range(_PIECES)]


def _most_rows(columns: int) -> int:
    return max(1000, min(MOST_ROWS, _MOST_CELLS // max(1, columns)))


def _of_lines(files: Sequence[Path], kind: str) -> Glimpse:
    """Read the first block of the first file."""
    _refuse_other_than_utf8(files[0], kind)
    options = _csv_options(files[0]) if kind == "csv" else {}
    with pa.input_stream(str(files[0])) as stream:
        reader = _open_csv(stream, options.get("sep", ",")) if kind == "csv" else _open_json(stream)
        first = pa.Table.from_batches([_first(reader)], reader.schema)
        ended = _first(reader).num_rows == 0
    if kind == "csv":
        names = _names_in_spark(first.column_names)
        if names != first.column_names:  # Spark would find that the header is not what it named
            options["enforceSchema"] = "true"
        first = first.rename_columns(names)
    most = _most_rows(first.num_columns)
    whole = ended and len(files) == 1 and first.num_rows <= most
    return Glimpse(first.slice(0, most), kind, whole, options)


def _refuse_other_than_utf8(file: Path, kind: str) -> None:
    """Refuse text in another encoding, whose columns would be taken for bytes."""
    with pa.input_stream(str(file)) as stream:
        block = stream.read(_BLOCK_BYTES)
    try:
        codecs.getincrementaldecoder("utf-8")().decode(block)  # a last character may be cut
    except UnicodeDecodeError as error:
        raise InputError(
            f"{file} is not UTF-8 text: byte {error.start} is 0x{block[error.start]:02x}. Convert "
            f"it, or, if it is {kind} in another encoding, write the configuration by hand with "
            "source.options: {encoding: ISO-8859-1} or whichever it is."
        ) from error


def _first(reader: pa.RecordBatchReader) -> pa.RecordBatch:
    """Return the next batch that holds rows, an empty one at the end."""
    for batch in reader:
        if batch.num_rows:
            return batch
    return pa.RecordBatch.from_pylist([], reader.schema)


def _open_csv(stream: pa.NativeFile, separator: str) -> pa.RecordBatchReader:
    """Open CSV as Spark reads it: only an empty value is missing, line breaks may be quoted."""
    return pacsv.open_csv(
        stream,
        pacsv.ReadOptions(block_size=_BLOCK_BYTES, use_threads=False),
        pacsv.ParseOptions(
            delimiter=separator,
            newlines_in_values=True,
            invalid_row_handler=lambda _row: "skip",
        ),
        pacsv.ConvertOptions(null_values=[""], strings_can_be_null=True),
    )


def _open_json(stream: pa.NativeFile) -> pa.RecordBatchReader:
    return pajson.open_json(stream, pajson.ReadOptions(block_size=_BLOCK_BYTES, use_threads=False))


def _csv_options(file: Path) -> dict[str, str]:
    """Return what Spark has to be told of a CSV file: what separates its columns, if no comma."""
    with pa.input_stream(str(file)) as stream:
        header = stream.read(100_000).decode("utf-8", "replace").splitlines()[:1]
    counts = {mark: header[0].count(mark) if header else 0 for mark in _SEPARATORS}
    separator = max(counts, key=lambda mark: counts[mark])
    return {} if separator == "," else {"sep": separator}


def _names_in_spark(names: Sequence[str]) -> list[str]:
    """Return the names that Spark gives: by place where the header has none, numbered if equal."""
    lowered = [name.lower() for name in names]
    twice = {a for a, b in pairwise(sorted(lowered)) if a == b}
    return [
        f"_c{place}" if not name else f"{name}{place}" if name.lower() in twice else name
        for place, name in enumerate(names)
    ]
