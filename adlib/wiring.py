"""From the configuration to the plain arguments of the floors below."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path

from pyspark.sql import types as T

from adlib.artifacts import StoredModel
from adlib.attribution import METHODS
from adlib.config import Config, config_digest
from adlib.detectors import DetectorSettings, settings_from_plain
from adlib.encoding import Candidate, EncodingSettings, Feature, Kind
from adlib.model import Model
from adlib.pseudonyms import Pseudonyms
from adlib.registry import Registry
from adlib.spark.hygiene import Exclusions
from adlib.spark.planning import OURS, Preparation
from adlib.spark.sampling import Sample, SampleRequest
from adlib.spark.sequences import SequenceSpec, past_name
from adlib.spark.tables import Source
from adlib.spark.training import Training
from adlib.spark.windows import WindowColumn, WindowSpec, window_columns
from adlib.thresholds import THRESHOLDS, ThresholdSettings

_CALENDAR = {"_hour": 24.0, "_weekday": 7.0}
_NUMBERS = (T.LongType, T.FloatType, T.DoubleType)


def source_of(config: Config) -> Source:
    """Return where the raw table is; a key is a name, unless it is read as something else too."""
    source, sequence = config.source, config.sequence
    read = {source.event_time, source.label, *(declared_of(config) or ())}
    read |= set() if sequence is None else {sequence.order}
    names = tuple(name for name in source.key if name not in read)
    return Source(source.path, source.format, source.options, names)


def paths_of(config: Config) -> dict[str, Path]:
    """Return the directories that commands write to, by their keys."""
    return {
        "output.path": config.output.path,
        "work.path": config.work.path,
        "models.path": config.models.path,
    }


def source_path(config: Config) -> Path | None:
    """Return the local directory or file that the raw table is read from, if it is one."""
    path = config.source.path.removeprefix("file:")
    if config.source.format == "table" or "://" in path:
        return None
    fixed = Path(path).parts
    for place, part in enumerate(fixed):
        if any(character in part for character in "*?[{"):
            return Path(*fixed[:place]) if place else Path()
    return Path(path)


def preparation_of(config: Config) -> Preparation:
    """Return how the raw table becomes a feature table."""
    source = config.source
    by = (config.evaluate.by,) if config.evaluate.by else ()
    return Preparation(
        key=source.key,
        event_time=source.event_time,
        timezone=source.timezone,
        entity=source.entity,
        label=source.label,
        exclude=source.exclude,
        carried=tuple(dict.fromkeys((*source.keep, *by))),
        declared=declared_of(config),
        windows=windows_of(config),
        pseudonyms=pseudonyms_of(config),
        sequence=sequence_of(config),
    )


def pseudonyms_of(config: Config) -> Pseudonyms | None:
    """Return which columns are hidden, with the key from the environment; None where none is.

    Raises:
        ConfigError: if the key is not in the environment, or is too short.
    """
    private = config.privacy
    if private is None:
        return None
    return Pseudonyms.from_environment(private.pseudonymise, private.key_env)


def declared_of(config: Config) -> Mapping[str, str] | None:
    """Return the declared kind of each column, or None where kinds are inferred."""
    return None if config.features == "auto" else config.features.kinds


def windows_of(config: Config) -> tuple[WindowSpec, ...]:
    """Return the windows."""
    return tuple(
        WindowSpec(by=window.by, over=window.over, take=window.take, of=window.of)
        for window in config.windows
    )


def sequence_of(config: Config) -> SequenceSpec | None:
    """Return whose earlier events are kept beside each row; of the event's time none orders."""
    asked = config.sequence
    if asked is None:
        return None
    order = None if asked.order == config.source.event_time else asked.order
    return SequenceSpec(by=asked.by, order=order, length=asked.length, within=asked.within)


def candidates_of(config: Config, schema: T.StructType) -> tuple[Candidate, ...]:
    """Return the columns of the feature table that may become features."""
    declared = declared_of(config)
    windows = {window.name: window for window in window_columns(windows_of(config))}
    names = {field.name for field in schema.fields}
    roles = _roles(config) | _past_names(config, names)
    found: list[Candidate] = []
    for field in schema.fields:
        feature = _feature(field, windows, names)
        if field.name in roles or feature is None:
            continue
        derived = feature.name != feature.source
        if declared is None:
            found.append(Candidate(feature))
        elif field.name in declared:
            found.append(Candidate(_as_declared(feature, declared[field.name]), declared=True))
        elif derived and (field.name in windows or feature.source in declared):
            found.append(Candidate(feature))
    sequence = sequence_of(config)
    if sequence is None:
        return tuple(found)
    pasts = [_past(sequence, candidate.feature) for candidate in found]
    return (*found, *(Candidate(past) for past in pasts if past.name in names))


def _past(sequence: SequenceSpec, feature: Feature) -> Feature:
    """Return what holds the earlier values of a feature."""
    name = past_name(feature.name, sequence.by)
    return Feature(
        name, Kind.PAST, feature.source, entity=sequence.by, of=feature.name, steps=sequence.steps
    )


def _past_names(config: Config, names: set[str]) -> set[str]:
    """Return the columns of earlier values, which are no vectors."""
    sequence = sequence_of(config)
    return set() if sequence is None else {past_name(name, sequence.by) for name in names}


def _roles(config: Config) -> set[str]:
    """Return the columns that are there for another reason than being learned from."""
    source = config.source
    named = (source.label, source.entity, source.event_time, config.evaluate.by)
    declared = declared_of(config) or {}
    entities = {window.by for window in config.windows} | {source.entity}
    entities |= set() if config.sequence is None else {config.sequence.by}
    never = {*OURS, *source.key, *source.keep, *source.exclude, *filter(None, named)}
    return (never | {name for name in entities if name}) - set(declared)


def _feature(
    field: T.StructField, windows: Mapping[str, WindowColumn], names: set[str]
) -> Feature | None:
    """Return what a column is taken for by its name and type; None for what cannot be a feature."""
    name = field.name
    if name in windows:
        window = windows[name]
        over = length_text(window.over)
        return Feature(
            name, Kind.NUMBER, window.source, entity=window.by, take=window.take, over=over
        )
    for suffix, period in _CALENDAR.items():
        if name.endswith(suffix) and name.removesuffix(suffix) in names:
            return Feature(name, Kind.CYCLE, name.removesuffix(suffix), period=period)
    return _plain_feature(name, field.dataType)


def _plain_feature(name: str, data_type: T.DataType) -> Feature | None:
    if isinstance(data_type, _NUMBERS):
        integral = isinstance(data_type, T.LongType)
        single = isinstance(data_type, T.FloatType)
        return Feature(name, Kind.NUMBER, name, integral=integral, single=single)
    kinds: dict[type[T.DataType], Kind] = {
        T.BooleanType: Kind.BOOLEAN,
        T.StringType: Kind.CATEGORY,
        T.ArrayType: Kind.VECTOR,
    }
    kind = kinds.get(type(data_type))
    return None if kind is None else Feature(name, kind, name)


def _as_declared(feature: Feature, kind: str) -> Feature:
    return Feature(
        feature.name, Kind(kind), feature.source, integral=feature.integral, single=feature.single
    )


def length_text(length: timedelta) -> str:
    """Print a window's length for a person."""
    for unit, span in (("day", timedelta(days=1)), ("hour", timedelta(hours=1))):
        if length >= span and length % span == timedelta(0):
            count = length // span
            return f"{count} {unit}{'s' if count > 1 else ''}"
    return f"{length // timedelta(minutes=1)} minutes"


def exclusions_of(config: Config, flagged_before: date | None) -> Exclusions:
    """Return what is not learned from; of what was flagged, that of dates before one."""
    train, feedback = config.train, config.train.feedback
    return Exclusions(
        key=config.source.key or ("row_hash",),
        timezone=config.source.timezone,
        anomalies=config.output.path.resolve() / "anomalies",
        flagged_before=flagged_before if train.exclude_flagged else None,
        dates=tuple((dates.first, dates.last) for dates in train.exclude_dates),
        feedback=None if feedback is None else Source(feedback.path, feedback.format),
    )


def sample_request_of(
    config: Config,
    candidates: tuple[Candidate, ...],
    before: date | None,
    exclusions: Exclusions,
) -> SampleRequest:
    """Return how much of which rows to learn from."""
    return SampleRequest(
        key=config.source.key,
        columns=tuple(candidate.feature.name for candidate in candidates),
        rows=config.sample.rows,
        megabytes=config.sample.megabytes,
        seed=config.seed,
        before=before,
        has_dates=config.source.event_time is not None,
        exclusions=exclusions,
        earlier_values=sum(candidate.feature.steps for candidate in candidates),
    )


def training_of(
    config: Config,
    candidates: tuple[Candidate, ...],
    sample: Sample,
    promoted: StoredModel | None,
) -> Training:
    """Return all that decides a model but the rows, and the model that it is held against."""
    pseudonyms = pseudonyms_of(config)
    return Training(
        name=config.name,
        candidates=candidates,
        encoding=EncodingSettings(**dict(config.encoding)),
        detector=detector_of(config),
        threshold=threshold_of(config),
        reasons=config.explain.top,
        method=config.explain.method,
        seed=config.seed,
        rows=sample.rows,
        rows_per_day=sample.rows_per_day,
        accept_weak=config.train.accept_weak,
        promoted=promoted,
        provenance={
            "config_digest": config_digest(config),
            "eligible_rows": sample.eligible_rows,
            "left_out": dict(sample.left_out),
            "pseudonyms": None if pseudonyms is None else pseudonyms.to_json(),
        },
    )


def detector_of(config: Config, kind: str | None = None) -> DetectorSettings:
    """Return the detector's settings; what the configuration leaves out keeps its default.

    Of a kind that is not the configuration's all are left out.
    """
    if kind not in {None, config.detector.kind}:
        return settings_from_plain(str(kind), {})
    given = config.detector.model_dump(exclude={"kind"}, exclude_none=True)
    return settings_from_plain(config.detector.kind, given)


def threshold_of(config: Config) -> ThresholdSettings:
    """Return how the threshold is to be found."""
    return THRESHOLDS[config.threshold.kind](**config.threshold.parameters)


def learned_otherwise(config: Config, model: Model) -> list[str]:
    """Return the keys that a model was trained with otherwise; it keeps its own."""
    explainer, method = model.explainer, config.explain.method
    pairs = {
        "detector": (detector_of(config), model.detector.settings),
        "threshold": (threshold_of(config), model.threshold.settings),
        "explain.top": (config.explain.top, model.reasons),
        "explain.method": (
            method if method in METHODS else None,
            None if explainer is None else explainer.method,
        ),
    }
    return [key for key, (asked, own) in pairs.items() if asked != own]


def registry_of(config: Config) -> Registry:
    """Return where the configuration's models are kept."""
    return Registry(config.models.path / config.name)
