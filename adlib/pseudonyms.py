"""Pseudonyms: keyed digests that stand for the values of columns that nobody is to read.

A pseudonym is the HMAC-SHA-256 of a value's text (RFC 2104) under a secret key, cut to 128 bits.
Equal values have equal ones, in whatever column, so that grouping and joining go on working.
Without the key a value cannot be found by trying all there are, as it can be from a plain hash.
"""

from __future__ import annotations

import hmac
import os
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from adlib.errors import ConfigError

DIGITS = 32
"""Of a pseudonym, hexadecimal."""
FEWEST_KEY_BYTES = 16
_CHECKED_TEXT = "\0adlib key check"
"""No value of a row: columns hold no text that begins with a null character."""
_ADVICE = "Set it, where the command starts, to a secret such as `openssl rand -hex 32` prints"


@dataclass(frozen=True)
class Pseudonyms:
    """Which columns hold pseudonyms, and the key that makes them, which no repr shows."""

    columns: tuple[str, ...]
    key: bytes = field(repr=False)

    @classmethod
    def from_environment(cls, columns: tuple[str, ...], variable: str) -> Pseudonyms:
        """Take the key from an environment variable.

        Raises:
            ConfigError: if it is not set or its value is too short to be secret.
        """
        key = os.environb.get(os.fsencode(variable), b"")
        if not key:
            message = (
                f"The key of the pseudonyms is in the environment variable {variable}, and that is "
                f"not set. {_ADVICE}, and keep it: another key makes other pseudonyms."
            )
            raise ConfigError(message)
        if len(key) < FEWEST_KEY_BYTES:
            message = (
                f"The key of the pseudonyms in {variable} has at least {FEWEST_KEY_BYTES} bytes, "
                f"found {len(key)}. {_ADVICE}."
            )
            raise ConfigError(message)
        return cls(columns, key)

    def of(self, text: str) -> str:
        """Return the pseudonym of a value's text."""
        return hmac.digest(self.key, text.encode("utf-8", "surrogatepass"), "sha256").hex()[:DIGITS]

    @property
    def key_check(self) -> str:
        """What two keys can be told apart by, and not be found from."""
        return self.of(_CHECKED_TEXT)

    def to_json(self) -> dict[str, Any]:
        """Return what a model keeps of them."""
        return {"columns": sorted(self.columns), "key_check": self.key_check}


def is_pseudonym(text: str) -> bool:
    """Tell whether a text looks like a pseudonym."""
    return re.fullmatch(f"[0-9a-f]{{{DIGITS}}}", text) is not None


def mismatch(
    learned: Mapping[str, Any] | None, read: Collection[str], now: Pseudonyms | None
) -> str | None:
    """Say why a model cannot read what is pseudonymised now, None where it can.

    `learned` is what the model kept of the pseudonyms of its training, `read` the columns that it
    reads. Columns that it does not read decide nothing.
    """
    then = set(read).intersection(learned["columns"] if learned else ())
    here = set(read).intersection(now.columns if now else ())
    if then != here:
        names = ", ".join(map(repr, sorted(then ^ here)))
        return (
            f"it learned from other columns as pseudonyms than privacy.pseudonymise says: {names}"
        )
    if learned and now and then and learned["key_check"] != now.key_check:
        names = ", ".join(map(repr, sorted(then)))
        return f"it learned from pseudonyms of {names} under another key than privacy.key_env holds"
    return None
