"""The sections that say where the raw table is and what its columns are."""

from __future__ import annotations

from typing import Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, field_validator, model_validator

from adlib.config.paths import SourcePath
from adlib.config.section import Section


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
        "quoted line breaks unless they say otherwise; a quote that is never closed then makes one "
        "malformed row of all lines up to the next, which multiLine: false keeps to its own line. "
        "mode, columnNameOfCorruptRecord, columnPruning and path are refused, since with them rows "
        "would vanish.",
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
