"""Strings cut and hashed, the same in every process, on every machine, in every version."""

from __future__ import annotations

import re
import zlib

import numpy as np

from adlib.arrays import Floats, Texts

LONGEST_VALUE = 256
"""Characters of a string that are ever printed, or kept in a vocabulary."""

LONGEST_TEXT = 10_000
"""Characters of a free text whose words are counted."""

_WORD = re.compile(r"\w+")


def hashed_bucket(value: str, buckets: int) -> int:
    """Return the bucket of a string by CRC-32, the same everywhere."""
    return zlib.crc32(value.encode("utf-8", "surrogatepass")) % buckets


def vocabulary_form(value: str) -> str:
    """Return a string as a vocabulary keeps it: a long one by its beginning and a checksum."""
    if len(value) <= LONGEST_VALUE:
        return value
    checksum = f"…{zlib.crc32(value.encode('utf-8', 'surrogatepass')):08x}"
    return value[: LONGEST_VALUE - len(checksum)] + checksum


def words_of(text: str) -> list[str]:
    """Return the words of a text in lower case, in order; of a long one the first."""
    return _WORD.findall(text[:LONGEST_TEXT].lower())


def bag_of_words(values: Texts, buckets: int) -> Floats:
    """Return log(1 + count) of hashed words, shape (values + 1, buckets); the last row is empty.

    The last row is what a missing string, whose code is -1, takes.
    """
    bags = np.zeros((len(values) + 1, buckets), dtype=np.float64)
    for row, value in enumerate(values):
        for word in words_of(value):
            bags[row, hashed_bucket(word, buckets)] += 1.0
    return np.log1p(bags)
