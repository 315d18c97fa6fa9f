"""Other users of the machine. To be one takes root: mark such a test with `as_root`."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

NOBODY, OTHER = 65534, 65533
"""Two users that own nothing."""

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to be another user")


@contextmanager
def shared_folder(*, owner: int = 0, mode: int = 0o755) -> Iterator[Path]:
    """Make a folder that every user can enter; pytest's own ones are of one user."""
    made = Path(tempfile.mkdtemp())
    os.chown(made, owner, owner)
    made.chmod(mode)
    try:
        yield made
    finally:
        shutil.rmtree(made)


_BECOME = """
import importlib, os, pkgutil, sys
import ctypes, encodings.idna, encodings.raw_unicode_escape, http.server, json.decoder, multiprocessing, pwd, sqlite3, subprocess, zoneinfo
import forwarder
for each in pkgutil.walk_packages(forwarder.__path__, "forwarder."):
    if not each.name.endswith("__main__"):
        importlib.import_module(each.name)
user = int(sys.argv.pop(1))
os.setgroups([])
os.setgid(user)
os.setuid(user)
"""
"""Everything is loaded before: the other user need not be able to read the interpreter's files."""


def run_as(user: int, script: str, *arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run a script of Python as another user, to its end; `sys.argv[1:]` has the arguments."""
    return subprocess.run(
        _command(user, script, arguments),
        cwd=cwd or "/",
        env=_env(),
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )


@contextmanager
def started_as(user: int, script: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Start a script of Python as another user, with its standard output in a pipe; it is killed at the end."""
    process = subprocess.Popen(
        _command(user, script, arguments), env=_env(), stdout=subprocess.PIPE, text=True, cwd="/"
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def _command(user: int, script: str, arguments: tuple[str, ...]) -> list[str]:
    return [sys.executable, "-c", f"{_BECOME}\n{script}", str(user), *arguments]


def _env() -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "PYTHONPATH": str(Path(__file__).parents[2])}


def forwarder_as(user: int, *arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command of forwarder as another user, to its end."""
    return run_as(user, "from forwarder.cli import main; sys.exit(main(sys.argv[1:]))", *arguments, cwd=cwd)
