"""The labelled tables on which detectors are compared, drawn by a seed and standardised."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from adlib.arrays import Column, Columns, Floats, Ints, NumberColumn, TextColumn
from adlib.encoding import Feature, Kind

MOST_ROWS = 10_000
_LABELS = ("label", "class", "Class")
_PAYMENTS, _PAYMENTS_UNTIL, _TERMINAL_FRAUD = "card_transactions", "2018-07-01", 2
_TELL_TALES = ("attack", "TX_FRAUD_SCENARIO")
"""Columns of the mixed tables that give the label away."""


@dataclass(frozen=True, eq=False)
class Part:
    """Rows in both forms: as our encoder takes them, and as the peers do."""

    columns: Columns
    matrix: NDArray[np.float64]
    """Standardised, categories one-hot: shape (rows, width)."""


@dataclass(frozen=True, eq=False)
class LabelledSet:
    """What one detector is fitted on and measured with."""

    name: str
    features: tuple[Feature, ...]
    fit: Part
    score: Part
    labels: Ints
    """Of the rows to score: shape (rows,), 1 is an anomaly."""


def set_files(folder: Path) -> list[Path]:
    """Return the files of a folder that hold a set, by name."""
    found = [file for file in folder.iterdir() if file.suffix in {".npz", ".parquet", ".csv"}]
    return sorted(found)


def read_set(file: Path, seed: int, *, pooled: bool = False) -> LabelledSet:
    """Read at most `MOST_ROWS` rows to fit and as many to score, drawn by the seed.

    Pooled, training rows and test rows are one table, which is fitted on and scored: it holds
    anomalies, as tables without labels do.

    Raises:
        ValueError: if the file has no labels.
    """
    rng = np.random.default_rng(seed)
    if file.suffix == ".npz":
        return _read_arrays(file, rng, pooled=pooled)
    if file.stem == _PAYMENTS:
        return _read_payments(file, rng)
    return _read_table(file, rng)


def _read_arrays(file: Path, rng: np.random.Generator, *, pooled: bool) -> LabelledSet:
    with np.load(file, allow_pickle=False) as arrays:
        if pooled and "X" not in arrays:
            of_test = np.asarray(arrays["test_labels"]).ravel() > 0
            labels = np.append(np.zeros(len(arrays["train"]), dtype=bool), of_test)
            rows = _draw(labels, rng)
            labels = labels[rows]
            both = np.vstack([arrays["train"], arrays["test"]])
            fit = score = np.asarray(both[rows], dtype=np.float64)
        elif "X" in arrays:
            labels = np.asarray(arrays["y"]).ravel() > 0
            rows = _draw(labels, rng)
            labels = labels[rows]
            fit = score = np.asarray(arrays["X"][rows], dtype=np.float64)
        else:
            labels = np.asarray(arrays["test_labels"]).ravel() > 0
            rows = _draw(labels, rng)
            labels = labels[rows]
            train = arrays["train"]
            learned = _draw(np.zeros(len(train), dtype=bool), rng)
            fit = np.asarray(train[learned], dtype=np.float64)
            score = np.asarray(arrays["test"][rows], dtype=np.float64)
    centre, spread = fit.mean(axis=0), fit.std(axis=0)
    spread[spread == 0.0] = 1.0
    fitted, scored = ((part - centre) / spread for part in (fit, score))
    names = [f"x{place}" for place in range(fit.shape[1])]
    return LabelledSet(
        file.stem,
        tuple(Feature(name, Kind.NUMBER, name) for name in names),
        Part(_numbers(names, fitted), fitted),
        Part(_numbers(names, scored), scored),
        labels.astype(np.int64),
    )


def _numbers(names: list[str], matrix: Floats) -> Mapping[str, Column]:
    return {name: NumberColumn(matrix[:, place]) for place, name in enumerate(names)}


def _draw(labels: NDArray[np.bool_], rng: np.random.Generator) -> Ints:
    """Return at most `MOST_ROWS` rows, the share of anomalies kept and at least one of them.

    In an order by chance, as a sample has it: files often hold the anomalies last.
    """
    if len(labels) <= MOST_ROWS:
        return rng.permutation(len(labels))
    anomalies = np.flatnonzero(labels)
    wanted = min(len(anomalies), max(1, round(MOST_ROWS * labels.mean())))
    chosen = [
        rng.choice(anomalies, wanted, replace=False),
        rng.choice(np.flatnonzero(~labels), MOST_ROWS - wanted, replace=False),
    ]
    return rng.permutation(np.concatenate(chosen))


def _read_table(file: Path, rng: np.random.Generator) -> LabelledSet:
    table = pd.read_parquet(file) if file.suffix == ".parquet" else pd.read_csv(file)
    label = next((name for name in _LABELS if name in table), None)
    if label is None:
        message = f"{file.name} has none of the label columns {', '.join(_LABELS)}"
        raise ValueError(message)
    labels = table[label].to_numpy() > 0
    rows = _draw(labels, rng)
    table = table.drop(columns=[label, *(name for name in _TELL_TALES if name in table)]).iloc[rows]
    part = Part(dict(_columns(table)), _one_hot(table))
    features = tuple(Feature(name, _kind(table[name]), name) for name in table.columns)
    return LabelledSet(file.stem, features, part, part, labels[rows].astype(np.int64))


def _read_payments(file: Path, rng: np.random.Generator) -> LabelledSet:
    """Read card payments with their windows: fit before July, score from then on.

    Frauds of compromised terminals are left out: they show in no column.
    """
    table = _with_windows(file)
    table = table[table["TX_FRAUD_SCENARIO"] != _TERMINAL_FRAUD]
    early = (table["TX_DATETIME"] < _PAYMENTS_UNTIL).to_numpy()
    frauds = table["TX_FRAUD"].to_numpy() > 0
    learned, scored = (np.flatnonzero(part)[_draw(frauds[part], rng)] for part in (early, ~early))
    periods = {"hour": 24.0, "weekday": 7.0}
    columns = ["TX_AMOUNT", "count_30d", "ratio_30d", "terminal_count_7d", "gap", *periods]
    features = tuple(
        Feature(
            name,
            Kind.CYCLE if name in periods else Kind.NUMBER,
            name,
            period=periods.get(name, 0.0),
        )
        for name in columns
    )
    fit, score = (table[columns].iloc[rows] for rows in (learned, scored))
    usual = fit.fillna(fit.median())
    centre, spread = usual.mean(), usual.std()
    learn, judge = (
        Part(dict(_columns(part)), ((part.fillna(fit.median()) - centre) / spread).to_numpy())
        for part in (fit, score)
    )
    return LabelledSet(file.stem, features, learn, judge, frauds[scored].astype(np.int64))


def _with_windows(file: Path) -> pd.DataFrame:
    """Return payments with what conf/transactions.yaml asks for of customers and terminals."""
    query = """
        SELECT *, hour(TX_DATETIME)::DOUBLE AS hour, dayofweek(TX_DATETIME)::DOUBLE AS weekday,
            count(*) OVER customer::DOUBLE AS count_30d,
            TX_AMOUNT / avg(TX_AMOUNT) OVER customer AS ratio_30d,
            count(*) OVER terminal::DOUBLE AS terminal_count_7d,
            least(epoch(TX_DATETIME) - epoch(lag(TX_DATETIME) OVER used), 604800.0) AS gap
        FROM read_parquet(?)
        WINDOW customer AS (PARTITION BY CUSTOMER_ID ORDER BY TX_DATETIME
                RANGE BETWEEN INTERVAL 30 DAY PRECEDING AND INTERVAL 1 MICROSECOND PRECEDING),
            terminal AS (PARTITION BY TERMINAL_ID ORDER BY TX_DATETIME
                RANGE BETWEEN INTERVAL 7 DAY PRECEDING AND INTERVAL 1 MICROSECOND PRECEDING),
            used AS (PARTITION BY TERMINAL_ID ORDER BY TX_DATETIME)
    """
    with duckdb.connect() as database:
        database.execute("SET enable_progress_bar = false")
        return database.execute(query, [str(file)]).df()


def _kind(values: pd.Series[float] | pd.Series[str]) -> Kind:
    if pd.api.types.is_bool_dtype(values):
        return Kind.BOOLEAN
    return Kind.NUMBER if pd.api.types.is_numeric_dtype(values) else Kind.CATEGORY


def _columns(table: pd.DataFrame) -> Iterator[tuple[str, Column]]:
    for name in table.columns:
        if _kind(table[name]) is Kind.CATEGORY:
            codes, values = pd.factorize(table[name])
            yield name, TextColumn(codes, np.asarray(values, dtype=object))
        else:
            yield name, NumberColumn(table[name].to_numpy(dtype=np.float64))


def _one_hot(table: pd.DataFrame) -> NDArray[np.float64]:
    wide = pd.get_dummies(table).to_numpy(dtype=np.float64)
    wide = wide[:, wide.std(axis=0) > 0.0]
    standard: NDArray[np.float64] = (wide - wide.mean(axis=0)) / wide.std(axis=0)
    return np.nan_to_num(standard)
