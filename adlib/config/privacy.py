"""The `privacy` section: which columns are hidden, and what cannot be done with such."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from pydantic import Field, field_validator

from adlib.config.section import Section
from adlib.detectors import DETECTORS

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_NAMED_ALONE = "categorical"
"""The one kind of feature that a pseudonym can be: it has neither size nor words."""


class PrivacyConfig(Section):
    """Columns whose values are replaced by pseudonyms before anything is written."""

    pseudonymise: tuple[str, ...] = Field(
        min_length=1,
        description="Columns whose values become keyed digests (HMAC-SHA-256) wherever they are "
        "written: features, outputs, quarantine, report, vocabularies of the model. They may be "
        "keys, entities, kept or categorical; a pseudonym has no size and no time.",
    )
    key_env: str = Field(
        description="The environment variable that holds the secret key, at least 16 bytes, where "
        "the command starts. Another key makes other pseudonyms."
    )

    @field_validator("key_env")
    @classmethod
    def _variable(cls, value: str) -> str:
        if _VARIABLE.fullmatch(value) is None:
            message = (
                "expected the name of an environment variable, such as ADLIB_KEY; found what "
                "cannot be one, and is not repeated here, for it may be the key itself"
            )
            raise ValueError(message)
        return value


def misused(
    private: PrivacyConfig,
    needed: Mapping[str | None, str],
    kinds: Mapping[str, str],
    detector: str,
) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Find columns that cannot be hidden for what else they are, and detectors that keep rows.

    `needed` says what columns are that have to stay as they are, `kinds` what kind each listed
    feature is of.
    """
    place = ("privacy", "pseudonymise")
    for name in private.pseudonymise:
        kind = kinds.get(name, _NAMED_ALONE)
        if name in needed:
            yield place, f"{name!r} is {needed[name]}, which a pseudonym cannot be; take it out"
        elif kind != _NAMED_ALONE:
            said = f"{name!r} is a {kind} feature, and a pseudonym has neither size nor words"
            yield place, f"{said}; list it as categorical, or take it out"
    if DETECTORS[detector].keeps_rows:
        others = ", ".join(kind for kind, one in DETECTORS.items() if not one.keeps_rows)
        said = f"{detector} keeps rows of the table in its model, and privacy is asked for"
        yield ("detector", "kind"), f"{said}; choose among {others}"
