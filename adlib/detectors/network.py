"""The forward pass of dense networks in NumPy, and how far a row is from its reconstruction.

Everything is column by column: a matrix has shape (columns, rows). In float32 it is as fast as
NumPy gets: biases are folded into the matrix products, one-hot columns times the first layer into a
gather of its rows, and buffers are used again. In float64 a row's result depends on no other row.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import groupby, pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from adlib.arrays import Block, Buffers, FeatureMatrix, Floats, Layout, Loss, Tensors

_LEAST_TOTAL = 1e-12
"""Of a row's losses; below it, shares of them say nothing."""


@dataclass(frozen=True, eq=False)
class Network:
    """Dense layers with max(x, 0) between them, the first over all columns of a feature matrix."""

    layout: Layout
    weights: tuple[Floats, ...]
    """Shape (out, in) each, float32."""
    biases: tuple[Floats, ...]
    """Shape (out,) each, float32."""

    def outputs(self, features: FeatureMatrix, buffers: Buffers) -> Floats:
        """Return the last layer's outputs: shape (out, rows)."""
        folded = self._folded[features.dtype.type]
        here, there = "hidden", "scratch"  # two arrays are enough, and stay in the cache
        hidden = _product(features.inputs.T, folded.numbers, buffers, here)
        for places, table in zip(features.places, folded.categories, strict=True):
            gathered = buffers.get(there, hidden.shape, hidden.dtype)
            hidden += np.take(table, places, axis=0, out=gathered, mode="clip")
        _rectify_twice(hidden, buffers, there)
        for layer in folded.layers[:-1]:
            here, there = there, here
            hidden = _product(hidden, layer, buffers, here)
            _rectify_twice(hidden, buffers, there)
        if features.dtype == np.float64:
            return matrix_product(hidden, folded.layers[-1]).T
        out = buffers.get("outputs", (len(folded.layers[-1]), len(hidden)), hidden.dtype)
        return np.matmul(folded.layers[-1], hidden.T, out=out)

    def codes(self, features: FeatureMatrix) -> Floats:
        """Return what the narrowest hidden layer says: shape (rows, units)."""
        widths = [len(bias) for bias in self.biases[:-1]]
        last = widths.index(min(widths)) + 1
        codes = features.one_hot()
        for weight, bias in zip(self.weights[:last], self.biases[:last], strict=True):
            codes = np.maximum(codes @ weight.T + bias, 0.0)
        return codes

    def tensors(self) -> dict[str, Floats]:
        """Return weights and biases, named by layer."""
        layers = enumerate(zip(self.weights, self.biases, strict=True))
        return {
            f"{part}_{layer}": array
            for layer, arrays in layers
            for part, array in zip(("weight", "bias"), arrays, strict=True)
        }

    @classmethod
    def shapes(cls, sizes: Sequence[int]) -> dict[str, tuple[int, ...]]:
        """Return the shapes of the tensors of a network of layers of these widths."""
        shapes: dict[str, tuple[int, ...]] = {}
        for layer, (read, said) in enumerate(pairwise(sizes)):
            shapes |= {f"weight_{layer}": (said, read), f"bias_{layer}": (said,)}
        return shapes

    @classmethod
    def restore(cls, layout: Layout, tensors: Tensors) -> Network:
        """Build the network that the tensors came from; others may stand beside them."""
        layers = sum(name.startswith("weight_") for name in tensors)
        weights, biases = (
            tuple(np.asarray(tensors[f"{part}_{layer}"], np.float32) for layer in range(layers))
            for part in ("weight", "bias")
        )
        return cls(layout, weights, biases)

    @cached_property
    def _folded(self) -> dict[type[np.generic], _Folded]:
        """The network in both precisions."""
        return {dtype: self._fold(np.dtype(dtype)) for dtype in (np.float32, np.float64)}

    def _fold(self, dtype: np.dtype[Any]) -> _Folded:
        layers = [
            _with_bias(weight, bias, constant=layer + 1 < len(self.weights)).astype(dtype)
            for layer, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True))
        ]
        read = [*self.layout.number_columns, self.layout.width]
        tables = [
            np.ascontiguousarray(layers[0][:, block.span].T) for block in self.layout.categories
        ]
        halved = tuple(layer / 2.0 for layer in layers[1:])  # exactly: a power of two
        return _Folded(np.ascontiguousarray(layers[0][:, read]), tuple(tables), halved)


@cache
def layout_of_numbers(count: int) -> Layout:
    """Return the layout of a matrix of plain numbers, such as codes."""
    return Layout(tuple(Block(f"{i}", f"{i}", i, i + 1, Loss.SQUARED) for i in range(count)))


def matrix_of_numbers(values: Floats) -> FeatureMatrix:
    """Return plain numbers, (columns, rows), as what a network reads."""
    columns, rows = values.shape
    matrix = FeatureMatrix.empty(layout_of_numbers(columns), rows, values.dtype, Buffers())
    matrix.numbers[:] = values
    return matrix


@dataclass(frozen=True, eq=False)
class _Folded:
    """A network whose biases are weights of a column of ones, which every layer hands on."""

    numbers: Floats
    """The first layer's weights of the numbers and the ones: shape (out + 1, numbers + 1)."""
    categories: tuple[Floats, ...]
    """Its weights of each category: shape (places, out + 1)."""
    layers: tuple[Floats, ...]
    """The others, halved: shape (out + 1, in + 1), the last (out, in + 1)."""


def _with_bias(weight: Floats, bias: Floats, *, constant: bool) -> Floats:
    """Return the weights with the bias as a last column, and with a unit that is always one."""
    folded = np.column_stack([weight, bias])
    if constant:
        folded = np.vstack([folded, np.append(np.zeros(weight.shape[1]), 1.0)])
    return folded


def _rectify_twice(hidden: Floats, buffers: Buffers, scratch: str) -> None:
    """Replace x by 2 max(x, 0) = x + |x|, which takes NumPy half as long as max(x, 0)."""
    hidden += np.abs(hidden, out=buffers.get(scratch, hidden.shape, hidden.dtype))


def _product(rows: Floats, weights: Floats, buffers: Buffers, name: str) -> Floats:
    """Multiply rows (n, k) by weights (m, k) to (n, m), in float32 into a buffer."""
    if rows.dtype == np.float64:
        return matrix_product(rows, weights)
    out = buffers.get(name, (len(rows), len(weights)), rows.dtype)
    return np.matmul(rows, weights.T, out=out)


def matrix_product(rows: Floats, weights: Floats) -> Floats:
    """Multiply rows (n, k) by weights (m, k) to (n, m).

    In float64 each row is summed by itself, in one order, so that its result does not depend on the
    rows beside it, nor on how either lies in memory; BLAS, which float32 uses, chooses its order by
    the shape of the block.
    """
    product: NDArray[np.floating[Any]]
    if rows.dtype == np.float64:
        contiguous = (np.ascontiguousarray(part) for part in (rows, weights))
        product = np.einsum("nk,mk->nm", *contiguous)
    else:
        product = rows @ weights.T
    return product


def column_sum(values: Floats) -> Floats:
    """Add up a matrix of shape (columns, rows) to (rows,); in float64 each row by itself."""
    total: Floats
    if values.dtype == np.float64:
        total = np.ascontiguousarray(values.T).sum(axis=1)
    else:
        total = np.add.reduce(values, axis=0)
    return total


def surprises(given: FeatureMatrix, rebuilt: Floats, buffers: Buffers) -> Floats:
    """Return how far each block is from its reconstruction: shape (layout.blocks, rows), >= 0.

    Numbers: the distance, root mean square over a block of several. Others: cross-entropy in nats.
    `rebuilt` has shape (layout.width, rows): numbers, and logits of booleans and categories.
    """
    blocks, rows = given.layout.blocks, len(given)
    result = buffers.get("surprises", (len(blocks), rows), given.dtype)
    number = category = 0
    for kind, first, run in _runs(blocks):
        out, theirs = result[first : first + len(run)], rebuilt[run[0].start : run[-1].stop]
        if kind is Loss.CATEGORY:
            out[0] = _category_surprise(given.places[category], theirs, buffers)
            category += 1
            continue
        ours = given.numbers[number : number + len(theirs)]
        number += len(theirs)
        if kind is Loss.BINARY:
            out[0] = _boolean_surprise(ours[0], theirs[0])
        elif len(theirs) == len(run):
            np.subtract(ours, theirs, out=out)
            np.abs(out, out=out)
        else:
            out[0] = np.sqrt(column_sum(np.square(ours - theirs)) / len(theirs))
    return result


def errors(given: FeatureMatrix, rebuilt: Floats, buffers: Buffers) -> Floats:
    """Return each block's error: shape (layout.blocks, rows), >= 0.

    The mean squared error of numbers, the cross-entropy of others in nats.
    """
    result = surprises(given, rebuilt, buffers)
    start = 0
    for squared, run in groupby(block.loss is Loss.SQUARED for block in given.layout.blocks):
        stop = start + sum(1 for _ in run)
        if squared:
            np.square(result[start:stop], out=result[start:stop])
        start = stop
    return result


def share_out(losses: Floats, extra: Floats) -> None:
    """Spread what rows score besides, (rows,), over their losses, (blocks, rows), as those are."""
    total = column_sum(losses)
    known = total > _LEAST_TOTAL
    losses *= 1.0 + np.where(known, extra / np.where(known, total, 1.0), 0.0)
    losses += np.where(known, 0.0, extra / len(losses))


def _runs(blocks: Sequence[Block]) -> Iterator[tuple[Loss, int, list[Block]]]:
    """Group single numbers that stand side by side; every other block stands alone."""
    place = 0
    for single, group in groupby(blocks, key=is_single):
        entries = list(group)
        for run in [entries] if single else [[block] for block in entries]:
            yield run[0].loss, place, run
            place += len(run)


def is_single(block: Block) -> bool:
    """Tell whether a block is one number."""
    return block.loss is Loss.SQUARED and block.width == 1


def _boolean_surprise(given: Floats, logit: Floats) -> Floats:
    softplus: Floats = np.log1p(np.exp(-np.abs(logit))) + np.maximum(logit, 0.0)
    return np.maximum(softplus - given * logit, 0.0)


def _category_surprise(places: NDArray[np.intp], logits: Floats, buffers: Buffers) -> Floats:
    peak = logits.max(axis=0)
    odds = buffers.get("odds", logits.shape, logits.dtype)
    np.exp(np.subtract(logits, peak, out=odds), out=odds)
    entropy: Floats = np.log(column_sum(odds)) + (peak - logits[places, np.arange(len(places))])
    return np.maximum(entropy, 0.0)
