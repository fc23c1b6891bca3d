"""The command that holds what was published against its manifests."""

from __future__ import annotations

import json

from adlib.cli.app import app
from adlib.cli.options import ConfigOption, DateOption, JsonOption, SetOption, parse_date
from adlib.config import load_config
from adlib.errors import InputError
from adlib.publishing import published_dates
from adlib.runs import Verdict
from adlib.runs import verify as verify_date


@app.command()
def verify(
    config: ConfigOption,
    settings: SetOption = None,
    day: DateOption = None,
    as_json: JsonOption = False,
) -> None:
    """Hash what was published again; say of each date whether it is intact.

    Its input is what was published, whose contract is the manifest: damage ends with exit code 3,
    which no retry puts right.
    """
    output = load_config(config, settings or ()).output.path.resolve()
    asked, published = parse_date(day), published_dates(output)
    days = published if asked is None else [one for one in published if one == asked]
    if not days:
        what = "Nothing" if asked is None else f"Nothing of {asked}"
        message = f"{what} is published in {output}. Run `adlib run` first, or correct output.path."
        raise InputError(message)
    verdicts = [verify_date(output, one) for one in days]
    for verdict in verdicts:
        print(_sentence(verdict))  # noqa: T201 - the command's output
    if as_json:
        print(json.dumps(_plain(verdicts)))  # noqa: T201 - the contract's last line
    _refuse(verdicts)


def _sentence(verdict: Verdict) -> str:
    if verdict.problem is not None:
        return f"{verdict.day} is not as it was published: {verdict.problem}."
    return f"{verdict.day} is intact: run {verdict.run_id}, {verdict.files} files."


def _plain(verdicts: list[Verdict]) -> dict[str, object]:
    dates = {
        verdict.day.isoformat(): {
            "intact": verdict.problem is None,
            "run_id": verdict.run_id,
            "files": verdict.files,
            "problem": verdict.problem,
        }
        for verdict in verdicts
    }
    intact = all(verdict.problem is None for verdict in verdicts)
    return {"command": "verify", "intact": intact, "dates": dates}


def _refuse(verdicts: list[Verdict]) -> None:
    broken = [verdict for verdict in verdicts if verdict.problem is not None]
    if not broken:
        return
    first = broken[0]
    others = f"{len(broken)} of {len(verdicts)} dates, the first {first.day}"
    which = str(first.day) if len(verdicts) == 1 else others
    raise InputError(
        f"Not as published: {which}: {first.problem}. Run `adlib score` again, which publishes the "
        "date anew from the same rows, or restore the file from a backup."
    )
