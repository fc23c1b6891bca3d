"""Which tables are published, where, and the columns of each: what every guide is made from."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from adlib.outputs import TABLES, OutputColumn, OutputTable, columns_before_ours


@dataclass(frozen=True)
class Published:
    """The published tables of one configuration."""

    name: str
    """The configuration's."""
    output: Path
    """Where they are, absolute."""
    key: Mapping[str, str]
    """Name to type, in order; empty where the source has no key."""
    kept: Mapping[str, str]

    @property
    def schema(self) -> str:
        """The name of the SQL schema that holds the views: a plain identifier."""
        return "adlib_" + re.sub("[^a-z0-9]", "_", self.name.lower())

    @property
    def there(self) -> tuple[OutputTable, ...]:
        """The tables that hold a file now: a reader refuses a path that matches none."""
        return tuple(
            table for table in TABLES if any((self.output / table.name).glob("*/*.parquet"))
        )

    def columns_of(self, table: OutputTable) -> tuple[OutputColumn, ...]:
        """Return all columns of a table, in the order of its files."""
        return (*columns_before_ours(table, self.key, self.kept), *table.columns)
