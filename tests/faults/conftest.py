"""What the tests of disturbed publications share."""

import pytest

from adlib.publishing import notices


@pytest.fixture(autouse=True)
def notices_go_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Publications of this process do not wait for readers: there are thousands of them."""
    monkeypatch.setattr(notices, "SECONDS", 0.0)
