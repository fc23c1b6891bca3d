"""Which keys a configuration has, what they mean and what they are when left out."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

from adlib.encoding import Scale
from adlib.outputs import RESERVED_NAMES
from adlib.thresholds import DEFAULT_FRACTION

CONTRADICTION: Literal["contradiction"] = "contradiction"
"""The type of an error about keys that are right by themselves."""
DURATION = re.compile(r"[1-9][0-9]{0,6}[mhd]")
_Problem = tuple[tuple[str | int, ...], str]
"""A place in the configuration and what is wrong there."""
Statistic = Literal["count", "sum", "mean", "std", "max", "gap", "ratio"]
_NEEDS_OF = {"sum", "mean", "std", "max", "ratio"}


class _Section(BaseModel):
    """A part of the configuration: unknown keys are refused, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=False)


class SourceConfig(_Section):
    """Where the raw table is and what its columns mean."""

    path: str = Field(
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


class FeaturesConfig(_Section):
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


def _listed(value: object) -> object:
    """Let one stand for a list of one."""
    return [value] if isinstance(value, str) else value


class WindowConfig(_Section):
    """What the past of an entity adds to a row: trailing windows that end before it."""

    by: str = Field(description="The column of the entity whose past is looked at.")
    over: tuple[str, ...] = Field(
        min_length=1,
        description="One length or several, such as 30m, 12h or 7d. Rows whose windows the table "
        "does not fill are scored and not learned from.",
    )
    take: tuple[Statistic, ...] = Field(
        min_length=1,
        description="count: earlier rows; gap: seconds since the previous one; of the column `of`: "
        "sum, mean, std, max, and ratio, how many times the entity's own mean before.",
    )
    of: str | None = Field(
        None, description="The number to take it of. Only count and gap do without."
    )

    @field_validator("over", mode="before", json_schema_input_type=str | tuple[str, ...])
    @classmethod
    def _listed_lengths(cls, value: object) -> object:
        return _listed(value)

    @field_validator(
        "take", mode="before", json_schema_input_type=Statistic | tuple[Statistic, ...]
    )
    @classmethod
    def _listed_statistics(cls, value: object) -> object:
        return _listed(value)

    @field_validator("over")
    @classmethod
    def _durations(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        wrong = [length for length in value if not DURATION.fullmatch(length)]
        if wrong:
            listed = ", ".join(map(repr, wrong))
            message = f"{listed}: a length is a whole number and m, h or d, such as 12h"
            raise ValueError(message)
        return value

    @model_validator(mode="after")
    def _of_what(self) -> Self:
        needing = [statistic for statistic in self.take if statistic in _NEEDS_OF]
        if needing and self.of is None:
            message = f"take {', '.join(needing)} needs 'of', the column to take it of"
            raise ValueError(message)
        return self


class SampleConfig(_Section):
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


class DateRange(_Section):
    """Dates from one to another, both of them included."""

    first: date = Field(alias="from", description="The first date.")
    last: date = Field(alias="to", description="The last date.")

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.first > self.last:
            message = f"from {self.first} is later than to {self.last}; exchange them"
            raise ValueError(message)
        return self


class FeedbackConfig(_Section):
    """A table of what people found: the key, and a verdict of `anomaly` or `ordinary`."""

    path: str = Field(min_length=1, description="A file, a directory or a glob.")
    format: Literal["parquet", "csv"] = Field("parquet", description="What the files are.")


class TrainConfig(_Section):
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


class EncodingConfig(_Section):
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


class AutoencoderConfig(_Section):
    """Small networks that learn to repair spoilt rows: what they would repair is strange."""

    kind: Literal["autoencoder"] = Field(description="Which detector.")
    members: int | None = Field(
        None,
        ge=2,
        le=256,
        description="How many small networks learn, each from rows of its own; 6.",
    )
    hidden: int | None = Field(None, ge=1, le=4096, description="Hidden units of each member; 16.")
    most_noise: float | None = Field(
        None,
        ge=0.0,
        le=100.0,
        description="Standard deviation of the noise on the last member's numbers, a tenth of it "
        "on the first's; 1.",
    )
    mask_fraction: float | None = Field(
        None,
        ge=0.0,
        le=0.5,
        description="Share of the columns that are hidden while it learns, on average; 0.3.",
    )
    usual_fraction: float | None = Field(
        None,
        ge=0.0,
        le=1.0,
        description="How far a reconstruction is drawn towards the column's usual value; 0.5.",
    )
    steps: int | None = Field(
        None, ge=1, le=1_000_000, description="At most so many steps of learning; 400."
    )
    batch_rows: int | None = Field(None, ge=1, le=1_000_000, description="Rows of a step; 256.")
    learning_rate: float | None = Field(
        None, gt=0.0, le=10.0, description="Of the optimiser; 0.003."
    )
    trim_fraction: float | None = Field(
        None,
        ge=0.0,
        lt=1.0,
        description="Share of each batch, the worst rebuilt, that is not learned from; 0.15.",
    )
    most_classes: int | None = Field(
        None,
        ge=2,
        le=100_000,
        description="Values of a category that are told apart, rarer ones share the last; 16.",
    )


class BlendConfig(_Section):
    """An autoencoder, a linear, a local and a marginal view in one calibrated score."""

    kind: Literal["blend"] = Field("blend", description="Which detector.")
    members: int | None = Field(
        None,
        ge=2,
        le=256,
        description="How many small networks learn, each from rows of its own; 6.",
    )
    hidden: int | None = Field(None, ge=1, le=4096, description="Hidden units of each member; 16.")
    steps: int | None = Field(
        None, ge=1, le=1_000_000, description="At most so many steps of learning; 400."
    )


class DenseAutoencoderConfig(_Section):
    """One deep network that copies rows through a narrow middle, and copies strange ones badly."""

    kind: Literal["dense_autoencoder"] = Field(description="Which detector.")
    layers: tuple[Annotated[int, Field(ge=1, le=4096)], ...] | None = Field(
        None, min_length=1, max_length=20, description="Units of each hidden layer; 32, 8, 32."
    )
    steps: int | None = Field(
        None, ge=1, le=1_000_000, description="At most so many steps of learning; 2000."
    )
    batch_rows: int | None = Field(None, ge=1, le=1_000_000, description="Rows of a step; 256.")
    learning_rate: float | None = Field(
        None, gt=0.0, le=10.0, description="Of the optimiser; 0.003."
    )
    trim_fraction: float | None = Field(
        None,
        ge=0.0,
        lt=1.0,
        description="Share of each batch, the worst rebuilt, that is not learned from; 0.05.",
    )
    validation_fraction: float | None = Field(
        None,
        gt=0.0,
        lt=1.0,
        description="Share of the rows that is not learned from and says when to stop; 0.1.",
    )


DETECTOR_KINDS: Mapping[str, type[BaseModel]] = MappingProxyType(
    {
        "autoencoder": AutoencoderConfig,
        "blend": BlendConfig,
        "dense_autoencoder": DenseAutoencoderConfig,
    }
)


def _detector_kind(given: Any) -> str:
    """Return which detector a section is about: the default where it does not say."""
    if isinstance(given, Mapping):
        return str(given.get("kind", "blend"))
    return str(getattr(given, "kind", "blend"))


DetectorConfig = Annotated[
    Annotated[AutoencoderConfig, Tag("autoencoder")]
    | Annotated[BlendConfig, Tag("blend")]
    | Annotated[DenseAutoencoderConfig, Tag("dense_autoencoder")],
    Discriminator(
        _detector_kind,
        custom_error_type="unknown_kind",
        custom_error_message=f"kind should be one of {', '.join(DETECTOR_KINDS)}",
    ),
]


_NEEDED: Mapping[str, tuple[frozenset[str], ...]] = MappingProxyType(
    {
        "budget": tuple(map(frozenset, ((), ("fraction",), ("rows_a_day",)))),
        "fraction": (frozenset(["fraction"]),),
        "percentile": (frozenset(["value"]),),
        "zscore": (frozenset(["value"]),),
        "fixed": (frozenset(["value"]),),
        "conformal": tuple(map(frozenset, ((), ("value",)))),
        "fdr": tuple(map(frozenset, ((), ("value",)))),
        "pot": tuple(map(frozenset, ((), ("value",)))),
        "top_k": (frozenset(["k"]),),
        "auto": (frozenset(),),
    }
)
"""What each kind of threshold can be told."""
_BETWEEN = MappingProxyType(
    {"percentile": 100.0, "conformal": 1.0, "fdr": 1.0, "pot": 1.0},
)
"""Kinds whose value lies between 0 and a bound."""


class ThresholdConfig(_Section):
    """Where strange begins."""

    kind: Literal[
        "budget",
        "fraction",
        "percentile",
        "zscore",
        "fixed",
        "conformal",
        "fdr",
        "pot",
        "top_k",
        "auto",
    ] = Field(
        "budget",
        description="budget: what people can look at, a fraction or rows_a_day, half a percent if "
        "nothing is said; fraction; percentile; zscore; fixed: a score; conformal: a p-value; pot: "
        "peaks over threshold; auto: where scores are more than the bulk's tail accounts for; by "
        "date, scoring twice: top_k, and fdr, a share of false alarms (Benjamini-Hochberg).",
    )
    value: float | None = Field(
        None,
        allow_inf_nan=False,
        description="Of fixed (a score), percentile (0-100), zscore (deviations), conformal (a "
        "p-value, 0.01), fdr (share of ordinary rows among those flagged of a date, 0.1) and pot "
        "(share of rows, 0.001).",
    )
    fraction: float | None = Field(
        None, gt=0.0, lt=1.0, description="Of fraction and budget: share of rows."
    )
    rows_a_day: float | None = Field(
        None, gt=0.0, allow_inf_nan=False, description="Of budget: rows of a date, scoring twice."
    )
    k: int | None = Field(None, ge=1, description="Of top_k: rows of each date.")

    @property
    def parameters(self) -> dict[str, float]:
        """What the kind of threshold is told; a budget that says nothing is half a percent."""
        given = {name: getattr(self, name) for name in self._given}
        return given or ({"fraction": DEFAULT_FRACTION} if self.kind == "budget" else {})

    @property
    def _given(self) -> frozenset[str]:
        names = ("value", "fraction", "rows_a_day", "k")
        return frozenset(name for name in names if getattr(self, name) is not None)

    @model_validator(mode="after")
    def _what_the_kind_needs(self) -> Self:
        if self._given not in _NEEDED[self.kind]:
            named = ["".join(way) for way in _NEEDED[self.kind] if way]
            ways = " or ".join(named) or "nothing more"
            found = ", ".join(sorted(self._given)) or "neither"
            message = f"kind {self.kind} takes {ways}; found {found}"
            raise ValueError(message)
        bound = _BETWEEN.get(self.kind)
        if self.value is not None and bound and not 0.0 < self.value < bound:
            message = f"the value of {self.kind} lies between 0 and {bound:g}; found {self.value}"
            raise ValueError(message)
        return self


class ExplainConfig(_Section):
    """What is said about flagged rows."""

    top: int = Field(3, ge=1, le=3, description="How many reasons a flagged row gets.")


class EvaluateConfig(_Section):
    """What evaluate breaks its figures down by."""

    by: str | None = Field(None, description="Recall by value of this column; never a feature.")


class OutputConfig(_Section):
    """What is published, and where."""

    path: Path = Field(
        description="A directory that driver and executors share; relative to where it is called."
    )
    scores: bool = Field(default=False, description="Publish every row's score as well.")


class PathConfig(_Section):
    """A directory."""

    path: Path = Field(
        description="A directory that driver and executors share; relative to where it is called."
    )


class Config(_Section):
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
    sample: SampleConfig = Field(SampleConfig(), description="How much is learned from.")
    train: TrainConfig = Field(TrainConfig(), description="Where and on what training runs.")
    encoding: EncodingConfig = Field(EncodingConfig(), description="How columns become features.")
    detector: DetectorConfig = Field(BlendConfig(), description="What learns what is ordinary.")
    threshold: ThresholdConfig = Field(
        default_factory=ThresholdConfig, description="Where strange begins."
    )
    explain: ExplainConfig = Field(ExplainConfig(), description="What is said of flagged rows.")
    evaluate: EvaluateConfig = Field(
        EvaluateConfig(), description="What evaluate breaks its figures down by."
    )
    output: OutputConfig = Field(description="What is published, and where.")
    work: PathConfig = Field(
        description="Where the feature table is, which training reads back, and what is staged."
    )
    models: PathConfig = Field(
        PathConfig(path=Path("models")), description="Where the models of all names are."
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
        problems = [*self._reserved_names(), *self._contradictions(), *self._untimed()]
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
    """Return a digest of what decides the results: everything but where things are."""
    plain = config.model_dump(
        mode="json",
        exclude={
            "output": {"path"},
            "work": True,
            "models": True,
            "train": {"feedback": {"path"}},
        },
    )
    del plain["source"]["path"]
    text = json.dumps(plain, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of the configuration."""
    return Config.model_json_schema()
