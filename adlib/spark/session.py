"""Open a Spark session, or take the one that is there, and set it up as this job needs it."""

from __future__ import annotations

import logging
import os
import shlex
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType

from pyspark import SparkContext
from pyspark.errors import PySparkRuntimeError
from pyspark.sql import SparkSession

from adlib.errors import ConfigError

_LOG = logging.getLogger(__name__)

SETTINGS: Mapping[str, str] = MappingProxyType(
    {
        # A date begins where source.timezone says, never where the driver happens to stand.
        "spark.sql.session.timeZone": "UTC",
        # `Amount` and `amount` may be two columns of one source.
        "spark.sql.caseSensitive": "true",
        # Arithmetic that overflows fails loudly; where values may be bad the code says `try_`.
        "spark.sql.ansi.enabled": "true",
        # The default, INT96, has no statistics and some readers refuse it.
        "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
        # Smaller than snappy at the same reading speed.
        "spark.sql.parquet.compression.codec": "zstd",
        # Dates before 1582 mean the same in every reader.
        "spark.sql.parquet.datetimeRebaseModeInWrite": "CORRECTED",
        # A file that cannot be read is an error, not an absence of rows.
        "spark.sql.files.ignoreCorruptFiles": "false",
        "spark.sql.files.ignoreMissingFiles": "false",
        # And so is one that holds other bytes than were written, where it says which those were.
        "parquet.page.verify-checksum.enabled": "true",
        # A frame over n rows of one entity costs log n a row instead of n.
        "spark.sql.window.segmentTree.enabled": "true",
        # Building the tree costs more than it saves on a small entity: 1.75 million card payments
        # of 5,000 customers took 33 seconds with the default of 64 and 6 with this.
        "spark.sql.window.segmentTree.minPartitionRows": "1024",
        # The JVM never compiles a method over 8,000 bytes: above that, many small ones are faster
        # than one large one (the windows of the card payments: 7 seconds instead of 20).
        "spark.sql.codegen.hugeMethodLimit": "8000",
        # What Spark concludes from a hash over all columns doubles with every column that is taken
        # over as it is: a table of 30 floats took all memory to plan.
        "spark.sql.constraintPropagation.enabled": "false",
        # Keys are all but unique, so ranking them before the shuffle too is a sort for nothing.
        "spark.sql.optimizer.windowGroupLimitThreshold": "-1",
        # Columns travel to pandas as Arrow, and a type that cannot is an error, not a slow path.
        "spark.sql.execution.arrow.pyspark.enabled": "true",
        "spark.sql.execution.arrow.pyspark.fallback.enabled": "false",
        # 5 million rows of 30 numbers through the pandas UDF engine: 5.4 seconds instead of the 6.2
        # of the default of 10,000 rows; twice as many more gain nothing.
        "spark.sql.execution.arrow.maxRecordsPerBatch": "32768",
    }
)
"""What is set on every session, new or found."""

_LOG_SETTINGS = Path(__file__).with_name("log4j2.properties").resolve()

EMBEDDED: Mapping[str, str] = MappingProxyType(
    {
        "spark.master": "local[*]",
        # No port is opened to the network, and none that may be taken.
        "spark.ui.enabled": "false",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
        # Over TCP each task of a Python worker waits 40 ms for an acknowledgement.
        "spark.python.unix.domain.socket.enabled": "true",
        # The driver is the only executor; the default of 1 GB is short for its sorts.
        "spark.driver.memory": "2g",
        "spark.driver.extraJavaOptions": f"-Dlog4j2.configurationFile={_LOG_SETTINGS.as_uri()}",
    }
)
"""How Spark starts where nobody configured a master."""

_SUBMITTED = frozenset({"PYSPARK_GATEWAY_PORT", "SPARK_REMOTE", "SPARK_CONNECT_MODE_ENABLED"})
"""What stands in the environment of a program that Spark started, or that a remote Spark serves."""
_OUTPUTS = (1, 2)
"""The descriptors that a process inherits as its standard output and error."""

_QUIET: Mapping[str, str] = MappingProxyType(
    {
        # A bar of Spark's own would write over ours.
        "spark.ui.showConsoleProgress": "false",
    }
)


def open_session(name: str, chatter: Path | None = None) -> SparkSession:
    """Return the active session, or the one that spark-submit configured, or an embedded one.

    A JVM that is started here writes what it has to say into the file of chatter; one that is there
    already says it where it was told to, errors alone.

    Raises:
        ConfigError: Spark cannot start, for want of Java in most cases.
    """
    session = SparkSession.getActiveSession()
    if session is None:
        _LOG.info("Starting Spark ...")
    if session is None and chatter is not None and not _has_jvm():
        with _output_into(chatter):
            session = _started(name, "WARN")
    elif session is None:
        session = _started(name, "ERROR")
    for key, value in SETTINGS.items():
        session.conf.set(key, value)
    return session


def _has_jvm() -> bool:
    """Tell whether Spark is somebody else's process, or started already."""
    theirs = not _SUBMITTED.isdisjoint(os.environ)
    return theirs or SparkContext._gateway is not None  # noqa: SLF001 - no public name for it


@contextmanager
def _output_into(file: Path) -> Iterator[None]:
    """Send standard output and error of the processes that are started here into a file."""
    streams = (sys.stdout, sys.stderr)
    for stream in streams:
        stream.flush()
    kept = [os.dup(descriptor) for descriptor in _OUTPUTS]
    target = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        for descriptor in _OUTPUTS:
            os.dup2(target, descriptor)
        yield
    finally:
        for stream in streams:
            stream.flush()
        for saved, descriptor in zip(kept, _OUTPUTS, strict=True):
            os.dup2(saved, descriptor)
            os.close(saved)
        os.close(target)


def _started(name: str, log_level: str) -> SparkSession:
    """Start Spark, embedded unless something names a master."""
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    settings = {**_QUIET, "spark.log.level": log_level}
    if not master_is_configured(os.environ):
        settings |= EMBEDDED
        os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
    builder = SparkSession.builder.appName(name)
    for key, value in settings.items():
        builder = builder.config(key, value)
    try:
        return builder.getOrCreate()
    except PySparkRuntimeError as error:
        if error.getCondition() != "JAVA_GATEWAY_EXITED":
            raise
        raise ConfigError(
            "Spark needs Java 17 or newer and its Java process ended before it answered. Install a "
            "Java runtime or set JAVA_HOME, and check the options in PYSPARK_SUBMIT_ARGS."
        ) from error


def starts_embedded() -> bool:
    """Tell whether Spark would start here with nobody's settings: a plain path is a local one."""
    theirs = {*_SUBMITTED, "PYSPARK_SUBMIT_ARGS", "SPARK_HOME", "SPARK_CONF_DIR", "HADOOP_CONF_DIR"}
    return theirs.isdisjoint(os.environ) and SparkSession.getActiveSession() is None


def master_is_configured(environment: Mapping[str, str]) -> bool:
    """Tell whether spark-submit, PYSPARK_SUBMIT_ARGS or spark-defaults.conf names a master."""
    return (
        not _SUBMITTED.isdisjoint(environment)
        or _arguments_name_master(environment.get("PYSPARK_SUBMIT_ARGS", ""))
        or _defaults_name_master(environment)
    )


def _arguments_name_master(arguments: str) -> bool:
    """Tell whether a spark-submit command line names a master."""
    return any(
        word.startswith(("--master", "--remote", "spark.master=", "--conf=spark.master="))
        for word in shlex.split(arguments)
    )


def _defaults_name_master(environment: Mapping[str, str]) -> bool:
    """Tell whether the spark-defaults.conf that Spark will read names a master."""
    directory = environment.get("SPARK_CONF_DIR")
    if directory is None and "SPARK_HOME" in environment:
        directory = str(Path(environment["SPARK_HOME"]) / "conf")
    defaults = Path(directory or os.devnull) / "spark-defaults.conf"
    if not defaults.is_file():
        return False
    lines = defaults.read_text(encoding="utf-8").splitlines()
    return any(line.strip().startswith("spark.master") for line in lines)
