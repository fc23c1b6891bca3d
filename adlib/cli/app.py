"""The command line's root, to which each module adds its commands."""

from __future__ import annotations

import typer

app = typer.Typer(
    name="adlib",
    help="Find the strange rows of a very large table, and say why each is strange.",
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
models_app = typer.Typer(help="The registry: list, show, promote and verify models.")
app.add_typer(models_app, name="models")
