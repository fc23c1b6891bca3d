"""One small table of every kind of column and one model of it, and configurations by their text."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

from adlib.arrays import (
    Block,
    Column,
    FeatureMatrix,
    Layout,
    Loss,
    NumberColumn,
    PastColumn,
    TextColumn,
    VectorColumn,
)
from adlib.artifacts import StoredModel, pack
from adlib.config import load_config
from adlib.detectors import DETECTORS
from adlib.encoding import EncodingSettings, Feature, Kind
from adlib.errors import ConfigError
from adlib.model import Model, fit_model
from adlib.thresholds import FractionThreshold

settings.register_profile(
    "unit",
    deadline=None,  # a loaded machine is no failure
    suppress_health_check=[HealthCheck.differing_executors],  # `make mutants` runs a test again
)
settings.load_profile("unit")

LEAST = """name: payments
source: {path: data/payments}
output: {path: out}
work: {path: work}
"""
"""The least that a configuration says."""

ROWS = 1000
STRANGE_ROWS = 10
"""As many of the last rows are planted anomalies."""

FEATURES = (
    Feature("amount", Kind.NUMBER, "amount"),
    Feature("items", Kind.NUMBER, "items", integral=True),
    Feature("price", Kind.NUMBER, "price", single=True),
    Feature("new", Kind.BOOLEAN, "new"),
    Feature("paid_at_hour", Kind.CYCLE, "paid_at", period=24.0),
    Feature("country", Kind.CATEGORY, "country"),
    Feature("note", Kind.TEXT, "note"),
    Feature("face", Kind.VECTOR, "face"),
    Feature("amount_ratio", Kind.NUMBER, "amount", entity="customer", take="ratio", over="1 day"),
)


def texts(values: Sequence[str | None]) -> TextColumn:
    """Return strings as a dictionary, as Arrow would encode them."""
    places: dict[str, int] = {}
    codes = [-1 if value is None else places.setdefault(value, len(places)) for value in values]
    return TextColumn(np.array(codes, dtype=np.int32), np.array([*places], dtype=object))


def make_columns(rows: int, seed: int) -> dict[str, Column]:
    """Return a table of ordinary rows, with some values missing."""
    draw = np.random.default_rng(seed)
    amount = np.exp(draw.normal(3.0, 1.0, rows))
    ratio = np.exp(draw.normal(0.0, 0.3, rows))
    ratio[draw.random(rows) < 0.1] = np.nan
    items = np.maximum(1.0, np.round(amount / 10.0 + draw.normal(0.0, 0.3, rows)))
    items[draw.random(rows) < 0.05] = np.nan
    words = np.array(["red", "blue", "green", "small", "large"])
    notes = [" ".join(draw.choice(words, 4)) for _ in range(rows)]
    known = np.array(["DE", "FR", "IT", None], dtype=np.object_)
    countries = draw.choice(known, rows, p=[0.6, 0.25, 0.1, 0.05])
    return {
        "amount": NumberColumn(amount),
        "items": NumberColumn(items),
        "price": NumberColumn((amount / 7.0).astype(np.float32)),
        "new": NumberColumn((draw.random(rows) < 0.2).astype(np.float64)),
        "paid_at_hour": NumberColumn(draw.integers(8, 20, rows).astype(np.float64)),
        "country": texts(countries.tolist()),
        "note": texts(notes),
        "face": VectorColumn(draw.normal(0.0, 1.0, (rows, 3))),
        "amount_ratio": NumberColumn(ratio),
    }


def plant(columns: Mapping[str, Column], count: int) -> dict[str, Column]:
    """Return the table with its last rows made strange."""
    planted: dict[str, Column] = {}
    for name, column in columns.items():
        if isinstance(column, TextColumn):
            values = [column.at(row) for row in range(len(column))]
            values[-count:] = ["never seen before at all"] * count
            planted[name] = texts(values)
        else:
            assert not isinstance(column, PastColumn)
            numbers = column.values.copy()
            numbers[-count:] = 3.0 if name == "paid_at_hour" else 50_000.0
            planted[name] = type(column)(numbers)
    return planted


def fit(columns: Mapping[str, Column], **changes: Any) -> Model:
    """Fit a model with the shipped defaults."""
    choices: dict[str, Any] = {
        "name": "payments",
        "encoding": EncodingSettings(text_buckets=8),
        "detector": DETECTORS["autoencoder"](),
        "threshold": FractionThreshold(0.02),
        "reasons": 3,
        "seed": 7,
        "rows_per_day": None,
        "provenance": {"trained_at": "2024-01-01"},
    }
    return fit_model(columns, FEATURES, **{**choices, **changes})


@pytest.fixture(scope="session")
def columns() -> dict[str, Column]:
    return make_columns(ROWS, seed=1)


@pytest.fixture(scope="session")
def strange_columns() -> dict[str, Column]:
    """Rows that the model did not see, the last of them strange."""
    return plant(make_columns(ROWS, seed=2), STRANGE_ROWS)


@pytest.fixture(scope="session")
def model(columns) -> Model:
    return fit(columns)


@pytest.fixture(scope="session")
def stored(model) -> StoredModel:
    return pack(model)


@pytest.fixture
def load(tmp_path):
    def load(text, *overrides):
        file = tmp_path / "config.yaml"
        file.write_text(text, "utf-8")
        return load_config(file, overrides)

    return load


@pytest.fixture
def refusal(load):
    """Return the problems of a configuration, one line each."""

    def refusal(text, *overrides):
        with pytest.raises(ConfigError) as error:
            load(text, *overrides)
        first, *problems = str(error.value).splitlines()
        advice = "; `adlib schema` prints every key."
        if not problems:
            said = first.partition(" has one problem, ")[2]
            assert said.endswith(f" Correct it{advice}")
            return [said.removesuffix(f" Correct it{advice}").removesuffix(".")]
        found = [problem.strip() for problem in problems[:-1]]
        assert first.endswith(f"has {len(found)} problems:")
        assert problems[-1].startswith(f"The first: {found[0].rstrip('.')}")
        assert problems[-1].endswith(f" Correct what is listed{advice}")
        return found

    return refusal


@pytest.fixture(scope="session")
def learned(model, columns) -> FeatureMatrix:
    """Ordinary rows as a detector learns from them."""
    features: FeatureMatrix = model.encoder.transform(columns, np.float32)
    return features


@pytest.fixture(scope="session")
def rows(model, strange_columns) -> FeatureMatrix:
    """Rows to score, the last of them strange, in full precision."""
    features: FeatureMatrix = model.encoder.transform(strange_columns, np.float64)
    return features


@pytest.fixture(scope="session")
def numbers_of() -> Callable[..., FeatureMatrix]:
    """Make a matrix of plain numbers from values of shape (rows, columns)."""

    def numbers_of(values):
        columns = range(values.shape[1])
        blocks = (Block(f"n{i}", f"n{i}", i, i + 1, Loss.SQUARED) for i in columns)
        return FeatureMatrix.from_one_hot(values, Layout(tuple(blocks)))

    return numbers_of


@pytest.fixture
def output(tmp_path: Path) -> Path:
    """Where a publisher publishes to; nothing of it is there yet."""
    return tmp_path / "deep" / "down" / "out"


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """Where what is to be published is made."""
    return tmp_path / "work"
