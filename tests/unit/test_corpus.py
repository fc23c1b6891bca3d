"""The kept corpus of hostile inputs is as large as was promised, and every case has a name."""

from tests.corpus.configs import DATES, FILES, SETTINGS
from tests.corpus.models import FILES as MODEL_FILES
from tests.corpus.models import HEADERS, PARTS, POINTERS
from tests.corpus.parquet_tables import BUNDLED, PARQUET_TABLES
from tests.corpus.paths import NO_DIRECTORY, NOWHERE, OF_ONE_ANOTHER
from tests.corpus.text_tables import CSV_TABLES, JSON_TABLES


def test_the_corpus_holds_at_least_two_hundred_hostile_tables():
    assert len(PARQUET_TABLES) + BUNDLED + len(CSV_TABLES) + len(JSON_TABLES) >= 200


def test_the_corpus_holds_at_least_two_hundred_hostile_configurations_paths_and_models():
    calls = len(FILES) + len(SETTINGS) + len(DATES)
    paths = len({*NO_DIRECTORY, *NOWHERE}) + len(OF_ONE_ANOTHER)
    models = len(MODEL_FILES) + len(HEADERS) + len(PARTS) + len(POINTERS)
    assert calls + paths + models >= 200


def test_no_two_tables_share_a_name():
    names = [table.name for table in (*PARQUET_TABLES, *CSV_TABLES, *JSON_TABLES)]
    assert len({*names}) == len(names)
