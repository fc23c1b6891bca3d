"""What Spark throws becomes one of our errors, or stays what it is."""

import pytest
from py4j.protocol import Py4JNetworkError
from pyspark.errors import PySparkException

from adlib.errors import InputError, ModelError, TransientError
from adlib.spark.failures import translated


@pytest.mark.parametrize(
    ("text", "kind", "said"),
    [
        ("Traceback ...\nadlib.errors.ModelError: The model is bad.\n  at org", ModelError, "bad"),
        ("Caused by: java.io.IOException: No space left on device", TransientError, "space"),
        ("ExecutorLostFailure (executor 1 exited)", TransientError, "resources"),
        ("IllegalStateException: Python daemon failed to launch worker.", TransientError, "daemon"),
        (
            "[FAILED_READ_FILE.NO_HINT] Encountered error while reading file file:/a/b.parquet.",
            InputError,
            "/a/b.parquet",
        ),
        (
            "Error.\n: java.nio.file.AccessDeniedException: /a/b: Permission denied\n at",
            InputError,
            "at /a/b: Permission denied. Change the owner",
        ),
    ],
    ids=[
        "raised in a worker",
        "full disk",
        "lost executor",
        "worker not begun",
        "damaged file",
        "forbidden",
    ],
)
def test_known_failures_are_named(text, kind, said):
    error = translated(PySparkException(text))
    assert type(error) is kind
    assert said in str(error)


def test_a_jvm_that_is_gone_is_worth_another_try():
    assert isinstance(translated(Py4JNetworkError("gone")), TransientError)


@pytest.mark.parametrize("error", [ValueError("No space left on device"), PySparkException("odd")])
def test_what_is_not_known_is_left_alone(error):
    assert translated(error) is None
