"""The `detector` section: a class of its own for each kind."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Discriminator, Field, Tag

from adlib.config.section import Section


class AutoencoderConfig(Section):
    """The autoencoder's hyper-parameters; what is left out keeps the detector's own default."""

    kind: Literal["autoencoder"]
    members: int | None = Field(None, ge=2, le=256)
    hidden: int | None = Field(None, ge=1, le=4096, description="Units of each member.")
    most_noise: float | None = Field(None, ge=0.0, le=100.0)
    mask_fraction: float | None = Field(None, ge=0.0, le=0.5)
    usual_fraction: float | None = Field(None, ge=0.0, le=1.0)
    steps: int | None = Field(None, ge=1, le=1_000_000)
    batch_rows: int | None = Field(None, ge=1, le=1_000_000)
    learning_rate: float | None = Field(None, gt=0.0, le=10.0)
    trim_fraction: float | None = Field(None, ge=0.0, lt=1.0)
    most_classes: int | None = Field(
        None, ge=2, le=100_000, description="Values of a category that are told apart."
    )


class BlendConfig(Section):
    """The blend's: its autoencoder's; what is left out keeps the detector's own default."""

    kind: Literal["blend"] = "blend"
    members: int | None = Field(None, ge=2, le=256)
    hidden: int | None = Field(None, ge=1, le=4096, description="Units of each member.")
    steps: int | None = Field(None, ge=1, le=1_000_000)


class DenseAutoencoderConfig(Section):
    """The dense autoencoder's; what is left out keeps the detector's own default."""

    kind: Literal["dense_autoencoder"]
    layers: tuple[Annotated[int, Field(ge=1, le=4096)], ...] | None = Field(
        None, min_length=1, max_length=20, description="Units of each hidden layer."
    )
    steps: int | None = Field(None, ge=1, le=1_000_000)
    batch_rows: int | None = Field(None, ge=1, le=1_000_000)
    learning_rate: float | None = Field(None, gt=0.0, le=10.0)
    trim_fraction: float | None = Field(None, ge=0.0, lt=1.0)
    validation_fraction: float | None = Field(None, gt=0.0, lt=1.0)


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
