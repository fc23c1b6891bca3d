"""What is shipped is named as it is, images hold what they should, and nobody vouches unasked."""

import json
import zipfile
from pathlib import Path

import pytest

import audit
import images
import parts

ROOT = Path(__file__).parents[2]
DOCKERFILE = ROOT / "conf" / "docker" / "Dockerfile"
GOOD = """ARG BASE=python:3.11
FROM ${BASE} AS driver
COPY conf /opt/
RUN pip install torch
"""


def jar(path: Path, *records: tuple[str, str, str]) -> Path:
    with zipfile.ZipFile(path, "w") as made:
        for group, name, version in records:
            text = f"# made\ngroupId={group}\nartifactId={name}\nversion={version}\n"
            made.writestr(f"META-INF/maven/{group}/{name}/pom.properties", text)
    return path


class TestParts:
    def test_a_jar_is_named_by_its_own_record_not_by_those_packed_into_it(self, tmp_path):
        packed = jar(
            tmp_path / "log4j-1.2-api-2.25.jar", ("a", "b", "1"), ("o.l", "log4j-1.2-api", "2.25")
        )
        assert parts.identify(packed) == parts.JarIdentity("o.l", "log4j-1.2-api", "2.25")

    def test_a_platform_is_no_part_of_the_version(self, tmp_path):
        native = jar(
            tmp_path / "epoll-4.2.Final-linux-x86_64.jar", ("io.netty", "epoll", "4.2.Final")
        )
        found = parts.identify(native)
        assert (found.version, found.classifier) == ("4.2.Final", "linux-x86_64")

    @pytest.mark.parametrize(
        ("stem", "name", "version"),
        [
            ("scala-library-2.13.18", "scala-library", "2.13.18"),
            ("json4s-ast_2.13-4.0.7", "json4s-ast_2.13", "4.0.7"),
            ("log4j-1.2-api-2.25.4", "log4j-1.2-api", "2.25.4"),
            ("zstd-jni-1.5.7-7", "zstd-jni", "1.5.7-7"),
            ("jline-3.29.0-jdk8", "jline", "3.29.0-jdk8"),
            ("nameless", "nameless", "unknown"),
        ],
    )
    def test_without_a_record_the_name_of_the_file_says_it(self, tmp_path, stem, name, version):
        assert parts.identify(jar(tmp_path / f"{stem}.jar")) == parts.JarIdentity(
            None, name, version
        )

    def test_the_list_names_what_runs_and_nothing_that_only_tests(self, tmp_path):
        jars = tmp_path / "jars"
        jars.mkdir()
        jar(jars / "spark-core_2.13-4.3.0.jar", ("org.apache.spark", "spark-core_2.13", "4.3.0"))
        bom = parts.list_parts("adlib", jars)
        names = {part.name for part in bom.components}
        assert {"pyspark", "torch", "py4j", "spark-core_2.13"} <= names
        assert not {"pytest", "ruff", "adlib"} & names
        (held,) = [one for one in bom.dependencies if one.ref.value == "pypi:pyspark"]
        assert "jar:spark-core_2.13-4.3.0.jar" in {one.ref.value for one in held.dependencies}


class TestImages:
    @pytest.fixture
    def problems(self, tmp_path):
        (tmp_path / "conf").mkdir()
        (tmp_path / "pyproject.toml").write_text(
            '[project]\ndependencies = ["pyspark", "torch>1"]\n'
        )

        def found(text):
            (tmp_path / "Dockerfile").write_text(text)
            return " ".join(images.problems_in(tmp_path / "Dockerfile", tmp_path))

        return found

    def test_what_is_right_is_let_be(self, problems):
        assert problems(GOOD) == ""

    @pytest.mark.parametrize(
        ("old", "new", "said"),
        [
            ("COPY conf", "COPPY conf", "no instruction COPPY"),
            ("COPY conf", "COPY config", "config is not there"),
            ("python:3.11", "registry.example:5000/python:3.11", "a registry's host"),
            ("=python:3.11", "=python", "neither a stage nor an image with a tag"),
            ("install torch", "install torch scipy", "not pyproject.toml's: scipy"),
            ("${BASE} AS", "${BASE} FOR", "FROM takes an image"),
        ],
    )
    def test_what_is_wrong_is_named_with_its_place(self, problems, old, new, said):
        assert said in problems(GOOD.replace(old, new))

    def test_nothing_is_wrong_with_ours_but_what_has_yet_to_be_built(self):
        found = [one for one in images.problems_in(DOCKERFILE, ROOT) if "dist/adlib.zip" not in one]
        assert found == []


SKIPPED = {"name": "a", "skip_reason": "not found"}
SOUND = {"name": "b", "version": "1", "vulns": []}
HOLE = {"name": "c", "version": "2", "vulns": [{"id": "X-1", "fix_versions": ["3"]}]}


class TestAudit:
    @pytest.mark.parametrize(
        ("found", "code", "said"),
        [
            ([SKIPPED], 0, "Nothing was audited: no index told anything of the 1 packages."),
            ([SKIPPED, SOUND], 0, "1 of 2 packages were audited, 0 holes are known."),
            ([SOUND, HOLE], 1, "c 2: X-1, fixed in 3"),
        ],
    )
    def test_only_what_an_index_answered_for_counts_as_audited(self, found, code, said):
        assert audit.verdict(json.dumps({"dependencies": found}))[0] == code
        assert said in audit.verdict(json.dumps({"dependencies": found}))[1]

    def test_no_answer_is_said_to_be_none(self):
        assert audit.verdict("")[1] == [
            "Nothing was audited: no index of vulnerabilities could be reached."
        ]
