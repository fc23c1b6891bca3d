"""An error says what was expected and found, and survives the way between processes."""

import copy

import pytest

from adlib import errors
from adlib.errors import AdlibError, InputError, ModelError

CLASSES = [found for found in vars(errors).values() if isinstance(found, type)]
CODES = {
    "AdlibError": 1,
    "ConfigError": 2,
    "InputError": 3,
    "ModelError": 4,
    "BusyError": 5,
    "TransientError": 75,
}


@pytest.mark.parametrize("kind", [kind for kind in CLASSES if issubclass(kind, AdlibError)])
def test_every_error_has_the_exit_code_of_the_contract(kind):
    assert kind.exit_code == CODES[kind.__name__]


@pytest.mark.parametrize(
    "error",
    [
        InputError.missing_columns(["a"], ["b"], "The table"),
        InputError.nothing_to_read("the table", "Look."),
        ModelError.degenerate("it is flat", "Look."),
        ModelError.altered("here", "it is short"),
    ],
)
def test_an_error_survives_being_taken_apart_and_built_again(error):
    again = copy.deepcopy(error)
    assert type(again) is type(error)
    assert str(again) == str(error)


def test_a_missing_column_is_named_beside_those_that_are_there():
    names = [f"column {place}" for place in range(20)]
    message = str(InputError.missing_columns(["amount"], names, "The table"))
    assert message.startswith("The table has no column 'amount'; it has 'column 0', ")
    assert "'column 11' and 8 more." in message


def test_a_table_without_columns_is_said_to_have_none():
    assert "it has none." in str(InputError.missing_columns(["amount"], [], "The table"))
