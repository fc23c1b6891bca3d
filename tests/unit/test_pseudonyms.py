"""Pseudonyms: made by HMAC-SHA-256, under a key that shows nowhere, and only by the right one."""

from dataclasses import replace

import pyarrow as pa
import pytest

from adlib.cli.traces import bare_trace, bare_words
from adlib.errors import ConfigError, InputError
from adlib.pseudonyms import DIGITS, Pseudonyms, is_pseudonym, mismatch
from adlib.spark.hiding import hidden
from adlib.spark.planning import Preparation

KEY = b"0123456789abcdef"
OURS = Pseudonyms(("customer", "ip"), KEY)
OTHER = replace(OURS, key=b"fedcba9876543210")


def test_a_pseudonym_is_the_hmac_of_the_text_cut_to_half():
    rfc_4231 = Pseudonyms((), b"\x0b" * 20)
    assert rfc_4231.of("Hi There") == "b0344c61d8db38535ca8afceaf0bf12b"
    assert is_pseudonym(rfc_4231.of("Hi There"))
    assert not is_pseudonym("b0344c61")


def test_another_key_makes_other_pseudonyms_and_another_check():
    assert OURS.of("c1") != OTHER.of("c1")
    assert OURS.key_check != OTHER.key_check
    assert OURS.key_check == replace(OURS, columns=()).key_check


def test_the_key_shows_in_no_repr_and_no_digest():
    preparation = Preparation((), None, "UTC", None, None, (), (), None, (), OURS)
    for shown in (repr(OURS), repr(preparation), preparation.digest, str(OURS.to_json())):
        assert KEY.decode() not in shown


def test_a_preparation_is_another_one_under_another_key_and_the_same_without_any():
    plain = Preparation((), None, "UTC", None, None, (), (), None, ())
    digests = {replace(plain, pseudonyms=one).digest for one in (None, OURS, OTHER)}
    assert len(digests) == 3


def test_the_key_is_taken_from_the_environment(monkeypatch):
    monkeypatch.setenv("SOME_KEY", KEY.decode())
    assert Pseudonyms.from_environment(OURS.columns, "SOME_KEY") == OURS


@pytest.mark.parametrize(
    ("value", "said"),
    [(None, "SOME_KEY, and that is not set. Set it"), ("short", "16 bytes, found 5. Set it")],
)
def test_a_key_that_is_not_there_or_short_is_refused_without_repeating_it(monkeypatch, value, said):
    monkeypatch.delenv("SOME_KEY", raising=False)
    if value is not None:
        monkeypatch.setenv("SOME_KEY", value)
    with pytest.raises(ConfigError, match=said) as refused:
        Pseudonyms.from_environment((), "SOME_KEY")
    assert value is None or value not in str(refused.value)


def test_an_arrays_values_are_hidden_and_its_nulls_stay():
    values = pa.array(["a", None, "b", "a", ""])
    a, b, blank = (OURS.of(text) for text in ("a", "b", ""))
    assert hidden(values, OURS).to_pylist() == [a, None, b, a, blank]
    assert hidden(pa.array([], pa.string()), OURS).to_pylist() == []
    assert len(a) == DIGITS


@pytest.mark.parametrize(
    ("learned", "read", "now", "said"),
    [
        (None, ["amount"], None, None),
        (None, ["amount"], OURS, None),
        (OURS, ["amount", "ip"], OURS, None),
        (OURS, ["amount"], OTHER, None),
        (OURS, ["amount"], None, None),
        (None, ["ip"], OURS, "other columns as pseudonyms than privacy.pseudonymise says: 'ip'"),
        (OURS, ["ip"], None, "other columns as pseudonyms than privacy.pseudonymise says: 'ip'"),
        (OURS, ["ip", "amount"], OTHER, "pseudonyms of 'ip' under another key"),
    ],
)
def test_a_model_reads_the_pseudonyms_that_it_learned_from_alone(learned, read, now, said):
    why = mismatch(None if learned is None else learned.to_json(), read, now)
    assert (why is None) if said is None else (why is not None and said in why)


def test_a_bare_trace_names_what_failed_and_quotes_nothing_but_our_own_words():
    try:
        try:
            int("CANARY")
        except ValueError as error:
            raise InputError("A column is no number.") from error
    except InputError as error:
        told = bare_trace(error)
    assert "CANARY" not in told.replace('int("CANARY")', "")
    first, _, last = told.partition("the cause of:")
    assert "ValueError (no condition; what it says is withheld" in first
    assert last.endswith("InputError: A column is no number.\n")
    assert "test_pseudonyms.py" in last


def test_a_bare_trace_has_the_frames_of_java():
    frame = "\tat org.apache.spark.sql.Cast$.of(Cast.scala:12)"
    told = bare_trace(RuntimeError(f"o.a.s.Odd: For input: CANARY\n\tat CANARY\n{frame}\n"))
    assert frame in told
    assert "CANARY" not in told


def test_the_words_of_a_foreign_error_are_withheld():
    assert "CANARY" not in bare_words(KeyError("CANARY"))
