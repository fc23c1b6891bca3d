"""The command line: parse, run a story, print its summary, end with the right exit code."""

from adlib.cli import clean, compare, explain, init, jobs, looking, models, report, verify
from adlib.cli.app import app
from adlib.cli.endings import main

__all__ = [
    "app",
    "clean",
    "compare",
    "explain",
    "init",
    "jobs",
    "looking",
    "main",
    "models",
    "report",
    "verify",
]
