"""Node.js with the npm package `standardwebhooks`, installed once into a folder that git does not look at."""

import json
import os
import shutil
import subprocess
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "interop"
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
    version = json.loads((FOLDER / "package.json").read_text(encoding="utf-8"))["dependencies"]["standardwebhooks"]
    if _installed() == version:
        return None
    if shutil.which("npm") is None:
        return "needs npm, to install the verifier"
    install = subprocess.run(
        ["npm", "install", "--no-package-lock", "--no-audit", "--no-fund", "--ignore-scripts"],  # noqa: S607 - whichever npm there is
        cwd=FOLDER,
        capture_output=True,
        timeout=120,
        check=False,
    )
    return None if install.returncode == 0 and _installed() == version else "npm could not install standardwebhooks"


def _installed() -> str | None:
    try:
        found = json.loads((MODULES / "standardwebhooks" / "package.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    version: str = found["version"]
    return version
