"""Preflight: what has to be in place before a job can run, each a line with what to do.

`driver` looks at Java, Python and packages here, `places` at directories and free space,
`source` at whether the table is there with its columns,
`executors` asks every executor by a small job; `examining` puts them together, and its half that
needs no Spark comes before every job.
"""

from adlib.doctor.checks import Check
from adlib.doctor.examining import examine, preflight
from adlib.doctor.source import refuse_unready_source

__all__ = ["Check", "examine", "preflight", "refuse_unready_source"]
