"""The sections that say what is learned from, and in which form."""

from __future__ import annotations

from datetime import date
from typing import Literal, Self

from pydantic import Field, model_validator

from adlib.config.paths import SourcePath
from adlib.config.section import Section
from adlib.encoding import Scale


class SampleConfig(Section):
    """How much of the table is learned from."""

    rows: int = Field(
        200_000,
        ge=2,
        le=5_000_000,
        description="How many rows, drawn by a hash of the row and the seed.",
    )
    megabytes: int = Field(
        512, ge=1, le=8192, description="Cap on the sample's size in memory: fewer rows if wide."
    )


class DateRange(Section):
    """Dates from one to another, both of them included."""

    first: date = Field(alias="from", description="The first date.")
    last: date = Field(alias="to", description="The last date.")

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.first > self.last:
            message = f"from {self.first} is later than to {self.last}; exchange them"
            raise ValueError(message)
        return self


class FeedbackConfig(Section):
    """A table of what people found: the key, and a verdict of `anomaly` or `ordinary`."""

    path: SourcePath = Field(min_length=1, description="A file, a directory or a glob.")
    format: Literal["parquet", "csv"] = Field("parquet", description="What the files are.")


class TrainConfig(Section):
    """Where and on what training runs."""

    on: Literal["driver", "executor"] = Field(
        "driver",
        description="Where the fit runs; on an executor no row reaches the driver. The model is "
        "the same.",
    )
    until: date | None = Field(
        None,
        description="Train on what came before this date, evaluate on what came after. May not be "
        "after --date.",
    )
    exclude_flagged: bool = Field(
        default=True,
        description="With --date, do not learn from rows published as anomalies of earlier dates. "
        "Without it nothing is left out by this: a rerun would learn from other rows.",
    )
    exclude_dates: tuple[DateRange, ...] = Field(
        (), description="Dates not to learn from, such as outages."
    )
    feedback: FeedbackConfig | None = Field(
        None,
        description="Rows with the verdict anomaly are not learned from, rows with the verdict "
        "ordinary are, even if they were flagged; of two verdicts on a row anomaly counts.",
    )
    accept_weak: bool = Field(
        default=False, description="Keep a model that fails its self-test all the same."
    )


class EncodingConfig(Section):
    """How columns become features."""

    scale: Scale = Field(
        Scale.ASINH,
        description="How numbers are brought to one size. asinh squashes heavy tails and keeps "
        "their order; robust counts in interquartile ranges and squashes nothing; standard "
        "counts in standard deviations; minmax is 0 to 1; quantile is the rank.",
    )
    vocabulary: int = Field(
        1000, ge=1, le=100_000, description="A category with more values than this is hashed."
    )
    hash_buckets: int = Field(
        256, ge=2, le=65_536, description="Into how many a category of many values is hashed."
    )
    text_buckets: int = Field(
        64, ge=2, le=65_536, description="Into how many the words of a free text are hashed."
    )
