"""What is laid beside the published tables says what is there, and its SQL runs."""

import json

import duckdb
import pytest
import sqlglot
from sqlglot import expressions

from adlib.outputs import RESERVED_NAMES, ROW_HASH, TABLES, columns_before_ours
from adlib.readers import Published, write_guide
from adlib.readers.guide import readme, schema_json
from adlib.readers.power_query import power_query
from adlib.readers.views import duckdb_script, spark_script, trino_script
from tests.laid_out import FIRST, SECOND, lay_out

ODD = "it's [odd] {x} a*?`b"
ODD_NAMES = ('a "b', "a; DROP TABLE runs --", "`|``|", "#(lf)", "tab\there", "naïve 🂡")


@pytest.fixture
def output(tmp_path):
    return tmp_path / ODD / "out"


def _ask(published, question):
    with duckdb.connect() as connection:
        connection.execute(duckdb_script(published))
        return connection.sql(question).fetchall()


class TestColumns:
    def test_key_and_kept_columns_stand_before_ours_where_the_table_has_them(self):
        key, kept = {"id": "BIGINT"}, {"where": "STRING"}
        found = {
            table.name: [column.name for column in columns_before_ours(table, key, kept)]
            for table in TABLES
        }
        assert found == {
            "anomalies": ["id", "where"],
            "scores": ["id"],
            "quarantine": [],
            "daily_summary": [],
            "runs": [],
        }

    def test_without_a_key_a_row_is_known_by_its_hash(self):
        assert columns_before_ours(TABLES[0], {}, {}) == (ROW_HASH,)

    def test_every_column_says_what_it_means_and_has_a_type_of_the_contract(self):
        for table in TABLES:
            assert table.columns[0].name == "event_date"
            for column in table.columns:
                assert column.meaning
                assert column.type in {
                    "BIGINT", "DOUBLE", "BOOLEAN", "STRING", "DATE", "TIMESTAMP",
                }  # fmt: skip

    def test_no_name_of_ours_may_be_the_sources(self):
        assert {"event_date", "row_hash", "dt", "severity"} <= RESERVED_NAMES


class TestGuide:
    def test_the_schema_says_every_column_of_every_table_in_order(self, output):
        plain = json.loads(schema_json(Published("n", output, {"id": "BIGINT"}, {"x": "DATE"})))
        assert list(plain["tables"]) == [table.name for table in TABLES]
        columns = plain["tables"]["anomalies"]["columns"]
        assert [(column["name"], column["type"]) for column in columns[:3]] == [
            ("id", "BIGINT"),
            ("x", "DATE"),
            ("event_date", "DATE"),
        ]

    @pytest.mark.parametrize("name", ODD_NAMES)
    def test_odd_names_stay_in_their_cell_of_the_page(self, output, name):
        page = readme(Published("n", output, {name: "STRING"}, {}))
        lines = [line for line in page.splitlines() if "key of the row" in line]
        assert len(lines) == 2
        for line in lines:
            assert line.replace(r"\|", "").count("|") == 4

    def test_a_guide_that_says_the_same_is_not_written_again(self, output):
        published = lay_out(output)
        write_guide(published)
        files = [path for path in output.rglob("*") if path.is_file()]
        before = {path: path.stat().st_ino for path in files}
        write_guide(published)
        assert {path: path.stat().st_ino for path in files} == before

    def test_a_guide_that_says_something_else_takes_the_place_of_the_old_one(self, output):
        write_guide(lay_out(output))
        (output / "README.md").write_text("mine", "utf-8")
        write_guide(lay_out(output, quarantine=True))
        assert "# Anomalies: card-payments" in (output / "README.md").read_text("utf-8")
        assert "quarantine_by_problem" in (output / "views/duckdb.sql").read_text("utf-8")
        assert not list(output.parent.rglob("*.part"))

    def test_what_a_killed_run_left_unfinished_goes_with_the_next_one(self, output):
        write_guide(lay_out(output))
        area = output.with_name(f".{output.name}.adlib")
        (area / "unfinished.part").write_text("half of", "utf-8")
        write_guide(lay_out(output))
        assert not list(output.parent.rglob("*.part"))


class TestDuckDb:
    @pytest.mark.parametrize("key", ODD_NAMES)
    def test_the_views_run_whatever_the_path_and_the_key(self, output, key):
        rows = _ask(lay_out(output, key), "SELECT * FROM anomalies ORDER BY anomaly_score")
        assert [row[0] for row in rows] == ["b", "a"]

    def test_of_a_date_that_was_run_twice_the_last_published_run_counts(self, output):
        rows = _ask(
            lay_out(output), "SELECT event_date, run_id FROM published_runs ORDER BY event_date"
        )
        assert rows == [(FIRST, "new"), (SECOND, "new")]

    def test_the_last_date_has_no_anomalies_so_none_is_shown_as_the_latest(self, output):
        assert _ask(lay_out(output), "SELECT * FROM latest_anomalies") == []

    def test_a_date_on_which_nothing_was_scored_is_not_the_latest(self, output):
        rows = _ask(
            lay_out(output, scored=0), "SELECT severity, severity_rank FROM latest_anomalies"
        )
        assert rows == [("critical", 4), ("low", 1)]

    def test_the_volume_of_alerts_stands_beside_the_date_before(self, output):
        rows = _ask(
            lay_out(output),
            "SELECT event_date, rows_flagged, rows_flagged_before, mean_rows_flagged_before "
            "FROM alert_volume ORDER BY event_date",
        )
        assert rows == [(FIRST, 2, None, None), (SECOND, 0, 2, 2.0)]

    def test_quarantine_is_counted_by_problem_where_there_is_any(self, output):
        published = lay_out(output)
        assert "quarantine_by_problem" not in duckdb_script(published)
        published = lay_out(output, quarantine=True)
        rows = _ask(published, "SELECT * FROM quarantine_by_problem")
        assert rows == [(SECOND, "bad number", "AMOUNT", 3)]

    def test_views_made_in_a_file_can_be_asked_later(self, output, tmp_path):
        published = lay_out(output)
        with duckdb.connect(str(tmp_path / "bi.duckdb")) as connection:
            connection.execute(duckdb_script(published))
        with duckdb.connect(str(tmp_path / "bi.duckdb")) as connection:
            count = connection.sql("SELECT count(*) FROM adlib_card_payments.daily_totals")
            assert count.fetchall() == [(2,)]


class TestOtherEngines:
    def test_trinos_script_is_parsed_as_trinos_sql(self, output):
        statements = sqlglot.parse(
            trino_script(lay_out(output, ODD_NAMES[0], quarantine=True)), dialect="trino"
        )
        kinds = [statement.key for statement in statements if statement is not None]
        assert kinds.count("create") == 1 + 4 + 6
        assert kinds.count("command") == 4  # CALL: taken as it is
        names = {
            table.name
            for statement in statements
            if isinstance(statement, expressions.Create)
            for table in statement.find_all(expressions.Table)
        }
        assert {"anomalies", "latest_anomalies", "daily_totals"} <= names

    def test_a_name_that_sparks_scripts_would_substitute_turns_that_off(self, output):
        assert "substitute" not in spark_script(lay_out(output))
        script = spark_script(lay_out(output, "${env:HOME}"))
        assert script.index("spark.sql.variable.substitute = false") < script.index("${env:HOME}")

    @pytest.mark.parametrize(
        ("name", "written"),
        [
            ('a "b', '"a ""b"'),
            ("#(lf)", '"#(#)(lf)"'),
            ("tab\there", '"tab#(0009)here"'),
            ("naïve 🂡", '"naïve 🂡"'),
        ],
    )
    def test_power_query_writes_names_as_m_does(self, output, name, written):
        assert f"{{{written}, type text}}" in power_query(lay_out(output, name))

    def test_power_query_knows_every_column_of_the_tables_that_are_there(self, output):
        script = power_query(lay_out(output))
        for table in TABLES:
            if table.name in {"anomalies", "daily_summary", "runs"}:
                assert f"        {table.name} = {{" in script
                assert all(f'{{"{column.name}", ' in script for column in table.columns)
        assert "        scores = {" not in script
