"""Cleaning names what is old, ours and needed by nobody, and nothing else."""

import os
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from adlib.artifacts import pack
from adlib.cleaning import Places, leftovers, parse_age
from adlib.errors import ConfigError
from adlib.outputs import RUNS
from adlib.registry import Registry
from adlib.runs import PUBLISHED, REFUSED, RunRecord, write_rows

NOW = datetime.now(UTC)
OLD, YOUNG, LIMIT = NOW - timedelta(days=100), NOW - timedelta(days=10), NOW - timedelta(days=90)
DAY = date(2024, 2, 29)


def aged(path, moment=OLD):
    """Make a file or a directory as old as a moment."""
    for file in [path, *path.rglob("*")] if path.is_dir() else [path]:
        os.utime(file, (moment.timestamp(), moment.timestamp()))
    return path


def written(path, moment=OLD):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("content", "utf-8")
    return aged(path, moment)


@pytest.fixture
def places(tmp_path):
    return Places(Registry(tmp_path / "models"), tmp_path / "out", tmp_path / "staging", ())


@pytest.fixture
def put_model(places, model):
    def put(seed, moment=OLD):
        other = replace(model, name=f"model-{seed}")
        return aged(places.models.add(pack(other)), moment)

    return put


@pytest.fixture
def record(places):
    def put(run, status=PUBLISHED, moment=OLD, *, model=None, in_place=True):
        name = f"anomalies-{run:016x}.parquet"
        made = RunRecord(
            DAY, f"{run:016x}", status, moment, moment, model_version=model, anomalies_file=name
        )
        directory = places.output / "runs" / f"dt={DAY}"
        file = write_rows([made.row()], RUNS, directory)
        if in_place:
            written(places.output / "anomalies" / f"dt={DAY}" / name)
        return file.rename(directory / f"run-{run:016x}.parquet")

    return put


def found(places):
    return {leftover.path: leftover for leftover in leftovers(places, LIMIT)}


class TestModels:
    def test_an_old_model_goes_and_a_young_one_stays(self, places, put_model):
        old = put_model(1)
        put_model(2, YOUNG)
        assert list(found(places)) == [old]

    def test_the_promoted_model_stays_however_old(self, places, put_model):
        old, promoted = put_model(1), put_model(2)
        places.models.promote(promoted.name)
        aged(promoted)
        assert list(found(places)) == [old]

    def test_a_model_with_which_a_date_was_published_lately_stays(self, places, put_model, record):
        record(1, moment=YOUNG, model=put_model(1).name)
        assert not found(places)

    def test_a_model_that_only_old_publications_name_goes_and_says_so(
        self, places, put_model, record
    ):
        old = put_model(1)
        record(1, model=old.name)
        assert found(places)[old].note == f"1 published dates name it, the last {DAY}"

    def test_a_model_of_what_was_published_again_since_goes(self, places, put_model, record):
        old = put_model(1)
        record(1, moment=YOUNG, model=old.name, in_place=False)
        assert old in found(places)

    def test_what_holds_more_than_a_model_stays(self, places, put_model):
        written(put_model(1) / "notes.txt")
        written(places.models.root / "0123456789abcdef" / "model.json")
        written(places.models.root / "mine" / "model.json")
        assert not found(places)

    def test_a_link_is_not_followed(self, places, put_model, tmp_path):
        elsewhere = put_model(1).rename(tmp_path / "0123456789abcdef")
        (places.models.root / elsewhere.name).symlink_to(elsewhere)
        assert not found(places)

    def test_what_was_left_of_an_interrupted_training_goes(self, places):
        left = places.models.root / f".{'a' * 16}.{'b' * 32}"
        written(left / "model.json")
        assert list(found(places)) == [left]


class TestRecords:
    def test_the_record_of_what_is_published_stays(self, places, record):
        record(1)
        assert not found(places)

    @pytest.mark.parametrize("status", [PUBLISHED, REFUSED])
    def test_old_records_that_no_date_needs_go(self, places, record, status):
        file = record(1, status, in_place=False)
        record(2, status, YOUNG, in_place=False)
        assert list(found(places)) == [file]

    def test_a_record_that_cannot_be_read_stays(self, places):
        written(places.output / "runs" / f"dt={DAY}" / f"run-{'a' * 16}.parquet")
        assert not found(places)


class TestFiles:
    def test_quarantine_of_old_dates_goes(self, places):
        name = f"quarantine-{'a' * 16}.parquet"
        old = places.output / "quarantine" / "dt=2024-02-29"
        written(old / name)
        written(places.output / "quarantine" / "dt=2024-03-01" / name, YOUNG)
        written(places.output / "quarantine" / "dt=2024-03-02" / "mine.parquet")
        assert list(found(places)) == [old]

    def test_old_reports_go_and_what_is_no_report_stays(self, places):
        page = written(places.output / "reports" / ("a" * 16) / "index.html")
        written(places.output / "reports" / ("b" * 16) / "notes.txt")
        written(places.output / "reports" / "mine" / "index.html")
        assert list(found(places)) == [page.parent]

    def test_old_logs_go(self, places, tmp_path):
        logs = [written(tmp_path / name, when) for name, when in (("a", OLD), ("b", YOUNG))]
        assert list(found(replace(places, logs=logs))) == logs[:1]

    def test_anomalies_and_scores_stay(self, places):
        for table in ("anomalies", "scores", "daily_summary"):
            written(places.output / table / "dt=2024-02-29" / f"{table}-{'a' * 16}.parquet")
        assert not found(places)

    @pytest.mark.parametrize(
        ("name", "table"),
        [
            ("preprocess-table", "features"),
            ("preprocess-dt=2024-02-29", "replaced"),
            ("a" * 16, "records"),
            (f".{'a' * 16}.cleaned", "records"),
        ],
    )
    def test_what_killed_runs_staged_goes_once_it_is_old(self, places, name, table):
        file = written(places.staging / name / table / "dt=2024-02-29" / "part-0.parquet")
        assert list(found(places)) == [places.staging / name]
        aged(file, YOUNG)
        assert not found(places)

    def test_what_no_run_stages_stays(self, places, tmp_path):
        written(places.staging / "locks" / "score-table")
        written(places.staging / "preprocess-table" / "notes.txt")
        written(places.staging / "mine" / "features" / "part-0.parquet")
        elsewhere = written(tmp_path / "elsewhere" / "records" / "part-0.parquet").parents[1]
        (places.staging / ("b" * 16)).symlink_to(elsewhere)
        assert not found(places)

    def test_nothing_is_found_where_nothing_is(self, places):
        assert not found(places)


def test_what_is_deleted_is_gone_and_the_rest_is_there(places, put_model, record):
    put_model(1), put_model(2, YOUNG)
    record(1, in_place=False)
    kept = record(2)
    for leftover in leftovers(places, LIMIT):
        leftover.delete()
    assert len(places.models.ids()) == 1
    assert len(list(places.models.root.iterdir())) == 1
    assert list(kept.parent.iterdir()) == [kept]
    assert not found(places)


@pytest.mark.parametrize("text", ["90", "0d", "-1d", "90h", "", "d", "1.5d", "90d "])
def test_an_age_that_is_none_is_refused_with_what_was_found(text):
    with pytest.raises(ConfigError, match="takes days as in 90d, found"):
        parse_age(text)


def test_an_age_is_days():
    assert parse_age("90d") == timedelta(days=90)
