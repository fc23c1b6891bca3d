"""Ordinary traffic: hosts with a role, and the flows they make at their hours.

Sizes are in bytes and have heavy tails, durations in seconds; both grow together within a flow.
Some connections are refused and some passwords mistyped on any day.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from adlib.arrays import Flags, Floats, Ints, Texts

Flows = dict[str, NDArray[Any]]
"""Columns of one length; missing values come last, in `make_table`."""

HOUR = 3_600.0
DAYS = 7
WORKDAYS = 5  # the week begins on a Monday


@dataclass(frozen=True)
class Service:
    """What a flow of one service is usually like."""

    name: str
    port: int
    protocol: str
    seconds: float
    """Median duration."""
    bytes_out: float
    """Median, sent by the source."""
    bytes_in: float
    """Median, received by the source."""
    spread: float
    """Standard deviation of the logarithm of the sizes."""
    abroad: float
    """Share of flows that leave the company's network."""


SERVICES = (
    Service("https", 443, "tcp", 4.0, 2_400, 21_000, 1.1, 0.90),
    Service("http", 80, "tcp", 1.5, 900, 7_000, 1.0, 0.70),
    Service("dns", 53, "udp", 0.03, 62, 140, 0.35, 0.05),
    Service("smb", 445, "tcp", 12.0, 18_000, 42_000, 1.3, 0.0),
    Service("ssh", 22, "tcp", 45.0, 6_000, 9_000, 1.0, 0.06),
    Service("rdp", 3_389, "tcp", 300.0, 90_000, 700_000, 0.9, 0.01),
    Service("smtp", 25, "tcp", 2.5, 26_000, 900, 1.2, 0.60),
    Service("ntp", 123, "udp", 0.04, 76, 76, 0.05, 0.80),
    Service("snmp", 161, "udp", 0.05, 110, 260, 0.4, 0.0),
    Service("ping", 0, "icmp", 0.01, 84, 84, 0.2, 0.20),
    Service("backup", 873, "tcp", 240.0, 8_000_000, 60_000, 0.9, 0.25),
    Service("rtsp", 554, "tcp", 60.0, 900_000, 4_000, 0.7, 0.0),
    Service("other", 8_080, "tcp", 3.0, 1_500, 5_000, 1.3, 0.60),
)
SERVICE = {service.name: place for place, service in enumerate(SERVICES)}


@dataclass(frozen=True)
class Role:
    """What hosts of one kind do."""

    name: str
    subnet: str
    hosts: int
    share: float
    """Of all ordinary flows."""
    office: float
    """Share of flows that follow office hours; the rest is even around the clock."""
    services: dict[str, float]
    """Shares of the services; they add up to 1."""


ROLES = (
    Role(
        "workstation", "10.1.0", 160, 0.62, 0.93,
        {"https": 0.52, "dns": 0.27, "http": 0.06, "smb": 0.07, "other": 0.03, "rdp": 0.015,
         "ssh": 0.01, "ntp": 0.015, "ping": 0.01},
    ),
    Role(
        "server", "10.2.0", 40, 0.27, 0.45,
        {"https": 0.33, "dns": 0.28, "smtp": 0.08, "snmp": 0.12, "ssh": 0.05, "smb": 0.05,
         "http": 0.03, "ntp": 0.03, "ping": 0.02, "backup": 0.002, "other": 0.008},
    ),
    Role("printer", "10.3.0", 20, 0.04, 0.8, {"dns": 0.3, "snmp": 0.45, "smb": 0.2, "ntp": 0.05}),
    Role("camera", "10.4.0", 20, 0.07, 0.05, {"rtsp": 0.7, "dns": 0.15, "ntp": 0.15}),
)  # fmt: skip
FIRST_HOST = np.cumsum([0] + [role.hosts for role in ROLES])[:-1]
HOSTS: Texts = np.array(
    [f"{role.subnet}.{number + 10}" for role in ROLES for number in range(role.hosts)], dtype=object
)
WORKSTATION, SERVER, PRINTER, CAMERA = (int(first) for first in FIRST_HOST)

LOCAL = "local"
MISSING: Texts = np.array(None, dtype=object)
COUNTRIES: Texts = np.array(
    ["CH", "DE", "US", "FR", "IE", "GB", "NL", "SE", "JP", "SG", "BR", "ZA", "KZ", "PA", "SC"],
    dtype=object,
)
COUNTRY_SHARES = np.array(
    [0.34, 0.2, 0.16, 0.08, 0.07, 0.05, 0.04, 0.02, 0.015, 0.012, 0.006, 0.004, 0.001, 0.001, 0.001]
)
FLAGS: Texts = np.array(["SAPF", "SAPR", "SAF", "S", "SR", "FPU"], dtype=object)
FLAG_SHARES = np.array([0.90, 0.08, 0.01, 0.006, 0.004, 0.0])
OTHER_PORTS = np.array([8_080, 8_443, 9_090, 5_060, 1_194, 27_017, 50_000, 6_881])
LOGIN_SERVICES = [SERVICE[name] for name in ("ssh", "rdp", "smb", "smtp")]


def ordinary_flows(rng: np.random.Generator, rows: int) -> Flows:
    """Make flows of every role at its hours."""
    role = rng.choice(len(ROLES), rows, p=[role.share for role in ROLES])
    hosts = np.array([role.hosts for role in ROLES])[role]
    host = FIRST_HOST[role] + np.floor(hosts * rng.random(rows) ** 1.6).astype(np.int64)
    service = np.empty(rows, dtype=np.int64)
    seconds = np.empty(rows)
    for place, kind in enumerate(ROLES):
        chosen = np.flatnonzero(role == place)
        names = [SERVICE[name] for name in kind.services]
        service[chosen] = rng.choice(names, len(chosen), p=list(kind.services.values()))
        seconds[chosen] = _times(rng, len(chosen), kind.office)
    backup = service == SERVICE["backup"]  # these run at night, whoever sends them
    night = rng.integers(DAYS, size=backup.sum()) * 24 + rng.uniform(1, 4, backup.sum())
    seconds[backup] = night * HOUR
    return make_flows(rng, host, service, seconds)


def _times(rng: np.random.Generator, rows: int, office: float) -> Floats:
    """Draw seconds since the start, with this share in office hours."""
    hour = np.arange(DAYS * 24)
    by_day = np.exp(-(((hour % 24 + 0.5 - 13) / 3.4) ** 2)) * np.where(
        hour // 24 < WORKDAYS, 1, 0.12
    )
    weights = office * by_day / by_day.sum() + (1 - office) / len(hour)
    return (rng.choice(hour, rows, p=weights / weights.sum()) + rng.random(rows)) * HOUR


def make_flows(rng: np.random.Generator, host: Ints, service: Ints, seconds: Floats) -> Flows:
    """Make ordinary flows of the given hosts and services at the given seconds since the start."""
    rows = len(host)
    usual = {
        name: np.array([getattr(kind, name) for kind in SERVICES])[service]
        for name in (
            "port",
            "protocol",
            "name",
            "seconds",
            "bytes_out",
            "bytes_in",
            "spread",
            "abroad",
        )
    }
    # One draw a flow for how much there is to say, and one a column: sizes and times go together.
    size = usual["spread"] * rng.standard_normal(rows) + 0.25 * np.sin(host * 1.7)
    noise = 0.45 * np.minimum(usual["spread"], 1) * rng.standard_normal((3, rows))
    bytes_out = usual["bytes_out"] * np.exp(0.8 * size + noise[0])
    bytes_in = usual["bytes_in"] * np.exp(0.9 * size + noise[1])
    duration = usual["seconds"] * np.exp(0.6 * size + noise[2])
    abroad = rng.random(rows) < usual["abroad"]
    flags = FLAGS[rng.choice(len(FLAGS), rows, p=FLAG_SHARES)]
    typing_errors = np.isin(service, LOGIN_SERVICES) * rng.poisson(0.06, rows)
    port = np.where(
        service == SERVICE["other"], rng.choice(OTHER_PORTS, rows), usual["port"].astype(np.int64)
    )
    flows: Flows = {
        "started_at": seconds,
        "src_ip": HOSTS[host],
        "dst_ip": np.where(
            abroad, _addresses(rng, rows), HOSTS[SERVER + rng.integers(40, size=rows)]
        ),
        "dst_port": port,
        "protocol": usual["protocol"].astype(object),
        "service": usual["name"].astype(object),
        "duration_seconds": duration,
        "bytes_out": bytes_out,
        "bytes_in": bytes_in,
        "failed_logins": typing_errors,
        "tcp_flags": np.where(usual["protocol"] == "tcp", flags, MISSING),
        "country": np.where(
            abroad, COUNTRIES[rng.choice(len(COUNTRIES), rows, p=COUNTRY_SHARES)], LOCAL
        ),
    }
    refuse(rng, flows, np.isin(flows["tcp_flags"], ["S", "SR"]))
    return flows


def refuse(rng: np.random.Generator, flows: Flows, refused: Flags) -> None:
    """Make connections that were never opened: a few small packets out, a reset or nothing back."""
    rows = int(refused.sum())
    flows["bytes_out"][refused] = rng.choice([40, 44, 60, 120, 180], rows)
    flows["bytes_in"][refused] = np.where(flows["tcp_flags"][refused] == "SR", 40, 0)
    flows["duration_seconds"][refused] = rng.exponential(0.02, rows)
    flows["failed_logins"][refused] = 0


def _addresses(rng: np.random.Generator, rows: int) -> Texts:
    """Draw addresses outside the company, a few of them very common."""
    number = np.floor(4_000 * rng.random(rows) ** 3).astype(np.int64)
    known = np.array([f"198.18.{place // 250}.{place % 250 + 1}" for place in range(4_000)], object)
    return known[number]


def texts(value: str | None, rows: int) -> Texts:
    """Repeat one string."""
    return np.full(rows, value, dtype=object)
