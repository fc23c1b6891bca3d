"""The ways to score that are measured beside each other, interleaved so that drift hits all."""

from __future__ import annotations

import shutil
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from pyspark.sql import Column, SparkSession

import loops
from adlib.artifacts import StoredModel, take_apart
from bench_models import plain_network
from engines import own_workers, score_by_engine
from memory import Processes, end, peak_memory, python_workers
from rivals import Rivals, write_flagged

OURS = ("row_groups", "pandas_udf")
RIVALS = ("naive_pandas_udf", "predict_batch_udf", "mlflow_spark_udf")
LOOPS = ("handwritten_loop", "read_floor")
DEFAULTS = ("default_row_groups", "default_pandas_udf")


@dataclass(frozen=True)
class Case:
    """A way to score a table into a directory."""

    name: str
    run: Callable[[Path, Path], object]
    """Of the table and the directory to write to."""
    processes: Processes
    """Those that do the work."""
    ended_after_run: bool = False


@dataclass
class Measured:
    """What was measured of a case."""

    seconds: list[float] = field(default_factory=list)
    peak_worker_rss_mb: float = 0.0

    def plain(self, rows: int) -> dict[str, Any]:
        """Return it as the contract has it."""
        return {
            "seconds": [round(seconds, 4) for seconds in self.seconds],
            "rows_per_second": round(rows / statistics.median(self.seconds)),
            "peak_worker_rss_mb": self.peak_worker_rss_mb,
        }


@contextmanager
def open_cases(
    spark: SparkSession, network: StoredModel, default: StoredModel, folder: Path
) -> Iterator[list[Case]]:
    """Return the cases, in the order in which they are measured; end their processes afterwards."""
    plain = plain_network(network)
    with ExitStack() as stack:
        scoring = stack.enter_context(loops.start_pool(plain))
        reading = stack.enter_context(loops.start_pool())
        rivals = Rivals(spark, plain, folder)
        columns: Mapping[str, Callable[[], Column]] = {
            "naive_pandas_udf": rivals.naive_pandas_udf,
            "predict_batch_udf": rivals.predict_batch_udf,
            "mlflow_spark_udf": rivals.mlflow_spark_udf,
        }
        yield [
            *_engine_cases(spark, network, ""),
            *(_rival_case(spark, name, column, plain.cut) for name, column in columns.items()),
            Case(
                "handwritten_loop",
                partial(loops.handwritten_loop, scoring),
                partial(loops.pool_processes, scoring),
            ),
            Case(
                "read_floor",
                lambda table, _: loops.read_floor(reading, table),
                partial(loops.pool_processes, reading),
            ),
            *_engine_cases(spark, default, "default_"),
        ]


def _engine_cases(spark: SparkSession, stored: StoredModel, prefix: str) -> Iterator[Case]:
    parts = take_apart(stored)
    yield _spark_case(
        spark,
        f"{prefix}row_groups",
        lambda table, out: score_by_engine(spark, "row_groups", table, parts, out),
    )
    yield _spark_case(
        spark,
        f"{prefix}pandas_udf",
        lambda table, out: score_by_engine(spark, "pandas_udf", table, parts, out),
    )


def _rival_case(spark: SparkSession, name: str, column: Callable[[], Column], cut: float) -> Case:
    return _spark_case(
        spark, name, lambda table, out: write_flagged(spark, table, column(), cut, out)
    )


def _spark_case(spark: SparkSession, name: str, run: Callable[[Path, Path], object]) -> Case:
    def with_own_workers(table: Path, out: Path) -> None:
        own_workers(spark, name)
        run(table, out)

    return Case(name, with_own_workers, lambda: python_workers(name), ended_after_run=True)


def measure(
    cases: Sequence[Case], table: Path, small: Path, folder: Path, runs: int
) -> dict[str, Measured]:
    """Run every case once to warm up, then `runs` times in turn.

    Spark's Python workers are ended after each run, so that none takes memory from another case,
    and started by a small table before the next.
    """
    measured = {case.name: Measured() for case in cases}
    for number in range(runs + 1):
        for case in cases:
            _run(case, small, folder)
            with peak_memory(case.processes) as peaks:
                seconds = _run(case, table, folder)
            if case.ended_after_run:
                end(case.processes())
            what = f"run {number} of {runs}" if number else "warm-up"
            print(f"  {what}: {case.name:<20}{seconds:9.2f} s", flush=True)
            if number:
                before = measured[case.name].peak_worker_rss_mb
                measured[case.name].seconds.append(seconds)
                measured[case.name].peak_worker_rss_mb = max(before, peaks.largest_mb)
    return measured


def _run(case: Case, table: Path, folder: Path) -> float:
    """Run a case once; return the seconds from call to finished write."""
    directory = folder / case.name
    shutil.rmtree(directory, ignore_errors=True)
    began = time.perf_counter()
    case.run(table, directory)
    return time.perf_counter() - began
