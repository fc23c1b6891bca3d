"""The `detector` section: a class of its own for each kind."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Discriminator, Field, Tag

from adlib.config.section import Section


class AutoencoderConfig(Section):
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


class BlendConfig(Section):
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


class DenseAutoencoderConfig(Section):
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
        custom_error_message=f"expected a kind that is one of {', '.join(DETECTOR_KINDS)}",
    ),
]
