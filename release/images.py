"""Check the Dockerfile as far as that goes without building it, and say what was not checked.

`python release/images.py conf/docker/Dockerfile` runs in the project's root, after the package is
made.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

from dockerfile_parse import DockerfileParser
from packaging.requirements import Requirement

_INSTRUCTIONS = frozenset(
    [
        *("ADD", "ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM", "HEALTHCHECK"),
        *("LABEL", "ONBUILD", "RUN", "SHELL", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR"),
        "COMMENT",
    ]
)
_FROM = re.compile(r"(?P<image>\S+)( +AS +(?P<stage>\S+))?", re.IGNORECASE)
_SPARK_HAS = {"pyspark"}


def problems_in(dockerfile: Path, root: Path) -> Iterator[str]:
    """Yield what is wrong: instructions, stages, files that are not there, hosts, packages."""
    steps = DockerfileParser(fileobj=BytesIO(dockerfile.read_bytes()), env_replace=False).structure
    yield from _unknown(steps)
    yield from _wrong_images(steps)
    yield from _absent_files(steps, root)
    yield from _other_packages(steps, root)


def _unknown(steps: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for step in steps:
        if step["instruction"] not in _INSTRUCTIONS:
            yield f"line {step['startline'] + 1}: there is no instruction {step['instruction']}"


def _values(steps: Sequence[Mapping[str, Any]], instruction: str) -> list[tuple[int, str]]:
    found = [step for step in steps if step["instruction"] == instruction]
    return [(step["startline"] + 1, " ".join(step["value"].split())) for step in found]


def _wrong_images(steps: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yield base images that are neither a stage nor a plain name with a tag."""
    arguments = dict(value.split("=", 1) for _, value in _values(steps, "ARG") if "=" in value)
    stages: set[str] = set()
    for line, value in _values(steps, "FROM"):
        match = _FROM.fullmatch(value)
        if match is None:
            yield f"line {line}: FROM takes an image, and AS a name for the stage"
            continue
        image = re.sub(r"\$\{?(\w+)\}?", lambda name: arguments.get(name[1], ""), match["image"])
        host, slash, _ = image.partition("/")
        if slash and ("." in host or ":" in host):
            yield f"line {line}: {image} names a registry's host; which one is the builder's to say"
        if image not in stages and ":" not in image:
            yield f"line {line}: {image or value} is neither a stage nor an image with a tag"
        stages.add(str(match["stage"]))


def _absent_files(steps: Sequence[Mapping[str, Any]], root: Path) -> Iterator[str]:
    for line, value in _values(steps, "COPY"):
        words = value.split()
        if not any(word.startswith("--from=") for word in words):
            for source in words[:-1]:
                if not any(root.glob(source)):
                    yield f"line {line}: {source} is not there; `make package` makes dist"


def _other_packages(steps: Sequence[Mapping[str, Any]], root: Path) -> Iterator[str]:
    """Yield what the driver would lack, or have beside what the project asks for."""
    project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]
    asked = {Requirement(line).name for line in project["dependencies"]} - _SPARK_HAS
    installs = [value for _, value in _values(steps, "RUN") if value.startswith("pip install")]
    last = installs[-1].replace("\\", " ") if installs else ""
    installed = {word for word in last.split() if re.fullmatch(r"[a-z][a-z0-9-]*", word)}
    differing = asked ^ (installed - {"pip", "install"})
    if differing:
        yield f"the driver's packages are not pyproject.toml's: {', '.join(sorted(differing))}"


def unchecked() -> list[str]:
    """Return what nobody looked at here."""
    daemon = shutil.which("docker") and subprocess.run(
        ["docker", "info"], capture_output=True, check=False
    )
    missing = [] if shutil.which("hadolint") else ["linted: hadolint is not installed"]
    if not daemon or daemon.returncode:
        missing.append("built: no Docker daemon answers")
    return missing


def main(arguments: Sequence[str]) -> int:
    """Print what is wrong with the Dockerfile and what was not looked at."""
    dockerfile = Path(arguments[0])
    problems = list(problems_in(dockerfile, Path()))
    if shutil.which("hadolint"):
        linted = subprocess.run(
            ["hadolint", dockerfile], capture_output=True, text=True, check=False
        )
        problems += linted.stdout.splitlines()
    for problem in problems:
        print(f"{dockerfile}: {problem}", file=sys.stderr)
    said = "".join(f"; not {what}" for what in unchecked())
    print(f"{dockerfile}: {'wrong' if problems else 'parsed, files and packages are there'}{said}")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
