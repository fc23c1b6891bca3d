"""A run's page: aggregates → values → plots → one HTML file.

`published` and `flagged` read what was published, `sample` looks at a bounded sample of the feature
table with the model, `values` is what they find, `plots` draws it and `page` writes it. Nothing
grows with the table: published rows are counted batch by batch and the strangest few are kept.
"""

from adlib.report.flagged import scan_flagged
from adlib.report.page import render
from adlib.report.placing import place_page, place_tables
from adlib.report.published import choose_run, quarantine_of, read_dates, read_history
from adlib.report.sample import SampledRows, look_at
from adlib.report.values import (
    Absent,
    Evaluation,
    Report,
    RunFigures,
    SampleFigures,
    Setting,
)

__all__ = [
    "Absent",
    "Evaluation",
    "Report",
    "RunFigures",
    "SampleFigures",
    "SampledRows",
    "Setting",
    "choose_run",
    "look_at",
    "place_page",
    "place_tables",
    "quarantine_of",
    "read_dates",
    "read_history",
    "render",
    "scan_flagged",
]
