"""How long it takes to plan a table of very many files: list them, read every footer, share out."""

from __future__ import annotations

import os
import shutil
import time
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from adlib.artifacts import ModelParts
from adlib.spark.footers import read_row_groups
from adlib.spark.row_groups import files_of, plan_tasks
from adlib.spark.scoring import Dates, Request
from bench_table import make_rows
from engines import open_benchmark_session

_FILES_A_DATE = 1000
_ROWS_A_FILE = 50
_FIRST = date(2026, 1, 1)


def plan_files(files: int, parts: ModelParts, folder: Path) -> dict[str, Any]:
    """Plan a table of so many small files, a thousand a date; return the seconds of each step."""
    table = folder / "run" / "many-files"
    _make_files(table, files)
    spark = open_benchmark_session()
    began = time.perf_counter()
    features = spark.read.parquet(str(table))
    found = files_of(Request(features, Dates(first=_FIRST), parts, (), "planning", every_row=False))
    listed = time.perf_counter()
    schema = pq.read_schema(next(table.rglob("*.parquet")))
    groups = read_row_groups(spark, found, {field.name: field.type for field in schema})
    read = time.perf_counter()
    tasks = plan_tasks(groups, len(os.sched_getaffinity(0)))
    ended = time.perf_counter()
    spark.stop()
    shutil.rmtree(table)
    return {
        "files": len(found),
        "row_groups": len(groups),
        "tasks": len(tasks),
        "listing_seconds": round(listed - began, 2),
        "footer_seconds": round(read - listed, 2),
        "sharing_seconds": round(ended - read, 2),
    }


def _make_files(table: Path, files: int) -> None:
    """Make one file a date, and the others of the date as further names of it."""
    shutil.rmtree(table, ignore_errors=True)
    rows = make_rows(0).slice(0, _ROWS_A_FILE)
    for number in range(files):
        day, place = divmod(number, _FILES_A_DATE)
        directory = table / f"dt={_FIRST + timedelta(days=day)}"
        if place == 0:
            directory.mkdir(parents=True)
            pq.write_table(rows, directory / "part-0.parquet")
        else:
            (directory / f"part-{place}.parquet").hardlink_to(directory / "part-0.parquet")
