"""A model behind MLflow's pyfunc scores a DataFrame as the engines score the feature table."""

import numpy as np
import pandas as pd
import pytest

from adlib.artifacts import write_model
from adlib.errors import InputError, ModelError
from adlib.mlflow_model import ServedModel, _load_pyfunc
from tests.frames import in_pandas
from tests.unit.conftest import STRANGE_ROWS


@pytest.fixture(scope="session")
def frame(strange_columns):
    """The strange columns as somebody would hold them in pandas."""
    plain = in_pandas(strange_columns)
    frame = plain.set_index(pd.Index([f"row {row}" for row in range(len(plain))]))
    # Of 0 and 1, as those who never heard of a boolean write it.
    return frame.assign(new=lambda rows: rows["new"].clip(upper=1.0), somebody_elses="column")


@pytest.fixture(scope="session")
def served(model):
    return ServedModel(model)


def test_scores_flags_and_reasons_are_those_of_the_model(served, model, strange_columns, frame):
    new = type(strange_columns["new"])(np.minimum(strange_columns["new"].values, 1.0))
    expected = model.score({**strange_columns, "new": new})
    found = served.predict(frame)
    assert found["score"].tolist() == expected.scores.tolist()
    assert found["is_anomaly"].tolist() == expected.is_anomaly.tolist()
    flagged = found[found["is_anomaly"]]
    assert len(flagged) >= STRANGE_ROWS
    assert flagged["percentile"].tolist() == expected.flagged.percentiles.tolist()
    assert flagged["p_value"].tolist() == expected.flagged.p_values.tolist()
    assert flagged["severity"].tolist() == expected.flagged.severities.tolist()
    assert all(reason.endswith(".") for reason in flagged["reason"])
    ordinary = found[~found["is_anomaly"]]
    assert ordinary[["severity", "reason"]].isna().all().all()


def test_rows_keep_their_index_and_a_row_by_itself_scores_the_same(served, frame):
    some = frame.iloc[[-1, 3, 500]]
    found = served.predict(some)
    assert found.index.tolist() == some.index.tolist()
    alone = pd.concat([served.predict(some.iloc[[place]]) for place in range(3)])
    np.testing.assert_allclose(alone["score"], found["score"], rtol=1e-6)


def test_no_row_gives_no_row(served, frame):
    found = served.predict(frame.iloc[:0])
    assert found.columns.tolist() == [
        "score", "is_anomaly", "percentile", "p_value", "severity", "reason",
    ]  # fmt: skip
    assert found.empty


def test_whole_numbers_do_for_numbers_and_missing_ones_are_missing(served, frame):
    whole = frame.head(5).assign(amount=[1, 2, 3, 4, 5])
    floats = whole.assign(amount=whole["amount"].astype(float))
    assert served.predict(whole).equals(served.predict(floats))
    absent = whole.assign(amount=pd.Series([None] * 5, dtype=object).to_numpy())
    assert served.predict(absent)["score"].notna().all()


def test_a_missing_column_is_named(served, frame):
    with pytest.raises(InputError, match="The DataFrame has no column 'country'"):
        served.predict(frame.drop(columns="country"))


def test_a_column_of_another_type_says_what_was_expected(served, frame):
    with pytest.raises(InputError, match=r"'amount' is numeric and .* Convert it to double"):
        served.predict(frame.assign(amount="much"))


def test_a_model_of_which_a_byte_was_altered_is_not_served(stored, tmp_path):
    directory = tmp_path / stored.model_id
    write_model(stored, directory)
    assert _load_pyfunc(str(directory)).model.name == "payments"
    file = directory / "tensors.safetensors"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    with pytest.raises(ModelError, match="does not match its digest"):
        _load_pyfunc(str(directory))
