"""What each column adds to a score, told by libraries that ask for scores of coalitions.

A coalition says of every player, here a column of the source, whether it is present with the row's
value or absent, with the usual value in its place. Both libraries draw coalitions by one seed that
is the same for every row, so that what is said of a row depends on the row and the model alone, and
both leave the generators of random numbers as they found them.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import metadata
from types import MappingProxyType

import numpy as np

from adlib.arrays import Flags, Floats
from adlib.detectors.single_thread import single_thread
from adlib.errors import ConfigError

NEEDS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"shap": ("shap",), "lime": ("captum", "torch", "scikit-learn")}
)
"""The packages that each method takes where it is used."""

Game = Callable[[Floats], Floats]
"""From coalitions, zeros and ones of shape (coalitions, players), to scores: (coalitions,)."""

_SEED = 0
_ROUNDS = 10
"""Orders in which the players come in, and go out again: shap's default."""
_KERNEL_WIDTH = 0.75
"""Times the root of the number of players: how far from the row a coalition still counts."""
_SMALLEST = float(np.finfo(np.float64).tiny)
_FLOAT32_SAFE = 1e15
"""Captum computes in float32; squares of this and their sums stay finite."""


def shapley_values(game: Game, players: int) -> Floats:
    """Return each player's Shapley value: shape (players,).

    They add up to the score of all players present, less that of none (Lundberg and Lee, NeurIPS
    2017), and are exact where no three players interact; else they are means over `_ROUNDS` orders.

    Raises:
        ConfigError: if the library is not installed.
    """
    with _library("shap"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what it asks of matplotlib
        import shap
    with _same_numpy_state():
        explainer = shap.PermutationExplainer(game, _coalition, seed=_SEED)
        evaluations = _evaluations(players)
        told = explainer(np.ones((1, players)), max_evals=evaluations, silent=True)
    return np.asarray(told.values[0], dtype=np.float64)


def lime_weights(game: Game, players: int) -> Floats:
    """Return each player's weight in a linear model of the score near the row: shape (players,).

    The model is a ridge regression on as many coalitions as `shapley_values` asks for, those near
    the row counting most (Ribeiro, Singh and Guestrin, KDD 2016, with the penalty and the kernel of
    its authors' code).

    Raises:
        ConfigError: if a library is not installed.
    """
    with _library("lime"):
        import torch
        from captum._utils.models.linear_model import SkLearnRidge
        from captum.attr import Lime
        from captum.attr._core.lime import get_exp_kernel_similarity_function

        def scores(coalitions: torch.Tensor) -> torch.Tensor:
            found = game(coalitions.numpy().astype(np.float64)) / size
            return torch.from_numpy(np.clip(found, -_FLOAT32_SAFE, _FLOAT32_SAFE))

        size = max(float(np.abs(game(np.ones((1, players))))[0]), _SMALLEST)
        kernel = get_exp_kernel_similarity_function("euclidean", _KERNEL_WIDTH * players**0.5)
        evaluations = _evaluations(players)
        with single_thread(), torch.random.fork_rng(devices=[]):
            torch.manual_seed(_SEED)
            weights = Lime(scores, SkLearnRidge(alpha=1.0), kernel).attribute(
                torch.ones(1, players),
                n_samples=evaluations,
                perturbations_per_eval=evaluations,
                return_input_shape=False,
            )
    return np.asarray(weights[0].numpy(), dtype=np.float64) * size


def lacking(method: str, packages: Sequence[str], where: str) -> ConfigError:
    """Return the error that says which packages a method lacks where, and what to do."""
    message = (
        f"explain.method {method} takes packages that are not installed {where}: "
        f"{', '.join(packages)}. Run `pip install -c constraints.txt {' '.join(packages)}` there, "
        "or train with another explain.method."
    )
    return ConfigError(message)


@contextmanager
def _library(method: str) -> Iterator[None]:
    """Say in a sentence which packages a method lacks."""
    try:
        yield
    except ImportError as error:
        found = {each.metadata["Name"].lower() for each in metadata.distributions()}
        absent = [name for name in NEEDS[method] if name not in found]
        raise lacking(method, absent or [str(error.name)], "here") from error


@contextmanager
def _same_numpy_state() -> Iterator[None]:
    """Leave NumPy's own generator as it was: shap seeds it."""
    state = np.random.get_state()  # noqa: NPY002 - the one that shap draws from
    try:
        yield
    finally:
        np.random.set_state(state)  # noqa: NPY002


def _coalition(present: Flags, all_present: Floats) -> Floats:
    """Return a coalition; shap's own way is the same and takes seconds more to compile."""
    return (present * all_present)[np.newaxis]


def _evaluations(players: int) -> int:
    """Return how many scores a row costs."""
    return _ROUNDS * (2 * players + 1)
