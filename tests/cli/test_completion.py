"""A shell completes commands, verbs, options and files by the script that `forwarder completion` prints."""

import shutil
import subprocess
from pathlib import Path

import pytest

from forwarder.cli import COMMANDS, main

BASH = """
source {script}
COMP_WORDS=({line}); COMP_CWORD=$(( ${{#COMP_WORDS[@]}} - 1 ))
_shtab_forwarder forwarder
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


def script_for(shell: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """Return the file with the script for a shell that is installed here."""
    if shutil.which(shell) is None:
        pytest.skip(f"there is no {shell} here")
    assert main(["completion", shell]) == 0
    path = folder / f"completion.{shell}"
    path.write_text(capsys.readouterr().out, encoding="utf-8")
    return path


def said(*command: str, cwd: Path) -> set[str]:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=True)
    return {line.partition("\t")[0] for line in done.stdout.splitlines() if line}


CASES = [
    ("forwarder che", {"check"}),
    ("forwarder dead re", {"replay"}),
    ("forwarder check --con", {"--config", "--connect"}),
    ("forwarder run --log-level w", {"warning"}),
    ("forwarder check --config my", {"my.yaml"}),
]


@pytest.mark.parametrize(("line", "expected"), CASES)
def test_bash_completes(line: str, expected: set[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    script = script_for("bash", tmp_path, capsys)
    (tmp_path / "my.yaml").touch()
    assert said("bash", "-c", BASH.format(script=script, line=line), cwd=tmp_path) == expected


@pytest.mark.parametrize(("line", "expected"), CASES)
def test_fish_completes(line: str, expected: set[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    script = script_for("fish", tmp_path, capsys)
    (tmp_path / "my.yaml").touch()
    assert said("fish", "--no-config", "-c", f"source {script}; complete -C '{line}'", cwd=tmp_path) == expected


def test_zsh_reads_its_script_which_has_every_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    script = script_for("zsh", tmp_path, capsys)
    assert said("zsh", "-f", "-n", str(script), cwd=tmp_path) == set()
    text = script.read_text(encoding="utf-8")
    assert text.startswith("#compdef forwarder")
    assert all(f" {name}:" in text for name in COMMANDS)
