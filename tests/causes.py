"""What was planted in a row, and what its first reason says: asked of made and of real tables."""

from collections.abc import Iterator, Sequence

import numpy as np

from adlib.arrays import TextColumn
from adlib.detectors import DETECTORS
from adlib.encoding import EncodingSettings, Feature
from adlib.model import Model, fit_model
from adlib.planting import Planted
from adlib.thresholds.settings import FractionThreshold

LEAST_FIRST = 0.9
"""Share of the flagged rows whose first reason has to be what was planted."""
FEWEST_FLAGGED = 20


def fitted(kind: str, columns, features: Sequence[Feature]) -> Model:
    return fit_model(
        columns,
        list(features),
        name="planted",
        encoding=EncodingSettings(),
        detector=DETECTORS[kind](),
        threshold=FractionThreshold(0.01),
        reasons=3,
        seed=1,
        rows_per_day=None,
        provenance={},
    )


def tampered_with(ordinary, planted: Planted, row: int) -> set[str]:
    """Return the columns of a planted row that are not as they were."""
    origin = int(planted.origins[row])

    def said(columns, name, at):
        column = columns[name]
        return column.at(at) if isinstance(column, TextColumn) else column.values[at]

    return {
        name
        for name in ordinary
        if said(ordinary, name, origin) != said(planted.columns, name, row)
    }


def first_reasons(
    model: Model, ordinary, planted: Planted, kind: str
) -> Iterator[tuple[str, set[str]]]:
    """Yield the first reason and what was planted of each row that was flagged for the planting."""
    scored, span = model.score(planted.columns), planted.kinds[kind]
    strange_before = model.score(ordinary).is_anomaly[planted.origins]
    for row, reasons in zip(scored.flagged.rows, scored.flagged.reasons, strict=True):
        if span.start <= row < span.stop and not strange_before[row]:
            yield reasons[0].column, tampered_with(ordinary, planted, int(row))


def share_first(found: Sequence[tuple[str, set[str]]]) -> float:
    return float(np.mean([name in causes for name, causes in found]))
