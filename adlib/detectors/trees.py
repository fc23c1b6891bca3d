"""The trees of an isolation forest as arrays, and how deep in them a row lies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from adlib.arrays import Floats, Ints, Tensors
from adlib.errors import ModelError


@dataclass(frozen=True, eq=False)
class Trees:
    """Nodes side by side: every array has shape (trees, nodes). A leaf leads to itself."""

    column: Ints
    """What a node cuts, int32."""
    cut: Floats
    """Rows at or below it go left."""
    left: Ints
    right: Ints
    depth: Floats
    """Of a leaf, with what its rows would take to be set apart; 0 elsewhere."""

    @classmethod
    def of(cls, fitted: Sequence[Any]) -> Trees:
        """Take over trees of scikit-learn."""
        trees = [_arrays_of(tree) for tree in fitted]
        nodes = max(len(tree["cut"]) for tree in trees)
        return cls(
            **{
                name: np.stack([np.pad(tree[name], (0, nodes - len(tree[name]))) for tree in trees])
                for name in trees[0]
            }
        )

    @classmethod
    def shapes(cls, trees: int, tensors: Tensors) -> dict[str, tuple[int, ...]]:
        """Return the shapes that the arrays have, as many nodes as these tensors say."""
        nodes = np.shape(tensors.get("cut", np.zeros((1, 1))))[-1]
        return dict.fromkeys(("column", "cut", "left", "right", "depth"), (trees, nodes))

    @classmethod
    def restore(cls, tensors: Tensors, columns: int) -> Trees:
        """Build what the tensors came from.

        Raises:
            ModelError: if a node leads to none, or cuts a column that there is not.
        """
        nodes = tensors["cut"].shape[1]
        for name, bound in {"column": columns, "left": nodes, "right": nodes}.items():
            found = tensors[name]
            if found.dtype != np.int32 or found.min() < 0 or found.max() >= bound:
                message = (
                    f"The model's tensor {name!r} names nodes or columns that its trees do not "
                    "have. Restore the model from a backup or train again."
                )
                raise ModelError(message)
        whole = {name: tensors[name].astype(np.int32) for name in ("column", "left", "right")}
        return cls(**whole, cut=_floats(tensors["cut"]), depth=_floats(tensors["depth"]))

    def tensors(self) -> Tensors:
        """Return all arrays."""
        return {
            "column": self.column,
            "cut": self.cut,
            "left": self.left,
            "right": self.right,
            "depth": self.depth,
        }

    def depths(self, table: Floats, rounds: int) -> Floats:
        """Return how deep rows lie in each tree: a table (rows, columns) to (trees, rows).

        After `rounds` steps every row has come to a leaf.
        """
        rows, width = table.shape
        flat, starts = table.ravel(), np.arange(rows) * width
        depths = np.empty((len(self.cut), rows))
        for out, column, cut, children, depth in zip(depths, *self._nodes, strict=True):
            node = np.zeros(rows, dtype=np.intp)
            for _ in range(rounds):
                goes_right = flat[starts + column[node]] > cut[node]
                node = children[2 * node + goes_right]
            out[:] = depth[node]
        return depths

    @cached_property
    def _nodes(self) -> tuple[Ints, Floats, Ints, Floats]:
        """The nodes, the two children of each side by side."""
        children = np.stack([self.left, self.right], axis=2).reshape(len(self.left), -1)
        return self.column.astype(np.intp), self.cut, children.astype(np.intp), self.depth


def usual_depth(rows: int) -> float:
    """Return the mean depth of a search that fails in a tree of so many rows (equation 1)."""
    if rows <= 2:  # noqa: PLR2004 - as the paper's authors have it later (TKDD 2012)
        return float(max(0, rows - 1))
    return float(2.0 * (np.log(rows - 1.0) + np.euler_gamma) - 2.0 * (rows - 1.0) / rows)


def _arrays_of(tree: Any) -> dict[str, Any]:
    """Return a tree's nodes, by the names that `Trees` gives them."""
    own = np.arange(tree.node_count)
    leaf = tree.children_left < 0
    depth = np.zeros(tree.node_count)
    for node in np.flatnonzero(~leaf):  # parents come before their children
        depth[tree.children_left[node]] = depth[tree.children_right[node]] = depth[node] + 1.0
    beyond = np.asarray([usual_depth(int(rows)) for rows in tree.n_node_samples])
    return {
        "column": np.where(leaf, 0, tree.feature).astype(np.int32),
        "cut": np.where(leaf, 0.0, tree.threshold),
        "left": np.where(leaf, own, tree.children_left).astype(np.int32),
        "right": np.where(leaf, own, tree.children_right).astype(np.int32),
        "depth": np.where(leaf, depth + beyond, 0.0),
    }


def _floats(tensor: Any) -> Floats:
    return np.asarray(tensor, dtype=np.float64)
