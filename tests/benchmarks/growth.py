"""`make bench-growth`: time and memory of scoring as the table grows, a process for each size.

And how long it takes to plan a table of very many files.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
from pathlib import Path
from typing import Any

from adlib.artifacts import take_apart, write_model
from bench_models import fit_network
from bench_table import bench_table, warm_up_table
from planning import plan_files
from scoring_process import score_in_own_process

FOLDER = Path(__file__).parents[2] / ".bench"
_MILLION = 1_000_000
_MOST_BY_UDF = 5 * _MILLION
_MOST_OFTEN = 5 * _MILLION
"""Larger tables are scored once."""


def main() -> None:
    """Measure the sizes that the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    sizes = [1 * _MILLION, 5 * _MILLION, 20 * _MILLION, 50 * _MILLION]
    parser.add_argument("--rows", type=int, nargs="+", default=sizes)
    parser.add_argument("--files", type=int, default=100_000, help="of the table that is planned")
    parser.add_argument("--out", type=Path, default=FOLDER / "growth.json")
    asked = parser.parse_args()
    run = FOLDER / "run"
    shutil.rmtree(run, ignore_errors=True)
    run.mkdir(parents=True)
    small = warm_up_table(FOLDER, len(os.sched_getaffinity(0)))
    network = fit_network()
    model = run / network.model_id
    write_model(network, model)
    print(
        f"{'engine':<12}{'rows':>12}{'seconds':>9}{'ns/row':>9}{'driver MB':>11}{'worker MB':>11}"
    )
    found = []
    for rows in asked.rows:
        table = bench_table(rows, FOLDER)
        for engine in ("row_groups", "pandas_udf") if rows <= _MOST_BY_UDF else ("row_groups",):
            runs = 3 if rows <= _MOST_OFTEN else 1
            measured = score_in_own_process(engine, (table, small), model, runs)
            found.append(_figures(engine, rows, measured))
            _print_line(found[-1])
    planned = plan_files(asked.files, take_apart(network), FOLDER)
    print(f"\nplanning: {planned}")
    asked.out.parent.mkdir(parents=True, exist_ok=True)
    figures = {"sizes": found, "planning": planned}
    asked.out.write_text(json.dumps(figures, indent=2) + "\n", "utf-8")
    print(f"\nWritten to {asked.out}; the tables are kept in {FOLDER}, which may be removed.")


def _figures(engine: str, rows: int, measured: dict[str, Any]) -> dict[str, Any]:
    nanoseconds = round(1e9 * measured["median_seconds"] / rows, 1)
    return {"engine": engine, "rows": rows, "nanoseconds_per_row": nanoseconds, **measured}


def _print_line(one: dict[str, Any]) -> None:
    print(
        f"{one['engine']:<12}{one['rows']:>12,}{one['median_seconds']:>9.2f}"
        f"{one['nanoseconds_per_row']:>9.0f}{one['peak_driver_rss_mb']:>11,.0f}"
        f"{one['peak_worker_rss_mb']:>11,.0f}",
        flush=True,
    )


if __name__ == "__main__":
    main()
