"""The benchmark's table is the same every time and has the shape that its figures speak of."""

import numpy as np
import pyarrow.parquet as pq

from bench_table import CATEGORIES, FLOATS, PLANTED_FRACTION, bench_table, make_rows, make_values


def test_the_same_rows_are_made_every_time_and_others_for_another_row_group():
    assert make_rows(3).slice(0, 1000).equals(make_rows(3).slice(0, 1000))
    assert not make_rows(3).select(FLOATS).equals(make_rows(4).select(FLOATS))


def test_the_table_has_the_promised_columns_row_groups_and_compression(tmp_path):
    table = bench_table(300_000, tmp_path)
    assert bench_table(300_000, tmp_path) == table
    (file,) = table.iterdir()
    footer = pq.read_metadata(file)
    assert [footer.row_group(group).num_rows for group in range(2)] == [250_000, 50_000]
    assert footer.row_group(0).column(2).compression == "ZSTD"
    rows = pq.read_table(file)
    types = [str(field.type) for field in rows.schema]
    assert types == ["int64", "timestamp[us, tz=UTC]", *["float"] * 30, *["string"] * 4]
    assert rows.column("key").to_pylist() == list(range(300_000))
    for name, count in CATEGORIES.items():
        sizes = np.sort(rows.column(name).value_counts().field("counts").to_numpy())
        assert len(sizes) == count
        assert sizes[-1] > 5 * sizes[0]


def test_a_larger_table_shares_its_whole_files_with_a_smaller_one(tmp_path, monkeypatch):
    monkeypatch.setattr("bench_table.ROWS_A_FILE", 250_000)
    monkeypatch.setattr("bench_table.write_file", lambda path, *_: path.write_text(path.name))
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "part-00000.parquet").write_text("made before")
    table = bench_table(250_000, tmp_path)
    assert [file.read_text() for file in table.iterdir()] == ["made before"]


def test_planted_rows_are_few_and_their_columns_do_not_go_together():
    values, planted, codes = make_values(0)
    assert values.shape == (len(FLOATS), len(planted))
    assert values.dtype == np.float32
    assert abs(planted.mean() - PLANTED_FRACTION) < 0.001
    ordinary, strange = (np.abs(np.corrcoef(values[:, rows])) for rows in (~planted, planted))
    assert ordinary.mean() > 2 * strange.mean()
    assert set(codes) == set(CATEGORIES)
