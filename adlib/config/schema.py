"""Which keys a configuration has, what they mean and what they are when left out."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from adlib.config.detectors import DetectorConfig, default_detector
from adlib.config.learning import EncodingConfig, SampleConfig, TrainConfig
from adlib.config.past import SequenceConfig, WindowConfig, unordered
from adlib.config.paths import DirectoryPath
from adlib.config.privacy import PrivacyConfig, misused
from adlib.config.section import Section
from adlib.config.source import FeaturesConfig, SourceConfig
from adlib.config.thresholds import ThresholdConfig
from adlib.config.tracking import MlflowConfig
from adlib.outputs import RESERVED_NAMES

CONTRADICTION: Literal["contradiction"] = "contradiction"
"""The type of an error about keys that are right by themselves."""
_Problem = tuple[tuple[str | int, ...], str]
"""A place in the configuration and what is wrong there."""


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
        default_factory=ThresholdConfig,
        description="Where strange begins; the model learns it: train again for another.",
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
