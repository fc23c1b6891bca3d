"""What executors run needs NumPy, pandas and PyArrow: scoring in a process that lacks the rest."""

import json
import subprocess
import sys
from typing import cast

import numpy as np
from pyspark import cloudpickle
from pyspark.sql import SparkSession

from adlib.artifacts import take_apart
from adlib.spark.probing import probe_executors

ABSENT = ["torch", "sklearn", "scipy", "safetensors", "pydantic", "typer", "rich", "yaml"]

SCORE = """
import json, pathlib, sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in %r:
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Absent())
import numpy as np
import adlib.spark.worker
from adlib.arrays import NumberColumn, TextColumn, VectorColumn
from adlib.artifacts import ModelParts, construct

folder = sys.argv[1]
tensors = {file.stem: np.load(file) for file in pathlib.Path(folder).glob("*.npy")}
columns = {}
for name, (kind, parts) in json.load(open(folder + "/columns.json")).items():
    arrays = [np.asarray(part, dtype=object if part and isinstance(part[0], str) else None)
              for part in parts]
    made = {"number": NumberColumn, "text": TextColumn, "vector": VectorColumn}[kind]
    columns[name] = made(*arrays)
model = construct(ModelParts(json.load(open(folder + "/document.json")), tensors))
scored = model.score(columns)
print(json.dumps([scored.scores.tolist(), scored.flagged.rows.tolist()]))
"""


def as_plain(columns):
    parts = {"number": ("values",), "text": ("codes", "values"), "vector": ("values",)}
    plain = {}
    for name, column in columns.items():
        kind = type(column).__name__.removesuffix("Column").lower()
        plain[name] = (kind, [getattr(column, part).tolist() for part in parts[kind]])
    return plain


def test_a_worker_without_pytorch_scores_what_the_driver_scores(tmp_path, model, stored, columns):
    parts = take_apart(stored)
    for name, tensor in parts.tensors.items():
        np.save(tmp_path / f"{name}.npy", tensor)
    (tmp_path / "document.json").write_text(json.dumps(parts.document), "utf-8")
    (tmp_path / "columns.json").write_text(json.dumps(as_plain(columns)), "utf-8")
    command = [sys.executable, "-c", SCORE % ABSENT, str(tmp_path)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    scores, flagged = json.loads(ended.stdout)
    expected = model.score(columns)
    assert flagged == expected.flagged.rows.tolist()
    np.testing.assert_allclose(scores, expected.scores, rtol=1e-6)


PROBE = """
import pathlib, pickle, sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in %r:
            raise ModuleNotFoundError(name)

sys.meta_path[:] = [place for place in sys.meta_path if "editable" not in repr(place)]
sys.path[:] = [place for place in sys.path if not pathlib.Path(place, "adlib").exists()]
sys.meta_path.insert(0, Absent())
ask = pickle.load(open(sys.argv[1], "rb"))
((_, _, _, _, has_adlib, *_),) = ask([])
assert not has_adlib
"""


class Captured:
    """A Spark that keeps the function that a job would ship, and has no executor."""

    defaultParallelism = 1  # noqa: N815 - Spark's name

    @property
    def sparkContext(self):  # noqa: N802 - Spark's name
        return self

    def parallelize(self, *_):
        return self

    def mapPartitions(self, function):  # noqa: N802 - Spark's name
        self.function = function
        return self

    def collect(self):
        return list(self.function([]))


def test_doctors_question_is_answered_where_neither_this_package_nor_its_needs_are(tmp_path):
    spark = Captured()
    (probe,) = probe_executors(cast("SparkSession", spark), ("numpy",), tmp_path / "nowhere")
    assert probe.versions == {"numpy": np.__version__}
    assert (probe.has_adlib, probe.sees_work, probe.seconds_ahead) == (True, False, 0.0)
    (tmp_path / "ask").write_bytes(cloudpickle.dumps(spark.function))
    command = [sys.executable, "-c", PROBE % ABSENT, str(tmp_path / "ask")]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
