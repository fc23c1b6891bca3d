"""Hostile tables of Parquet: values, names, types, keys, times and files."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tests.corpus.cases import CALL, INPUT, HostileTable, Writer, both, content, parquet

ROWS = 4
NUMBERS = [1.0, 2.5, -3.0, 4.0]
PLAIN = {"id": [1, 2, 3, 4], "a": NUMBERS, "b": ["x", "y", "x", None]}


def beside(**columns: Any) -> Writer:
    """Write ordinary columns and others beside them."""
    return parquet({**PLAIN, **columns})


def named(*names: str) -> Writer:
    """Write columns of these names, which may be alike."""
    arrays = [pa.array(NUMBERS) for _ in names]
    return parquet(pa.table(arrays, names=list(names)))


def times(unit: str, *values: int, zone: str | None = None) -> pa.Array:
    return pa.array(values, pa.timestamp(unit, zone))


NAMES = {
    "with dots": "a.b.c",
    "with a backtick": "a`b",
    "a backtick alone": "`",
    "with quotes": "a\"b'c",
    "an emoji": "😀",
    "written from right to left": "\u202eevil\u202c",
    "with a line break": "a\nb",
    "with a tab and NUL": "a\t\x00b",
    "of blanks": "  ",
    "very long": "n" * 10_000,
    "with separators": "a,b;c=d{e}(f)",
    "that is a path": "../../etc/passwd",
    "that is a formula": "=cmd|' /C calc'!A0",
    "that is markup": "<script>alert(1)</script>",
    "that is a template": "{0} %s ${x} {{x}}",
    "that is a wildcard": "*",
    "that is SQL": "a`; DROP TABLE x; --",
    "of pandas": "__index_level_0__",
    "composed in two ways": "e\u0301",
    "like a partition": "dt=2026-01-01",
    "of ours": "row_hash",
    "of ours for dates": "dt",
    "like a calendar unit": "a_hour",
}
OURS = ("adlib problem", "adlib raw row", "adlib malformed line", "adlib event", "Adlib Copy")
"""Names under which preprocess works."""
VALUES: dict[str, Any] = {
    "not a number and infinite": [np.nan, np.inf, -np.inf, -0.0],
    "at the ends of DOUBLE": [1.7e308, -1.7e308, 5e-324, 0.0],
    "at the ends of BIGINT": [2**63 - 1, -(2**63), 0, 1],
    "unsigned beyond BIGINT": pa.array([2**64 - 1, 0, 1, 2], pa.uint64()),
    "single precision": pa.array([3.4e38, -3.4e38, 1e-45, None], pa.float32()),
    "small whole numbers": pa.array([127, -128, 0, None], pa.int8()),
    "all null": pa.nulls(ROWS, pa.float64()),
    "null by type": pa.nulls(ROWS),
    "texts of control characters": ["\x00", "\x1b[31mred", "a\r\nb", "\x7f"],
    "texts in many scripts": ["😀" * 50, "\u202eevil", "e\u0301", "\ufeffx"],
    "texts that are formulas": ["=1+1", "+1", "-1", "@SUM(A1)"],
    "texts that are markup": ["<script>", "'; DROP TABLE x; --", "${x}", "../../x"],
    "texts of blanks": ["", " ", "\t", "\u00a0"],
    "texts that look like numbers": ["1e999", "NaN", "0x1F", "١٢٣"],
    "a text of megabytes": ["x" * 4_000_000, "", None, "y"],
    "bytes that are no UTF-8": pa.Array.from_buffers(
        pa.string(), 4, pa.array([b"\xff\xfe", b"\xc3", b"ok", b"\x80"], pa.binary()).buffers()
    ),
    "dictionaries": pa.array(["u", None, "u", "v"]).dictionary_encode(),
    "decimals of 38 digits": pa.array([Decimal("9" * 28 + ".1")] * ROWS, pa.decimal128(38, 1)),
    "decimals all behind the point": pa.array([Decimal("0.1")] * ROWS, pa.decimal128(38, 38)),
    "structs": [{"x": 1}, None, {"x": None}, {"x": 2}],
    "maps": pa.array([[("k", 1)], [], None, [("k", 2)]], pa.map_(pa.string(), pa.int64())),
    "lists of numbers of all lengths": [[1.0], [], None, [1.0, None, np.nan]],
    "lists of texts": [["a"], [], None, [None]],
    "lists of structs": [[{"x": 1}], [], None, [None]],
    "lists of fixed size": pa.array([[1.0, 2.0]] * ROWS, pa.list_(pa.float32(), 2)),
    "lists in lists": [[[1.0]], [], None, [[], [2.0]]],
    "binary": [b"\x00\xff", b"", None, b"x"],
    "binary of fixed size": pa.array([b"abcd"] * ROWS, pa.binary(4)),
    "large strings": pa.array(["a", "b", None, "c"], pa.large_string()),
    "dates far out": pa.array([-719_163, 2_932_896, 2**31 - 1, -(2**31)], pa.date32()),
    "dates in milliseconds": pa.array([date(2026, 1, 1)] * ROWS, pa.date64()),
    "times far out": times("us", 2**63 - 1, -(2**63) + 1, 0, 1),
    "times far out in a zone": times("us", 2**63 - 1, -(2**63) + 1, 0, 1, zone="UTC"),
    "times in nanoseconds": times("ns", 2**63 - 1, -(2**63) + 1, 0, 1),
    "times in an odd zone": times("ms", 0, 1, 2, 3, zone="Pacific/Apia"),
    "durations": pa.array([0, 1, None, -1], pa.duration("us")),
    "booleans": [True, False, None, True],
}
UNREADABLE: dict[str, Any] = {
    "half precision": pa.array(np.array(NUMBERS, np.float16)),
    "decimals of 76 digits": pa.array([Decimal(1)] * ROWS, pa.decimal256(76, 0)),
    "times of the day": pa.array([0, 1, None, 86_399_999_999], pa.time64("us")),
    "times of the day in nanoseconds": pa.array([0, 1, None, 2], pa.time64("ns")),
}
"""Values of types that Spark does not read."""


def event(value: Any, **case: Any) -> dict[str, Any]:
    """Return what a table has whose column `at` says when."""
    source = {"event_time": "at", **case.pop("source", {})}
    return {"write": beside(at=value), "rows": ROWS, "source": source, **case}


TIMES: dict[str, dict[str, Any]] = {
    "are texts in many forms": event(
        ["2026-01-01", "01.02.2026", "2026-01-01T00:00:00+14:00", "yesterday"], quarantined=2
    ),
    "are texts of no day": event(["2026-02-30", "2026-13-01", "0000-00-00", ""], quarantined=4),
    "are texts far out": event(
        ["0001-01-01", "9999-12-31 23:59:59", "99999-01-01", "-0044-03-15"], quarantined=4
    ),
    "are texts in mixed zones": event(
        ["2026-01-01 00:00:00Z", "2026-01-01 00:00:00+0530", "2026-01-01 00:00:00 EST", "2026-01"]
    ),
    "are missing": event(pa.nulls(ROWS, pa.timestamp("us")), quarantined=4),
    "are numbers": event([1, 2, 3, 4], ends=INPUT),
    "are true or false": event([True] * 4, ends=INPUT),
    "are lists": event([[1.0]] * 4, ends=INPUT),
    "are far out": event(times("us", 2**63 - 1, -(2**63) + 1, 0, 1), quarantined=2),
    "are far out in a zone": event(
        times("us", 2**63 - 1, -(2**63) + 1, 0, 1, zone="UTC"), quarantined=2
    ),
    "are dates far out": event(
        pa.array([-719_163, 2_932_896, 2**31 - 1, -(2**31)], pa.date32()), quarantined=3
    ),
    "fall into an hour that was skipped": event(
        [datetime(2026, 3, 29, 2, 30)] * 4,  # noqa: DTZ001 - local time is the case
        source={"timezone": "Europe/Berlin"},
    ),
    "fall on a day that was skipped": event(
        [datetime(2011, 12, 30, 12)] * 4,  # noqa: DTZ001 - local time is the case
        source={"timezone": "Pacific/Apia"},
    ),
    "are asked for on the last day there is": event(
        [datetime(2026, 1, 1)] * 4,  # noqa: DTZ001 - local time is the case
        ends=INPUT,
        arguments=("--date", "9999-12-31"),
    ),
    "are asked for on the first day there is": event(
        [datetime(2026, 1, 1)] * 4,  # noqa: DTZ001 - local time is the case
        ends=INPUT,
        arguments=("--date", "0001-01-01"),
        source={"timezone": "Pacific/Kiritimati"},
    ),
    "are looked back upon for longer than there are days": event(
        [datetime(2026, 1, 1)] * 4,  # noqa: DTZ001 - local time is the case
        arguments=("--date", "2026-01-01"),
        more={"windows": [{"by": "b", "over": "9999999d", "take": "count"}]},
    ),
}
KEYS: dict[str, dict[str, Any]] = {
    "all alike": {"write": parquet({**PLAIN, "id": [7] * 4}), "quarantined": 3},
    "all missing": {"write": parquet({**PLAIN, "id": pa.nulls(4, pa.int64())}), "quarantined": 4},
    "not a number": {"write": parquet({**PLAIN, "id": [np.nan, 0.0, -0.0, 1.0]}), "quarantined": 2},
    "of blanks": {"write": parquet({**PLAIN, "id": ["", " ", "\t", "k"]}), "quarantined": 3},
    "very long": {"write": parquet({**PLAIN, "id": [c * 500_000 for c in "abcd"]})},
    "of control characters": {
        "write": parquet({**PLAIN, "id": ["\x00", "\n", "\x1b", "\u202e"]}),
        "quarantined": 1,
    },
    "nested": {"write": parquet({**PLAIN, "id": [[1.0]] * 4}), "ends": INPUT},
    "binary": {"write": parquet({**PLAIN, "id": [b"a", b"b", b"c", b"d"]}), "ends": INPUT},
    "not there": {"write": parquet({"a": NUMBERS}), "ends": INPUT},
    "under another case": {"write": parquet({"ID": [1, 2, 3, 4], "a": NUMBERS}), "ends": INPUT},
}


def whole_file() -> bytes:
    """Return the bytes of a sound file."""
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table({**PLAIN, "t": ["text " * 200] * 4}), sink)
    return bytes(sink.getvalue().to_pybytes())


WHOLE = whole_file()
SPOILT = {
    "empty": b"",
    "one byte": b"P",
    "the mark alone": b"PAR1",
    "the mark twice": b"PAR1PAR1",
    "cut in the middle": WHOLE[: len(WHOLE) // 2],
    "cut by a byte": WHOLE[:-1],
    "without its end": WHOLE[:-8],
    "with more behind it": WHOLE + b"more",
    "with an end that is too long": WHOLE[:-8] + b"\xff\xff\xff\x7fPAR1",
    "with an end of negative length": WHOLE[:-8] + b"\xff\xff\xff\xffPAR1",
    "with zeros for an end": WHOLE[:-400] + bytes(392) + WHOLE[-8:],
    "with zeros for a beginning": bytes(200) + WHOLE[200:],
    "encrypted": WHOLE[:-4] + b"PARE",
    "text": b"id,a\n1,2\n",
    "compressed": b"\x1f\x8b\x08\x00" + bytes(100),
    "random": np.random.default_rng(1).bytes(4096),
}


def directories(*parts: str) -> Writer:
    """Write an ordinary file into each of these directories."""

    def write(folder: Path) -> None:
        for part in parts:
            (folder / part).mkdir(parents=True)
            parquet(PLAIN)(folder / part)

    return write


def linked(target: str) -> Writer:
    """Write an ordinary file and a symbolic link."""

    def write(folder: Path) -> None:
        parquet(PLAIN)(folder)
        (folder / "link.parquet").symlink_to(folder / target)

    return write


def file_named(name: str, **case: Any) -> HostileTable:
    made = {"write": parquet(PLAIN, name), "rows": ROWS, **case}
    return HostileTable(f"a file named {name!a}", **made)


OTHERS = [
    HostileTable("no file at all", lambda _: None, INPUT),
    HostileTable("no row", parquet({"a": pa.array([], pa.float64())}), INPUT),
    HostileTable("no column", parquet(pa.table({"a": [1]}).select([])), INPUT),
    HostileTable("one row", parquet({"a": [1.0]}), rows=1),
    HostileTable("three thousand columns", parquet({f"c{n}": [1.0] for n in range(3000)}), rows=1),
    HostileTable("two names alike but for case", named("a", "A"), rows=ROWS),
    HostileTable("two names alike", named("a", "a"), INPUT),
    HostileTable("a name that is empty", named("", "a"), rows=ROWS),
    HostileTable("row groups without rows", parquet(PLAIN, row_group_size=1), rows=ROWS),
    HostileTable("Brotli", parquet(PLAIN, compression="brotli"), INPUT),
    HostileTable("LZ4", parquet(PLAIN, compression="lz4"), rows=ROWS),
    HostileTable(
        "old timestamps",
        parquet({"t": times("us", 0, 1, 2, 3)}, use_deprecated_int96_timestamps=True),
        rows=ROWS,
    ),
    HostileTable(
        "files that disagree on a type",
        both(parquet({"a": [1]}, "a.parquet"), parquet({"a": ["x"]}, "b.parquet")),
        INPUT,
    ),
    HostileTable(
        "files that disagree on a column",
        both(parquet(PLAIN), parquet({"id": [5]}, "b.parquet")),
        rows=5,
    ),
    HostileTable(
        "files that disagree on case",
        both(parquet({"a": [1.0]}, "a.parquet"), parquet({"A": [2.0]}, "b.parquet")),
        rows=2,
    ),
    HostileTable(
        "marks and hidden files beside it",
        both(parquet(PLAIN), content(b"", suffix="crc"), parquet(PLAIN, "_hidden.parquet")),
        INPUT,
    ),
    HostileTable("partitions of two kinds", directories("x=1", "y=2"), INPUT),
    HostileTable("partitions at two depths", directories("x=1", "x=1/y=2"), INPUT),
    HostileTable("a partition named like a column", directories("a=1", "a=2"), rows=2 * ROWS),
    HostileTable("a partition without a value", directories("x=", "x=1"), INPUT),
    HostileTable("odd values of partitions", directories("x=%2e%2e", "x=😀"), rows=2 * ROWS),
    HostileTable("a link to nothing", linked("nowhere"), rows=ROWS),
    HostileTable("a link to itself", linked("link.parquet"), rows=ROWS),
    HostileTable("a link to what is there", linked("a.parquet"), rows=2 * ROWS),
    file_named("with blank.parquet"),
    file_named("100%.parquet"),
    file_named("a%20b.parquet"),
    file_named("a[1].parquet"),
    file_named("a*b.parquet"),
    file_named("{a,b}.parquet"),
    file_named("😀.parquet"),
    file_named("a:b.parquet", ends=INPUT),
    file_named("a\nb.parquet"),
    file_named("-rf.parquet"),
    file_named("a#b?c.parquet"),
    HostileTable(
        "a label of three values", beside(y=[1, 2, 3, None]), rows=ROWS, source={"label": "y"}
    ),
    HostileTable("a label that is nested", beside(y=[[1.0]] * 4), INPUT, source={"label": "y"}),
    HostileTable(
        "an option that would drop lines",
        parquet(PLAIN),
        CALL,
        source={"options": {"MODE": "DROPMALFORMED"}},
    ),
    HostileTable(
        "an option that takes away rows",
        parquet(PLAIN),
        rows=ROWS,
        source={"options": {"pathGlobFilter": "*.parquet", "modifiedAfter": "2000-01-01T00:00:00"}},
    ),
    HostileTable("ORC that is Parquet", parquet(PLAIN), INPUT, source={"format": "orc"}),
    HostileTable("CSV that is Parquet", parquet(PLAIN), INPUT, source={"format": "csv"}),
    HostileTable("JSON that is Parquet", parquet(PLAIN), INPUT, source={"format": "json"}),
    *(
        HostileTable(
            f"a table named {name!r}",
            parquet(PLAIN),
            INPUT,
            source={"format": "table", "path": name},
        )
        for name in (
            "nowhere",
            "a; DROP TABLE x",
            "`",
            "a.b.c.d.e",
            "../x",
            "parquet.`/etc`",
            "text.`/etc/passwd`",
            "range(10)",
            "x" * 200,
        )
    ),
]
BUNDLED = len(NAMES) + len(VALUES)
"""How many cases stand side by side in the first two tables."""
PARQUET_TABLES = (
    HostileTable("names of every kind", named("a", *NAMES.values()), rows=ROWS),
    HostileTable("values of every kind", beside(**VALUES), rows=ROWS),
    *(HostileTable(f"a column {name!r}", named("a", name), INPUT) for name in OURS),
    *(
        HostileTable(f"values {what}", beside(value=value), INPUT)
        for what, value in UNREADABLE.items()
    ),
    *(HostileTable(f"times that {what}", **case) for what, case in TIMES.items()),
    *(
        HostileTable(f"keys {what}", **{"rows": ROWS, "source": {"key": ["id"]}, **case})
        for what, case in KEYS.items()
    ),
    *(
        HostileTable(f"a file that is {what}", content(spoilt, suffix="parquet"), INPUT)
        for what, spoilt in SPOILT.items()
    ),
    *OTHERS,
)
