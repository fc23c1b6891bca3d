"""The stages beside scoring: preprocessing, training, and what a run costs before its first row."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from pyspark.sql import SparkSession

from adlib import pipelines
from adlib.config import Config, load_config
from adlib.detectors.autoencoder import AutoencoderSettings
from adlib.encoding import EncodingSettings
from adlib.job import Job
from adlib.model import fit_model
from adlib.spark.columns import columns_from_arrow
from adlib.summary import Summary
from adlib.thresholds import BudgetThreshold
from adlib.wiring import windows_of
from bench_models import NUMBERS
from bench_table import make_rows, make_values
from payments import real_payments, repeated_payments

_ROOT = Path(__file__).parents[2]
_LEARNED_ROWS = 200_000
_COMPARED_SHARE = 1_000
"""One payment in so many is compared."""
_ROUNDED = 1e-7
"""Ours keep nine significant digits."""
_TINY_ROWS = 1_000


def preprocessing_stage(spark: SparkSession, rows: int, folder: Path) -> dict[str, Any]:
    """Time the windows of the card payments beside the same windows in DuckDB."""
    original = real_payments()
    if original is None:
        skipped = "the public table of card payments is not there; set ADLIB_REAL_DATA"
        print(f"  preprocessing is skipped: {skipped}")
        return {"skipped": skipped}
    payments = repeated_payments(rows, original, folder)
    made = folder / "run" / "preprocessing"
    shutil.rmtree(made, ignore_errors=True)
    made.mkdir(parents=True)
    places = {"source": payments, "work": made / "work", "output": made / "out"}
    settings = [f"{name}.path={path}" for name, path in places.items()]
    config = load_config(_ROOT / "conf" / "transactions.yaml", settings)
    began = time.perf_counter()
    pipelines.preprocess(Job(config, spark, Summary("preprocess", config.name, None)))
    ours = time.perf_counter() - began
    began = time.perf_counter()
    _windows_by_duckdb(config, payments, made / "duckdb.parquet")
    theirs = time.perf_counter() - began
    compared, different = _compare(config, made)
    shutil.rmtree(made)
    return {
        "rows": rows,
        "seconds": round(ours, 2),
        "duckdb_seconds": round(theirs, 2),
        "values_compared": compared,
        "values_different": different,
    }


def _windows_by_duckdb(config: Config, payments: Path, made: Path) -> None:
    """Write the same windows, and nothing else that preprocessing does: no check, hash or count."""
    time_column, columns = config.source.event_time, []
    for spec in windows_of(config):
        for over in spec.over:
            interval = {"d": "days", "h": "hours", "m": "minutes"}[str(over)[-1]]
            frame = (
                f"over (partition by {spec.by} order by {time_column} range between "
                f"interval {str(over)[:-1]} {interval} preceding "
                "and interval 1 microsecond preceding)"
            )
            seconds = f"extract(epoch from interval {str(over)[:-1]} {interval})"
            prefix = f"{spec.of}_" if spec.of else ""
            measures = {
                "count": f"count(*) {frame}",
                "mean": f"avg({spec.of}) {frame}",
                "max": f"max({spec.of}) {frame}",
                "ratio": f"{spec.of} / (avg({spec.of}) {frame})",
                "gap": f"coalesce(extract(epoch from {time_column} - max({time_column}) {frame}), "
                f"{seconds})",
            }
            columns += [
                f"{measures[take]} as {prefix}{take}_{over}_by_{spec.by}" for take in spec.take
            ]
    with duckdb.connect() as connection:
        query = f"select *, {', '.join(columns)} from '{payments}/*.parquet'"  # noqa: S608 - ours
        connection.sql(query).write_parquet(str(made), compression="zstd")


def _compare(config: Config, made: Path) -> tuple[int, int]:
    """Return how many values were compared, and how many of them differ by more than rounding."""
    with duckdb.connect() as connection:
        ours = connection.read_parquet(str(made / "work" / "features" / "**" / "*.parquet"))
        theirs = connection.read_parquet(str(made / "duckdb.parquet"))
        names = [name for name in ours.columns if name in theirs.columns and "_by_" in name]
        key = config.source.key[0]
        different = " + ".join(
            f"sum(case when ours.{name} is null and theirs.{name} is null then 0 "
            f"when abs(ours.{name} - theirs.{name}) <= {_ROUNDED} * abs(theirs.{name}) then 0 "
            "else 1 end)"
            for name in names
        )
        rows, wrong = connection.execute(
            f"select count(*), {different} from ours join theirs using ({key}) "  # noqa: S608
            f"where {key} % {_COMPARED_SHARE} = 0"
        ).fetchall()[0]
        return int(rows) * len(names), int(wrong or 0)


def training_stage() -> dict[str, Any]:
    """Time the default autoencoder beside PyOD's on the same standardised rows."""
    from sklearn.metrics import roc_auc_score

    learned, _ = _standardised(0, None)
    judged, planted = _standardised(1, learned)
    figures: dict[str, Any] = {"rows": _LEARNED_ROWS}
    fits = {"adlib": _scores_by_adlib, "pyod": _scores_by_pyod}
    for name, fit in fits.items():
        seconds, scores = fit(learned, judged)
        figures[f"{name}_seconds"] = round(seconds, 2)
        figures[f"{name}_auroc"] = round(float(roc_auc_score(planted, scores)), 4)
    return figures


_Rows = NDArray[np.float32]


def _standardised(group: int, like: _Rows | None) -> tuple[_Rows, NDArray[np.bool_]]:
    """Return rows standardised by the mean and deviation of the first ones: shape (rows, 30)."""
    values, planted, _ = make_values(group)
    reference = values if like is None else make_values(0)[0]
    reference = reference[:, :_LEARNED_ROWS]
    centre, width = reference.mean(axis=1), reference.std(axis=1)
    rows = (values[:, :_LEARNED_ROWS].T - centre) / width
    return np.ascontiguousarray(rows, dtype=np.float32), planted[:_LEARNED_ROWS]


def _scores_by_adlib(learned: _Rows, judged: _Rows) -> tuple[float, NDArray[Any]]:
    given, asked = (
        columns_from_arrow(
            pa.table({feature.name: rows[:, place] for place, feature in enumerate(NUMBERS)}),
            NUMBERS,
            {},
        )
        for rows in (learned, judged)
    )
    began = time.perf_counter()
    model = fit_model(
        given,
        NUMBERS,
        name="training",
        encoding=EncodingSettings(),
        detector=AutoencoderSettings(),
        threshold=BudgetThreshold(fraction=0.005),
        reasons=3,
        seed=7,
        rows_per_day=None,
        provenance={},
    )
    seconds = time.perf_counter() - began
    return seconds, model.score(asked).scores


def _scores_by_pyod(learned: _Rows, judged: _Rows) -> tuple[float, NDArray[Any]]:
    from pyod.models.auto_encoder import AutoEncoder

    detector = AutoEncoder(verbose=0)
    began = time.perf_counter()
    detector.fit(learned)
    seconds = time.perf_counter() - began
    return seconds, np.asarray(detector.decision_function(judged))


_EMPTY_JOB = """
from adlib.spark.session import open_session
spark = open_session("empty")
spark.range(1).count()
spark.stop()
"""

_TINY = """
name: tiny
source: {{path: {folder}/table, key: [key], event_time: time}}
sample: {{rows: {rows}}}
threshold: {{kind: budget, fraction: 0.01}}
work: {{path: {folder}/work}}
output: {{path: {folder}/out}}
models: {{path: {folder}/models}}
"""


def fixed_cost_stage(folder: Path, runs: int = 3) -> dict[str, Any]:
    """Time `adlib score` of a tiny date beside an empty Spark job, each a whole process."""
    folder = folder / "run" / "tiny"
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "table").mkdir(parents=True)
    pq.write_table(make_rows(0).slice(0, _TINY_ROWS), folder / "table" / "part.parquet")
    config = folder / "tiny.yaml"
    config.write_text(_TINY.format(folder=folder, rows=_TINY_ROWS))
    for command in ("preprocess", "train"):
        _seconds_of(["-m", "adlib", command, "--config", str(config)])
    score = ["-m", "adlib", "score", "--config", str(config), "--date", "2026-03-01"]
    scoring, empty = [], []
    for number in range(runs + 1):
        scoring.append(_seconds_of([*score, "--set", f"output.path={folder}/out-{number}"]))
        empty.append(_seconds_of(["-c", _EMPTY_JOB]))
    return {"score_seconds": scoring[1:], "empty_job_seconds": empty[1:]}


def _seconds_of(arguments: Sequence[str]) -> float:
    """Run Python and return the seconds that it took."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    began = time.perf_counter()
    ended = subprocess.run(
        [sys.executable, *arguments],
        env=environment,
        cwd=_ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if ended.returncode:
        message = f"{' '.join(arguments[:3])} ended with {ended.returncode}: {ended.stderr[-2000:]}"
        raise RuntimeError(message)
    return round(time.perf_counter() - began, 2)
