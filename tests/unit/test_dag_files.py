"""The DAG files, read as text: Airflow parses them often, and lives without adlib and pyspark."""

import ast
import sys
from pathlib import Path

import pytest

DAGS = Path(__file__).parents[2] / "jobs" / "dags"
FILES = sorted(DAGS.glob("*.py"))


def imported(tree: ast.AST) -> set[str]:
    """Return the top-level names of all modules that a file imports."""
    names = {
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
    }
    names |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    return {name.split(".")[0] for name in names}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_a_dag_file_imports_airflow_and_its_neighbours_alone(file):
    neighbours = {other.stem for other in FILES}
    others = imported(ast.parse(file.read_text("utf-8"))) - sys.stdlib_module_names
    assert others <= {"airflow", *neighbours}


def test_airflow_is_pinned_and_pyspark_is_not_beside_it():
    lines = (DAGS / "constraints.txt").read_text("utf-8").splitlines()
    pins = dict(line.split("==") for line in lines if not line.startswith("#"))
    assert pins["apache-airflow"].startswith("3.3.")
    assert "apache-airflow-providers-apache-spark" in pins
    assert "pyspark" not in pins
