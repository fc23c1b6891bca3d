"""Writing what readers are given, each file in one step and only where it changes."""

from __future__ import annotations

from adlib.publishing import place_file
from adlib.readers.guide import readme, schema_json
from adlib.readers.power_query import power_query
from adlib.readers.published import Published
from adlib.readers.views import duckdb_script, spark_script, trino_script

_FILES = {
    "README.md": readme,
    "schema.json": schema_json,
    "views/duckdb.sql": duckdb_script,
    "views/spark.sql": spark_script,
    "views/trino.sql": trino_script,
    "views/power_query.pq": power_query,
}


def write_guide(published: Published) -> None:
    """Write the guide, the schema and the views beside the published tables."""
    for name, text_of in _FILES.items():
        place_file(published.output, name, text_of(published).encode())
