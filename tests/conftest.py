"""What tests of several folders share: one Spark session, and where the public tables are."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def spark():
    """One small session for all tests that need one."""
    os.environ["PYSPARK_SUBMIT_ARGS"] = (
        "--master local[2] --driver-memory 2g --conf spark.ui.enabled=false "
        "--conf spark.sql.shuffle.partitions=4 pyspark-shell"
    )
    from adlib.spark.session import open_session

    session = open_session("tests")
    yield session
    session.stop()
    del os.environ["PYSPARK_SUBMIT_ARGS"]


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The public tables; tests that need them skip where they are not."""
    folder = Path(os.environ.get("ADLIB_REAL_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no public tables at {folder}; set ADLIB_REAL_DATA to where they are")
    return folder
