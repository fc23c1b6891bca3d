"""Ask whether holes are known in the locked packages, and say so where nobody could be asked.

`python release/audit.py constraints.txt`. pip-audit calls a package that no index told it anything
of "not vulnerable"; here it is not audited.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence

_COMMAND = ("-m", "pip_audit", "--no-deps", "--disable-pip", "--progress-spinner", "off")


def verdict(printed: str) -> tuple[int, list[str]]:
    """Return the exit code and what to say of pip-audit's JSON; nothing printed is no index."""
    try:
        found = json.loads(printed)["dependencies"]
    except ValueError:
        return 0, ["Nothing was audited: no index of vulnerabilities could be reached."]
    audited = [one for one in found if "skip_reason" not in one]
    holes = [
        f"{one['name']} {one['version']}: {hole['id']}, fixed in {', '.join(hole['fix_versions'])}"
        for one in audited
        for hole in one["vulns"]
    ]
    if not audited:
        return 0, [f"Nothing was audited: no index told anything of the {len(found)} packages."]
    summary = f"{len(audited)} of {len(found)} packages were audited, {len(holes)} holes are known."
    return (1 if holes else 0), [*holes, summary]


def main(arguments: Sequence[str]) -> int:
    """Audit a lock."""
    command = [sys.executable, *_COMMAND, "--format", "json", "--requirement", arguments[0]]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    code, lines = verdict(ended.stdout)
    print("\n".join(lines))
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
