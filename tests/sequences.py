"""Payments of customers whose kinds follow one another in turn, and what came before each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from adlib.arrays import Column, Flags, Floats, Ints, NumberColumn, PastColumn, TextColumn
from adlib.encoding import Feature, Kind

KINDS = np.array(["rent", "food", "travel", "phone"], dtype=object)
USUAL_AMOUNT = np.array([6.5, 3.0, 4.0, 3.5])
STEPS = 5
Array = TypeVar("Array", Ints, Floats)
PAYMENTS = 10
"""Of each customer."""
FEATURES = (
    Feature("kind", Kind.CATEGORY, "kind"),
    Feature("amount", Kind.NUMBER, "amount"),
    Feature("kind_past", Kind.PAST, "kind", entity="customer", of="kind", steps=STEPS),
    Feature("amount_past", Kind.PAST, "amount", entity="customer", of="amount", steps=STEPS),
)


@dataclass(frozen=True)
class Payments:
    """Payments customer by customer, each one's in order: shape (customers, PAYMENTS)."""

    kinds: Ints
    amounts: Floats
    is_out_of_turn: Flags

    def columns(self) -> dict[str, Column]:
        """Return the columns of a feature table, a row a payment."""
        present = before(np.ones(self.kinds.shape, dtype=np.int64), 0) == 1
        kinds = TextColumn(before(self.kinds, -1).ravel(), KINDS)
        amounts = NumberColumn(before(self.amounts, np.nan).ravel())
        return {
            "kind": TextColumn(self.kinds.flatten(), KINDS),
            "amount": NumberColumn(self.amounts.flatten()),
            "kind_past": PastColumn(kinds, present),
            "amount_past": PastColumn(amounts, present),
        }


def payments(customers: int, seed: int, out_of_turn: float = 0.0) -> Payments:
    """Make payments in turn; a share of the customers' last ones is of a kind out of turn.

    An amount is what is usual for its kind in every one of them, so that no row is strange by
    itself.
    """
    draw = np.random.default_rng(seed)
    turn = np.arange(PAYMENTS) + draw.integers(0, len(KINDS), (customers, 1))
    strange = np.zeros(turn.shape, dtype=bool)
    strange[:, -1] = draw.random(customers) < out_of_turn
    astray = draw.integers(1, len(KINDS), turn.shape) * strange
    kinds: Ints = (turn + astray) % len(KINDS)
    amounts = np.exp(USUAL_AMOUNT[kinds] + draw.normal(0.0, 0.3, kinds.shape))
    return Payments(kinds, amounts, strange)


def before(values: Array, nothing: float) -> Array:
    """Return each payment's earlier values, the oldest first: shape (STEPS, payments)."""
    customers, count = values.shape
    start = np.full((customers, STEPS), nothing).astype(values.dtype)
    padded = np.concatenate([start, values], axis=1)
    return np.stack([padded[:, step : step + count].ravel() for step in range(STEPS)])
