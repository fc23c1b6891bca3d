"""A table nobody has configured is taken for what a colleague would take it for, and told why."""

import json
import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import jsonschema
import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest
import yaml

from adlib.cli import main
from adlib.config import load_config
from adlib.errors import ConfigError, InputError
from adlib.survey import Place, Role, draft, survey, take_glimpse
from adlib.survey import glimpse as glimpses
from adlib.survey.names import (
    entity_rank,
    event_time_rank,
    sounds_like_identifier,
    sounds_like_label,
    words_of,
)

ROWS = 2000
START = datetime(2026, 1, 1, tzinfo=UTC)
RNG = np.random.default_rng(5)
TIMES = [START + timedelta(minutes=30 * row) for row in range(ROWS)]
FRAUD = (np.arange(ROWS) % 50 == 0).astype(np.int64)
PAYMENTS = {
    "payment_id": [f"p{row}" for row in range(ROWS)],
    "paid_at": TIMES,
    "customer": [f"c{row}" for row in RNG.integers(0, 40, ROWS)],
    "terminal_id": RNG.integers(0, 300, ROWS),
    "amount": RNG.lognormal(3.0, 1.0, ROWS),
    "method": RNG.choice(["card", "cash", "wire"], ROWS),
    "status_code": RNG.choice([200, 404, 500], ROWS),
    "seconds": [int(time.timestamp() - START.timestamp()) for time in TIMES],
    "remark": [" ".join(RNG.choice(["a", "bb", "cc", "dd", "ee"], 9)) for _ in range(ROWS)],
    "currency": ["EUR"] * ROWS,
    "is_fraud": FRAUD,
    "scheme": np.where(FRAUD == 1, "stolen", "none"),
}
ROLES = {
    "payment_id": Role.KEY,
    "paid_at": Role.EVENT_TIME,
    "customer": Role.ENTITY,
    "terminal_id": Role.KEEP,
    "amount": Role.NUMERIC,
    "method": Role.CATEGORICAL,
    "status_code": Role.CATEGORICAL,
    "seconds": Role.EXCLUDE,
    "remark": Role.TEXT,
    "currency": Role.LEFT_OUT,
    "is_fraud": Role.LABEL,
    "scheme": Role.EXCLUDE,
}


def surveyed(path: Path, columns, **options):
    pq.write_table(pa.table(columns), path / "table.parquet", **options)
    return survey(take_glimpse(str(path / "table.parquet"), None))


def roles_in(found):
    return {guess.column: guess.role for guess in found.guesses}


def loaded(found, path: Path):
    """Write a draft and read it as `run` does."""
    config = path / "drafted.yaml"
    config.write_text(draft(found, Place("drafted", "t", "parquet", "s.json")), "utf-8")
    return load_config(config)


class TestRoles:
    def test_every_column_of_payments_is_taken_for_what_it_is(self, tmp_path):
        found = surveyed(tmp_path, PAYMENTS)
        assert roles_in(found) == ROLES
        assert found.by == "scheme"
        assert all(guess.why for guess in found.guesses)

    def test_the_same_table_in_strings_is_taken_for_the_same(self, tmp_path):
        strings = {name: [str(value) for value in values] for name, values in PAYMENTS.items()}
        expected = ROLES | {"status_code": Role.CATEGORICAL}
        assert roles_in(surveyed(tmp_path, strings)) == expected

    def test_a_time_without_the_name_of_an_event_is_no_event_time(self, tmp_path):
        born = [date(1950, 1, 1) + timedelta(days=row) for row in range(ROWS)]
        found = surveyed(tmp_path, {"birth_date": born, "amount": PAYMENTS["amount"]})
        assert roles_in(found) == {"birth_date": Role.TIMESTAMP, "amount": Role.NUMERIC}

    def test_a_column_unique_but_for_one_row_is_no_key(self, tmp_path):
        ids = [*range(ROWS - 1), 0]
        found = surveyed(tmp_path, {"amount": PAYMENTS["amount"], "payment_id": ids})
        assert found.column_of(Role.KEY) is None

    def test_a_whole_decimal_may_be_a_key_and_measurements_may_not(self, tmp_path):
        numbers = pa.array([Decimal(row) for row in range(ROWS)], pa.decimal128(12, 0))
        found = surveyed(tmp_path, {"id": numbers, "id_weight": RNG.normal(size=ROWS)})
        assert roles_in(found) == {"id": Role.KEY, "id_weight": Role.NUMERIC}

    def test_a_number_of_seconds_since_1970_is_set_aside_with_advice(self, tmp_path):
        seconds = [int(time.timestamp()) for time in TIMES]
        found = surveyed(tmp_path, {"ts": seconds, "amount": PAYMENTS["amount"]})
        (guess,) = found.of(Role.EXCLUDE)
        assert "seconds since 1970" in guess.why
        assert "timestamp" in guess.why

    def test_a_class_of_many_values_is_no_label_but_is_not_learned_from(self, tmp_path):
        classes = RNG.choice(["normal", "dos", "probe"], ROWS)
        found = surveyed(tmp_path, {"class": classes, "amount": PAYMENTS["amount"]})
        assert found.column_of(Role.LABEL) is None
        assert found.column_of(Role.EXCLUDE) == "class"

    def test_what_fits_no_flat_table_and_names_of_ours_are_left_out_and_named(self, tmp_path):
        found = surveyed(
            tmp_path,
            {
                "amount": PAYMENTS["amount"],
                "nested": [{"a": 1}] * ROWS,
                "tags": [["x"]] * ROWS,
                "dt": PAYMENTS["method"],
                "embedding": RNG.normal(size=(ROWS, 2)).tolist(),
            },
        )
        assert {guess.column for guess in found.of(Role.LEFT_OUT)} == {"nested", "tags", "dt"}
        assert found.column_of(Role.VECTOR) == "embedding"

    def test_a_table_of_constants_has_nothing_to_learn_from(self, tmp_path):
        with pytest.raises(InputError, match="No column can be a feature"):
            surveyed(tmp_path, {"a": [1] * 10, "b": ["x"] * 10})


class TestWindows:
    def test_the_amount_of_each_entity_is_suggested_at_a_quarter_of_the_time(self, tmp_path):
        found = surveyed(tmp_path, PAYMENTS)
        first, second = found.windows
        assert (first.by, first.of, first.over) == ("customer", "amount", "7d")
        assert (second.by, second.of) == ("terminal_id", None)

    def test_the_time_that_footers_tell_counts_not_that_of_the_rows_looked_at(
        self, tmp_path, monkeypatch
    ):
        monkeypatch.setattr(glimpses, "MOST_ROWS", 1000)
        columns = {**PAYMENTS, "paid_at": [START + timedelta(hours=2 * row) for row in range(ROWS)]}
        found = surveyed(tmp_path, columns, row_group_size=ROWS)
        assert not found.whole
        assert found.windows[0].over == "30d"

    def test_a_table_of_an_hour_has_none(self, tmp_path):
        columns = {**PAYMENTS, "paid_at": [START + timedelta(seconds=row) for row in range(ROWS)]}
        assert surveyed(tmp_path, columns).windows == ()


class TestNames:
    @pytest.mark.parametrize("name", ["TX_FRAUD", "isFraud", "label", "class", "is_anomaly", "y"])
    def test_labels(self, name):
        assert sounds_like_label(name)

    @pytest.mark.parametrize("name", ["ticket_class", "targeted", "classifier", "amount"])
    def test_no_labels(self, name):
        assert not sounds_like_label(name)

    @pytest.mark.parametrize("name", ["id", "TRANSACTION_ID", "orderId", "userid", "src_ip"])
    def test_identifiers(self, name):
        assert sounds_like_identifier(name)

    @pytest.mark.parametrize("name", ["paid", "grid_load", "amount", "width"])
    def test_no_identifiers(self, name):
        assert not sounds_like_identifier(name)

    def test_an_account_is_an_entity_and_its_age_is_none(self):
        assert entity_rank("account_number") is not None
        assert entity_rank("accountAgeDays") is None

    def test_an_event_sounds_more_like_a_time_than_a_birth_does(self):
        assert event_time_rank("event_time") > event_time_rank("created") > 0
        assert event_time_rank("birth_date") < 0

    def test_words_are_split_however_they_are_joined(self):
        assert words_of("srcIPAddress_2") == ["src", "ip", "address", "2"]


class TestDraft:
    def test_it_loads_as_it_is_and_says_what_was_guessed(self, tmp_path):
        config = loaded(surveyed(tmp_path, PAYMENTS), tmp_path)
        assert config.source.key == ("payment_id",)
        assert config.source.event_time == "paid_at"
        assert config.source.label == "is_fraud"
        assert config.source.keep == ("customer", "terminal_id")
        assert config.features.kinds["status_code"] == "categorical"
        assert config.windows[0].of == "amount"
        assert config.evaluate.by == "scheme"

    def test_names_that_yaml_would_misread_come_back_as_they_are(self, tmp_path):
        names = ["a.b", "`", 'quote"s', "it's", "# hash", "- dash", "co: lon", "new\nline", "[b]"]
        names += ["{c}", "ünï😀", "on", "null", "123", "a,b", "~", "tab\t", "<b>", "true", "1.5"]
        names += ["true", " lead", "x" * 150]
        for count in (1, 3):  # in lines, and packed in brackets
            columns = {
                f"{name}{'' if copy == 0 else copy}": RNG.normal(size=ROWS)
                for name in names
                for copy in range(count)
            }
            config = loaded(surveyed(tmp_path, columns), tmp_path)
            assert set(config.features.kinds) == set(columns)

    def test_every_guess_stands_in_it_with_its_reason(self, tmp_path):
        found = surveyed(tmp_path, PAYMENTS)
        text = draft(found, Place("drafted", "t", "parquet", "s.json"))
        said = " ".join(re.sub(r"^ *(- \S+ +)?# ?", "", line) for line in text.splitlines())
        for guess in found.guesses:
            assert guess.column in text
            assert guess.role is Role.EVENT_TIME or guess.why in said

    def test_its_lines_are_no_longer_than_a_screen(self, tmp_path):
        columns = {f"measurement number {number}": RNG.normal(size=9) for number in range(200)}
        text = draft(surveyed(tmp_path, columns), Place("drafted", "t", "parquet", "s.json"))
        assert max(map(len, text.splitlines())) <= 100

    def test_a_table_seen_in_part_is_said_to_be(self, tmp_path, monkeypatch):
        monkeypatch.setattr(glimpses, "MOST_ROWS", 1000)
        text = draft(surveyed(tmp_path, PAYMENTS), Place("drafted", "t", "parquet", "s.json"))
        assert "1,000 rows of the table, not all of it" in text
        assert "duplicates" in text


class TestGlimpse:
    def test_rows_come_from_all_over_a_table_of_many_files(self, tmp_path, monkeypatch):
        monkeypatch.setattr(glimpses, "MOST_ROWS", 1000)
        for part in range(20):
            pq.write_table(pa.table({"part": [part] * 500}), tmp_path / f"{part:02}.parquet")
        glimpse = take_glimpse(str(tmp_path), None)
        assert glimpse.table.num_rows == 1000
        assert {0, 19} <= set(glimpse.table["part"].to_pylist())
        assert not glimpse.whole

    def test_a_partition_is_a_column_and_hidden_files_are_none(self, tmp_path):
        (tmp_path / "day=2026-01-01").mkdir()
        pq.write_table(pa.table({"a": [1]}), tmp_path / "day=2026-01-01" / "x.parquet")
        (tmp_path / "_SUCCESS").touch()
        glimpse = take_glimpse(str(tmp_path), None)
        assert glimpse.table.to_pylist() == [{"a": 1, "day": "2026-01-01"}]
        assert glimpse.whole

    def test_a_csv_with_semicolons_and_a_nameless_column_is_read_as_spark_will(self, tmp_path):
        (tmp_path / "t.csv").write_text(';x;x;note\n1;2;3;"a;\nb"\n2;3;4;NA\n', "utf-8")
        glimpse = take_glimpse(str(tmp_path / "t.csv"), None)
        assert glimpse.options == {"sep": ";", "enforceSchema": "true"}
        assert glimpse.table.column_names == ["_c0", "x1", "x2", "note"]
        assert glimpse.table["note"].to_pylist() == ["a;\nb", "NA"]

    def test_lines_of_json_and_a_glob(self, tmp_path):
        for part in "ab":
            (tmp_path / f"{part}.jsonl").write_text('{"a": 1, "b": "x"}\n{"a": 2}\n', "utf-8")
        glimpse = take_glimpse(str(tmp_path / "*.jsonl"), None)
        assert glimpse.table.to_pylist() == [{"a": 1, "b": "x"}, {"a": 2, "b": None}]
        assert not glimpse.whole

    def test_a_format_is_told_by_the_first_bytes_where_the_name_does_not(self, tmp_path):
        pq.write_table(pa.table({"a": [1]}), tmp_path / "part-0")
        assert take_glimpse(str(tmp_path), None).format == "parquet"

    @pytest.mark.parametrize(
        ("name", "content", "error", "said"),
        [
            ("t.parquet", b"hello", InputError, "cannot be read as parquet"),
            ("t.csv", b"", InputError, "cannot be read as csv"),
            ("t.csv", b"a,b\n", InputError, "holds no row"),
            ("t.xls", b"\xd0\xcf", ConfigError, "--format"),
        ],
    )
    def test_what_cannot_be_read_is_refused_in_a_sentence(
        self, tmp_path, name, content, error, said
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(error, match=re.escape(said)):
            survey(take_glimpse(str(tmp_path / name), None))

    def test_text_in_another_encoding_is_refused_with_what_to_do(self, tmp_path):
        (tmp_path / "t.csv").write_bytes("id,city\n1,München\n".encode("latin-1"))
        with pytest.raises(InputError, match=r"not UTF-8 text: byte 11 is 0xfc.*encoding: ISO"):
            take_glimpse(str(tmp_path / "t.csv"), None)

    def test_a_character_at_the_end_of_what_is_looked_at_may_be_cut(self, tmp_path, monkeypatch):
        (tmp_path / "t.csv").write_text("id,city\n1,München\n", "utf-8")
        monkeypatch.setattr("adlib.survey.glimpse._BLOCK_BYTES", 12)
        assert take_glimpse(str(tmp_path / "t.csv"), None).table.column_names == ["id", "city"]

    def test_a_file_that_was_cut_short_is_named_among_whole_ones(self, tmp_path):
        for part in "abc":
            pq.write_table(pa.table({"a": list(range(100))}), tmp_path / f"{part}.parquet")
        (tmp_path / "b.parquet").write_bytes((tmp_path / "a.parquet").read_bytes()[:-20])
        with pytest.raises(InputError, match=r"b\.parquet cannot be read.*cut short.*Restore it"):
            take_glimpse(str(tmp_path), None)

    def test_a_time_of_day_that_spark_cannot_read_is_refused(self, tmp_path):
        table = pa.table({"at": pa.array([1, 2], pa.time64("us"))})
        pq.write_table(table, tmp_path / "t.parquet")
        with pytest.raises(InputError, match="times of day"):
            take_glimpse(str(tmp_path / "t.parquet"), None)

    def test_nothing_there_is_said_so(self, tmp_path):
        with pytest.raises(InputError, match="found no file there"):
            take_glimpse(str(tmp_path / "absent"), None)


class TestCommand:
    @pytest.fixture
    def table(self, tmp_path):
        pacsv.write_csv(
            pa.table({"a": RNG.normal(size=50), "b": ["x", "y"] * 25}), tmp_path / "t.csv"
        )
        return tmp_path / "t.csv"

    def call(self, table, *arguments):
        return main(["init", "--source", str(table), *arguments])

    def test_it_writes_a_configuration_and_the_schema_that_it_keeps_to(self, table, tmp_path):
        written = tmp_path / "new" / "my.yaml"
        assert self.call(table, "--output", str(written)) == 0
        text = written.read_text("utf-8")
        named = text.splitlines()[0].removeprefix("# yaml-language-server: $schema=")
        schema = json.loads((written.parent / named).read_text("utf-8"))
        jsonschema.validate(yaml.safe_load(text), schema)
        assert load_config(written).name == "t"

    def test_it_never_overwrites_a_file_unless_told_to(self, table, tmp_path, capsys):
        written = tmp_path / "my.yaml"
        written.write_text("mine", "utf-8")
        assert self.call(table, "--output", str(written)) == 2
        assert "--force" in capsys.readouterr().err
        assert written.read_text("utf-8") == "mine"
        assert self.call(table, "--output", str(written), "--force", "--name", "other") == 0
        assert load_config(written).name == "other"

    def test_it_writes_through_no_link(self, table, tmp_path, capsys):
        theirs, link = tmp_path / "theirs", tmp_path / "my.yaml"
        theirs.write_text("theirs", "utf-8")
        link.symlink_to(theirs)
        assert self.call(table, "--output", str(link), "--force") == 2
        assert "is a symbolic link" in capsys.readouterr().err
        assert theirs.read_text("utf-8") == "theirs"

    def test_it_prints_what_it_decided_and_what_to_do_next(self, table, tmp_path, capsys):
        written = tmp_path / "my.yaml"
        assert self.call(table, "--output", str(written), "--json") == 0
        said = capsys.readouterr().out
        assert "Looked at 50 rows, all of the table." in said
        assert f"adlib run --config {written}" in said
        assert json.loads(said.splitlines()[-1])["columns"]["a"]["role"] == "numeric"
