"""Prepare, train and score a workplace in many ways on one master: a program to submit.

It is called with the workplace and with plans: whether they adapt, and how large splits are.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from adlib.cli import main
from adlib.spark.session import open_session

PLANS = [f"{adaptive}/{split}" for adaptive in ("true", "false") for split in ("128m", "8k")]
OPPOSITE_PLANS = [PLANS[0], PLANS[-1]]
ENGINES = ("row_groups", "pandas_udf")


def call(root: Path, command: str, *arguments: str) -> None:
    """Run a command; end as it does where it fails."""
    code = main([command, "--config", str(root / "config.yaml"), *arguments])
    if code:
        sys.exit(code)


def score(root: Path, engine: str) -> list[str]:
    """Publish into an empty output; return the names of the files, which say what they hold."""
    for published in (root / "out", root / ".out.adlib"):
        shutil.rmtree(published, ignore_errors=True)
    call(root, "score", "--engine", engine)
    files = (root / "out").glob("anomalies/dt=*/*.parquet")
    return sorted(str(file.relative_to(root)) for file in files)


def score_in_ways(root: Path, plans: Sequence[str]) -> list[dict[str, object]]:
    """Return what came out in each way, and what shows that it was another way."""
    spark = open_session("ways")
    found: list[dict[str, object]] = []
    for adaptive, split in (plan.split("/") for plan in plans):
        spark.conf.set("spark.sql.adaptive.enabled", adaptive)
        spark.conf.set("spark.sql.files.maxPartitionBytes", split)
        call(root, "preprocess")
        call(root, "train")
        source = spark.read.parquet(str(root / "source"))
        way = {
            "adaptive": spark.conf.get("spark.sql.adaptive.enabled"),
            "partitions": source.rdd.getNumPartitions(),
            "model": json.loads((root / "models/payments/promoted.json").read_text())["id"],
        }
        found += [{**way, "engine": engine, "files": score(root, engine)} for engine in ENGINES]
    return found


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    found = json.dumps(score_in_ways(folder, sys.argv[2:]))
    (folder / "found.json").write_text(found, "utf-8")
