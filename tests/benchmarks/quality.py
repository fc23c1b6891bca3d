"""`make bench-quality`: how well the detectors rank labelled tables, beside their rivals.

Each detector has its shipped defaults. Labels are read to measure and for nothing else.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import queue
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.metrics import average_precision_score, roc_auc_score
from threadpoolctl import threadpool_limits

from quality_detectors import OURS, PEERS, fit_and_score
from quality_sets import read_set, set_files

FOLDER = Path(__file__).parents[2] / ".bench"
_SECONDS = 120.0
_FORK = multiprocessing.get_context("fork")
"""A fork has the libraries imported already: 1,500 fits would wait an hour for that."""


@dataclass(frozen=True)
class Task:
    """One fit."""

    file: Path
    detector: str
    seed: int
    pooled: bool


def main() -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="a folder of labelled tables")
    parser.add_argument("--out", type=Path, default=FOLDER / "quality.json")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--detectors", nargs="+", default=[*OURS, *PEERS], choices=[*OURS, *PEERS])
    parser.add_argument(
        "--pooled",
        action="store_true",
        help="fit and score training and test rows together, as if nobody knew which are ordinary",
    )
    asked = parser.parse_args()
    files = set_files(asked.data)
    if not files:
        parser.error(f"{asked.data} holds no .npz, .parquet or .csv file")
    tasks = [
        Task(file, detector, seed, asked.pooled)
        for file in files
        for seed in range(asked.seeds)
        for detector in asked.detectors
    ]
    found = []
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        for result in pool.map(_measure_in_own_process, tasks):
            found.append(result)
            if "reason" in result:
                print("{set} {detector} seed {seed}: {reason}".format(**result), flush=True)
    asked.out.parent.mkdir(parents=True, exist_ok=True)
    asked.out.write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    print("\n".join(means_table(found, asked.detectors)))
    print(f"\nWritten to {asked.out}.")


def _measure_in_own_process(task: Task) -> dict[str, Any]:
    """Measure in a process that is killed when its time is over."""
    answers: multiprocessing.Queue[dict[str, Any]] = _FORK.Queue()
    process = _FORK.Process(target=_answer, args=(task, answers))
    process.start()
    try:
        result = answers.get(timeout=_SECONDS)
    except queue.Empty:
        result = {"reason": f"took more than {_SECONDS:.0f} seconds"}
        process.kill()
    process.join()
    return {
        "set": task.file.stem,
        "rows": None,
        "features": None,
        "detector": task.detector,
        "peer": task.detector in PEERS,
        "seed": task.seed,
        "auroc": None,
        "ap": None,
        "fit_seconds": None,
        "score_seconds": None,
        **result,
    }


def _answer(task: Task, answers: multiprocessing.Queue[dict[str, Any]]) -> None:
    try:
        answers.put(_measure(task))
    except Exception as error:  # noqa: BLE001 - whatever a library raises is listed with the result
        answers.put({"reason": f"{type(error).__name__}: {error}"})


def _measure(task: Task) -> dict[str, Any]:
    warnings.simplefilter("ignore")
    np.random.seed(task.seed)  # noqa: NPY002 - what the peers draw from
    torch.manual_seed(task.seed)
    torch.set_num_threads(1)
    with threadpool_limits(1):
        labelled = read_set(task.file, task.seed, pooled=task.pooled)
        scored = fit_and_score(task.detector, labelled, task.seed)
    if not np.isfinite(scored.scores).all():
        return {"reason": "some scores are not finite"}
    return {
        "rows": len(labelled.labels),
        "features": labelled.score.matrix.shape[1],
        "auroc": float(roc_auc_score(labelled.labels, scored.scores)),
        "ap": float(average_precision_score(labelled.labels, scored.scores)),
        "fit_seconds": round(scored.fit_seconds, 4),
        "score_seconds": round(scored.score_seconds, 4),
    }


def means_table(found: Sequence[dict[str, Any]], detectors: Sequence[str]) -> Iterator[str]:
    """Print means over the sets that every detector finished, then over those each one did."""
    failed = {entry["set"] for entry in found if "reason" in entry}
    sets = {entry["set"] for entry in found}
    yield f"\nMeans over the {len(sets - failed)} of {len(sets)} sets that all detectors finished:"
    shared_heads = f"{'detector':<20}{'AUROC':>8}{'AP':>8}{'fit s':>8}{'score s':>9}"
    yield f"{shared_heads}{'own sets':>10}{'AUROC':>8}{'AP':>8}"
    for detector in detectors:
        own = [entry for entry in found if entry["detector"] == detector]
        missed = {entry["set"] for entry in own if "reason" in entry}
        shared = [entry for entry in own if entry["set"] not in failed]
        finished = [entry for entry in own if entry["set"] not in missed]
        keys = ("auroc", "ap", "fit_seconds", "score_seconds")
        auroc, ap, fit, score = (_mean(shared, key) for key in keys)
        yield (
            f"{detector:<20}{auroc:>8.3f}{ap:>8.3f}{fit:>8.2f}{score:>9.3f}"
            f"{len(sets - missed):>10}{_mean(finished, 'auroc'):>8.3f}{_mean(finished, 'ap'):>8.3f}"
        )


def _mean(entries: Sequence[dict[str, Any]], key: str) -> float:
    return float(np.mean([entry[key] for entry in entries])) if entries else float("nan")


if __name__ == "__main__":
    main()
