"""How the ways to explain compare: time, and how often they name first what was planted.

    python tests/benchmarks/explaining.py DATA

learns from half of a table's ordinary rows, tampers with rows of the other half, and lets every
method explain the same rows that were flagged for it, with the default detector.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from adlib.arrays import Column, Columns, NumberColumn, TextColumn, take_rows
from adlib.attribution import METHODS, RESIDUAL, Explainer
from adlib.detectors.blend import BlendSettings
from adlib.encoding import Candidate, EncodingSettings, Feature, Kind, choose_features
from adlib.model import Model, fit_model
from adlib.planting import Planted, plant
from adlib.thresholds.settings import FractionThreshold

ROWS = 12_000
EXPLAINED = 300
TABLES = ("medical/thyroid.csv", "transactions/payment_fraud.csv", "traffic/kdd99_train.parquet")
PLANTED = ("shifted_number", "wrong_magnitude", "unseen_category")
_ANSWERS = ("label", "class", "attack")


def ordinary_rows(file: Path) -> Columns:
    """Read a part of the rows that are labelled as ordinary."""
    table = pd.read_csv(file) if file.suffix == ".csv" else pd.read_parquet(file)
    answers = [name for name in _ANSWERS if name in table]
    ordinary = table[(table[answers[0]] == 0).to_numpy()].drop(columns=answers)
    sample = ordinary.sample(min(ROWS, len(ordinary)), random_state=0)
    return {str(name): _column(sample[name]) for name in sample}


def _column(values: pd.Series) -> Column:
    if pd.api.types.is_numeric_dtype(values):
        return NumberColumn(values.to_numpy(dtype=np.float64))
    codes, words = pd.factorize(values)
    return TextColumn(codes.astype(np.int32), np.asarray(words, dtype=object))


def models(learned: Columns, features: tuple[Feature, ...]) -> Iterator[tuple[str, Model]]:
    """Fit once, and return the same model explained by each method."""
    model = fit_model(
        learned,
        features,
        name="explaining",
        encoding=EncodingSettings(),
        detector=BlendSettings(),
        threshold=FractionThreshold(0.01),
        reasons=3,
        seed=1,
        rows_per_day=None,
        provenance={},
    )
    matrix = model.encoder.transform(learned, np.float32)
    for method in (RESIDUAL, *METHODS):
        yield method, replace(model, explainer=Explainer.fit(method, matrix))


def chosen_rows(model: Model, ordinary: Columns, planted: Planted) -> np.ndarray:
    """Return planted rows that are flagged and were not before, at most `EXPLAINED`."""
    flagged = model.score(planted.columns).is_anomaly
    before = model.score(ordinary).is_anomaly[planted.origins]
    spans = [planted.kinds[kind] for kind in PLANTED if kind in planted.kinds]
    rows = np.concatenate([np.arange(span.start, span.stop) for span in spans])
    found = rows[flagged[rows] & ~before[rows]]
    return np.random.default_rng(0).permutation(found)[:EXPLAINED]


def causes(ordinary: Columns, planted: Planted, row: int) -> set[str]:
    """Return the columns of a planted row that are not as they were."""
    origin = int(planted.origins[row])
    return {
        name
        for name, column in ordinary.items()
        if _said(column, origin) != _said(planted.columns[name], row)
    }


def _said(column: Column, row: int) -> object:
    if isinstance(column, TextColumn):
        return column.at(row)
    return column.values[row].tolist()  # noqa: PD011 - an array


def main(data: Path) -> None:
    """Print a line for each table and method."""
    for file in TABLES:
        columns = ordinary_rows(data / file)
        half = len(next(iter(columns.values()))) // 2
        learned = take_rows(columns, slice(0, half))
        kinds = {
            name: Kind.CATEGORY if isinstance(column, TextColumn) else Kind.NUMBER
            for name, column in learned.items()
        }
        candidates = [Candidate(Feature(name, kind, name)) for name, kind in kinds.items()]
        features = choose_features(learned, candidates).features
        others = take_rows(columns, slice(half, None))
        ordinary = {feature.name: others[feature.name] for feature in features}
        planted = plant(ordinary, list(features), seed=3)
        used = {feature.name: learned[feature.name] for feature in features}
        compare(file, list(models(used, tuple(features))), ordinary, planted)


def compare(file: str, ways: list[tuple[str, Model]], ordinary: Columns, planted: Planted) -> None:
    """Explain the same rows by each method, one by one, and print what they say."""
    rows = chosen_rows(ways[0][1], ordinary, planted)
    truths = [causes(ordinary, planted, int(row)) for row in rows]
    batches = [take_rows(planted.columns, rows[place : place + 1]) for place in range(len(rows))]
    own: list[str] = []
    for method, model in ways:
        model.explain(batches[0])  # imports and compiles
        began = time.perf_counter()
        first = [model.explain(batch)[0][0].column for batch in batches]
        spent = 1000.0 * (time.perf_counter() - began) / len(rows)
        own = own or first
        named = np.mean([name in truth for name, truth in zip(first, truths, strict=True)])
        agree = np.mean([name == other for name, other in zip(first, own, strict=True)])
        print(
            f"{file:32} {len(ordinary):3} columns {len(rows):4} rows {method:10} "
            f"{spent:7.1f} ms a row; planted first {named:.3f}; as residual {agree:.3f}",
            flush=True,
        )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
