"""Hostile paths, as they may stand for output, work and models, and for the source."""

from __future__ import annotations

import os
from pathlib import Path

NOWHERE = (
    "\0",
    "a\0b",
    "new\nline",
    "tab\t",
    "\x1b[31m",
    "x" * 256,
    "y/" * 3000 + "z",
    "loop",
    "loop/x",
)
"""What no disk can hold, or leads around in a circle: refused wherever it stands."""
NO_DIRECTORY = (
    *NOWHERE,
    "x" * 249,
    "",
    ".",
    "..",
    "/",
    "//",
    "/..",
    "up",
    "./source/..",
    "source",
    "source/deep/er",
    "./source/../source",
    "to_source",
    "to_source/x",
    "file",
    "file/x",
    "fifo",
    "fifo/x",
    "to_file",
    "/dev/null",
    "/dev/full/x",
    "/etc/passwd",
    "file:///tmp/x",
    "file:/x",
    "s3://bucket/x",
    "s3a://bucket/x",
    "hdfs:///x",
    "HDFS://h/x",
    "abfss://c@a/x",
    "dbfs:/x",
)
"""What cannot be a directory to write to."""
OF_ONE_ANOTHER = {
    "the same": {"output": "o", "work": "o"},
    "the same by another way": {"output": "o", "work": "x/../o"},
    "output inside of work": {"output": "w/o"},
    "work inside of output": {"work": "o/w"},
    "models inside of output": {"models": "o/anomalies"},
    "work inside of models": {"work": "m/a/w"},
    "work where dates are prepared": {"work": ".o.adlib"},
    "models where dates are prepared": {"models": ".o.adlib/bundles"},
    "the source where dates are prepared": {"source": ".o.adlib/retired"},
    "the source in the output": {"source": "o/anomalies"},
    "the source around it all": {"source": "."},
    "the source as a pattern around it all": {"source": "*/*.parquet"},
    "the source as an address around it all": {"source": "file:."},
}
"""Paths that are fine by themselves."""
ODD = (
    "dangling",
    "dangling/x",
    "~",
    "$HOME",
    "-rf",
    "*",
    "[a]",
    "{a,b}",
    "a b ",
    "\u202eevil",
    "😀",
    "%2e%2e/x",
    "C:\\x",
    "'; DROP TABLE x; --",
    "<script>",
    "=1+1",
    "e\u0301",
    ".hidden",
    "a:b",
    "nul",
    "x" * 248,
)
"""What is a directory's name like any other."""


def lay_traps(root: Path) -> None:
    """Make what the paths above lead to."""
    (root / "source").mkdir()
    (root / "file").write_text("in the way", "utf-8")
    for link, target in {
        "loop": "loop",
        "dangling": "nowhere",
        "to_source": "source",
        "to_file": "file",
        "up": "/",
    }.items():
        (root / link).symlink_to(target)
    os.mkfifo(root / "fifo")
