"""The benchmark of speed: every part in turn, and what they come to."""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession

from adlib.artifacts import StoredModel, write_model
from agreement import disagreements, flagged_rows
from bench_models import fit_default, fit_network, plain_network
from bench_table import bench_table, warm_up_table
from cases import measure, open_cases
from cluster import executors_of, standalone_cluster
from engines import open_benchmark_session
from scoring_process import score_in_own_process
from stages import fixed_cost_stage, preprocessing_stage, training_stage

FOLDER = Path(__file__).parents[2] / ".bench"
PARTS = ("scoring", "preprocessing", "executors", "training", "fixed-cost")
_TARGETS: Mapping[tuple[str, str], float] = {
    ("row_groups", "naive_pandas_udf"): 6.0,
    ("row_groups", "predict_batch_udf"): 5.0,
    ("row_groups", "mlflow_spark_udf"): 6.0,
    ("row_groups", "handwritten_loop"): 0.9,
    ("row_groups", "read_floor"): 0.35,
    ("pandas_udf", "naive_pandas_udf"): 1.8,
    ("default_row_groups", "row_groups"): 0.5,
}
_TWO_EXECUTORS = "two executors / one"
_TWO_EXECUTORS_TARGET = 1.8


@dataclass
class Report:
    """What was measured so far; saved after every part, so that a failure loses no other."""

    path: Path
    found: dict[str, Any]
    problems: list[str] = field(default_factory=list)

    def add(self, **parts: Any) -> None:
        """Take up the figures of a part."""
        self.found.update(parts)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_text(json.dumps(self.found, indent=2) + "\n", "utf-8")


def main() -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--stage-rows", type=int, default=10_000_000, help="of preprocessing")
    parser.add_argument("--runs", type=int, default=3, help="of each way to score")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--out", type=Path, default=FOLDER / "speed.json")
    asked = parser.parse_args()
    shutil.rmtree(FOLDER / "run", ignore_errors=True)
    (FOLDER / "run").mkdir(parents=True)
    cores = len(os.sched_getaffinity(0))
    report = Report(asked.out, {"rows": asked.rows, "cores": cores, "results": {}})
    report.add(machine=machine())
    with _told("making the table"):
        table, small = bench_table(asked.rows, FOLDER), warm_up_table(FOLDER, cores)
    with _told("fitting the models"):
        network, default = fit_network(), fit_default()
    spark = open_benchmark_session()
    if "scoring" in asked.parts:
        with _told(f"scoring {asked.rows:,} rows on {cores} cores"):
            _scoring(report, spark, (network, default), (table, small), asked.runs)
    stages: dict[str, Any] = {}
    if "preprocessing" in asked.parts:
        with _told(f"preprocessing {asked.stage_rows:,} rows"):
            stages["preprocessing"] = preprocessing_stage(spark, asked.stage_rows, FOLDER)
            report.add(stages=stages)
    spark.stop()
    if "executors" in asked.parts:
        with _told("scoring by one executor and by two"):
            report.add(executors=_by_executors(network, (table, small), asked.runs))
    if "training" in asked.parts:
        with _told("training"):
            stages["training"] = training_stage()
            report.add(stages=stages)
    if "fixed-cost" in asked.parts:
        with _told("starting and ending"):
            stages["fixed_cost"] = fixed_cost_stage(FOLDER)
            report.add(stages=stages)
    report.add(ratios=ratios(report.found))
    print_report(report.found)
    print(f"\nWritten to {asked.out}; the tables are kept in {FOLDER}, which may be removed.")
    if report.problems:
        sys.exit("The ways to score disagree:\n  " + "\n  ".join(report.problems))


class _told:  # noqa: N801 - used as a context manager, as a function would be
    """Say what is done, and at the end how long it took."""

    def __init__(self, what: str) -> None:
        self._what = what

    def __enter__(self) -> None:
        print(f"{self._what[0].upper()}{self._what[1:]} ...", flush=True)
        self._began = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        print(f"  {time.perf_counter() - self._began:.0f} s in all", flush=True)


def _scoring(
    report: Report,
    spark: SparkSession,
    models: tuple[StoredModel, StoredModel],
    tables: tuple[Path, Path],
    runs: int,
) -> None:
    """Measure the ways to score, and hold what they flagged against each other."""
    outputs = FOLDER / "run" / "outputs"
    with open_cases(spark, *models, FOLDER / "run") as cases:
        measured = measure(cases, *tables, outputs, runs)
    rows = report.found["rows"]
    report.add(results={name: one.plain(rows) for name, one in measured.items()})
    report.problems += disagreements(outputs, plain_network(models[0]).cut)
    written = [name for name in measured if name != "read_floor"]
    report.add(flagged=flagged_rows(outputs, written), disagreements=report.problems)


def _by_executors(
    network: StoredModel, tables: tuple[Path, Path], runs: int
) -> dict[str, dict[str, Any]]:
    """Score by one executor and by two of a standalone cluster, each of one core."""
    model, found = FOLDER / "run" / network.model_id, {}
    write_model(network, model)
    with standalone_cluster(2, FOLDER / "run") as url:
        for executors in (1, 2):
            environment = executors_of(url, executors)
            found[str(executors)] = score_in_own_process(
                "row_groups", tables, model, runs, environment
            )
            print(f"  {executors}: {found[str(executors)]['seconds']} s", flush=True)
    return found


def ratios(found: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """Return what was measured of each ratio of speeds, beside its target."""
    results = found["results"]
    made = {
        f"{fast} / {slow}": {
            "measured": round(
                results[fast]["rows_per_second"] / results[slow]["rows_per_second"], 3
            ),
            "target": target,
        }
        for (fast, slow), target in _TARGETS.items()
        if fast in results and slow in results
    }
    if "executors" in found:
        one, two = (found["executors"][count]["median_seconds"] for count in ("1", "2"))
        made[_TWO_EXECUTORS] = {"measured": round(one / two, 3), "target": _TWO_EXECUTORS_TARGET}
    return made


def machine() -> dict[str, str | int]:
    """Describe what this runs on."""
    cpu = Path("/proc/cpuinfo").read_text("utf-8", errors="replace").splitlines()
    models = [line.partition(":")[2].strip() for line in cpu if line.startswith("model name")]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "processor": models[0] if models else platform.machine(),
        "memory_mb": round(memory / 1e6),
        "kernel": platform.release(),
        "python": platform.python_version(),
        **{
            name: version(name)
            for name in ("pyspark", "torch", "numpy", "pyarrow", "mlflow-skinny")
        },
    }


def print_report(found: Mapping[str, Any]) -> None:
    """Print the figures for a person."""
    if found["results"]:
        print(f"\n{'way':<22}{'seconds':>9}{'rows/s':>13}{'peak worker MB':>16}")
    for name, one in found["results"].items():
        seconds = statistics.median(one["seconds"])
        memory = one["peak_worker_rss_mb"]
        print(f"{name:<22}{seconds:>9.2f}{one['rows_per_second']:>13,}{memory:>16,.0f}")
    if found["ratios"]:
        print(f"\n{'ratio':<38}{'measured':>9}{'target':>9}")
    for name, ratio in found["ratios"].items():
        reached = "" if ratio["measured"] >= ratio["target"] else "  missed"
        print(f"{name:<38}{ratio['measured']:>9.2f}{ratio['target']:>9.2f}{reached}")
    for stage, figures in found.get("stages", {}).items():
        said = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in figures.items())
        print(f"\n{stage.replace('_', ' ')}: {said}")
