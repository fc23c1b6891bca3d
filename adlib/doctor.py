"""Preflight: what has to be in place before a job can run."""

from __future__ import annotations

import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from pyspark.sql import SparkSession

from adlib.config import Config
from adlib.errors import AdlibError
from adlib.publishing import refuse_files, refuse_overlap
from adlib.spark.session import open_session
from adlib.spark.tables import read_source
from adlib.wiring import paths_of, pseudonyms_of, source_of, source_path

_OLDEST_JAVA = 17
_OLDEST_PYTHON = (3, 11)
_DRIVER_PACKAGES = (
    *("pyspark", "numpy", "pandas", "pyarrow", "torch", "scikit-learn", "pydantic"),
    *("jinja2", "matplotlib"),
)
_EXECUTOR_PACKAGES = ("numpy", "pandas", "pyarrow")
_LEAST_FREE_BYTES = 1 << 30


@dataclass(frozen=True)
class Check:
    """One thing that was looked at."""

    name: str
    ok: bool
    found: str
    """What was found and, where it is not ok, what to do."""


def examine(config: Config | None) -> list[Check]:
    """Look at the driver, the executors and, with a configuration, its paths and its source."""
    checks = [_python(), _java(), *_driver_packages()]
    if all(check.ok for check in checks):
        spark = open_session("adlib doctor")
        checks.extend(_executors(spark))
        if config is not None:
            checks.append(_source(spark, config))
    if config is not None:
        checks.extend(_paths(config))
        checks.extend(_private(config))
    return checks


def _private(config: Config) -> list[Check]:
    """Look whether the key of the pseudonyms is there, where columns are private."""
    if config.privacy is None:
        return []
    name = f"key in {config.privacy.key_env}"
    try:
        pseudonyms_of(config)
    except AdlibError as error:
        return [Check(name, ok=False, found=str(error))]
    return [Check(name, ok=True, found="there and long enough")]


def _python() -> Check:
    found = ".".join(map(str, sys.version_info[:3]))
    ok = sys.version_info[:2] >= _OLDEST_PYTHON
    return Check("Python", ok, found if ok else f"{found}; install Python 3.11 or newer")


def _java() -> Check:
    home = os.environ.get("JAVA_HOME")
    command = str(Path(home) / "bin" / "java") if home else shutil.which("java")
    advice = "install Java 17 or newer, such as openjdk-17-jre-headless, or set JAVA_HOME"
    if command is None or not Path(command).exists():
        return Check("Java", ok=False, found=f"not found; {advice}")
    printed = subprocess.run(  # noqa: S603 - the java on the PATH, no argument from outside
        [command, "-version"], capture_output=True, text=True, check=False, timeout=60
    ).stderr
    version = re.search(r'version "(\d+)[^"]*"', printed)
    if version is None or int(version[1]) < _OLDEST_JAVA:
        return Check("Java", ok=False, found=f"{printed.splitlines()[:1]}; {advice}")
    return Check("Java", ok=True, found=version[0].removeprefix("version ").strip('"'))


def _driver_packages() -> list[Check]:
    return [_package(name, installed_version(name)) for name in _DRIVER_PACKAGES]


def _package(name: str, version: str | None) -> Check:
    found = version or f"not installed; run `pip install -c constraints.txt {name}`"
    return Check(f"driver: {name}", version is not None, found)


def installed_version(name: str) -> str | None:
    """Return a package's version, or None where it is not installed."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _executors(spark: SparkSession) -> list[Check]:
    """Ask every task slot for its packages."""
    context = spark.sparkContext
    slots = max(2, context.defaultParallelism)
    names = _EXECUTOR_PACKAGES

    def ask(_: object) -> list[tuple[str, tuple[str | None, ...]]]:
        python = ".".join(map(str, sys.version_info[:2]))
        return [(python, tuple(installed_version(name) for name in names))]

    answers = set(context.parallelize(range(slots), slots).mapPartitions(ask).collect())
    checks = []
    driver = ".".join(map(str, sys.version_info[:2]))
    for python, versions in sorted(answers, key=str):
        found = (
            python if python == driver else f"{python}, the driver has {driver}; set PYSPARK_PYTHON"
        )
        checks.append(Check("executors: Python", python == driver, found))
        for name, version in zip(names, versions, strict=True):
            advice = f"not installed; install {name} where executors run"
            checks.append(Check(f"executors: {name}", version is not None, version or advice))
    return checks


def _source(spark: SparkSession, config: Config) -> Check:
    try:
        columns = read_source(spark, source_of(config)).columns
    except AdlibError as error:
        return Check("source", ok=False, found=str(error))
    return Check("source", ok=True, found=f"{config.source.path}, {len(columns)} columns")


def _paths(config: Config) -> list[Check]:
    named = paths_of(config)
    checks = [_writable(name, path) for name, path in named.items()]
    try:
        refuse_overlap(named, source_path(config))
    except AdlibError as error:
        return [*checks, Check("paths", ok=False, found=str(error))]
    return [*checks, Check("paths", ok=True, found="none inside another")]


def _writable(name: str, path: Path) -> Check:
    try:
        refuse_files({name: path})
    except AdlibError as error:
        return Check(name, ok=False, found=str(error))
    existing = path.resolve()
    while not existing.exists():
        existing = existing.parent
    if not os.access(existing, os.W_OK):
        return Check(
            name, ok=False, found=f"{existing} cannot be written; change its owner or mode"
        )
    free = shutil.disk_usage(existing).free
    found = f"{path}, {free / 1e9:.0f} GB free"
    if free < _LEAST_FREE_BYTES:
        return Check(name, ok=False, found=f"{found}; free at least 1 GB")
    return Check(name, ok=True, found=found)
