"""List the parts of a release, adlib's Python packages and Spark's jars, as CycloneDX JSON.

`python release/parts.py dist/adlib.cdx.json` looks at the environment that it runs in.
"""

from __future__ import annotations

import hashlib
import re
import sys
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import Distribution, distribution
from pathlib import Path

import pyspark
from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PROJECT = "adlib"
_STEM = re.compile(r"(?P<name>.+)-(?P<version>[0-9]+\.[^-]*(-[A-Za-z0-9][\w.]*)*)")
"""The name of a jar without its ending; a version holds a dot."""


def list_parts(project: str, jars: Path) -> Bom:
    """Return the project with everything that it needs to run, and which of it needs which."""
    bom = Bom()
    components: dict[str, Component] = {}
    needs = needs_of(project)
    for name in needs:
        components[name] = _package(distribution(name), root=name == project)
        if name != project:
            bom.components.add(components[name])
    bom.metadata.component = components[project]
    spark_jars = [_jar(path) for path in sorted(jars.glob("*.jar"))]
    bom.components.update(spark_jars)
    for name, needed in needs.items():
        own = [components[one] for one in needed]
        bom.register_dependency(components[name], own + (spark_jars if name == "pyspark" else []))
    return bom


def needs_of(project: str) -> dict[str, list[str]]:
    """Return the installed packages that a project needs, with what each of them needs."""
    needs: dict[str, list[str]] = {}
    waiting = [project]
    while waiting:
        name = waiting.pop()
        if name not in needs:
            needs[name] = sorted(set(_required_by(distribution(name))))
            waiting.extend(needs[name])
    return dict(sorted(needs.items()))


def _required_by(package: Distribution) -> Iterator[str]:
    """Yield what a package needs here, without its extras."""
    for line in package.requires or ():
        requirement = Requirement(line)
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            yield canonicalize_name(requirement.name)


def _package(package: Distribution, *, root: bool) -> Component:
    said = package.metadata.get_all("License-Expression") or []
    licenses = [LicenseFactory().make_from_string(text) for text in said]
    name = canonicalize_name(package.metadata["Name"])
    return Component(
        name=name,
        version=package.version,
        type=ComponentType.APPLICATION if root else ComponentType.LIBRARY,
        purl=PackageURL("pypi", None, name, package.version),
        bom_ref=f"pypi:{name}",
        licenses=licenses,
    )


def _jar(path: Path) -> Component:
    one = identify(path)
    qualifiers = {"classifier": one.classifier} if one.classifier else None
    return Component(
        name=one.name,
        version=one.version,
        group=one.group,
        purl=PackageURL("maven", one.group, one.name, one.version, qualifiers)
        if one.group
        else None,
        bom_ref=f"jar:{path.name}",
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=_sha256(path))],
    )


@dataclass(frozen=True)
class JarIdentity:
    """What Maven calls a jar; without a group it is not known there by what is in the file."""

    group: str | None
    name: str
    version: str
    classifier: str = ""
    """Of several jars of one version: for which platform it is."""


def identify(path: Path) -> JarIdentity:
    """Name a jar by the Maven record in it, else by its file's name.

    A jar may hold records of others that were packed into it: only one that makes up the file's
    name counts.
    """
    for group, name, version in _maven_records(path):
        whole = f"{name}-{version}"
        if path.stem == whole or path.stem.startswith(f"{whole}-"):
            return JarIdentity(group, name, version, path.stem[len(whole) + 1 :])
    match = _STEM.fullmatch(path.stem)
    if match is None:
        return JarIdentity(None, path.stem, "unknown")
    return JarIdentity(None, match["name"], match["version"])


def _maven_records(path: Path) -> Iterator[tuple[str, str, str]]:
    with zipfile.ZipFile(path) as jar:
        for member in jar.namelist():
            if member.startswith("META-INF/maven/") and member.endswith("/pom.properties"):
                lines = jar.read(member).decode("utf-8", "replace").splitlines()
                said = dict(line.split("=", 1) for line in lines if "=" in line)
                yield said.get("groupId", ""), said.get("artifactId", ""), said.get("version", "")


def _sha256(path: Path) -> str:
    with path.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def main(arguments: Sequence[str]) -> int:
    """Write the list, checked against the format's own schema."""
    written = Path(arguments[0])
    bom = list_parts(PROJECT, Path(pyspark.__file__).with_name("jars"))
    text = JsonV1Dot6(bom).output_as_string(indent=2)
    problem = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
    if problem is not None:
        print(f"The list of parts is not CycloneDX: {problem}", file=sys.stderr)
        return 1
    written.write_text(text + "\n", "utf-8")
    jars = sum(str(part.bom_ref).startswith("jar:") for part in bom.components)
    print(f"{written}: {len(bom.components) - jars} packages and {jars} jars of Spark")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
