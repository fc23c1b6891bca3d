"""Columns of the encoder as somebody would hold them in pandas."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from adlib.arrays import Column, TextColumn, VectorColumn


def in_pandas(columns: Mapping[str, Column]) -> pd.DataFrame:
    """Return columns as a DataFrame."""
    plain: dict[str, Any] = {}
    for name, column in columns.items():
        if isinstance(column, TextColumn):
            plain[name] = [column.at(row) for row in range(len(column))]
        else:
            values = column.values  # noqa: PD011 - of our own column
            plain[name] = list(values) if isinstance(column, VectorColumn) else values
    return pd.DataFrame(plain)
