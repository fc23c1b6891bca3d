"""Hostile tables through the command line: a sentence, or every row a feature or quarantined."""

import json
import re

import numpy as np
import pyarrow as pa
import pytest

from tests.corpus.cases import DONE
from tests.corpus.parquet_tables import NAMES, PARQUET_TABLES, VALUES
from tests.corpus.text_tables import CSV_TABLES, JSON_TABLES

TABLES = {table.name: table for table in (*PARQUET_TABLES, *CSV_TABLES, *JSON_TABLES)}


def hostile_call(workplace, capfd, command, *arguments):
    """Run a command; return its exit code and its summary once it has ended as it should."""
    capfd.readouterr()
    code = workplace.call(command, *arguments, "--json")
    printed = capfd.readouterr()
    assert "Traceback" not in printed.err
    if code != DONE:
        *_, last = printed.err.splitlines()
        assert re.search(rf"\S.* \(exit code {code}\)$", last)
        assert "Unexpected" not in last
    return code, json.loads(printed.out.splitlines()[-1]) if printed.out else {}


@pytest.mark.parametrize("name", TABLES)
def test_a_hostile_table_is_refused_or_every_row_is_accounted_for(workplace, capfd, name):
    table = TABLES[name]
    folder = workplace.root / "source"
    folder.mkdir()
    table.write(folder)
    workplace.plain["windows"] = []
    workplace.plain["source"] = {"path": str(folder), **table.source}
    workplace.plain |= table.more
    code, summary = hostile_call(workplace, capfd, "preprocess", *table.arguments)
    assert code == table.ends
    if code == DONE:
        assert summary["rows_read"] == table.rows
        assert summary["rows_quarantined"] == table.quarantined
    else:
        assert not (workplace.root / "work" / "features").exists()


def test_hostile_names_and_values_go_through_training_and_scoring(workplace, capfd):
    rows = 240
    draw = np.random.default_rng(5)
    columns = {name: pa.array(draw.normal(size=rows)) for name in NAMES.values()}
    for what, value in VALUES.items():
        values = value if isinstance(value, pa.Array) else pa.array(value)
        columns[what] = values.take(pa.array(np.arange(rows) % len(values)))
    workplace.plain["windows"] = []
    workplace.plain["source"] = {"path": str(workplace.root / "source"), "key": ["the key"]}
    workplace.plain["detector"] = {"kind": "histogram"}
    workplace.plain["output"]["scores"] = True
    workplace.write(pa.table({"the key": [f"k{row}" for row in range(rows)], **columns}))
    code, summary = hostile_call(workplace, capfd, "run")
    assert code == DONE
    assert summary["rows_read"] == rows
    assert summary["rows_read"] == summary["rows_scored"] + summary["rows_quarantined"]
    assert workplace.table("scores").num_rows == summary["rows_scored"]
