"""Score a table in a process of its own; the last line it prints is what was measured, as JSON.

Where Spark is, the environment says (PYSPARK_SUBMIT_ARGS); without a word it is embedded.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from adlib.artifacts import read_model, take_apart
from engines import open_benchmark_session, score_by_engine
from memory import driver_processes, peak_memory, python_workers


def score_in_own_process(
    engine: str,
    tables: Sequence[Path],
    model: Path,
    runs: int,
    environment: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Score the first table after a warm-up on the last; return what was measured."""
    call = [sys.executable, __file__, "--engine", engine, "--model", model, "--runs", runs]
    call += ["--table", tables[0], "--warm-up", tables[-1]]
    ended = subprocess.run(
        [str(word) for word in call],
        env={**os.environ, **(environment or {})},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    measured: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
    return measured


def main() -> None:
    """Score, as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--engine", choices=["row_groups", "pandas_udf"], default="row_groups")
    parser.add_argument("--table", type=Path, required=True)
    parser.add_argument("--warm-up", type=Path, required=True)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--runs", type=int, default=3)
    asked = parser.parse_args()
    parts = take_apart(read_model(asked.model))
    spark = open_benchmark_session()

    def seconds_of(table: Path) -> float:
        out = asked.model.parent / "records-of-own-process"
        shutil.rmtree(out, ignore_errors=True)
        began = time.perf_counter()
        score_by_engine(spark, asked.engine, table, parts, out)
        return round(time.perf_counter() - began, 4)

    seconds_of(asked.warm_up)
    if asked.runs > 1:  # every executor compiles for itself, and needs more than a moment for it
        seconds_of(asked.table)
    with peak_memory(driver_processes) as driver, peak_memory(python_workers) as workers:
        seconds = [seconds_of(asked.table) for _ in range(asked.runs)]
    spark.stop()
    measured = {
        "seconds": seconds,
        "median_seconds": statistics.median(seconds),
        "peak_driver_rss_mb": driver.total_mb,
        "peak_worker_rss_mb": workers.largest_mb,
    }
    print(json.dumps(measured))


if __name__ == "__main__":
    main()
