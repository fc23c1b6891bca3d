"""What is published is held against its manifest, and that against itself."""

import json
import shutil
from datetime import date, timedelta

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from adlib.publishing import Examined, Manifest, Publisher, date_directory, examine, published_dates
from adlib.publishing.manifest import AlteredError, PublishedFile, read_manifest, sealed, unseal
from adlib.runs import verify
from tests.publications import DAY, publish

NEXT = DAY + timedelta(days=1)
MANIFEST = """{
 "date": "2024-02-29",
 "format": 1,
 "run_id": "zoë",
 "tables": {
  "anomalies": [],
  "scores": [
   {
    "name": "b.parquet",
    "rows": 2,
    "sha256": "ab",
    "size_bytes": 30
   },
   {
    "name": "a.parquet",
    "rows": 1,
    "sha256": "cd",
    "size_bytes": 20
   }
  ]
 }
}
"""


class TestVerifying:
    @pytest.fixture
    def second(self, output, work):
        publish(Publisher(output), "first", work)
        publish(Publisher(output), "second", work)
        return output

    def problem(self, output):
        problem = verify(output, DAY).problem
        assert problem is not None
        return problem

    def test_an_intact_date_names_its_run_and_counts_its_files(self, second):
        verdict = verify(second, DAY)
        assert (verdict.run_id, verdict.files, verdict.problem) == ("second", 3, None)

    def test_a_missing_file_is_named(self, second):
        (file,) = (second / "anomalies" / date_directory(DAY)).iterdir()
        file.unlink()
        assert self.problem(second) == f"{file} is missing"

    def test_a_file_too_many_is_named(self, second):
        stray = second / "anomalies" / date_directory(DAY) / "other.parquet"
        pq.write_table(pa.table({"a": [1]}), stray)
        assert self.problem(second) == f"{stray} is not in the manifest"

    def test_a_table_too_many_is_named(self, second):
        stray = second / "quarantine" / date_directory(DAY)
        stray.mkdir(parents=True)
        assert self.problem(second) == f"{stray} should not be there"

    def test_a_date_without_its_manifest_or_its_record_is_not_published(self, second):
        shutil.rmtree(second / "runs")
        assert "no record of run second" in self.problem(second)
        shutil.rmtree(second / "manifests")
        assert "holds no manifest" in self.problem(second)

    def test_the_record_of_an_earlier_run_is_no_mark_of_this_one(self, second):
        (second / "runs" / date_directory(DAY) / "run-second.parquet").unlink()
        assert "no record of run second" in self.problem(second)

    def test_a_date_with_two_manifests_is_not_published(self, second):
        directory = second / "manifests" / date_directory(DAY)
        (file,) = directory.iterdir()
        shutil.copy(file, directory / "other.json")
        assert self.problem(second) == f"{directory} holds 2 files, expected one"

    def test_what_is_altered_of_a_manifest_is_said(self, second):
        (file,) = (second / "manifests" / date_directory(DAY)).iterdir()
        text = file.read_text()
        for content, said in {
            "[": "it is no JSON (Expecting value: line 1 column 2 (char 1))",
            "[]": "it is no JSON object",
            "{}": "it is no manifest ('tables')",
            text.replace('"format": 1', '"format": 2'): "its format is 2, expected 1",
            text + "\n": "it is not written as a manifest is",
        }.items():
            file.write_text(content)
            assert self.problem(second) == f"{file} was altered: {said}"
            assert examine(second, DAY) == Examined(None, f"{file} was altered: {said}")

    def test_a_quarantine_that_was_cleaned_is_no_loss_and_the_rest_is_still_looked_at(
        self, output, work
    ):
        publish(Publisher(output), "first", work)
        shutil.rmtree(output / "quarantine" / date_directory(DAY))
        assert verify(output, DAY).problem is None
        (file,) = (output / "scores" / date_directory(DAY)).iterdir()
        file.write_bytes(b"")
        found = examine(output, DAY)
        assert found.problem == f"{file} was altered"
        assert found.manifest is not None
        assert found.manifest.run_id == "first"

    def test_a_date_is_found_by_its_manifest_or_its_anomalies(self, second):
        for table in ("manifests", "anomalies"):
            other = NEXT + timedelta(days=len(table))
            (second / table / date_directory(other)).mkdir()
            assert other in published_dates(second)
        (second / "scores" / "dt=2030-01-01").mkdir()
        (second / "anomalies" / "2030-01-01").mkdir()
        assert date(2030, 1, 1) not in published_dates(second)

    def test_another_dates_manifest_is_refused(self, second):
        (file,) = (second / "manifests" / date_directory(DAY)).iterdir()
        other = second / "manifests" / date_directory(NEXT)
        shutil.copytree(file.parent, other)
        problem = verify(second, NEXT).problem
        assert problem is not None
        assert "another name or date" in problem


class TestSealedFiles:
    def test_a_manifest_is_written_in_one_way(self):
        files = (PublishedFile("b.parquet", 2, 30, "ab"), PublishedFile("a.parquet", 1, 20, "cd"))
        manifest = Manifest(DAY, "zoë", {"scores": files, "anomalies": ()})
        assert manifest.content().decode() == MANIFEST
        assert read_manifest(manifest.content()) == manifest

    def test_any_flipped_bit_of_a_seal_or_a_manifest_is_refused(self, output, work):
        publish(Publisher(output), "first", work)
        (file,) = (output / "manifests" / date_directory(DAY)).iterdir()
        manifest = file.read_bytes()
        seal = sealed({"manifest": json.loads(manifest), "record": {"name": "run"}})
        assert unseal(seal)["record"] == {"name": "run"}
        for place in range(len(seal)):
            with pytest.raises(AlteredError):
                unseal(flipped(seal, place))
        for place in range(len(manifest)):
            try:
                found = read_manifest(flipped(manifest, place))
            except AlteredError:
                continue
            assert found.file_name != file.name


def flipped(content: bytes, place: int) -> bytes:
    return content[:place] + bytes([content[place] ^ (1 << place % 8)]) + content[place + 1 :]
