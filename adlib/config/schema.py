"""Which keys a configuration has, what they mean and what they are when left out."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from adlib.config.detectors import DetectorConfig, default_detector
from adlib.config.past import SequenceConfig, WindowConfig, unordered
from adlib.config.paths import DirectoryPath, SourcePath
from adlib.config.privacy import PrivacyConfig, misused
from adlib.config.section import Section
from adlib.config.thresholds import ThresholdConfig
from adlib.config.tracking import MlflowConfig
from adlib.encoding import Scale
from adlib.outputs import RESERVED_NAMES

CONTRADICTION: Literal["contradiction"] = "contradiction"
"""The type of an error about keys that are right by themselves."""
_Problem = tuple[tuple[str | int, ...], str]
"""A place in the configuration and what is wrong there."""


class SourceConfig(Section):
    """Where the raw table is and what its columns mean."""

    path: SourcePath = Field(
        min_length=1,
        description="The table, as Spark opens it: a directory, a file, a glob, or a table's name "
        "with format table.",
    )
    format: Literal["parquet", "csv", "json", "orc", "table"] = Field(
        "parquet", description="What the files are; table is a name in Spark's catalog."
    )
    options: dict[str, str] = Field(
        {},
        description="Options of Spark's reader, such as sep. CSV has a header, inferred types and "
        "quoted line breaks unless they say otherwise. mode, columnNameOfCorruptRecord, "
        "columnPruning and path are refused, since with them rows would vanish.",
    )
    key: tuple[str, ...] = Field(
        (),
        description="Columns that identify a row, carried to every output. A row without one, and "
        "copies of one, go to quarantine. Without a key a row is known by row_hash, a hash of its "
        "content, which equal rows share.",
    )
    event_time: str | None = Field(
        None,
        description="When the row happened: a timestamp, a date, or text that begins with a date. "
        "Without it the whole table belongs to the date of the run, and there are no windows.",
    )
    timezone: str = Field(
        "UTC",
        description="Where a date begins, and the zone of times that name none, such as "
        "Europe/Berlin.",
    )
    entity: str | None = Field(
        None, description="Whom the row is about: a customer, a host. A feature only if listed."
    )
    label: str | None = Field(
        None,
        description="1, true or yes marks an anomaly, 0, false or no an ordinary row. evaluate "
        "reads it, training never does.",
    )
    exclude: tuple[str, ...] = Field((), description="Columns that are never a feature.")
    keep: tuple[str, ...] = Field(
        (), description="Columns carried to the anomalies for whoever looks at them; no features."
    )

    @field_validator(
        "options", mode="before", json_schema_input_type=dict[str, str | bool | int | float]
    )
    @classmethod
    def _words(cls, value: object) -> object:
        """Let YAML's true, false and numbers stand for Spark's words."""
        if not isinstance(value, dict):
            return value
        return {
            str(key): str(option).lower() if isinstance(option, bool) else str(option)
            for key, option in value.items()
        }

    @field_validator("timezone")
    @classmethod
    def _known_timezone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            message = f"{value!r} is no time zone; use a name such as UTC or Europe/Berlin"
            raise ValueError(message) from error
        return value


class FeaturesConfig(Section):
    """Columns by kind; those in no list are no features."""

    numeric: tuple[str, ...] = Field((), description="Amounts; text that holds numbers is read.")
    categorical: tuple[str, ...] = Field(
        (), description="Names, of text or numbers: no order, no distance."
    )
    boolean: tuple[str, ...] = Field((), description="True and false, 1 and 0, or words for them.")
    timestamp: tuple[str, ...] = Field(
        (), description="Times, whose hour and weekday become features; of a date its weekday."
    )
    text: tuple[str, ...] = Field((), description="Free text: which words stand in it.")
    vector: tuple[str, ...] = Field((), description="Lists of numbers, all of one length.")

    @property
    def kinds(self) -> dict[str, str]:
        """The kind of each listed column."""
        return {name: kind for kind, names in self for name in names}

    @model_validator(mode="after")
    def _once_each(self) -> Self:
        listed = [name for _, names in self for name in names]
        twice = sorted({name for name in listed if listed.count(name) > 1})
        if twice:
            message = f"{', '.join(map(repr, twice))} stands in more than one list; keep it in one"
            raise ValueError(message)
        return self


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


class ExplainConfig(Section):
    """What is said about flagged rows."""

    top: int = Field(3, ge=1, le=3, description="How many reasons a flagged row gets.")
    method: Literal["residual", "occlusion", "shap", "lime", "surrogate"] = Field(
        "residual",
        description="How shares of the score are found. residual: by the detector's own account; "
        "occlusion: by how much the score falls when a column has its usual value, for any "
        "detector; shap: by Shapley values of the columns, present or usual, with the package "
        "shap; lime: by a linear model of the score near the row, with Captum and PyTorch; "
        "surrogate: as residual, and the report has rules that a small decision tree reads off "
        "the model's flags. Like top it is learned into the model: train again.",
    )
    limit: int = Field(
        1000,
        ge=1,
        description="How many rows of a date shap and lime explain, those of the highest scores; "
        "the others keep the detector's own account.",
    )


class EvaluateConfig(Section):
    """What evaluate breaks its figures down by."""

    by: str | None = Field(None, description="Recall by value of this column; never a feature.")


class QuarantineConfig(Section):
    """When so much is set aside that a run stops."""

    limit: float = Field(
        0.05,
        ge=0.0,
        le=1.0,
        allow_inf_nan=False,
        description="A run stops before it publishes anything if more than this share of its rows, "
        "or of the rows of one of its dates, is in quarantine; rows without a time count for the "
        "run alone. Fewer than 10 quarantined rows stop nothing.",
    )


class AlertConfig(Section):
    """When a run says that it flagged far more than was asked for."""

    times_asked: float = Field(
        3.0,
        gt=1.0,
        allow_inf_nan=False,
        description="A date with more flagged rows than so many times the share asked for is "
        "marked in runs/ as over_delivered; under 10 flagged rows none is.",
    )


class OutputConfig(Section):
    """What is published, and where."""

    path: DirectoryPath = Field(
        description="A directory that driver and executors share; relative to where it is called."
    )
    scores: bool = Field(default=False, description="Publish every row's score as well.")


class PathConfig(Section):
    """A directory."""

    path: DirectoryPath = Field(
        description="A directory that driver and executors share; relative to where it is called."
    )


class Config(Section):
    """The whole configuration."""

    name: str = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$",
        description="Of the job and its models: letters, digits, dot, dash and underscore.",
    )
    seed: int = Field(7, ge=0, le=2**31 - 1, description="Of the sample and of the fit.")
    source: SourceConfig = Field(description="Where the raw table is and what its columns mean.")
    features: Literal["auto"] | FeaturesConfig = Field(
        "auto",
        description="auto: every column by its type, identifiers and constants left out, which the "
        "log says; or lists of columns by kind, and those in no list are not read.",
    )
    windows: tuple[WindowConfig, ...] = Field(
        (), description="What an entity's own past says of a row. Needs source.event_time."
    )
    sequence: SequenceConfig | None = Field(
        None,
        description="What an entity's last events were, for detectors that look at their order.",
    )
    sample: SampleConfig = Field(SampleConfig(), description="How much is learned from.")
    train: TrainConfig = Field(TrainConfig(), description="Where and on what training runs.")
    encoding: EncodingConfig = Field(EncodingConfig(), description="How columns become features.")
    detector: DetectorConfig = Field(
        default_factory=default_detector, description="What learns what is ordinary."
    )
    threshold: ThresholdConfig = Field(
        default_factory=ThresholdConfig, description="Where strange begins."
    )
    explain: ExplainConfig = Field(ExplainConfig(), description="What is said of flagged rows.")
    quarantine: QuarantineConfig = Field(
        QuarantineConfig(), description="When too much is set aside."
    )
    alert: AlertConfig = Field(AlertConfig(), description="When a date delivers too much.")
    evaluate: EvaluateConfig = Field(
        EvaluateConfig(), description="What evaluate breaks its figures down by."
    )
    privacy: PrivacyConfig | None = Field(
        None, description="Columns whose values nobody is to read; without it none is hidden."
    )
    output: OutputConfig = Field(description="What is published, and where.")
    work: PathConfig = Field(
        description="Where the feature table is, which training reads back, and what is staged."
    )
    models: PathConfig = Field(
        PathConfig(path=Path("models")), description="Where the models of all names are."
    )
    mlflow: MlflowConfig | None = Field(
        None,
        description="Log each train and run to MLflow, `pip install 'adlib[mlflow]'`; left out, "
        "nothing is.",
    )

    @field_validator("features", mode="wrap")
    @classmethod
    def _auto_or_lists(cls, value: object, handler: Any) -> object:
        """Judge lists as lists, so that a wrong key in them is named."""
        if isinstance(value, dict):
            return FeaturesConfig.model_validate(value)
        if value != "auto" and not isinstance(value, FeaturesConfig):
            message = "expected auto, or lists of columns such as numeric: [AMOUNT]"
            raise ValueError(message)
        return handler(value)

    @model_validator(mode="after")
    def _columns_agree(self) -> Self:
        problems = [
            *self._reserved_names(),
            *self._contradictions(),
            *self._untimed(),
            *self._misused(),
            *unordered(
                self.sequence, self.detector.kind, self.source.event_time, self.source.label
            ),
        ]
        if problems:
            details = [
                InitErrorDetails(
                    type=PydanticCustomError(CONTRADICTION, said), loc=place, input=None
                )
                for place, said in problems
            ]
            raise ValidationError.from_exception_data("Config", details)
        return self

    def _untimed(self) -> Iterator[_Problem]:
        """Find what needs to know when a row happened, where nothing says it."""
        if self.source.event_time is None:
            asked = {
                ("windows",): self.windows,
                ("train", "until"): self.train.until,
                ("train", "exclude_dates"): self.train.exclude_dates,
                ("threshold", "rows_a_day"): self.threshold.rows_a_day,
            }
            for place, value in asked.items():
                if value:
                    yield place, "needs source.event_time, the column that says when"

    def _misused(self) -> Iterator[_Problem]:
        """Find what cannot be done where columns are hidden."""
        if self.privacy is not None:
            needed = {window.of: "what a window is of" for window in self.windows}
            needed |= {self.source.event_time: "the event time", self.source.label: "the label"}
            needed |= {self.sequence.order: "the order of a sequence"} if self.sequence else {}
            kinds = self.features.kinds if isinstance(self.features, FeaturesConfig) else {}
            yield from misused(self.privacy, needed, kinds, self.detector.kind)

    def _reserved_names(self) -> Iterator[_Problem]:
        """Find key and kept columns that would clash in the outputs, in any case, as SQL does."""
        seen: set[str] = set()
        for part in ("key", "keep"):
            for name in getattr(self.source, part):
                if name.lower() in RESERVED_NAMES:
                    yield (
                        ("source", part),
                        f"{name!r} is a name of our outputs; rename the column in the source",
                    )
                elif name.lower() in seen:
                    yield ("source", part), f"{name!r} stands twice in key and keep; once is enough"
                seen.add(name.lower())

    def _contradictions(self) -> Iterator[_Problem]:
        """Find columns that are features and may not be."""
        kinds = self.features.kinds if isinstance(self.features, FeaturesConfig) else {}
        source = self.source
        banned = {
            "the label": [source.label],
            "excluded": source.exclude,
            "kept, and kept columns are no features": source.keep,
            "part of the key": source.key,
            "what evaluate is by": [self.evaluate.by],
        }
        for why, names in banned.items():
            for name in names:
                if name is not None and name in kinds:
                    said = f"{name!r} is {why}; take it out of one of them"
                    yield ("features", kinds[name]), said
        parts = {"key": source.key, "keep": source.keep, "entity": [source.entity]}
        for part, named in parts.items():
            if source.label is not None and source.label in named:
                yield ("source", part), f"{source.label!r} is the label, which has no other part"
        for place, window in enumerate(self.windows):
            if source.label is not None and source.label in {window.of, window.by}:
                yield ("windows", place), f"{source.label!r} is the label; training never reads it"


def config_digest(config: Config) -> str:
    """Return a digest of what decides the results: not where things are, nor what stops a run."""
    plain = config.model_dump(
        mode="json",
        exclude={
            "output": {"path"},
            "work": True,
            "models": True,
            "mlflow": True,
            "quarantine": True,
            "train": {"feedback": {"path"}},
            "privacy": {"key_env"},
        },
    )
    del plain["source"]["path"]
    if config.privacy is None:
        del plain["privacy"]
    text = json.dumps(plain, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of the configuration."""
    return Config.model_json_schema()
