"""The `detector` section: a class for each kind, made of the fields of its settings."""

from __future__ import annotations

import dataclasses
import operator
import sys
from collections.abc import Mapping
from functools import reduce
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args, get_type_hints

from pydantic import Discriminator, Field, Tag, create_model

from adlib.config.section import Section
from adlib.detectors import DETECTORS, DetectorSettings

_DEFAULT = "blend"


class DetectorSection(Section):
    """A detector and its hyper-parameters; what is left out keeps the detector's own default."""

    kind: str


def _section_of(settings: type[DetectorSettings]) -> type[DetectorSection]:
    """Turn fields into optional keys, bounded and described as their metadata says."""
    kind, hints = settings.kind, get_type_hints(settings)
    default = kind if kind == _DEFAULT else ...
    keys: dict[str, Any] = {"kind": (Literal[kind], Field(default, description="Which detector."))}
    for field in dataclasses.fields(settings):
        keys[field.name] = _key(hints[field.name], field)
    name = settings.__name__.replace("Settings", "Config")
    told = (sys.modules[settings.__module__].__doc__ or "").partition("\n")[0]
    return create_model(name, __base__=DetectorSection, __doc__=told, **keys)


def _key(hint: Any, field: dataclasses.Field[Any]) -> tuple[Any, Any]:
    """Return a key's type and what it may be; `each` bounds the entries of a list."""
    bounds = dict(field.metadata)
    each = bounds.pop("each", None)
    if each is not None:
        hint = tuple[Annotated[get_args(hint)[0], Field(**each)], ...]  # type: ignore[misc]
    said = f"{bounds.pop('description', '').removesuffix('.')}; {_shown(field.default)}."
    return hint | None, Field(None, description=said.removeprefix("; "), **bounds)


def _shown(default: Any) -> str:
    """Print a default as YAML would have it."""
    if isinstance(default, tuple):
        return ", ".join(map(_shown, default))
    return f"{default:g}" if isinstance(default, float) else str(default)


DETECTOR_KINDS: Mapping[str, type[DetectorSection]] = MappingProxyType(
    {kind: _section_of(settings) for kind, settings in DETECTORS.items()}
)


def _kind_of(given: Any) -> str:
    """Return which detector a section is about: the default where it does not say."""
    if isinstance(given, Mapping):
        return str(given.get("kind", _DEFAULT))
    return str(getattr(given, "kind", _DEFAULT))


if TYPE_CHECKING:
    DetectorConfig = DetectorSection
else:
    DetectorConfig = Annotated[
        reduce(
            operator.or_,
            (Annotated[section, Tag(kind)] for kind, section in DETECTOR_KINDS.items()),
        ),
        Discriminator(
            _kind_of,
            custom_error_type="unknown_kind",
            custom_error_message=f"expected a kind that is one of {', '.join(DETECTOR_KINDS)}",
        ),
    ]


def default_detector() -> DetectorSection:
    """Return the section of who leaves it out."""
    return DETECTOR_KINDS[_DEFAULT](kind=_DEFAULT)
