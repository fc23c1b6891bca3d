"""Bad input gets a sentence, an exit code and nothing published."""

import json
import re

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from adlib.spark.workplace import sole_run
from tests.jobs.conftest import assert_refused, payments, plain_table, without_windows


def test_a_missing_column_is_named_with_those_there_are(workplace, last_words):
    workplace.write(payments().drop_columns(["amount"]))
    assert_refused(workplace, last_words, 3, "'amount'", "'fee'")


def test_a_path_that_is_not_there_is_named(workplace, last_words):
    assert_refused(workplace, last_words, 3, "source")


def test_an_empty_table_is_nothing_to_read(workplace, last_words):
    workplace.write(payments().slice(0, 0))
    assert_refused(workplace, last_words, 3, "Nothing to read")


def test_a_date_without_rows_is_nothing_to_read(workplace, last_words):
    workplace.write(payments())
    assert workplace.call("preprocess", "--date", "2027-01-01") == 3
    assert "2027-01-01" in last_words()


@pytest.mark.parametrize("text", ["yesterday", "2026-13-01", "2026-02-30", "26-1-1x"])
def test_a_bad_date_is_refused(workplace, last_words, text):
    workplace.write(payments())
    assert workplace.call("run", "--date", text) == 2
    assert text in last_words()


def test_an_unknown_key_is_refused_with_the_nearest(workplace, capfd):
    workplace.plain["treshold"] = {}
    assert workplace.call("run") == 2
    assert "did you mean 'threshold'" in capfd.readouterr().err


def test_output_inside_input_is_refused(workplace, last_words):
    workplace.write(payments())
    workplace.plain["output"]["path"] = str(workplace.root / "source" / "out")
    assert_refused(workplace, last_words, 2, "overlap")


def test_a_label_listed_as_a_feature_is_refused(workplace, capfd):
    workplace.plain["features"] = {"numeric": ["amount", "fraud"]}
    assert workplace.call("run") == 2
    assert "the label" in capfd.readouterr().err


def test_a_column_of_another_type_than_in_training_is_refused(workplace, last_words):
    workplace.write(payments())
    assert workplace.call("preprocess") == 0
    assert workplace.call("train") == 0
    table = payments()
    place = table.schema.get_field_index("fee")
    workplace.write(table.set_column(place, "fee", pa.array(["much"] * len(table))))
    assert workplace.call("preprocess") == 0
    assert workplace.call("score") == 3
    said = last_words()
    assert "'fee'" in said
    assert "string" in said
    assert not (workplace.root / "out" / "anomalies").exists()


def test_a_column_that_the_model_does_not_know_is_named_at_the_end_and_not_read(
    workplace, summary_of, capfd
):
    workplace.write(payments())
    assert workplace.call("run") == 0
    before = workplace.anomaly_files()
    table = payments()
    workplace.write(table.append_column("channel", table["method"]))
    assert workplace.call("preprocess") == 0
    assert summary_of(workplace, "score")["new_columns"] == ["channel"]
    assert len(workplace.anomaly_files()) == len(before)
    assert summary_of(workplace, "preprocess", "--date", "2026-03-02")["new_columns"] == []
    workplace.write(table.append_column("extra", table["method"]))
    assert workplace.call("preprocess", "--date", "2026-03-02") == 3
    workplace.write(
        table.append_column("channel", table["method"]).append_column("extra", table["fee"])
    )
    capfd.readouterr()
    assert workplace.call("preprocess", "--date", "2026-03-02") == 0
    assert re.search(r"new columns\s+extra: not read", capfd.readouterr().out)


def test_a_model_that_is_not_there_is_refused(workplace, last_words):
    workplace.write(payments())
    assert workplace.call("preprocess") == 0
    assert workplace.call("score", "--model", "0123456789abcdef") == 4
    assert "0123456789abcdef" in last_words()
    assert workplace.call("score") == 4


def test_a_generator_that_collapsed_is_refused_and_not_saved(workplace, last_words):
    workplace.write(payments())
    assert workplace.call("preprocess") == 0
    collapsed = "detector={kind: gan, steps: 1, learning_rate: 1e-5, trim_fraction: 0.9}"
    assert workplace.call("train", "--set", collapsed) == 4
    assert "degenerate and was not saved" in last_words()
    assert not [*(workplace.root / "models").rglob("*.safetensors")]


@pytest.mark.parametrize("name", ["model.json", "tensors.safetensors"])
def test_a_model_altered_by_one_byte_is_refused(workplace, last_words, name):
    workplace.write(payments())
    assert workplace.call("preprocess") == 0
    assert workplace.call("train") == 0
    file = next((workplace.root / "models" / "payments").glob(f"*/{name}"))
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(bytes(content))
    assert workplace.call("score") == 4
    assert "refused" in last_words()
    assert not (workplace.root / "out" / "anomalies").exists()


def test_a_date_that_somebody_else_is_scoring_is_left_to_them(workplace, last_words):
    workplace.write(payments())
    assert workplace.call("preprocess") == 0
    assert workplace.call("train") == 0
    with sole_run(workplace.root / "work", "score", None):
        assert workplace.call("score", "--date", "2026-03-02") == 5
        assert "Another process is scoring the whole table" in last_words()
    assert workplace.call("score", "--date", "2026-03-02") == 0


@pytest.mark.parametrize(
    ("command", "settings", "code", "words"),
    [
        ("score --engine fast", (), 2, ["'fast' is not one of", "See `adlib score --help`"]),
        ("run --fast", (), 2, ["No such option: --fast", "See `adlib run --help`"]),
        ("run", ("threshold=top_k",), 2, ["expected keys and values", "found top_k"]),
        ("train", (), 3, ["Nothing to read", "Run `adlib preprocess`"]),
        ("score", (), 4, ["No model is promoted", "adlib train"]),
        ("preprocess", ("source.key=[nope]",), 3, ["no column 'nope'", "it has 'id'"]),
        ("run", ("source.label=method",), 3, ["holds 3 different texts", "source.label"]),
        (
            "preprocess",
            ("source.format=csv",),
            3,
            ["begin with 'PAR1'", "source.format to parquet"],
        ),
        ("preprocess", ("source.format=json",), 3, ["read as json", "Set source.format"]),
        ("preprocess", ("source.format=orc",), 3, ["cannot be read", "source.format"]),
        ("preprocess", ("source.path=s3a://a/b",), 2, ["no connector", "--packages"]),
        ("run", ("features={numeric: [method]}",), 3, ["1,200 of 1,200 rows, 100% (not_a_number"]),
        ("run", ("quarantine=5",), 2, ["expected keys and values, such as {limit: 0.05}"]),
        ("run", ("quarantine.limit=5",), 2, ["expected at most 1; found 5"]),
        ("train", ("train.feedback={path: none.csv, format: csv}",), 3, ["Nothing to read"]),
        ("run --date 2026-03-01", (), 3, ["before 2026-03-01 holds no row", "earlier dates"]),
        ("run", ("train.until=2020-01-01",), 3, ["before 2020-01-01 holds no row"]),
        ("models show abc", (), 4, ["no model 'abc'", "adlib models list"]),
        ("clean --older-than 3weeks", (), 2, ["days as in 90d", "'3weeks'"]),
    ],
)
def test_a_bad_call_ends_with_what_was_found_and_what_to_do(
    workplace, last_words, command, settings, code, words
):
    workplace.write(payments())
    given = [part for setting in settings for part in ("--set", setting)]
    assert workplace.call(command, *given) == code
    said = last_words()
    for word in words:
        assert word in said
    assert said.endswith(f"(exit code {code})")
    assert not (workplace.root / "out" / "anomalies").exists()


def spoilt(rows: int, first: int = 420) -> pa.Table:
    """Return the payments without the key of some, by default of the second day."""
    table = payments()
    ids = table["id"].to_pylist()
    ids[first : first + rows] = [None] * rows
    return table.set_column(0, "id", pa.array(ids))


def test_too_much_quarantine_stops_a_run_before_it_publishes_and_leaves_it_to_be_looked_at(
    workplace, last_words, summary_of
):
    workplace.write(payments())
    assert workplace.call("run") == 0
    before = workplace.anomaly_files()
    workplace.write(spoilt(100))
    for command in ("run", "preprocess", "score"):
        assert workplace.call(command) == 3
        said = last_words()
        assert "100 of 1,200 rows, 8.33% (missing_key 100), where quarantine.limit allows" in said
        assert "Over it too: the rows of 2026-03-02." in said
        assert "raise quarantine.limit" in said
    assert workplace.anomaly_files() == before
    refused = [run for run in workplace.table("runs").to_pylist() if run["status"] == "refused"]
    assert {run["rows_quarantined"] for run in refused} == {100}
    kept = list((workplace.root / "work" / "quarantine").glob("dt=*/*.parquet"))
    assert sum(pq.ParquetFile(file).metadata.num_rows for file in kept) == 100
    summary = summary_of(workplace, "score", "--set", "quarantine.limit=0.3")
    assert summary["rows_read"] == summary["rows_scored"] + 100


def test_a_date_that_was_refused_for_its_quarantine_is_not_learned_from(workplace, summary_of):
    workplace.write(spoilt(100))
    assert workplace.call("run") == 3
    workplace.write(payments())
    summary = summary_of(workplace, "run", "--date", "2026-03-03")
    days = [moment.day for moment in payments()["at"].to_pylist()]
    assert summary["left_out_of_training"]["excluded dates"] == days.count(2) - 100
    assert sum(summary["training_rows"].values()) == days.count(1)


def test_one_spoilt_date_stops_all_that_would_be_published_with_it_and_no_other_date(
    workplace, last_words
):
    table = spoilt(30)
    days = [str(moment.date()) for moment in table["at"].to_pylist()]
    second = days.count("2026-03-02")
    workplace.write(table)
    assert workplace.call("preprocess") == 3
    assert f"30 of {second} rows of 2026-03-02" in last_words()
    assert workplace.call("preprocess", "--date", "2026-03-03") == 0
    assert workplace.call("preprocess", "--date", "2026-03-02") == 3


def test_a_handful_of_bad_rows_stops_nothing_however_small_the_table(workplace):
    table = payments(12)
    workplace.plain["windows"] = []
    workplace.write(table.set_column(0, "id", pa.array([0] * 8 + [1, 2, 3, 4])))
    assert workplace.call("preprocess") == 0


def test_a_ledger_cut_short_and_a_pointer_to_nothing_say_what_to_do(workplace, last_words):
    workplace.write(payments())
    assert workplace.call("preprocess") == 0
    assert workplace.call("train") == 0
    ledger = next((workplace.root / "work" / "ledger").glob("*.json"))
    ledger.write_bytes(ledger.read_bytes()[:20])
    assert workplace.call("score") == 3
    assert "Run `adlib preprocess` again" in last_words()
    pointer = workplace.root / "models" / "payments" / "promoted.json"
    pointer.write_text('{"id": "00"}', "utf-8")
    assert workplace.call("score") == 4
    assert "There is no promoted model '00' any more" in last_words()


def test_a_refusal_is_recorded(workplace):
    without_windows(workplace)
    workplace.write(plain_table(a=[1.0] * 50))
    assert workplace.call("run") == 3
    (run,) = workplace.table("runs").to_pylist()
    assert run["status"] == "refused"
    assert "constant" in run["message"]


@pytest.mark.parametrize("key", ["output", "work", "models"])
def test_a_file_in_place_of_a_directory_is_refused(workplace, last_words, key):
    workplace.write(payments())
    (workplace.root / "file").write_text("in the way", "utf-8")
    workplace.plain[key] = {"path": str(workplace.root / "file" / "below")}
    assert workplace.call("run") == 2
    assert f"{key}.path" in last_words()


def test_a_feature_table_of_another_configuration_is_refused(workplace, last_words):
    workplace.write(payments())
    assert workplace.call("preprocess") == 0
    assert workplace.call("train", "--set", "source.key=[fee]") == 3
    assert "adlib preprocess" in last_words()
    assert workplace.call("train", "--set", "windows=[]") == 3
    assert workplace.call("train") == 0
    assert workplace.call("score", "--set", "source.keep=[method, customer, nope]") == 3
    assert "'nope'" in last_words()
    assert workplace.call("evaluate", "--set", "evaluate.by=nope") == 3
    assert "'nope'" in last_words()


def test_a_refused_command_ends_standard_output_with_json_too(workplace, capfd):
    workplace.write(payments().slice(0, 0))
    assert workplace.call("run", "--json") == 3
    summary = json.loads(capfd.readouterr().out.splitlines()[-1])
    assert summary["status"] == "failed"
    assert summary["exit_code"] == 3


def test_an_interrupt_is_no_success(workplace, last_words, monkeypatch):
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("adlib.cli.jobs.load_config", interrupted)
    assert workplace.call("run") == 1
    assert "Interrupted" in last_words()


def test_a_truncated_file_is_named(workplace, last_words):
    workplace.write(payments())
    workplace.write(payments(seed=2), "second.parquet")
    file = workplace.root / "source" / "second.parquet"
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    assert_refused(workplace, last_words, 3, "second.parquet")
    (run,) = workplace.table("runs").to_pylist()
    assert run["status"] == "refused"
    assert "second.parquet" in run["message"]


def test_a_source_file_with_other_bytes_than_were_written_is_named(workplace, last_words):
    workplace.write(payments())
    file = workplace.root / "source" / "summed.parquet"
    pq.write_table(payments(seed=2), file, write_page_checksum=True)
    file.write_bytes(flipped(file.read_bytes()))
    assert_refused(workplace, last_words, 3, "summed.parquet")


def flipped(content: bytes) -> bytes:
    """Flip a bit of each of some bytes, the footer apart."""
    damaged = bytearray(content)
    footer = int.from_bytes(content[-8:-4], "little") + 8
    for place in range(100, len(content) - footer, 997):
        damaged[place] ^= 4
    return bytes(damaged)


def test_a_damaged_feature_file_is_named_by_both_engines_and_by_train_and_nothing_is_published(
    workplace, last_words
):
    workplace.write(payments())
    assert workplace.call("preprocess") == 0
    assert workplace.call("train") == 0
    file = next((workplace.root / "work" / "features" / "dt=2026-03-02").glob("*.parquet"))
    file.with_name(f".{file.name}.crc").unlink()  # which a copy to another disk lacks
    content = file.read_bytes()
    for damaged in (content[: len(content) // 2], flipped(content)):
        file.write_bytes(damaged)
        for call in ("score --engine row_groups", "score --engine pandas_udf", "train"):
            assert workplace.call(call) == 3, call
            assert file.name in last_words(), call
    assert not (workplace.root / "out" / "anomalies").exists()
    file.write_bytes(content)
    assert workplace.call("score") == 0
