"""A small decision tree that repeats a model's own flags, as rules that a person can read.

It sees columns as the source has them, is learned from two thirds of a sample of scored rows and
held against the last third, so that what is said of its fidelity holds for rows it has not seen.
It explains what the model does, not why rows are anomalies.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from adlib.arrays import Column, Columns, Flags, Floats, NumberColumn, TextColumn
from adlib.encoding import Feature, Kind
from adlib.encoding.wording import number_text, spoken

FEWEST_FLAGGED = 20
"""With fewer flagged rows to learn from a rule is a matter of chance."""
_LEARNED = 2 / 3
_MOST_CONDITIONS = 4
_FEWEST_OF_RULE = 5
_MOST_VALUES = 20
_LARGEST = float(np.finfo(np.float32).max)


@dataclass(frozen=True)
class Rule:
    """Conditions under which the tree flags, and of how many learned rows they hold."""

    text: str
    rows: int
    flagged: int


@dataclass(frozen=True)
class Surrogate:
    """The rules, those that hold of most flagged rows first, and how far they can be trusted."""

    rules: tuple[Rule, ...]
    held_out_rows: int
    held_out_flagged: int
    agreement: float
    """The share of held-out rows of which model and rules say the same."""
    recall: float | None
    """Of the held-out rows that the model flags, the share that the rules flag."""
    precision: float | None
    """Of the held-out rows that the rules flag, the share that the model flags."""


@dataclass(frozen=True, eq=False)
class _Question:
    """One thing that the tree may ask of a row."""

    name: str
    values: Floats
    """Numbers, NaN where missing; of a category 1 where it holds the value: shape (rows,)."""
    value: str | None = None
    """Of a category."""
    is_flag: bool = False

    def text(self, low: float, high: float, *, missing: bool) -> str:
        """Say that the values lie above `low` and at most at `high`, or are missing."""
        if self.value is not None:
            return f"{self.name} is {'' if low > -np.inf else 'not '}{self.value}"
        if self.is_flag:
            said = f"is {'true' if low > -np.inf else 'false'}"
        else:
            above = f"above {number_text(low)}" if low > -np.inf else ""
            below = f"at most {number_text(high)}" if high < np.inf else ""
            said = "is " + " and ".join(filter(None, (above, below)))
        return f"{self.name} {said}{' or missing' if missing else ''}"


def fit_surrogate(
    columns: Columns, features: Sequence[Feature], flagged: Flags, seed: int
) -> Surrogate | None:
    """Learn rules from rows in an arbitrary order; None where too few of them are flagged."""
    from sklearn.tree import DecisionTreeClassifier

    learned = round(len(flagged) * _LEARNED)
    questions = [
        question
        for feature in features
        for question in _questions(feature, columns[feature.name], flagged)
    ]
    if flagged[:learned].sum() < FEWEST_FLAGGED or flagged.all() or not questions:
        return None
    asked = np.stack([question.values for question in questions], axis=1)
    tree = DecisionTreeClassifier(
        max_depth=_MOST_CONDITIONS, min_samples_leaf=_FEWEST_OF_RULE, random_state=seed
    ).fit(asked[:learned], flagged[:learned])
    repeated, own = tree.predict(asked[learned:]), flagged[learned:]
    return Surrogate(
        rules=_rules(tree, questions, asked[:learned], flagged[:learned]),
        held_out_rows=len(own),
        held_out_flagged=int(own.sum()),
        agreement=float((repeated == own).mean()),
        recall=_share(repeated, own),
        precision=_share(own, repeated),
    )


def _share(chosen: Flags, among: Flags) -> float | None:
    return float(chosen[among].mean()) if among.any() else None


def _questions(feature: Feature, column: Column, flagged: Flags) -> Iterator[_Question]:
    """Return what may be asked of a column; of words and vectors nothing is."""
    name = _name(feature)
    if isinstance(column, NumberColumn):
        numbers = np.clip(column.values.astype(np.float64), -_LARGEST, _LARGEST)
        yield _Question(name, numbers, is_flag=feature.kind is Kind.BOOLEAN)
    elif isinstance(column, TextColumn) and feature.kind is Kind.CATEGORY:
        for code in _common(column.codes[flagged], column.codes):
            value = "missing" if code < 0 else spoken(str(column.values[code]))
            yield _Question(name, (column.codes == code).astype(np.float64), value)


def _common(*parts: Any) -> list[int]:
    """Return the commonest codes of each part, those of equal count by their number."""
    found: dict[int, None] = {}
    for codes in parts:
        distinct, counts = np.unique(codes, return_counts=True)
        found |= dict.fromkeys(distinct[np.argsort(-counts, kind="stable")][:_MOST_VALUES].tolist())
    return list(found)


def _name(feature: Feature) -> str:
    """Name a column of the source, and what of it is looked at."""
    source = spoken(feature.source)
    if feature.take is not None:
        return (
            f"{source} ({feature.take} over {feature.over} of this {spoken(str(feature.entity))})"
        )
    if feature.kind is Kind.CYCLE:
        return f"{source} ({feature.name.removeprefix(feature.source).strip('_')})"
    return source


def _rules(
    tree: Any, questions: Sequence[_Question], asked: Floats, flagged: Flags
) -> tuple[Rule, ...]:
    """Read the rules off a tree: the way to each leaf in which most rows are flagged."""
    leaves = tree.apply(asked)
    missing: Flags = np.asarray(np.isnan(asked).any(axis=0))
    found = []
    for leaf, bounds in _ways(tree.tree_):
        here = np.flatnonzero(leaves == leaf)
        if flagged[here].mean() > 1 / 2:
            said = [
                questions[place].text(low, high, missing=bool(missing[place]) and holds_missing)
                for place, (low, high, holds_missing) in bounds.items()
            ]
            found.append(Rule(" and ".join(said), len(here), int(flagged[here].sum())))
    return tuple(sorted(found, key=lambda rule: (-rule.flagged, rule.text)))


_Bounds = dict[int, tuple[float, float, bool]]
"""By question: above what, at most what, and whether missing values go the same way."""


def _ways(tree: Any, node: int = 0, bounds: _Bounds | None = None) -> Iterator[tuple[int, _Bounds]]:
    """Yield every leaf with the bounds on the way to it."""
    bounds = bounds or {}
    if tree.children_left[node] == tree.children_right[node]:
        yield node, bounds
        return
    place, cut = int(tree.feature[node]), float(tree.threshold[node])
    low, high, missing = bounds.get(place, (-np.inf, np.inf, True))
    left = missing and bool(tree.missing_go_to_left[node])
    right = missing and not tree.missing_go_to_left[node]
    yield from _ways(tree, tree.children_left[node], {**bounds, place: (low, min(high, cut), left)})
    yield from _ways(
        tree, tree.children_right[node], {**bounds, place: (max(low, cut), high, right)}
    )
