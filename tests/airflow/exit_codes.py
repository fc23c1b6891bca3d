"""A script for Airflow's Python: what the operators make of real processes' exit codes.

Its argument is adlib's Python, which has spark-submit. Prints one JSON object: for each operator
and exit code the name of the exception and its message.
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from airflow.sdk.exceptions import AirflowException

from adlib_operators import AdlibBash, AdlibSubmit

CODES = ("0", "1", "2", "3", "4", "5", "75", "-9")
_ENDING = """
import os, signal, sys
code = int(sys.argv[1])
if code < 0:
    os.kill(os.getppid() if sys.argv[2:] else os.getpid(), -code)
sys.exit(code)
"""
"""Ends as it is told; with a second argument it is spark-submit, its parent, that is killed."""


def by_bash(script: Path, code: str) -> None:
    """End a command of Bash."""
    task = AdlibBash(task_id="task", command="score")
    task.cwd = None
    task.bash_command = f"exec {sys.executable} {script} {code}"
    task.execute({})


def by_submit(script: Path, code: str) -> None:
    """End what spark-submit runs."""
    task = AdlibSubmit(task_id="task", command="score")
    task.application, task.application_args = str(script), [code, "of the parent"]
    task.env_vars = {"PYSPARK_DRIVER_PYTHON": sys.argv[1]}
    task.py_files = task.properties_file = None
    task.execute({})


def ending(execute: Callable[[Path, str], None], script: Path, code: str) -> list[str]:
    """Return which exception an exit code ends in, and what it says."""
    try:
        execute(script, code)
    except AirflowException as error:
        return [type(error).__name__, str(error)]
    return []


def main() -> None:
    """Try every exit code with both operators."""
    with TemporaryDirectory() as place:
        script = Path(place) / "ending.py"
        script.write_text(_ENDING, "utf-8")
        endings: dict[str, Any] = {
            execute.__name__: {code: ending(execute, script, code) for code in CODES}
            for execute in (by_bash, by_submit)
        }
    print(json.dumps(endings))  # noqa: T201 - what it is for


main()
