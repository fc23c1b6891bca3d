"""What the name of a column says about it."""

from __future__ import annotations

import re

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_LABELS = _words(
    "label labels fraud fraudulent anomaly anomalies anomalous outlier malicious intrusion"
)
_LABELS_ALONE = _words("class target y truth default attack incident abnormal outcome churn")
_IDENTIFIERS = _words(
    "id ids uid key uuid guid identifier pk rowid reference ref hash ip iban pan email"
)
_GLUED_IDENTIFIER = re.compile(r"[a-z]{3,}(uuid|guid|id)$")
_ENTITIES = (
    *("customer", "client", "user", "account", "card", "patient", "member", "subscriber"),
    *("employee", "host", "device", "sensor", "machine", "src", "source", "ip", "vehicle"),
    *("merchant", "supplier", "vendor", "terminal", "station", "store", "shop", "product"),
)
_MEASURES = _words(
    "count num age days amount total avg mean sum rate size balance len length type class category "
    "status group segment tier kind level country city name score ratio pct percent bytes packets "
    "port"
)
_CODES = _words("code type category class status zip postcode postal port mcc channel region kind")
_TIMES = _words("event occurred happened timestamp datetime time at ts when")
_DATES = _words("date day start started created transaction tx")
_OTHER_TIMES = _words(
    "birth born dob birthday expiry expires expiration until valid updated modified due end ended "
    "deleted first last registered joined signup closed"
)
_AMOUNTS = (
    *("amount", "value", "price", "total", "cost", "charge", "bytes", "volume", "duration"),
    *("quantity", "reading", "measurement", "size"),
)


def words_of(name: str) -> list[str]:
    """Split a name into lower-case words: `TX_FRAUD` and `txFraud` are both tx, fraud."""
    return [word.lower() for word in _WORD.findall(name)]


def sounds_like_label(name: str) -> bool:
    """Tell whether a name is one that labels have."""
    words = words_of(name)
    bare = [word for word in words if word not in {"is", "has", "ground"}]
    return bool(_LABELS.intersection(words)) or (len(bare) == 1 and bare[0] in _LABELS_ALONE)


def sounds_like_identifier(name: str) -> bool:
    """Tell whether a name is one that identifiers have."""
    words = words_of(name)
    glued = any(_GLUED_IDENTIFIER.fullmatch(word) for word in words[-1:])
    return bool(_IDENTIFIERS.intersection(words)) or glued


def entity_rank(name: str) -> int | None:
    """Return how early a name's entity stands among those known, None where it names none."""
    words = words_of(name)
    if _MEASURES.intersection(words):
        return None
    ranks = [_ENTITIES.index(word) for word in words if word in _ENTITIES]
    glued = [
        rank
        for rank, known in enumerate(_ENTITIES)
        for word in words[-1:]
        if word in {f"{known}id", f"{known}no"}
    ]
    return min([*ranks, *glued], default=None)


def sounds_like_code(name: str) -> bool:
    """Tell whether whole numbers of this name are names rather than amounts."""
    return bool(_CODES.intersection(words_of(name)[-1:]))


def event_time_rank(name: str) -> int:
    """Return how much a name sounds like the time of an event; below zero where it does not."""
    words = set(words_of(name))
    said = 2 * bool(_TIMES & words) + bool(_DATES & words)
    return said - 5 * bool(_OTHER_TIMES & words)


def sounds_like_time(name: str) -> bool:
    """Tell whether a name is one that times have."""
    return bool((_TIMES | _DATES | {"epoch"}) & set(words_of(name)))


def amount_rank(name: str) -> int:
    """Return how early a name's measure stands among those known; the number of them if unknown."""
    words = words_of(name)
    return min((_AMOUNTS.index(word) for word in words if word in _AMOUNTS), default=len(_AMOUNTS))
