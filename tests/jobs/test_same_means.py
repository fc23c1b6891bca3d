"""The same work gives the same files: whatever the cores, the partitions and the order of the rows.

A file of anomalies is named by the digest of its bytes, so equal names are equal bytes.
"""

import json
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pytest
import yaml

from tests.jobs.conftest import Workplace, payments, submit_environment

ARRANGEMENTS = ["one file", "shuffled", "five files", "five shuffled files"]


def arranged(table: pa.Table, how: str) -> list[pa.Table]:
    if "shuffled" in how:
        table = table.take(np.random.default_rng(11).permutation(len(table)))
    if "five" not in how:
        return [table]
    step = len(table) // 5 + 1
    return [table.slice(start, step) for start in range(0, len(table), step)]


def model_and_files(workplace: Workplace) -> tuple[str, dict[str, str]]:
    pointer = workplace.root / "models" / "payments" / "promoted.json"
    return json.loads(pointer.read_text("utf-8"))["id"], workplace.anomaly_files()


@pytest.mark.parametrize("how", ARRANGEMENTS)
def test_arrangement_of_the_source_does_not_matter(workplace, finished, how):
    for number, part in enumerate(arranged(payments(), how)):
        workplace.write(part, f"{number}.parquet")
    assert workplace.call("run") == 0
    assert model_and_files(workplace) == model_and_files(finished)


@pytest.mark.parametrize("how", ["one file", "five shuffled files"])
def test_a_table_without_key_or_time_is_the_same_too(tmp_path, how):
    repeated = pa.concat_tables([payments(300).drop_columns(["id", "at"])] * 2)
    results = []
    for name, arrangement in (("plain", "one file"), ("other", how)):
        root = tmp_path / name
        root.mkdir()
        here = Workplace(root)
        here.plain["source"] = {"path": str(root / "source"), "label": "fraud"}
        here.plain["windows"] = []
        here.plain["sample"] = {"rows": 350}
        for number, part in enumerate(arranged(repeated, arrangement)):
            here.write(part, f"{number}.parquet")
        assert here.call("run", "--date", "2026-03-01") == 0
        results.append(model_and_files(here))
    assert results[0] == results[1]


def test_one_core_in_another_process_gives_the_same_files(workplace, finished):
    workplace.write(payments())
    config = workplace.root / "config.yaml"
    config.write_text(yaml.safe_dump(workplace.plain), "utf-8")
    command = [sys.executable, "-m", "adlib", "run", "--config", str(config)]
    ended = subprocess.run(
        command, env=submit_environment("local[1]"), capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    assert model_and_files(workplace) == model_and_files(finished)
