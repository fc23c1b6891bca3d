"""The first reason of a tampered row names what was tampered with, on real tables too."""

import numpy as np
import pandas as pd
import pytest

from adlib.arrays import NumberColumn, TextColumn, take_rows
from adlib.encoding import Candidate, Feature, Kind, choose_features
from adlib.planting import plant
from tests.causes import FEWEST_FLAGGED, LEAST_FIRST, first_reasons, fitted, share_first

pytestmark = pytest.mark.real

ROWS = 12_000
TABLES = {
    "thyroid": ("medical/thyroid.csv", ("shifted_number", "wrong_magnitude")),
    "payments": (
        "transactions/payment_fraud.csv",
        ("shifted_number", "wrong_magnitude", "unseen_category"),
    ),
    "connections": ("traffic/kdd99_train.parquet", ("unseen_category",)),
    "flows": ("traffic/unsw_nb15_backdoor.parquet", ("unseen_category",)),
}
TOLD_APART = {"label", "class", "attack"}


def ordinary_rows(file):
    """Read ordinary rows alone: in the others something is wrong already."""
    table = pd.read_csv(file) if file.suffix == ".csv" else pd.read_parquet(file)
    label = next(name for name in ("label", "class") if name in table)
    ordinary = table[table[label] == 0].drop(columns=[*TOLD_APART & {*table.columns}])
    return ordinary.sample(min(ROWS, len(ordinary)), random_state=0)


def column_of(values):
    if pd.api.types.is_numeric_dtype(values):
        return NumberColumn(values.to_numpy(dtype=np.float64))
    codes, words = pd.factorize(values)
    return TextColumn(codes.astype(np.int32), np.asarray(words, dtype=object))


@pytest.fixture(scope="module", params=[*TABLES])
def tampered(request, real_data):
    """Learn from half of a table's ordinary rows, and tamper with rows of the other half."""
    file, kinds = TABLES[request.param]
    rows = ordinary_rows(real_data / file)
    columns = {name: column_of(rows[name]) for name in rows}
    learned, others = (
        take_rows(columns, part) for part in (slice(0, len(rows) // 2), slice(len(rows) // 2, None))
    )
    kind_of = {
        name: Kind.CATEGORY if isinstance(column, TextColumn) else Kind.NUMBER
        for name, column in columns.items()
    }
    candidates = [Candidate(Feature(name, kind, name)) for name, kind in kind_of.items()]
    features = choose_features(learned, candidates).features
    ordinary = {feature.name: others[feature.name] for feature in features}
    planted = plant(ordinary, list(features), seed=3)
    return fitted("blend", learned, features), ordinary, planted, kinds


def test_what_was_planted_is_the_first_reason_of_nine_flagged_rows_in_ten(tampered):
    model, ordinary, planted, kinds = tampered
    for kind in kinds:
        found = list(first_reasons(model, ordinary, planted, kind))
        assert len(found) >= FEWEST_FLAGGED, kind
        assert share_first(found) >= LEAST_FIRST, kind
