"""Whether all ways flagged the same rows."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from adlib.spark.worker import ANOMALY, BINS, COUNTS, RECORD
from cases import DEFAULTS, LOOPS, OURS, RIVALS

_NEAR_CUT = 1e-5
"""Relative distance from the cut within which float32 may fall on either side."""


def disagreements(folder: Path, cut: float) -> list[str]:
    """Return what disagrees, in sentences; nothing where all is well."""
    problems = [
        f"the records of {one} and {other} differ"
        for one, other in (OURS, DEFAULTS)
        if _as_bytes(_anomalies(folder / one)) != _as_bytes(_anomalies(folder / other))
    ]
    expected = _scores_by_key(_anomalies(folder / OURS[0]))
    for name in (*RIVALS, LOOPS[0]):
        found = _scores_by_key(pq.read_table(folder / name))
        far = [key for key in expected.keys() ^ found.keys() if _is_far(key, expected, found, cut)]
        if far:
            shown = ", ".join(map(str, sorted(far)[:5]))
            problems.append(f"{name} and {OURS[0]} differ in {len(far)} flagged keys: {shown}")
    return problems


def flagged_rows(folder: Path, names: Iterable[str]) -> dict[str, int]:
    """Return how many rows each way flagged."""
    return {
        name: len(
            _anomalies(folder / name)
            if name in (*OURS, *DEFAULTS)
            else pq.read_table(folder / name, columns=["key"])
        )
        for name in names
    }


def _anomalies(directory: Path) -> pa.Table:
    """Return the flagged rows of an engine's records, by key."""
    records = pq.read_table(directory)
    flagged = records.filter(pc.equal(records.column(RECORD), ANOMALY))
    return flagged.drop_columns([BINS, COUNTS]).sort_by("key").combine_chunks()


def _as_bytes(table: pa.Table) -> bytes:
    """Return a table as bytes: a float that differs in its last bit differs."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


def _scores_by_key(table: pa.Table) -> dict[int, float]:
    keys, scores = table.column("key").to_pylist(), table.column("anomaly_score").to_pylist()
    return dict(zip(keys, scores, strict=True))


def _is_far(key: int, one: dict[int, float], other: dict[int, float], cut: float) -> bool:
    """Tell whether the score that was flagged is beyond what rounding explains."""
    score = one[key] if key in one else other[key]
    return not np.isclose(score, cut, rtol=_NEAR_CUT, atol=0.0)
