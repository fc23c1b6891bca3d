"""Fits of scikit-learn that give the same model again: one thread, and no talk of convergence."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def single_thread() -> Iterator[None]:
    """Use one thread; what did not converge is the model's to say, in its metrics."""
    from sklearn.exceptions import ConvergenceWarning
    from threadpoolctl import threadpool_limits  # noqa: PLC0415 - executors lack it

    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        yield
