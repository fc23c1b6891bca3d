"""Hostile tables of text: CSV and JSON as people and programs hand them in."""

from __future__ import annotations

import gzip
from typing import Any

from tests.corpus.cases import CALL, INPUT, HostileTable, content

_LINES = "id,a,b\n1,2.5,x\n2,3.5,y\n"


def csv(name: str, *files: bytes | str, suffix: str = "csv", **case: Any) -> HostileTable:
    source = {"format": "csv", **case.pop("source", {})}
    return HostileTable(f"CSV {name}", content(*files, suffix=suffix), source=source, **case)


def json(name: str, *files: bytes | str, **case: Any) -> HostileTable:
    source = {"format": "json", **case.pop("source", {})}
    return HostileTable(f"JSON {name}", content(*files, suffix="json"), source=source, **case)


CSV_TABLES = (
    csv("ordinary", _LINES, rows=2),
    csv("of no byte", "", ends=INPUT),
    csv("of a header alone", "id,a\n", ends=INPUT),
    csv("of line breaks", "\n\n\n", ends=INPUT),
    csv("of commas", ",,\n,,\n", ends=INPUT),
    csv("with a byte-order mark", "\ufeff" + _LINES, rows=2, source={"key": ["id"]}),
    csv("with carriage returns", _LINES.replace("\n", "\r\n"), rows=2),
    csv("with carriage returns alone", _LINES.replace("\n", "\r"), rows=2),
    csv("without a last line break", _LINES.rstrip("\n"), rows=2),
    csv("with a quote that never ends", _LINES + '3,"4.5,z\n4,5.5,w\n', rows=3, quarantined=1),
    csv("with a quote in a word", _LINES + '3,4.5,z"z\n', rows=3),
    csv("with doubled quotes", _LINES + '3,4.5,"z ""z"" z"\n', rows=3),
    csv("with line breaks in quotes", _LINES + '3,4.5,"z\nz"\n', rows=3),
    csv("with backslashes", _LINES + "3,4.5,\\\n4,5.5,\\N\n", rows=4),
    csv("with formulas", _LINES + "3,4.5,=1+1\n4,5.5,@SUM(A1)\n", rows=4),
    csv("with markup", _LINES + "3,4.5,<script>alert(1)</script>\n", rows=3),
    csv("with lines too long", _LINES + "3,4.5,z,more,and more\n", rows=3, quarantined=1),
    csv("with lines too short", _LINES + "3\n", rows=3, quarantined=1),
    csv("with NUL", _LINES + "3,4.5,\0\n", rows=3),
    csv("in Latin-1", _LINES.encode() + b"3,4.5,caf\xe9\n", rows=3),
    csv("in UTF-16", _LINES.encode("utf-16"), rows=2, source={"options": {"encoding": "UTF-16"}}),
    csv("in an encoding that is none", _LINES, ends=INPUT, source={"options": {"encoding": "no"}}),
    csv("in UTF-16 that nobody says", _LINES.encode("utf-16-le"), rows=3, quarantined=1),
    csv("with a name twice", "a,a\n1,2\n", ends=INPUT),
    csv("with names alike but for case", "a,A\n1,2\n", rows=1),
    csv("with names that are empty", ",,\n1,2,3\n", ends=INPUT),
    csv("with odd names", 'a.b,"c\nd",e`f,"=g"\n1,2,3,4\n', rows=1),
    csv("with a name of ours", "adlib malformed line,a\n1,2\n", ends=INPUT),
    csv("of files with other headers", _LINES, "id,b,a\n3,z,4.5\n", ends=INPUT),
    csv("of a file and an empty one", _LINES, "", rows=2),
    csv("with a text of a megabyte", _LINES + f"3,4.5,{'z' * 1_000_000}\n", rows=3),
    csv("of 25,000 columns", ",".join(f"c{n}" for n in range(25_000)) + "\n", ends=INPUT),
    csv("with numbers that are none", _LINES + "3,1e999,z\n4,NaN,z\n5,٣,z\n", rows=5),
    csv("with whole numbers without end", f"a\n1\n{'9' * 400}\n", rows=2),
    csv("with decimal commas", 'a;b\n1,5;x\n"2,5";y\n', rows=2, source={"options": {"sep": ";"}}),
    csv(
        "with declared numbers that are none",
        "a,b\n1,x\ntwo,y\n3,z\n",
        rows=3,
        quarantined=1,
        more={"features": {"numeric": ["a"]}},
    ),
    csv(
        "with declared times that are none",
        "a,t\n1,2026-01-01\n2,soon\n",
        rows=2,
        quarantined=1,
        more={"features": {"numeric": ["a"], "timestamp": ["t"]}},
    ),
    csv("compressed", gzip.compress(_LINES.encode()), suffix="csv.gz", rows=2),
    csv(
        "compressed and cut", gzip.compress(_LINES.encode() * 99)[:50], suffix="csv.gz", ends=INPUT
    ),
    csv("said to be compressed", _LINES, suffix="csv.gz", ends=INPUT),
    csv("of zeros compressed", gzip.compress(bytes(2_000_000)), suffix="csv.gz", ends=INPUT),
    csv("with a separator that is empty", _LINES, ends=INPUT, source={"options": {"sep": ""}}),
    csv("with a quote of two characters", _LINES, ends=INPUT, source={"options": {"quote": "''"}}),
    csv(
        "with a time format that is none", _LINES, rows=2, source={"options": {"dateFormat": "b'"}}
    ),
    csv(
        "with an option that is no number",
        _LINES,
        ends=INPUT,
        source={"options": {"maxColumns": "x"}},
    ),
    csv("with an option that drops lines", _LINES, ends=CALL, source={"options": {"Mode": "x"}}),
    csv("that is a page", "<html>\n<body>404</body>\n</html>\n", rows=2),
)
JSON_TABLES = (
    json("ordinary", '{"a": 1, "b": "x"}\n{"a": 2}\n', rows=2),
    json("of no byte", "", ends=INPUT),
    json("of line breaks", "\n\n", ends=INPUT),
    json("of empty objects", "{}\n{}\n", ends=INPUT),
    json("of numbers", "1\n2\n", ends=INPUT),
    json("of nulls", "null\nnull\n", ends=INPUT),
    json("that is none", "hello\nworld\n", ends=INPUT),
    json("with a line that is none", '{"a": 1}\nhello\n{"a": 2}\n', rows=3, quarantined=1),
    json("cut short", '{"a": 1}\n{"a": 2', rows=2, quarantined=1),
    json("with a comma too many", '{"a": 1,}\n{"a": 2}\n', rows=2, quarantined=1),
    json("with a byte-order mark", '\ufeff{"a": 1}\n{"a": 2}\n', rows=2),
    json("in UTF-16", '{"a": 1}\n'.encode("utf-16"), rows=2, quarantined=1),
    json("with bytes that are no UTF-8", b'{"a": "\xff\xc3"}\n{"a": "b"}\n', rows=2, quarantined=1),
    json("of one list", '[{"a": 1}, {"a": 2}]\n', rows=2),
    json(
        "over many lines",
        '[\n{"a": 1},\n{"a": 2}\n]',
        rows=2,
        source={"options": {"multiLine": True}},
    ),
    json("with a name twice", '{"a": 1, "a": 2}\n', ends=INPUT),
    json("with names alike but for case", '{"a": 1, "A": 2}\n', rows=1),
    json("with names alike but for case on two lines", '{"a": 1}\n{"A": 2}\n', rows=2),
    json("with an empty name", '{"": 1, "a": 2}\n', rows=1),
    json("with odd names", '{"a.b": 1, "`": 2, "😀": 3, "c\\nd": 4}\n', rows=1),
    json("with a name of ours", '{"adlib malformed line": "x", "a": 1}\n', rows=1),
    json("of mixed types", '{"a": 1}\n{"a": "x"}\n{"a": [1]}\n{"a": {"b": 1}}\n', rows=4),
    json("with numbers that are none", '{"a": NaN}\n{"a": Infinity}\n{"a": 1}\n', rows=3),
    json("with numbers too large", '{"a": 1e999}\n{"a": ' + "9" * 400 + "}\n", rows=2),
    json("nested without end", '{"a": ' * 2000 + "1" + "}" * 2000 + "\n", ends=INPUT),
    json("nested", '{"a": 1, "b": {"c": [1, {"d": 2}]}}\n', rows=1),
    json("with half a character", '{"a": "\\ud800", "b": 1}\n', rows=1),
    json("with NUL", '{"a": "\\u0000", "b": 1}\n', rows=1),
    json("with a text of a megabyte", '{"a": "' + "z" * 1_000_000 + '"}\n', rows=1),
)
