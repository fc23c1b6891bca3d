"""How far Spark is: the tasks of the stages it works on, asked for while a command waits for them.

By the status tracker, which needs neither a page nor a port. Spark Connect has none: there nothing
is told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread

from py4j.protocol import Py4JError
from pyspark import StatusTracker
from pyspark.sql import SparkSession
from pyspark.sql.utils import is_remote

_POLL_SECONDS = 0.5

Tell = Callable[[int, int, str], None]
"""Is told how many of how many tasks are done, and of which stage."""


@contextmanager
def watched(spark: SparkSession, tell: Tell) -> Iterator[None]:
    """Tell, twice a second, how far Spark is with what it works on."""
    if is_remote():
        yield
        return
    ended = Event()
    tracker = spark.sparkContext.statusTracker()
    watch = Thread(target=_watch, args=(tracker, tell, ended), name="adlib watch", daemon=True)
    watch.start()
    try:
        yield
    finally:
        ended.set()
        watch.join()


def _watch(tracker: StatusTracker, tell: Tell, ended: Event) -> None:
    while not ended.wait(_POLL_SECONDS):
        try:
            tell_tasks(tracker, tell)
        except (Py4JError, OSError):
            return  # the JVM is gone, which the command's own next call says better


def tell_tasks(tracker: StatusTracker, tell: Tell) -> None:
    """Tell of the stages that Spark works on now; of none, say nothing."""
    active = sorted(tracker.getActiveStageIds())
    stages = [stage for stage in map(tracker.getStageInfo, active) if stage is not None]
    if stages:
        done = sum(stage.numCompletedTasks for stage in stages)
        tell(done, sum(stage.numTasks for stage in stages), f"tasks of Spark's stage {active[-1]}")
