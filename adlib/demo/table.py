"""The demonstration's table: ordinary traffic and incidents in one, with some rows broken."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from adlib.demo.incidents import INCIDENTS
from adlib.demo.traffic import LOCAL, Flows, ordinary_flows, texts

START_MICROSECONDS = 1_772_409_600_000_000  # Monday 2026-03-02, 00:00 UTC
ROWS = 400_000
ROW_GROUP_ROWS = 50_000
BROKEN_FRACTION = 0.0005


def make_table(rows: int = ROWS, seed: int = 7) -> pa.Table:
    """Make the table of flows, ordered by time, with about 0.5% of its rows in incidents.

    Args:
        rows: How many rows to make, before the few that are repeated.
        seed: The same seed makes the same table.

    Returns:
        One row a flow: sizes in bytes, durations in seconds, times in UTC.
    """
    rng = np.random.default_rng(seed)
    parts = [make(rng, max(8, round(rows * share))) for share, make in INCIDENTS.values()]
    for kind, part in zip(INCIDENTS, parts, strict=True):
        part["incident"] = texts(kind, len(part["started_at"]))
    ordinary = ordinary_flows(rng, rows - sum(len(part["started_at"]) for part in parts))
    ordinary["incident"] = texts(None, len(ordinary["started_at"]))
    parts.append(ordinary)
    flows = {name: np.concatenate([part[name] for part in parts]) for name in ordinary}
    order = np.argsort(flows["started_at"], kind="stable")
    return _break_some(rng, _to_arrow(rng, {name: flows[name][order] for name in flows}))


def _to_arrow(rng: np.random.Generator, flows: Flows) -> pa.Table:
    """Give the columns their types, count packets, lose a few values and number the rows."""
    rows = len(flows["started_at"])
    microseconds = (flows["started_at"] * 1e6).astype(np.int64) + START_MICROSECONDS
    sizes = {name: np.maximum(flows[name], 0).round() for name in ("bytes_out", "bytes_in")}
    packets = {
        name: np.ceil(sizes[name] / rng.triangular(200, 1_100, 1_460, rows)).astype(np.int64)
        for name in sizes
    }
    lost_time, lost_size, lost_country = (rng.random((3, rows)).T < [0.0003, 0.0001, 0.015]).T
    abroad = flows["country"] != LOCAL
    return pa.table(
        {
            "flow_id": pa.array([f"F{number:08d}" for number in range(rows)]),
            "started_at": pa.array(microseconds, pa.timestamp("us", tz="UTC")),
            "src_ip": pa.array(flows["src_ip"], pa.string()),
            "dst_ip": pa.array(flows["dst_ip"], pa.string()),
            "dst_port": pa.array(flows["dst_port"], pa.int32()),
            "protocol": pa.array(flows["protocol"], pa.string()),
            "service": pa.array(flows["service"], pa.string()),
            "duration_seconds": pa.array(flows["duration_seconds"].round(4), mask=lost_time),
            "bytes_out": pa.array(sizes["bytes_out"].astype(np.int64)),
            "bytes_in": pa.array(sizes["bytes_in"].astype(np.int64), mask=lost_size),
            "packets_out": pa.array(packets["bytes_out"]),
            "packets_in": pa.array(packets["bytes_in"], mask=lost_size),
            "failed_logins": pa.array(flows["failed_logins"], pa.int32()),
            "tcp_flags": pa.array(flows["tcp_flags"], pa.string()),
            "country": pa.array(flows["country"], pa.string(), mask=lost_country & abroad),
            "is_incident": pa.array((flows["incident"] != None).astype(np.int32)),  # noqa: E711
            "incident": pa.array(flows["incident"], pa.string()),
        }
    )


def _break_some(rng: np.random.Generator, table: pa.Table) -> pa.Table:
    """Take the key or the time from a few rows and repeat a few others."""
    rows = table.num_rows
    count = max(1, round(rows * BROKEN_FRACTION / 3))
    keyless, timeless, repeated = rng.permutation(rows)[: 3 * count].reshape(3, count)
    for name, broken in (("flow_id", keyless), ("started_at", timeless)):
        mask = np.zeros(rows, dtype=bool)
        mask[broken] = True
        column = pc.if_else(pa.array(mask), pa.scalar(None, table[name].type), table[name])
        table = table.set_column(table.column_names.index(name), name, column)
    return pa.concat_tables([table, table.take(pa.array(np.sort(repeated)))])


def write_table(table: pa.Table, directory: Path) -> Path:
    """Write the table as one Parquet file, with a row group or more for every core."""
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / "flows.parquet"
    pq.write_table(table, path, row_group_size=ROW_GROUP_ROWS, compression="zstd")
    return path
