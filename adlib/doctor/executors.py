"""What Spark and its executors have to have: Python, packages, directories, clocks, time zones."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pyspark
from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from adlib.coalitions import NEEDS
from adlib.config import Config
from adlib.doctor.checks import Check
from adlib.doctor.driver import LEARNING
from adlib.doctor.places import judged_room
from adlib.spark.probing import Probe, installed_version, probe_executors

_SCORING = ("numpy", "pandas", "pyarrow")
_MOST_SECONDS_OFF = 5.0
"""Leases of publishing last minutes: clocks that differ by less than this do no harm."""
_HALF_A_YEAR = timedelta(days=182)


def examine_executors(spark: SparkSession, config: Config | None, log: Path | None) -> list[Check]:
    """Ask Spark and every executor; `log` is a file below work.path that they should see."""
    packages = packages_of_executors(config)
    try:
        probes = probe_executors(spark, packages, log)
    except (PySparkException, Py4JError) as error:
        first = next(iter(str(error).splitlines()), type(error).__name__)
        found = f"none answered: {first} Set PYSPARK_PYTHON to a Python that is there on each"
        return [Check("executors", ok=False, found=found)]
    checks = [check for probe in probes for check in judged(probe, log)]
    return [_spark_version(spark), *checks, *_time_zones(spark, config)]


def packages_of_executors(config: Config | None) -> tuple[str, ...]:
    """Return what executors need: to score, to explain, and to train where it is done there."""
    trains = config is not None and config.train.on == "executor"
    explains = () if config is None else NEEDS.get(config.explain.method, ())
    needed = (*_SCORING, *((*LEARNING, "safetensors") if trains else ()), *explains)
    return tuple(dict.fromkeys(needed))


def _spark_version(spark: SparkSession) -> Check:
    client, cluster = pyspark.__version__, spark.version
    if client.split(".")[:2] == cluster.split(".")[:2]:
        return Check("Spark", ok=True, found=cluster)
    found = f"{cluster}, and PySpark is {client}; install the PySpark of the cluster's version"
    return Check("Spark", ok=False, found=found)


def judged(probe: Probe, log: Path | None) -> Iterator[Check]:
    """Judge one Python of one machine."""
    where = f"executors on {probe.host}"
    yield _python(where, probe)
    yield from _packages(where, probe)
    if not probe.has_adlib:
        advice = "hand it over with spark-submit --py-files adlib.zip"
        yield Check(f"{where}: adlib", ok=False, found=f"not there; {advice}")
    if log is not None:
        found = f"sees {log.parent}"
        advice = f"does not see {log.parent}: put work.path on a disk that all of them mount"
        yield Check(f"{where}: work.path", probe.sees_work, found if probe.sees_work else advice)
    for directory, free in sorted(probe.local_directories.items()):
        yield judged_room(f"{where}: spark.local.dir", directory, free)
    yield _clock(where, probe.seconds_ahead)


def _python(where: str, probe: Probe) -> Check:
    driver = ".".join(map(str, sys.version_info[:2]))
    found = f"{probe.python} at {probe.executable}"
    if probe.python.split(".")[:2] == driver.split("."):
        return Check(f"{where}: Python", ok=True, found=found)
    advice = f"the driver has {driver}; set PYSPARK_PYTHON"
    return Check(f"{where}: Python", ok=False, found=f"{found}, {advice}")


def _packages(where: str, probe: Probe) -> Iterator[Check]:
    """Say which packages are those of the driver, in a line, and of each other one what to do."""
    same = []
    for name, version in probe.versions.items():
        here = installed_version(name)
        if version is not None and here in {None, version}:
            same.append(f"{name} {version}")
            continue
        found = "not installed" if version is None else f"{version}, the driver has {here}"
        wanted = name if here is None else f"{name}=={here}"
        advice = f"{found}; install {wanted} where executors run"
        yield Check(f"{where}: {name}", ok=False, found=advice)
    if same:
        yield Check(f"{where}: packages", ok=True, found=", ".join(same))


def _clock(where: str, seconds_ahead: float) -> Check:
    if abs(seconds_ahead) <= _MOST_SECONDS_OFF:
        return Check(f"{where}: clock", ok=True, found="as the driver's")
    side = "ahead of" if seconds_ahead > 0 else "behind"
    found = f"{abs(seconds_ahead):.0f} s {side} the driver's; let both follow one time server"
    return Check(f"{where}: clock", ok=False, found=found)


def _time_zones(spark: SparkSession, config: Config | None) -> list[Check]:
    """Look at the zone of the session, and whether Java and Python know the source's alike."""
    session = spark.conf.get("spark.sql.session.timeZone")
    advice = "" if session == "UTC" else "; take the setting away, a job sets UTC"
    checks = [Check("session time zone", session == "UTC", f"{session}{advice}")]
    if config is not None:
        checks.append(_zone(spark, config.source.timezone))
    return checks


def _zone(spark: SparkSession, name: str) -> Check:
    now = datetime.now(UTC).replace(microsecond=0)
    moments = (now, now + _HALF_A_YEAR)
    try:
        java = local_seconds(spark, name, [int(moment.timestamp()) for moment in moments])
    except (PySparkException, Py4JError):
        found = f"Java does not know {name}; write a name such as Europe/Berlin"
        return Check("source.timezone", ok=False, found=found)
    zone = ZoneInfo(name)
    python = [int(moment.astimezone(zone).replace(tzinfo=UTC).timestamp()) for moment in moments]
    if java == python:
        return Check(
            "source.timezone", ok=True, found=f"{name}, {now.astimezone(zone):%H:%M} there"
        )
    found = f"Java and Python disagree about {name}; update Java and the package tzdata"
    return Check("source.timezone", ok=False, found=found)


def local_seconds(spark: SparkSession, name: str, seconds: Sequence[int]) -> list[int]:
    """Return what clocks in a zone show at these seconds since 1970, by Spark."""
    local = [
        F.unix_seconds(F.from_utc_timestamp(F.timestamp_seconds(F.lit(moment)), name))
        for moment in seconds
    ]
    return [int(value) for value in spark.range(1).select(*local).collect()[0]]
