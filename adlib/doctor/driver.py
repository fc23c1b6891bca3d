"""What the driver needs: Python, Java, and packages by what is asked of it."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from adlib.coalitions import NEEDS
from adlib.config import Config
from adlib.doctor.checks import Check
from adlib.spark.probing import installed_version

_OLDEST_JAVA = 17
_OLDEST_PYTHON = (3, 11)
_ALWAYS = ("pyspark", "numpy", "pandas", "pyarrow", "pydantic", "safetensors")
LEARNING = ("torch", "scikit-learn", "scipy")
"""Where a model is fitted."""
_PAGE = ("jinja2", "matplotlib")
"""Where the page of a run is drawn."""
_MODULES = {"scikit-learn": "sklearn"}
_VERSIONS = {"pyspark": ((4, 3), (4, 4)), "pandas": ((2, 2), (3,)), "pydantic": ((2,), (3,))}
"""From which version on, and below which, a package will do."""


def packages_for(command: str | None, config: Config | None) -> tuple[str, ...]:
    """Return the packages that a command needs on the driver; without one, those of all."""
    learns = command in {None, "run", "train"}
    here = config is None or config.train.on == "driver"
    draws = command in {None, "run", "report"}
    explains = NEEDS.get(config.explain.method, ()) if command is None and config else ()
    needed = (
        *_ALWAYS,
        *(LEARNING if learns and here else ()),
        *(_PAGE if draws else ()),
        *explains,
    )
    return tuple(dict.fromkeys(needed))


def python_version() -> Check:
    """Look at the Python that runs this."""
    found = ".".join(map(str, sys.version_info[:3]))
    ok = sys.version_info[:2] >= _OLDEST_PYTHON
    return Check("Python", ok, found if ok else f"{found}; install Python 3.11 or newer")


def java_version() -> Check:
    """Look for the Java that Spark would start."""
    home = os.environ.get("JAVA_HOME")
    command = str(Path(home) / "bin" / "java") if home else shutil.which("java")
    advice = "install Java 17 or newer, such as openjdk-17-jre-headless, or set JAVA_HOME"
    if command is None or not Path(command).exists():
        return Check("Java", ok=False, found=f"not found; {advice}")
    printed = subprocess.run(  # noqa: S603 - the java on the PATH, no argument from outside
        [command, "-version"], capture_output=True, text=True, check=False, timeout=60
    ).stderr
    version = re.search(r'version "(\d+)[^"]*"', printed)
    if version is None or int(version[1]) < _OLDEST_JAVA:
        return Check("Java", ok=False, found=f"{printed.splitlines()[:1]}; {advice}")
    return Check("Java", ok=True, found=version[0].removeprefix("version ").strip('"'))


def package(name: str) -> Check:
    """Look at one package: whether it is there, and of a version that will do."""
    title, advice = f"driver: {name}", f"run `pip install -c constraints.txt {name}`"
    version = installed_version(name)
    if version is None and importlib.util.find_spec(_MODULES.get(name, name)) is None:
        return Check(title, ok=False, found=f"not installed; {advice}")
    if version is None:  # as Spark's own Python, which comes as a zip
        return Check(title, ok=True, found="there, its version is not told")
    least, below = _VERSIONS.get(name, ((), ()))
    numbers = tuple(int(part) for part in re.findall(r"\d+", version)[:2])
    if least and not least <= numbers < below:
        wanted = f"{_dotted(least)} or newer and below {_dotted(below)}"
        return Check(title, ok=False, found=f"{version}, expected {wanted}; {advice}")
    return Check(title, ok=True, found=version)


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))
