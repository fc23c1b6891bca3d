"""The whole examination, and the half of it that costs nothing and comes before every job."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path

from pyspark.sql import SparkSession

from adlib.config import Config
from adlib.doctor.checks import Check
from adlib.doctor.driver import java_version, package, packages_for, python_version
from adlib.doctor.executors import examine_executors
from adlib.doctor.places import examine_local_directories, examine_places
from adlib.errors import AdlibError, ConfigError
from adlib.spark.preprocessing import plan_of
from adlib.spark.probing import installed_version
from adlib.spark.session import open_session
from adlib.spark.tables import read_source
from adlib.tracking import refuse_untracked
from adlib.wiring import preparation_of, pseudonyms_of, registry_of, source_of

_LOG = logging.getLogger(__name__)
_DEFAULT_LOCAL = "/tmp"  # noqa: S108 - Spark's own default


def examine(config: Config | None, log: Path | None = None) -> list[Check]:
    """Look at the driver, the executors and, with a configuration, all that it names.

    Spark says what it has to say into the log.
    """
    checks = [*_cheap(config, None), java_version()]
    if not all(check.ok for check in checks if check.stops):
        found = "not asked; put right what is not ok, and ask again"
        return [*checks, Check("executors", ok=False, found=found)]
    try:
        spark = open_session("adlib doctor", log)
    except ConfigError as error:
        return [*checks, Check("Spark", ok=False, found=str(error))]
    checks += examine_executors(spark, config, log)
    return checks if config is None else [*checks, _source(spark, config), _model(config)]


def preflight(config: Config, command: str) -> None:
    """Look at all that needs no Spark, before a job starts; warn of what may still do.

    Raises:
        ConfigError: naming everything that is not as it should be.
    """
    wrong = [check for check in _cheap(config, command) if not check.ok]
    for check in wrong:
        if not check.stops:
            _LOG.warning("%s.", _told(check).rstrip("."))
    stopping = [_told(check).rstrip(".") for check in wrong if check.stops]
    if stopping:
        message = f"Not ready to start. {'. '.join(dict.fromkeys(stopping))}."
        raise ConfigError(message)


def _told(check: Check) -> str:
    """Say what was found, and of what where that does not begin with it."""
    return check.found if check.found.startswith(check.name) else f"{check.name}: {check.found}"


def _cheap(config: Config | None, command: str | None) -> Iterator[Check]:
    yield python_version()
    for name in packages_for(command, config):
        yield package(name)
    if config is not None:
        if config.mlflow is not None and command in {None, "run", "train"}:
            yield _mlflow(config)
        yield from examine_places(config)
        if command != "report":
            yield from _private(config)
    local = os.environ.get("SPARK_LOCAL_DIRS")
    yield from examine_local_directories((local or _DEFAULT_LOCAL).split(","), named=bool(local))


def _mlflow(config: Config) -> Check:
    """Look for the extra that the configuration asks for."""
    try:
        refuse_untracked(config)
    except ConfigError as error:
        return Check("MLflow", ok=False, found=str(error))
    return Check("MLflow", ok=True, found=installed_version("mlflow-skinny") or "there")


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


def _source(spark: SparkSession, config: Config) -> Check:
    """Look whether the source opens and has the columns that are named, of types that will do."""
    try:
        raw = read_source(spark, source_of(config))
        plan_of(raw, preparation_of(config))
    except AdlibError as error:
        return Check("source", ok=False, found=str(error))
    return Check("source", ok=True, found=f"{config.source.path}, {len(raw.columns)} columns")


def _model(config: Config) -> Check:
    """Look whether the promoted model is intact."""
    registry = registry_of(config)
    try:
        promoted = registry.promoted()
        if promoted is None:
            found = "none is promoted yet; `adlib run` or `adlib train` makes one"
            return Check("model", ok=True, found=found)
        registry.load()
    except AdlibError as error:
        return Check("model", ok=False, found=str(error))
    return Check("model", ok=True, found=f"{promoted}, intact")
