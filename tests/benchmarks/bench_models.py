"""The models that score: the benchmark's network, the same for all, and the shipped default."""

from __future__ import annotations

import numpy as np

from adlib.artifacts import StoredModel, pack, unpack
from adlib.detectors import DetectorSettings
from adlib.detectors.blend import BlendSettings
from adlib.detectors.dense_autoencoder import DenseAutoencoderSettings
from adlib.encoding import EncodingSettings, Feature, Kind, Scale
from adlib.encoding.number_columns import NumberEncoding
from adlib.model import fit_model
from adlib.spark.columns import columns_from_arrow
from adlib.thresholds import BudgetThreshold
from bench_table import CATEGORIES, FLOATS, make_rows
from plain_network import PlainNetwork

LAYERS = (64, 32, 8, 32, 64)
FLAGGED_FRACTION = 0.005
_SAMPLE_ROWS = 100_000
NUMBERS = [Feature(name, Kind.NUMBER, name, single=True) for name in FLOATS]
_WORDS = [Feature(name, Kind.CATEGORY, name) for name in CATEGORIES]


def fit_network() -> StoredModel:
    """Fit the 30-64-32-8-32-64-30 network on the floats."""
    settings = EncodingSettings(scale=Scale.STANDARD)
    return _fit(NUMBERS, DenseAutoencoderSettings(layers=LAYERS), settings)


def fit_default() -> StoredModel:
    """Fit what is shipped as the default on all 34 columns."""
    return _fit([*NUMBERS, *_WORDS], BlendSettings(), EncodingSettings())


def _fit(
    features: list[Feature], detector: DetectorSettings, encoding: EncodingSettings
) -> StoredModel:
    sample = make_rows(0).slice(0, _SAMPLE_ROWS)
    model = fit_model(
        columns_from_arrow(sample, features, {}),
        features,
        name="benchmark",
        encoding=encoding,
        detector=detector,
        threshold=BudgetThreshold(fraction=FLAGGED_FRACTION),
        reasons=3,
        seed=7,
        rows_per_day=None,
        provenance={},
    )
    return pack(model)


def plain_network(stored: StoredModel) -> PlainNetwork:
    """Take the benchmark's network out of its model."""
    model = unpack(stored)
    tensors, layers = model.detector.tensors(), range(len(LAYERS) + 1)
    numbers = [part for part in model.encoder.encodings if isinstance(part, NumberEncoding)]
    return PlainNetwork(
        weights=tuple(np.asarray(tensors[f"weight_{layer}"]) for layer in layers),
        biases=tuple(np.asarray(tensors[f"bias_{layer}"]) for layer in layers),
        mean=np.asarray([number.centre for number in numbers], dtype=np.float32),
        deviation=np.asarray([number.scale for number in numbers], dtype=np.float32),
        cut=model.threshold.cut,
    )
