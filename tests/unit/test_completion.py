"""What a shell asks the command line when somebody presses the tab key."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ADLIB = Path(sys.executable).with_name("adlib")
NAMED = {"_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}
"""Typer then takes the shell's name as an argument instead of asking who started it."""
SHELLS = {
    "bash": 'source "{script}"; COMP_WORDS=({words}); COMP_CWORD={last}; '
    '_adlib_completion adlib; printf "%s\\n" "${{COMPREPLY[@]}}"',
    "fish": 'source "{script}"; complete -C "{line}"',
    # zle alone calls the function: what it evaluates is printed instead
    "zsh": '_arguments() {{ print -r -- "$@" }}; compdef() {{ }}; source "{script}"; '
    "words=({words}); CURRENT={current}; _adlib_completion",
}
ASKED = [
    ("adlib sco", "score"),
    ("adlib score --engine row", "row_groups"),
    ("adlib models pro", "promote"),
]


def script_for(shell: str, folder: Path) -> Path:
    command = [str(ADLIB), "--show-completion", shell]
    ended = subprocess.run(
        command, env={**os.environ, **NAMED}, capture_output=True, text=True, check=True
    )
    script = folder / f"adlib.{shell}"
    script.write_text(ended.stdout, "utf-8")
    return script


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(("line", "expected"), ASKED)
def test_the_tab_key_completes_commands_and_values(tmp_path, shell, line, expected):
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    words = line.split()
    said = SHELLS[shell].format(
        script=script_for(shell, tmp_path),
        words=line,
        line=line,
        last=len(words) - 1,
        current=len(words),
    )
    path = f"{ADLIB.parent}{os.pathsep}{os.environ['PATH']}"
    ended = subprocess.run(
        [shell, "-c", said],
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert expected in ended.stdout, ended.stderr


@pytest.mark.parametrize("shell", SHELLS)
def test_it_can_be_installed_for_each_shell(tmp_path, shell):
    subprocess.run(
        [str(ADLIB), "--install-completion", shell],
        env={**os.environ, **NAMED, "HOME": str(tmp_path)},
        capture_output=True,
        check=True,
    )
    installed = [file for file in tmp_path.rglob("*adlib*") if file.is_file()]
    assert any("_ADLIB_COMPLETE" in file.read_text("utf-8") for file in installed)
