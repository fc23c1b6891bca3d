"""The configurations of Spark that are shipped say what the README and the docs promise of them."""

from pathlib import Path

import pytest

CONF = Path(__file__).parents[2] / "conf" / "spark"


def settings_of(name):
    """Read a properties file as spark-submit does: a key, blanks, its value."""
    lines = (CONF / name).read_text("utf-8").splitlines()
    pairs = [line.split(None, 1) for line in lines if line.strip() and not line.startswith("#")]
    found = {key: value.strip() for key, value in pairs}
    assert len(found) == len(pairs), "a key stands twice"
    return found


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("spark.authenticate", "true"),
        ("spark.network.crypto.enabled", "true"),
        ("spark.network.crypto.cipher", "AES/GCM/NoPadding"),
        ("spark.io.encryption.enabled", "true"),
        ("spark.acls.enable", "true"),
    ],
)
def test_on_a_cluster_strangers_are_kept_out_and_what_is_said_and_spilled_is_encrypted(key, value):
    assert settings_of("cluster.conf")[key] == value


def test_nobody_but_who_submits_is_let_in_and_no_secret_stands_in_the_file():
    found = settings_of("cluster.conf")
    let_in = [key for key in found if "acls" in key and key != "spark.acls.enable"]
    assert let_in == []
    assert [key for key in found if "secret" in key or "password" in key] == []


def test_on_one_machine_nothing_listens_to_the_network():
    found = settings_of("local.conf")
    assert found["spark.driver.bindAddress"] == found["spark.driver.host"] == "127.0.0.1"
    assert found["spark.ui.enabled"] == "false"
