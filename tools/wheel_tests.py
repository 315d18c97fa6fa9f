"""The tests of `core/` against the built wheel, on every CPython of this machine.

`python -m tools.wheel_tests` builds the wheel, installs it with its extra `test` into a new environment for each CPython it finds, and
runs tests/core against what is installed there. `python -m tools.wheel_tests 3.13` does so for that version alone, `--others` for all but
the one that runs this. A version that is not here is skipped, with the reason, unless it was asked for.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic

ROOT = Path(__file__).parents[1]
VERSIONS = ("3.11", "3.12", "3.13", "3.14")
_READ_BY_TESTS = ("tests", "tools", "docs", "README.md", "config.yaml", "config.schema.json", "pyproject.toml")
"""What is copied beside the installed package: the tests, and the files that they compare the code with."""
_OWN = "{}.{}".format(*sys.version_info)
_ABOUT = "import ensurepip, sys, venv; print(sys.implementation.name, '{}.{}'.format(*sys.version_info))"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the tests on each version; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tools.wheel_tests", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("versions", nargs="*", metavar="VERSION", help=f"such as 3.13; else {', '.join(VERSIONS)}")
    parser.add_argument("--others", action="store_true", help="without the version that runs this")
    settings = parser.parse_args(arguments)
    asked = settings.versions
    versions = [version for version in asked or VERSIONS if not (settings.others and version == _OWN)]
    found = {version: interpreter(version) for version in versions}
    with TemporaryDirectory(prefix="forwarder-wheel-") as folder:
        wheel = build(Path(folder))
        with ThreadPoolExecutor() as threads:
            places = {
                version: threads.submit(set_up, Path(folder) / version, python, wheel)
                for version, python in found.items()
                if python is not None
            }
        results = {version: run(version, place.result()) for version, place in places.items()}
    for version, python in found.items():
        if python is None:
            print(f"{version}: skipped: no CPython {version} with venv and ensurepip on PATH, in pyenv or in uv")
        else:
            print(f"{version}: {results[version]}")
    return 0 if all(result.startswith("passed") for result in results.values()) and (results or not asked) else 1


def interpreter(version: str) -> Path | None:
    """Return a CPython of that version, such as 3.13, that can make an environment; None where there is none."""
    for candidate in _candidates(version):
        try:
            ran = subprocess.run([candidate, "-c", _ABOUT], capture_output=True, text=True, timeout=60, check=False)
        except OSError:
            continue
        if ran.returncode == 0 and ran.stdout.split() == ["cpython", version]:
            return candidate
    return None


def _candidates(version: str) -> Iterator[Path]:
    name = f"python{version}"
    for folder in os.get_exec_path():
        if (path := Path(folder) / name).is_file():
            yield path
    root = os.environ.get("PYENV_ROOT") or _said(["pyenv", "root"])
    if root:
        yield from sorted(Path(root.strip()).glob(f"versions/*/bin/{name}"), reverse=True)
    listed = _said([sys.executable, "-m", "uv", "python", "list", "--only-installed", "--output-format", "json"])
    for each in json.loads(listed or "[]"):
        if each["version"].startswith(f"{version}."):
            yield Path(each["path"])


def _said(command: Sequence[str]) -> str:
    """Return what a command prints; nothing where it is missing or fails."""
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return ""


def build(folder: Path) -> Path:
    """Build the wheel there and return its path."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    return wheel


def set_up(place: Path, python: Path, wheel: Path) -> Path:
    """Make a folder with an environment that holds the wheel, and with the tests; return it.

    The name `forwarder` beside the tests leads to the installed package, so the tests never use a file of the checkout instead of one of the wheel.
    """
    subprocess.run([python, "-m", "venv", place / "venv"], check=True)
    new = place / "venv/bin/python"
    subprocess.run([new, "-m", "pip", "install", "-q", f"{wheel}[test]"], check=True, cwd=place)
    for name in _READ_BY_TESTS:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, place / name, ignore=shutil.ignore_patterns("__pycache__", "node_modules"))
        else:
            shutil.copy(ROOT / name, place / name)
    where = "import forwarder, pathlib; print(pathlib.Path(forwarder.__file__).parent)"
    installed = subprocess.run([new, "-I", "-c", where], check=True, capture_output=True, text=True).stdout.strip()
    (place / "forwarder").symlink_to(installed)
    return place


def run(version: str, place: Path) -> str:
    """Run tests/core there; return what came of it, beginning with `passed` where they all passed."""
    print(f"+ CPython {version}: pytest tests/core, with the wheel", flush=True)
    began = monotonic()
    count = str(len(os.sched_getaffinity(0)))
    command = [
        str(place / "venv/bin/python"),
        "-m",
        "pytest",
        "-p",
        "no:cacheprovider",
        "-q",
        "-n",
        count,
        "tests/core",
    ]
    code = subprocess.run(command, cwd=place, check=False).returncode
    return f"{'failed' if code else 'passed'} in {monotonic() - began:.0f} s"


if __name__ == "__main__":
    sys.exit(main())
