"""The same anomalies, byte for byte: whatever the master, the plan, the splits and the engine."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pyspark
import pytest

from tests.cluster.submitting import Jobs
from tests.cluster.ways import ENGINES, OPPOSITE_PLANS, PLANS
from tests.jobs.conftest import payments

pytestmark = pytest.mark.cluster

WAYS = Path(__file__).with_name("ways.py")
ROWS = 12_000
"""More than a block of 2,048 a date, so that other splits are other blocks."""


@pytest.fixture(scope="module")
def one_core(package: Path, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What came out on one core, by every plan and engine."""
    del package  # what is submitted
    return found_on("local[1]", tmp_path_factory.mktemp("one-core"), PLANS)


def found_on(
    master: str, root: Path, plans: Sequence[str] = OPPOSITE_PLANS, **environment: str
) -> list[dict[str, Any]]:
    """Return what comes out on a master, by each plan and engine."""
    jobs = Jobs(root)
    (root / "source").mkdir()
    table, files = payments(ROWS), 3
    for number in range(files):
        part = table.slice(number * ROWS // files, ROWS // files)
        pq.write_table(part, root / "source" / f"{number}.parquet", row_group_size=500)
    jobs.configure()
    try:
        job = jobs.submit(WAYS, str(root), *plans, master=master, **environment)
        assert job.ended() == 0, job.said()
    finally:
        jobs.stop()
    return list(json.loads((root / "found.json").read_text("utf-8")))


def outcomes(found: list[dict[str, Any]]) -> set[tuple[str, ...]]:
    """Return the outcomes that differ: the model, and files that are named by what they hold."""
    return {(way["model"], *way["files"]) for way in found}


@pytest.fixture
def spark_home(tmp_path: Path) -> dict[str, str]:
    """A home for Spark in which executors of local-cluster may leave their files."""
    home = tmp_path / "spark"
    home.mkdir()
    for part in ("bin", "jars", "python"):
        (home / part).symlink_to(Path(pyspark.__file__).parent / part)
    return {"SPARK_HOME": str(home)}


def test_neither_plan_nor_splits_nor_engine_matter(one_core):
    assert len(one_core) == len(PLANS) * len(ENGINES)
    assert {way["adaptive"] for way in one_core} == {"true", "false"}
    assert len({way["partitions"] for way in one_core}) == 2
    assert len(outcomes(one_core)) == 1
    assert len(one_core[0]["files"]) == 3


def test_two_cores_give_what_one_gives(one_core, tmp_path):
    assert outcomes(found_on("local[2]", tmp_path)) == outcomes(one_core)


def test_two_executors_give_what_one_core_gives(one_core, tmp_path, spark_home):
    found = found_on("local-cluster[2,1,1024]", tmp_path, **spark_home)
    assert outcomes(found) == outcomes(one_core)


def test_a_standalone_cluster_gives_what_one_core_gives(one_core, cluster, tmp_path):
    assert outcomes(found_on(cluster.url, tmp_path)) == outcomes(one_core)
