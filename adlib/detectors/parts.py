"""Tensors of a detector's parts under one roof: each part's names behind its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from adlib.arrays import Tensors


def joined(parts: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return what parts name, each name behind its part's."""
    return {
        f"{part}_{name}": entry for part, names in parts.items() for name, entry in names.items()
    }


def part_of(tensors: Tensors, part: str) -> dict[str, Any]:
    """Return the tensors of one part by their names within it."""
    prefix = f"{part}_"
    return {
        name.removeprefix(prefix): tensor
        for name, tensor in tensors.items()
        if name.startswith(prefix)
    }
