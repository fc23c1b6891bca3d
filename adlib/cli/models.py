"""The registry's commands."""

from __future__ import annotations

import json
import logging
from typing import Annotated

import typer

from adlib.artifacts import document_of
from adlib.cli.app import models_app
from adlib.cli.options import ConfigOption, JsonOption, SetOption
from adlib.config import load_config
from adlib.errors import ModelError
from adlib.printing import print_models
from adlib.wiring import registry_of

_LOG = logging.getLogger(__name__)


@models_app.command("list")
def list_models(
    config: ConfigOption, settings: SetOption = None, as_json: JsonOption = False
) -> None:
    """List the models of the configuration's name, and say which of them are refused."""
    registry = registry_of(load_config(config, settings or ()))
    promoted = registry.promoted()
    listed = sorted({*registry.ids(), *([promoted] if promoted else [])})
    problems = {model_id: registry.problem_with(model_id) for model_id in listed}
    refused = {model_id: said for model_id, said in problems.items() if said is not None}
    intact = [model_id for model_id in problems if model_id not in refused]
    print_models([document_of(registry.load(one)) for one in intact], refused, promoted)
    if as_json:
        plain = {"models": intact, "refused": list(refused), "promoted": promoted}
        print(json.dumps(plain))  # noqa: T201 - the contract's last line
    if promoted in refused:
        _LOG.warning("The promoted model %s is refused: nothing is scored with it.", promoted)


@models_app.command("show")
def show_model(
    model_id: Annotated[str, typer.Argument(help="The model's id.")],
    config: ConfigOption,
    settings: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print a model's document, with --json in one line."""
    stored = registry_of(load_config(config, settings or ())).load(model_id)
    indent = None if as_json else 2
    print(json.dumps(document_of(stored), indent=indent, ensure_ascii=False))  # noqa: T201


@models_app.command("promote")
def promote_model(
    model_id: Annotated[str, typer.Argument(help="The model's id.")],
    config: ConfigOption,
    settings: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a model the one that score takes."""
    before = registry_of(load_config(config, settings or ())).promote(model_id)
    place = "the first" if before is None else f"in the place of {before}"
    if before == model_id:
        place = "as it was before"
    plain = {"promoted": model_id, "before": before}
    print(json.dumps(plain) if as_json else f"Promoted {model_id}, {place}.")  # noqa: T201


@models_app.command("verify")
def verify_models(
    config: ConfigOption, settings: SetOption = None, as_json: JsonOption = False
) -> None:
    """Check every model, byte for byte; say of each whether it is intact."""
    registry = registry_of(load_config(config, settings or ()))
    found = {model_id: registry.problem_with(model_id) for model_id in registry.ids()}
    for model_id, problem in found.items():
        print(f"{model_id} is intact." if problem is None else problem)  # noqa: T201
    if as_json:
        intact = [model_id for model_id, problem in found.items() if problem is None]
        print(json.dumps({"intact": intact, "models": list(found)}))  # noqa: T201
    broken = [model_id for model_id, problem in found.items() if problem is not None]
    if broken:
        message = (
            f"{len(broken)} of {len(found)} models are refused: {', '.join(broken)}. Restore them "
            "from a backup, or remove them and train again."
        )
        raise ModelError(message)
