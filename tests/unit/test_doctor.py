"""What is looked at before a job starts: each line says ok or what to do."""

import logging
import os
import sys
import tomllib
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from adlib.coalitions import NEEDS
from adlib.doctor import driver, examine, places, preflight, refuse_unready_source
from adlib.doctor.executors import judged, packages_of_executors
from adlib.errors import ConfigError, InputError
from adlib.spark.probing import Probe, installed_version

ROOT = Path(__file__).parents[2]
HERE = {name: installed_version(name) for name in ("numpy", "pandas", "pyarrow")}
PYTHON = ".".join(map(str, sys.version_info[:3]))
SOUND = Probe("node7", "/opt/python", PYTHON, HERE, True, True, 0.0, {"/scratch/a": 1 << 40})
LOG = Path("/shared/work/logs/doctor.log")
LITTLE = SimpleNamespace(free=1 << 20)


@pytest.fixture
def config(load, tmp_path):
    (tmp_path / "source").mkdir()
    places = {"source": "source", "output": "out/x", "work": "work", "models": "models"}
    return load(
        "name: n\n"
        + "".join(f"{key}: {{path: {tmp_path / name}}}\n" for key, name in places.items())
    )


def wrong(checks):
    return {check.name: check.found for check in checks if not check.ok}


def refuse_writing_to(monkeypatch, *closed):
    """Let this user, who may be root, not write to some directories."""
    allowed = os.access

    def access(path, mode, **how):
        return str(path) not in map(str, closed) and allowed(path, mode, **how)

    monkeypatch.setattr("adlib.publishing.places.os.access", access)


class TestDriver:
    def test_what_is_installed_here_will_do(self):
        found = [driver.package(name) for name in driver.packages_for(None, None)]
        assert wrong([driver.python_version(), *found]) == {}
        assert {check.found for check in found} & {installed_version("torch")}

    @pytest.mark.parametrize(
        ("name", "version"), [("pandas", "3.0.1"), ("pandas", "2.1.9"), ("pyspark", "4.2.1")]
    )
    def test_a_version_that_will_not_do_is_named_with_those_that_do(
        self, monkeypatch, name, version
    ):
        monkeypatch.setattr(driver, "installed_version", lambda _: version)
        check = driver.package(name)
        assert not check.ok
        assert f"{version}, expected" in check.found
        assert f"pip install -c constraints.txt {name}" in check.found

    def test_the_versions_that_will_do_are_those_that_the_package_asks_for(self):
        project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
        asked = {text.partition(">=")[0]: text for text in project["dependencies"] if ">=" in text}
        assert set(asked) == set(driver._VERSIONS)
        for name, (least, below) in driver._VERSIONS.items():
            assert asked[name].startswith(f"{name}>={'.'.join(map(str, least))}")
            if "<" in asked[name]:
                assert asked[name].endswith(f",<{'.'.join(map(str, below))}")

    def test_a_package_that_is_not_there_is_named_with_how_to_install_it(self, monkeypatch):
        monkeypatch.setattr(driver, "installed_version", lambda _: None)
        check = driver.package("nowhere_to_be_found")
        assert check.found.startswith("not installed; run `pip install")
        assert driver.package("pyspark").ok  # as Spark's own Python, which has no version

    def test_a_command_asks_for_what_it_needs_alone(self, config):
        assert "matplotlib" not in driver.packages_for("train", config)
        assert "torch" not in driver.packages_for("score", config)
        assert {"torch", "jinja2"} <= set(driver.packages_for("run", config))
        trained = config.train.model_copy(update={"on": "executor"})
        elsewhere = config.model_copy(update={"train": trained})
        assert "torch" not in driver.packages_for("run", elsewhere)
        assert {"torch", "safetensors"} <= set(packages_of_executors(elsewhere))
        assert packages_of_executors(config) == ("numpy", "pandas", "pyarrow")

    @pytest.mark.parametrize("method", ["shap", "lime"])
    def test_a_way_to_explain_that_takes_a_library_asks_for_it_where_rows_are_explained(
        self, config, method
    ):
        explain = config.explain.model_copy(update={"method": method})
        explains = config.model_copy(update={"explain": explain})
        assert set(NEEDS[method]) <= set(packages_of_executors(explains))
        assert set(NEEDS[method]) <= set(driver.packages_for(None, explains))
        assert not set(NEEDS[method]) & set(driver.packages_for("score", explains))

    def test_mlflow_is_asked_for_where_the_configuration_and_the_command_do(
        self, load, config, monkeypatch
    ):
        monkeypatch.setattr("adlib.tracking.find_spec", lambda _: None)
        paths = {key: {"path": getattr(config, key).path} for key in ("output", "work", "models")}
        text = "".join(f"{key}: {{path: {place['path']}}}\n" for key, place in paths.items())
        store = "mlflow: {tracking_uri: 'sqlite:///runs.db'}\n"
        tracked = load(f"name: n\nsource: {{path: {config.source.path}}}\n{text}{store}")
        preflight(tracked, "score")
        with pytest.raises(ConfigError, match=r"MLflow: .*not installed: .*Run `pip"):
            preflight(tracked, "train")

    def test_without_java_the_executors_are_not_asked(self, monkeypatch):
        monkeypatch.delenv("JAVA_HOME", raising=False)
        monkeypatch.setattr("shutil.which", lambda _: None)
        found = wrong(examine(None))
        assert found["Java"].startswith("not found; install Java 17")
        assert "not asked" in found["executors"]


class TestExecutors:
    def test_an_executor_like_the_driver_is_sound(self):
        assert wrong(judged(SOUND, LOG)) == {}

    @pytest.mark.parametrize(
        ("probe", "what", "words"),
        [
            (replace(SOUND, python="3.10.2"), "Python", "3.10.2 at /opt/python, the driver has"),
            (replace(SOUND, versions={**HERE, "pandas": None}), "pandas", "install pandas=="),
            (replace(SOUND, versions={"numpy": "1.0"}), "numpy", "1.0, the driver has"),
            (replace(SOUND, has_adlib=False), "adlib", "--py-files"),
            (replace(SOUND, sees_work=False), "work.path", "does not see /shared/work/logs"),
            (replace(SOUND, local_directories={"/s": 9}), "spark.local.dir", "free at least 1 GB"),
            (replace(SOUND, seconds_ahead=31.0), "clock", "31 s ahead of the driver's"),
            (replace(SOUND, seconds_ahead=-7.2), "clock", "7 s behind the driver's"),
        ],
    )
    def test_each_thing_that_differs_is_a_line_with_the_host_and_what_to_do(
        self, probe, what, words
    ):
        found = wrong(judged(probe, LOG))
        assert list(found) == [f"executors on node7: {what}"]
        assert words in found[f"executors on node7: {what}"]


class TestPlaces:
    def test_sound_places_pass_and_nothing_is_made(self, config, tmp_path):
        before = sorted(tmp_path.rglob("*"))
        assert wrong(places.examine_places(config)) == {}
        preflight(config, "run")
        assert sorted(tmp_path.rglob("*")) == before

    def test_everything_that_is_wrong_is_in_one_error(self, config, tmp_path, monkeypatch):
        (tmp_path / "work").write_text("a file", "utf-8")
        monkeypatch.setattr(driver, "_OLDEST_PYTHON", (9, 9))
        nested = config.models.model_copy(update={"path": tmp_path / "source" / "models"})
        with pytest.raises(ConfigError) as error:
            preflight(config.model_copy(update={"models": nested}), "score")
        said = str(error.value)
        assert said.startswith("Not ready to start. Python: ")
        assert ". work.path (" in said
        assert "is a file" in said
        assert "paths: models.path" in said
        assert "overlap" in said

    def test_the_directory_beside_the_output_has_to_be_writable_too(
        self, config, tmp_path, monkeypatch
    ):
        (tmp_path / "out" / "x").mkdir(parents=True)
        refuse_writing_to(monkeypatch, tmp_path / "out")
        found = wrong(places.examine_places(config))
        assert list(found) == ["beside output.path"]
        assert f"may not write to {tmp_path / 'out'}" in found["beside output.path"]

    def test_little_room_is_warned_of_and_stops_no_job(self, config, monkeypatch, caplog):
        monkeypatch.setattr("shutil.disk_usage", lambda _: LITTLE)
        assert "free at least 1 GB" in wrong(places.examine_places(config))["output.path"]
        with caplog.at_level(logging.WARNING, logger="adlib"):
            preflight(config, "score")
        assert "output.path: " in caplog.text

    def test_a_directory_to_spill_into_that_is_closed_stops_a_job(
        self, config, tmp_path, monkeypatch
    ):
        monkeypatch.setenv("SPARK_LOCAL_DIRS", f"{tmp_path}/source,{tmp_path}/closed")
        (tmp_path / "closed").mkdir()
        preflight(config, "score")
        refuse_writing_to(monkeypatch, tmp_path / "closed")
        with pytest.raises(ConfigError, match=r"closed cannot be written to; .*spark.local.dir"):
            preflight(config, "score")


class TestSource:
    """Before Spark starts only that is refused which Spark would refuse, in the same words."""

    @pytest.fixture(autouse=True)
    def _nobody_configured_spark(self, monkeypatch):
        monkeypatch.setattr("adlib.doctor.source.starts_embedded", lambda: True)

    @pytest.fixture
    def keyed(self, config, tmp_path):
        pq.write_table(pa.table({"a": [1], "b": ["x"]}), tmp_path / "source" / "b.parquet")
        pq.write_table(pa.table({"a": [1], "id": [1]}), tmp_path / "source" / "c.parquet")

        def keyed(path="source", **source):
            place = path if ":" in path else str(tmp_path / path)
            changed = {"path": place, "key": ("id",), **source}
            return config.model_copy(update={"source": config.source.model_copy(update=changed)})

        return keyed

    def test_a_source_that_is_not_there_is_refused(self, keyed):
        with pytest.raises(InputError, match=r"Expected a table at .*absent, found nothing there"):
            refuse_unready_source(keyed("absent"))

    def test_a_missing_column_is_named_beside_those_of_the_first_file(self, keyed):
        for path in ("source", "source/b.parquet"):
            with pytest.raises(InputError, match=r"has no column 'id'; it has 'a', 'b'"):
                refuse_unready_source(keyed(path))

    def test_a_table_with_its_columns_passes(self, keyed):
        refuse_unready_source(keyed("source/c.parquet"))
        refuse_unready_source(keyed(key=("a",)))

    @pytest.mark.parametrize(
        "source",
        [
            {"options": {"mergeSchema": "true"}},
            {"format": "csv"},
            {"path": "hdfs://node/absent"},
            {"format": "table", "path": "absent"},
        ],
    )
    def test_what_cannot_be_told_without_spark_is_left_to_it(self, keyed, source):
        refuse_unready_source(keyed(**source))

    @pytest.mark.parametrize("name", ["_metadata", "id=1/x.parquet", ".b.parquet", "a.parquet"])
    def test_what_spark_would_take_columns_from_is_not_passed_over(self, keyed, tmp_path, name):
        (tmp_path / "source" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "source" / "b.parquet").rename(tmp_path / "source" / name)
        if name == "a.parquet":
            (tmp_path / "source" / name).write_bytes(b"no Parquet")
        refuse_unready_source(keyed())

    def test_where_somebody_configured_spark_a_plain_path_may_be_elsewhere(
        self, keyed, monkeypatch
    ):
        monkeypatch.setattr("adlib.doctor.source.starts_embedded", lambda: False)
        refuse_unready_source(keyed("absent"))
        with pytest.raises(InputError, match="found nothing there"):
            refuse_unready_source(keyed(path="file:/absent"))
