"""Planted incidents: each function makes the rows of one kind.

They overlap what is ordinary. The same few workstations scan, guess passwords and later send much
abroad, as one intruder would.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from adlib.arrays import Floats, Ints
from adlib.demo.traffic import (
    CAMERA,
    COUNTRIES,
    FLAGS,
    HOSTS,
    HOUR,
    LOCAL,
    MISSING,
    PRINTER,
    SERVER,
    SERVICE,
    SERVICES,
    WORKSTATION,
    Flows,
    make_flows,
    refuse,
    texts,
)


def _event(rng: np.random.Generator, host: Ints, service: str, seconds: Floats) -> Flows:
    """Make flows of one service, ordinary but for when and from whom."""
    return make_flows(rng, host, np.full(len(host), SERVICE[service]), seconds)


def _hosts(rng: np.random.Generator, first: int, count: int, rows: int) -> Ints:
    """Spread rows over some hosts of the role that begins at `first`."""
    return first + 3 + 4 * rng.integers(count, size=rows)


def _at(rng: np.random.Generator, host: Ints, begins: Sequence[float], hours: float) -> Floats:
    """Draw seconds since the start: each host has its beginning (in hours) among `begins`."""
    hour = np.array(begins)[host // 4 % len(begins)]
    return (hour + hours * rng.random(len(host))) * HOUR


def _port_scan(rng: np.random.Generator, rows: int) -> Flows:
    """One workstation tries a few servers, port after port, within ten minutes."""
    host = _hosts(rng, WORKSTATION, 1, rows)
    flows = _event(rng, host, "other", _at(rng, host, (33.2,), 1 / 6))
    known = rng.choice([port for service in SERVICES if (port := service.port)], rows)
    low = rng.integers(1, 10_000, rows)
    flows["dst_port"] = np.where(rng.random(rows) < 0.25, known, low)
    flows["dst_ip"] = HOSTS[SERVER + rng.integers(5, size=rows)]
    flows["country"] = texts(LOCAL, rows)
    flows["tcp_flags"] = FLAGS[rng.choice(len(FLAGS), rows, p=[0.02, 0.03, 0.02, 0.33, 0.4, 0.2])]
    refuse(rng, flows, np.isin(flows["tcp_flags"], ["S", "SR", "FPU"]))
    return flows


def _ddos(rng: np.random.Generator, rows: int) -> Flows:
    """Two cameras flood one address for ten minutes: much out, hardly anything back."""
    host = _hosts(rng, CAMERA, 2, rows)
    flows = _event(rng, host, "dns", _at(rng, host, (88.6,), 1 / 6))
    web = rng.random(rows) < 0.5
    flows["dst_port"] = np.where(web, 80, 53)
    flows["service"] = np.where(web, "other", "dns").astype(object)
    flows["dst_ip"] = texts("198.19.7.20", rows)
    flows["country"] = texts("US", rows)
    flows["bytes_out"] = 90_000 * np.exp(1.0 * rng.standard_normal(rows))
    flows["bytes_in"] = np.where(rng.random(rows) < 0.8, 0, flows["bytes_in"])
    flows["duration_seconds"] = rng.exponential(2.0, rows)
    return flows


def _beaconing(rng: np.random.Generator, rows: int) -> Flows:
    """One workstation calls the same address, day and night, at nearly equal gaps and sizes."""
    host = np.full(rows, WORKSTATION + 57)
    gaps = rng.normal(1, 0.06, rows)
    flows = _event(rng, host, "https", (50 + 100 * gaps.cumsum() / gaps.sum()) * HOUR)
    flows["dst_port"] = np.full(rows, 8_443)
    flows["dst_ip"] = texts("198.19.44.3", rows)
    flows["country"] = texts("PA", rows)
    flows["bytes_out"] = rng.normal(418, 6, rows)
    flows["bytes_in"] = rng.normal(196, 4, rows)
    flows["duration_seconds"] = rng.normal(0.31, 0.04, rows).clip(0.1)
    flows["tcp_flags"] = texts("SAPF", rows)
    return flows


def _brute_force(rng: np.random.Generator, rows: int) -> Flows:
    """Two workstations guess passwords of servers for most of an hour each."""
    host = _hosts(rng, WORKSTATION, 2, rows)
    flows = _event(rng, host, "ssh", _at(rng, host, (26.1, 110.4), 0.8))
    remote = host // 4 % 2 == 1
    flows["service"] = np.where(remote, "rdp", "ssh").astype(object)
    flows["dst_port"] = np.where(remote, 3_389, 22)
    flows["dst_ip"] = HOSTS[SERVER + 11 + rng.integers(2, size=rows)]
    flows["country"] = texts(LOCAL, rows)
    flows["failed_logins"] = rng.choice([0, 1, 2, 3, 5, 6], rows, p=[0.1, 0.2, 0.1, 0.3, 0.2, 0.1])
    flows["bytes_out"] = 2_300 * np.exp(0.2 * rng.standard_normal(rows))
    flows["bytes_in"] = 2_900 * np.exp(0.2 * rng.standard_normal(rows))
    flows["duration_seconds"] = 2.2 * np.exp(0.4 * rng.standard_normal(rows))
    return flows


def _exfiltration(rng: np.random.Generator, rows: int) -> Flows:
    """Two workstations send much abroad at night, in pieces no larger than a backup's."""
    host = _hosts(rng, WORKSTATION, 2, rows)
    flows = _event(rng, host, "https", _at(rng, host, (73.5, 122.0), 2.5))
    flows["dst_ip"] = texts("198.19.90.14", rows)
    flows["country"] = COUNTRIES[rng.choice([2, 12, 14], rows, p=[0.3, 0.4, 0.3])]
    flows["bytes_out"] = 12_000_000 * np.exp(0.9 * rng.standard_normal(rows))
    flows["bytes_in"] = flows["bytes_out"] * rng.uniform(0.004, 0.02, rows)
    flows["duration_seconds"] = flows["bytes_out"] / rng.uniform(3e5, 2e6, rows)
    flows["tcp_flags"] = texts("SAPF", rows)
    return flows


def _odd_channel(rng: np.random.Generator, rows: int) -> Flows:
    """Printers speak through what should carry nothing: long pings, name lookups over TCP."""
    host = _hosts(rng, PRINTER, 4, rows)
    flows = _event(rng, host, "ping", rng.uniform(20, 150, rows) * HOUR)
    lookup = rng.random(rows) < 0.5
    flows["service"] = np.where(lookup, "dns", "ping").astype(object)
    flows["protocol"] = np.where(lookup, "tcp", "icmp").astype(object)
    flows["dst_port"] = np.where(lookup, 53, 0)
    flows["tcp_flags"] = np.where(lookup, "SAPF", MISSING)
    flows["dst_ip"] = texts("198.19.2.77", rows)
    flows["country"] = texts("NL", rows)
    flows["bytes_out"] = 120_000 * np.exp(1.1 * rng.standard_normal(rows))
    flows["bytes_in"] = 60_000 * np.exp(1.1 * rng.standard_normal(rows))
    flows["duration_seconds"] = rng.exponential(40.0, rows)
    return flows


INCIDENTS: dict[str, tuple[float, Callable[[np.random.Generator, int], Flows]]] = {
    "port_scan": (0.0016, _port_scan),
    "ddos": (0.0012, _ddos),
    "brute_force": (0.0010, _brute_force),
    "beaconing": (0.0005, _beaconing),
    "odd_channel": (0.0005, _odd_channel),
    "exfiltration": (0.0002, _exfiltration),
}
"""Every kind of incident: its share of all rows, and what makes it."""
