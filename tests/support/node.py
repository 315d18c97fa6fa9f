"""Node.js with the npm packages that tests use, installed once into a folder that git does not look at."""

import fcntl
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from tests.support.paths import TESTS

FOLDER = TESTS / "interop"
MODULES = FOLDER / "node_modules"
REQUIRED = "FORWARDER_TEST_NODE"
"""Where this variable is `required`, as in CI, whatever is missing fails the tests instead of skipping them."""


@cache
def why_no_node() -> str | None:
    """Install what is needed where it is not there; return why that cannot be, or `None`."""
    why = _why_not()
    if why is not None and os.environ.get(REQUIRED) == "required":
        raise RuntimeError(why)
    return why


def _why_not() -> str | None:
    if shutil.which("node") is None:
        return "needs node"
    wanted: dict[str, str] = json.loads((FOLDER / "package.json").read_text(encoding="utf-8"))["dependencies"]
    if shutil.which("npm") is None:
        return None if _is_there(wanted) else f"needs npm, to install {', '.join(wanted)}"
    with _one_process():
        return None if _is_there(wanted) or _install(wanted) else f"npm could not install {', '.join(wanted)}"


@contextmanager
def _one_process() -> Iterator[None]:
    """Let in one process at a time: tests run in several."""
    folder = os.open(FOLDER, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def _install(wanted: dict[str, str]) -> bool:
    """Install them, and return whether they are there; not again where another process of this run of the tests has failed."""
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID")
    failed = MODULES / ".failed-run"
    if run is not None and failed.exists() and failed.read_text(encoding="ascii") == run:
        return False
    install = subprocess.run(
        ["npm", "install", "--no-package-lock", "--no-audit", "--no-fund", "--ignore-scripts"],  # noqa: S607 - whichever npm there is
        cwd=FOLDER,
        capture_output=True,
        timeout=120,
        check=False,
    )
    are_there = install.returncode == 0 and _is_there(wanted)
    if run is not None and not are_there:
        MODULES.mkdir(exist_ok=True)
        failed.write_text(run, encoding="ascii")
    return are_there


def _is_there(wanted: dict[str, str]) -> bool:
    """Return whether each package is installed, in the version of its name."""
    return all(_installed(name) == version for name, version in wanted.items())


def _installed(name: str) -> str | None:
    try:
        found = json.loads((MODULES / name / "package.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    version: str = found["version"]
    return version
