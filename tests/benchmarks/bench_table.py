"""The table that is scored: the same every time, made once for each number of rows.

Six hidden causes move thirty float columns, with noise; the categories lean on the first cause.
One row in two hundred is planted: its floats are exchanged among columns, which keeps each ordinary
by itself and breaks how they go together, and its categories no longer lean on anything.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

ROWS_A_FILE = 1_000_000
ROWS_A_GROUP = 250_000
FLOATS = tuple(f"f{number:02d}" for number in range(30))
CATEGORIES = {"c3": 3, "c11": 11, "c60": 60, "c200": 200}
"""Name to number of values."""
PLANTED_FRACTION = 0.005
_WARM_UP_ROWS_A_FILE = 50_000
_SEED = 20_260_301
_CAUSES = 6
_NOISE = np.float32(0.5)
_PLANTED_STRETCH = np.float32(1.5)
_START_MICROSECONDS = 1_772_323_200_000_000
"""2026-03-01 since 1970; a row follows each millisecond."""

Floats32 = NDArray[np.float32]


def bench_table(rows: int, folder: Path) -> Path:
    """Return the directory of the table, made where it is not there yet.

    Tables share their files of 1,000,000 rows, which are kept in `files/`.
    """
    table, files = folder / f"table-{rows}", folder / "files"
    if table.is_dir():
        return table
    making = folder / f"table-{rows}.making"
    making.mkdir(parents=True, exist_ok=True)
    files.mkdir(exist_ok=True)
    whole, rest = divmod(rows, ROWS_A_FILE)
    missing = [number for number in range(whole) if not _named(files, number).exists()]
    if missing:
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(len(os.sched_getaffinity(0)), context) as pool:
            list(pool.map(write_file, [_named(files, n) for n in missing], missing))
    for number in range(whole):
        _named(making, number).unlink(missing_ok=True)
        _named(making, number).hardlink_to(_named(files, number))
    if rest:
        write_file(_named(making, whole), whole, rest)
    making.rename(table)
    return table


def warm_up_table(folder: Path, processes: int) -> Path:
    """Return a small table with work for every process."""
    table, making = folder / f"warm-up-{processes}", folder / f"warm-up-{processes}.making"
    if not table.is_dir():
        making.mkdir(parents=True, exist_ok=True)
        for number in range(2 * processes):
            write_file(_named(making, number), number, _WARM_UP_ROWS_A_FILE)
        making.rename(table)
    return table


def _named(folder: Path, number: int) -> Path:
    return folder / f"part-{number:05d}.parquet"


def write_file(path: Path, number: int, rows: int = ROWS_A_FILE) -> None:
    """Write one file; a name that is there is always of a finished one."""
    unfinished = path.with_suffix(".unfinished")
    groups = make_groups(number * ROWS_A_FILE, rows)
    first = next(groups)
    with pq.ParquetWriter(
        unfinished, first.schema, compression="zstd", use_dictionary=list(CATEGORIES)
    ) as writer:
        for group in (first, *groups):
            writer.write_table(group, row_group_size=ROWS_A_GROUP)
    unfinished.rename(path)


def make_groups(start: int, rows: int) -> Iterator[pa.Table]:
    """Make rows from a start, which begins a row group; one table a row group."""
    for first in range(start, start + rows, ROWS_A_GROUP):
        count = min(ROWS_A_GROUP, start + rows - first)
        yield make_rows(first // ROWS_A_GROUP).slice(0, count)


def make_rows(group: int) -> pa.Table:
    """Make the rows of one row group; they depend on its number alone."""
    values, _, codes = make_values(group)
    numbers = np.arange(group * ROWS_A_GROUP, (group + 1) * ROWS_A_GROUP)
    times = _START_MICROSECONDS + 1_000 * numbers
    columns: dict[str, pa.Array] = {
        "key": pa.array(numbers),
        "time": pa.array(times, pa.timestamp("us", "UTC")),
    }
    columns |= {name: pa.array(column) for name, column in zip(FLOATS, values, strict=True)}
    for name, places in codes.items():
        words = pa.array([f"{name}-{place}" for place in range(CATEGORIES[name])])
        columns[name] = pa.DictionaryArray.from_arrays(places, words).dictionary_decode()
    return pa.table(columns)


def make_values(
    group: int,
) -> tuple[Floats32, NDArray[np.bool_], dict[str, NDArray[np.int32]]]:
    """Return the floats, shape (30, rows), which rows are planted, and the categories' codes."""
    shape = np.random.default_rng(_SEED)
    loadings = shape.normal(size=(len(FLOATS), _CAUSES)).astype(np.float32)
    centres = shape.normal(scale=10.0, size=(len(FLOATS), 1)).astype(np.float32)
    widths = np.exp(shape.normal(size=(len(FLOATS), 1))).astype(np.float32)
    draw = np.random.default_rng([_SEED, group])
    causes = draw.standard_normal((_CAUSES, ROWS_A_GROUP), dtype=np.float32)
    values = loadings @ causes
    values += _NOISE * draw.standard_normal(values.shape, dtype=np.float32)
    planted = draw.random(ROWS_A_GROUP) < PLANTED_FRACTION
    values[:, planted] = draw.permuted(values[:, planted], axis=0) * _PLANTED_STRETCH
    leaning = causes[0].copy()
    leaning[planted] = draw.standard_normal(int(planted.sum()), dtype=np.float32)
    codes = {name: _skewed(leaning, count, draw) for name, count in CATEGORIES.items()}
    return values * widths + centres, planted, codes


def _skewed(leaning: Floats32, count: int, draw: np.random.Generator) -> NDArray[np.int32]:
    """Return codes below `count`, the first the commonest, that lean on the values given."""
    reach = np.abs(leaning + _NOISE * draw.standard_normal(len(leaning), dtype=np.float32))
    return np.minimum(reach**2 * np.float32(count / 12), count - 1).astype(np.int32)
