"""Reading what was published: which run, which dates, what the flagged rows have in common."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from adlib.arrays import NumberColumn, TextColumn, VectorColumn, row_count
from adlib.errors import InputError
from adlib.outputs import ANOMALIES, QUARANTINE, RUNS
from adlib.report import (
    SampledRows,
    choose_run,
    look_at,
    place_page,
    quarantine_of,
    read_history,
    scan_flagged,
)
from adlib.report.values import DrivenColumn
from adlib.runs import RunRecord, arrow_schema, write_rows

FIRST, SECOND = date(2026, 3, 1), date(2026, 3, 2)
START = datetime(2026, 3, 3, 4, tzinfo=UTC)


def write_run(output, run_id, day, minute, **changes):
    plain = {
        "event_date": day,
        "run_id": run_id,
        "status": "published",
        "started_at": START,
        "ended_at": START + timedelta(minutes=minute),
        "rows_read": 110,
        "context_rows": 0,
        "quarantined_by_problem": {"duplicate": 10},
        "rows_scored": 100,
        "rows_flagged": 2,
        "asked_fraction": 0.01,
        "threshold": 5.0,
        "model_name": "m",
        "model_version": "v",
        "input_digest": "i",
        "seconds_by_stage": {"score": 1.5},
        "anomalies_file": "anomalies-0.parquet",
    }
    record = RunRecord(**{**plain, **changes})
    directory = output / "runs" / f"dt={day}"
    made = write_rows([record.row()], RUNS, directory)
    made.rename(directory / f"run-{run_id}.parquet")


def anomaly(place, score, **changes):
    row = dict.fromkeys(column.name for column in ANOMALIES)
    row |= {
        "event_date": FIRST,
        "event_time": START + timedelta(hours=place % 3),
        "anomaly_score": score,
        "anomaly_percentile": 99.0,
        "severity": "high",
        "reason": f"row {place}",
        "reason_1_column": "amount",
        "reason_1_share": 0.5,
        "reason_1_direction": "high",
        "reason_2_column": "fee",
        "reason_2_share": 0.25,
        "reason_2_direction": "low",
    }
    return {"id": place, **row, **changes}


def write_anomalies(output, day, rows):
    directory = output / "anomalies" / f"dt={day}"
    directory.mkdir(parents=True)
    schema = pa.schema([("id", pa.int64()), *arrow_schema(ANOMALIES)])
    pq.write_table(pa.Table.from_pylist(rows, schema), directory / "anomalies-0.parquet")


def test_nothing_published_is_said_with_what_to_do(tmp_path):
    with pytest.raises(InputError, match=r"no run has published anything.*adlib run"):
        choose_run(read_history(tmp_path), tmp_path, None)


def test_refusals_are_no_runs(tmp_path):
    write_run(tmp_path, "a", FIRST, 1, status="refused", rows_scored=None)
    assert read_history(tmp_path) == ()


def test_a_date_that_no_run_published_is_refused_with_those_there_are(tmp_path):
    write_run(tmp_path, "a", FIRST, 1)
    with pytest.raises(InputError, match=r"2026-05-05.*published are 2026-03-01"):
        choose_run(read_history(tmp_path), tmp_path, date(2026, 5, 5))


def test_a_run_is_the_sum_of_its_dates(tmp_path):
    write_run(tmp_path, "a", FIRST, 1)
    write_run(tmp_path, "a", SECOND, 2, rows_scored=300, rows_flagged=6, asked_fraction=0.03)
    run = choose_run(read_history(tmp_path), tmp_path, None)
    assert (run.rows_scored, run.rows_flagged, run.rows_quarantined) == (400, 8, 20)
    assert run.rows_read == 220
    assert run.asked_fraction == pytest.approx(0.025)
    assert run.delivered_fraction == 0.02
    assert run.days == (FIRST, SECOND)


def test_a_date_belongs_to_the_run_that_published_it_last(tmp_path):
    write_run(tmp_path, "a", FIRST, 1)
    write_run(tmp_path, "a", SECOND, 1)
    write_run(tmp_path, "b", SECOND, 9)
    history = read_history(tmp_path)
    assert [run.run_id for run in history] == ["b", "a"]
    assert choose_run(history, tmp_path, SECOND).run_id == "b"
    assert choose_run(history, tmp_path, FIRST).run_id == "a"
    assert choose_run(history, tmp_path, None, "a").superseded == (SECOND,)
    assert choose_run(history, tmp_path, None, "a").rows_scored == 100


def test_flagged_rows_are_counted_by_column_hour_and_score(tmp_path):
    write_run(tmp_path, "a", FIRST, 1)
    rows = [anomaly(place, 50.0 - place) for place in range(40)]
    rows[3] |= {"reason_1_column": "fee", "reason_2_column": None, "event_time": None}
    write_anomalies(tmp_path, FIRST, rows)
    run = choose_run(read_history(tmp_path), tmp_path, None)
    found = scan_flagged(tmp_path, run, 50.0)
    assert found.rows == 40
    assert sum(found.score_counts) == 40
    assert found.score_edges[0] == 5.0
    assert sum(found.hours) == 39
    amount, fee = found.driven
    assert (amount.name, amount.first, amount.named) == ("amount", 39, 39)
    assert amount.share == pytest.approx(0.5 * 39 / 40)
    assert (fee.first, fee.named, fee.directions) == (1, 40, {"low": 39, "high": 1})
    assert [row.score for row in found.strangest] == [50.0 - place for place in range(25)]
    assert found.strangest[0].identity == (("id", "0"),)
    assert len(found.strangest[3].reasons) == 1


def test_the_strangest_rows_are_the_strangest_of_all_dates(tmp_path):
    for day, score in ((FIRST, 10.0), (SECOND, 20.0)):
        write_run(tmp_path, "a", day, 1)
        write_anomalies(tmp_path, day, [anomaly(place, score - place / 10) for place in range(30)])
    run = choose_run(read_history(tmp_path), tmp_path, None)
    scores = [row.score for row in scan_flagged(tmp_path, run, 20.0).strangest]
    assert scores == [20.0 - place / 10 for place in range(25)]


def test_a_score_far_beyond_the_others_is_counted_in_the_last_bin(tmp_path):
    write_run(tmp_path, "a", FIRST, 1)
    write_anomalies(tmp_path, FIRST, [anomaly(0, 1e9), anomaly(1, 5.0)])
    run = choose_run(read_history(tmp_path), tmp_path, None)
    found = scan_flagged(tmp_path, run, 1e9)
    assert (found.score_counts[0], found.score_counts[-1]) == (1, 1)
    assert len(found.score_counts) < 100


def test_a_run_that_flags_nothing_has_nothing_to_count(tmp_path):
    write_run(tmp_path, "a", FIRST, 1, rows_flagged=0, threshold=None)
    write_anomalies(tmp_path, FIRST, [])
    run = choose_run(read_history(tmp_path), tmp_path, None)
    found = scan_flagged(tmp_path, run, None)
    assert (found.rows, found.driven, found.strangest, found.score_counts) == (0, (), (), ())


def test_quarantine_is_counted_by_problem_and_column(tmp_path):
    write_run(tmp_path, "a", FIRST, 1)
    rows = [
        {"event_date": FIRST, "problem": problem, "problem_column": column}
        for problem, column in [("duplicate", None)] * 3 + [("missing_key", "id")]
    ]
    write_rows(rows, QUARANTINE, tmp_path / "quarantine" / f"dt={FIRST}")
    run = choose_run(read_history(tmp_path), tmp_path, None)
    found = [(entry.problem, entry.column, entry.rows) for entry in quarantine_of(tmp_path, run)]
    assert found == [("duplicate", None, 3), ("missing_key", "id", 1)]


def test_a_page_takes_the_place_of_an_earlier_one_and_leaves_nothing_beside(tmp_path):
    place_page(tmp_path, "a", "first")
    file = place_page(tmp_path, "a", "second")
    assert file == tmp_path / "reports" / "a" / "index.html"
    assert file.read_text("utf-8") == "second"
    assert list(file.parent.iterdir()) == [file]


def driven(*names):
    return [DrivenColumn(name, 1, 1, 0.5, {"high": 1}) for name in names]


def test_a_sample_is_seen_through_the_model_that_scored_it(model, columns):
    rows = row_count(columns)
    cut = model.threshold.cut
    sample = SampledRows(columns, np.full(rows, cut), 5_000)
    found = look_at(sample, model, driven("amount", "country"))
    assert found.rows == rows
    assert found.flagged.sum() == model.score(columns).is_anomaly.sum() > 0
    assert found.of_codes
    assert found.latent is not None
    assert found.explained is not None
    assert found.scatter is not None
    assert found.latent.shape == (rows, 2)
    assert 0.0 < sum(found.explained) <= 1.0
    assert [axis.name for axis in found.scatter] == ["amount", "country"]
    assert {entry.name for entry in found.health} == {f.name for f in model.columns}
    assert not any(entry.verdict == "shifted" for entry in found.health)


def test_the_cut_of_a_sampled_row_is_its_dates(model, columns):
    cuts = np.full(row_count(columns), np.inf)
    assert not look_at(SampledRows(columns, cuts, 5_000), model, []).flagged.any()


def test_columns_that_shift_come_first(model, columns):
    shifted = {**columns, "amount": NumberColumn(columns["amount"].values * 50.0)}
    cuts = np.full(row_count(columns), model.threshold.cut)
    found = look_at(SampledRows(shifted, cuts, 5_000), model, [])
    assert (found.health[0].name, found.health[0].verdict) == ("amount", "shifted")


def test_of_a_category_with_many_values_the_commonest_have_a_place(model, columns):
    names = np.asarray([f"v{place}" for place in range(300)], dtype=object)
    rows = row_count(columns)
    many = {**columns, "country": TextColumn(np.arange(rows) % 300, names)}
    cuts = np.full(rows, model.threshold.cut)
    found = look_at(SampledRows(many, cuts, rows), model, driven("country", "amount"))
    assert found.scatter is not None
    labels = found.scatter[0].labels
    assert len(labels) == 10
    assert labels[-1] == "others"
    assert np.nanmax(found.scatter[0].values) == 9


def test_a_column_that_is_no_single_value_is_not_drawn(model, columns):
    assert isinstance(columns["face"], VectorColumn)
    cuts = np.full(row_count(columns), model.threshold.cut)
    sample = SampledRows(columns, cuts, row_count(columns))
    assert look_at(sample, model, driven("face", "note", "amount")).scatter is None
