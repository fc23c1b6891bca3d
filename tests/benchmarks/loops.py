"""What a process a core can do without an engine: decode alone, and a loop tuned by hand.

The processes are started before the clock, as Spark's workers are. Row groups are shared out one by
one to whichever process is free.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator
from functools import partial
from multiprocessing.pool import Pool
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from bench_table import FLOATS
from plain_network import PlainNetwork

if TYPE_CHECKING:
    import torch

_BLOCK_ROWS = 2_048
_BATCH_ROWS = 65_536
_COLUMNS = ["key", *FLOATS]
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")

RowGroup = tuple[str, int]
Flagged = tuple[NDArray[np.int64], NDArray[np.float32]]

_loop: Callable[[RowGroup], Flagged]
"""Of a process of the pool: holds the network and its buffers."""


def start_pool(network: PlainNetwork | None = None) -> Pool:
    """Start one process a core, with one thread each; with a network it can score."""
    before = {name: os.environ.get(name) for name in _THREADS}
    os.environ.update(dict.fromkeys(_THREADS, "1"))
    context = multiprocessing.get_context("spawn")
    pool = context.Pool(len(os.sched_getaffinity(0)), _prepare, (network,))
    for name, value in before.items():
        if value is None:
            del os.environ[name]
        else:
            os.environ[name] = value
    return pool


def pool_processes(pool: Pool) -> list[psutil.Process]:
    """Return the processes of a pool."""
    members: list[Any] = pool._pool  # type: ignore[attr-defined]
    return [psutil.Process(member.pid) for member in members]


def row_groups_of(table: Path) -> list[RowGroup]:
    """Return every row group of the table."""
    return [
        (str(file), number)
        for file in sorted(table.glob("*.parquet"))
        for number in range(pq.read_metadata(file).num_row_groups)
    ]


def read_floor(pool: Pool, table: Path) -> int:
    """Decode the key and the floats and nothing else; return the rows."""
    return sum(pool.imap_unordered(_read_group, row_groups_of(table)))


def handwritten_loop(pool: Pool, table: Path, out: Path) -> None:
    """Score, and write key and score of what is flagged."""
    found = list(pool.imap_unordered(_score_group, row_groups_of(table)))
    keys, scores = zip(*found, strict=True)
    flagged = pa.table({"key": np.concatenate(keys), "anomaly_score": np.concatenate(scores)})
    out.mkdir(parents=True, exist_ok=True)
    pq.write_table(flagged, out / "flagged.parquet", compression="zstd")


def _prepare(network: PlainNetwork | None) -> None:
    """Make a process of the pool ready."""
    global _loop  # noqa: PLW0603 - what a process of the pool keeps has no other place
    if network is not None:
        _loop = partial(_score_batches, _BlockScorer(network))


def _read_group(group: RowGroup) -> int:
    """Decode a row group whole, which is a little faster than piece by piece."""
    file, number = group
    with pq.ParquetFile(file, memory_map=True) as parquet:
        rows: int = parquet.read_row_group(number, _COLUMNS, use_threads=False).num_rows
    return rows


def _batches(group: RowGroup) -> Iterator[pa.RecordBatch]:
    """Decode a row group piece by piece: what is scored next is still in the cache."""
    file, number = group
    with pq.ParquetFile(file, memory_map=True) as parquet:
        yield from parquet.iter_batches(_BATCH_ROWS, [number], _COLUMNS, use_threads=False)


def _score_group(group: RowGroup) -> Flagged:
    return _loop(group)


def _score_batches(scorer: _BlockScorer, group: RowGroup) -> Flagged:
    keys, scores = [], []
    for batch in _batches(group):
        columns = [batch.column(name).to_numpy() for name in FLOATS]
        found = scorer.score(columns, batch.num_rows)
        flagged = np.flatnonzero(found >= scorer.cut)
        keys.append(batch.column("key").to_numpy()[flagged])
        scores.append(found[flagged])
    return np.concatenate(keys), np.concatenate(scores)


class _BlockScorer:
    """Scores column by column, in blocks that fit the cache and buffers that are used again."""

    def __init__(self, network: PlainNetwork) -> None:
        import torch

        torch.set_num_threads(1)
        self.cut = network.cut
        self._torch = torch
        self._weights = [torch.tensor(weight) for weight in network.weights]
        self._biases = [torch.tensor(bias)[:, None] for bias in network.biases]
        self._mean = torch.tensor(network.mean)[:, None]
        self._factor = torch.tensor(1.0 / network.deviation)[:, None]
        self._buffers: dict[int, tuple[torch.Tensor, list[torch.Tensor]]] = {}

    def score(self, columns: list[NDArray[np.float32]], rows: int) -> NDArray[np.float32]:
        """Return the scores: shape (rows,)."""
        scores = np.empty(rows, dtype=np.float32)
        with self._torch.inference_mode():
            for start in range(0, rows, _BLOCK_ROWS):
                block = slice(start, min(start + _BLOCK_ROWS, rows))
                self._score_block([column[block] for column in columns], scores[block])
        return scores

    def _score_block(self, columns: list[NDArray[np.float32]], out: NDArray[np.float32]) -> None:
        torch = self._torch
        given, layers = self._buffers_of(len(out))
        np.stack(columns, out=given.numpy())
        given.sub_(self._mean).mul_(self._factor)
        values = given
        for place, (weight, bias) in enumerate(zip(self._weights, self._biases, strict=True)):
            values = torch.addmm(bias, weight, values, out=layers[place])
            if place < len(layers) - 1:
                values.relu_()
        torch.mean(values.sub_(given).square_(), dim=0, out=torch.from_numpy(out))

    def _buffers_of(self, rows: int) -> tuple[torch.Tensor, list[torch.Tensor]]:
        if rows not in self._buffers:
            empty = self._torch.empty
            layers = [empty(weight.shape[0], rows) for weight in self._weights]
            self._buffers[rows] = empty(len(self._mean), rows), layers
        return self._buffers[rows]
