"""The lock: exact versions with hashes for `pip install --require-hashes`, made from pyproject.toml.

`python -m tools.lock` renews it with as few changes as possible, with `--upgrade` to the newest versions; both ask the package index.
`python -m tools.lock --check` reports where it no longer fits pyproject.toml, without the network.
"""

import argparse
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
LOCKS: Mapping[str, tuple[str, ...]] = {"locks/runtime.txt": (), "locks/dev.txt": ("dev",)}
"""Each file of the lock, with the extras that it holds besides the dependencies of every installation."""

_HEADER = """\
# Exact versions and hashes of {what}, for every platform and CPython. Renewed by: {command}
"""
_PYTHONS = ("3.11", "3.12", "3.13", "3.14", "3.15")
_PLATFORMS = (("linux", "Linux", "posix"), ("darwin", "Darwin", "posix"), ("win32", "Windows", "nt"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """One locked package: its version, where it applies, and what its files may be."""

    requirement: Requirement
    hashes: tuple[str, ...]
    is_direct: bool
    """pyproject.toml itself asks for it."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Renew or check the lock; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tools.lock", description="Renew the lock from pyproject.toml.")
    action = parser.add_mutually_exclusive_group()
    action.add_argument("--check", action="store_true", help="only report where it does not fit; needs no network")
    action.add_argument("--upgrade", action="store_true", help="take the newest version of everything")
    asked = parser.parse_args(arguments)
    if not asked.check:
        renew(upgrade=asked.upgrade)
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    texts = {name: path.read_text(encoding="utf-8") if (path := ROOT / name).exists() else "" for name in LOCKS}
    found = list(problems(pyproject, texts))
    for problem in found:
        print(problem, file=sys.stderr)
    if found:
        print("the lock does not fit pyproject.toml; renew it: .venv/bin/python -m tools.lock", file=sys.stderr)
    return 1 if found else 0


def renew(*, upgrade: bool) -> None:
    """Write both files again; what still fits keeps its version, unless `upgrade`."""
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    oldest = pyproject["project"]["requires-python"].removeprefix(">=")
    runtime, *_ = LOCKS
    for name, extras in LOCKS.items():
        path = ROOT / name
        path.parent.mkdir(exist_ok=True)
        command = [sys.executable, "-m", "uv", "pip", "compile", "pyproject.toml", "--quiet", "--no-header"]
        command += ["--universal", "--python-version", oldest, "--python", sys.executable, "--generate-hashes"]
        command += [option for extra in extras for option in ("--extra", extra)]
        command += ["--constraint", runtime] if name != runtime else []  # both hold the same version of a package
        command += ["--upgrade"] if upgrade else []
        subprocess.run([*command, "--output-file", name], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
        what = "what runs the daemon" if name == runtime else "what develops and tests it"
        header = _HEADER.format(what=what, command="python -m tools.lock")
        path.write_text(header + path.read_text(encoding="utf-8"), encoding="utf-8")


def problems(pyproject: Mapping[str, Any], texts: Mapping[str, str]) -> Iterator[str]:
    """Yield where the files of the lock do not fit pyproject.toml, or each other, or are no lock."""
    runtime, *_ = LOCKS
    for name, extras in LOCKS.items():
        pins = list(read(texts[name]))
        yield from (f"{name}: {problem}" for problem in _problems_of(pins, declared(pyproject, extras)))
        yield from (f"{name}: {problem}" for problem in _addresses_in(texts[name]))
    in_dev = {str(pin.requirement) for pin in read(texts["locks/dev.txt"])}
    for pin in read(texts[runtime]):
        if str(pin.requirement) not in in_dev:
            yield f"locks/dev.txt: does not hold {pin.requirement}, as {runtime} does"


def declared(pyproject: Mapping[str, Any], extras: Sequence[str]) -> list[Requirement]:
    """Return what pyproject.toml asks for, with what its extras take from one another written out."""
    project = pyproject["project"]
    found = [Requirement(each) for each in project["dependencies"]]
    waiting = list(extras)
    while waiting:
        for text in project["optional-dependencies"][waiting.pop()]:
            requirement = Requirement(text)
            if canonicalize_name(requirement.name) == canonicalize_name(project["name"]):
                waiting += sorted(requirement.extras)
            else:
                found.append(requirement)
    return found


def read(text: str) -> Iterator[Pin]:
    """Yield what a file of the lock pins."""
    for block in re.split(r"^(?=[A-Za-z0-9])", text, flags=re.MULTILINE)[1:]:
        pinned, *rest = block.splitlines()
        yield Pin(
            requirement=Requirement(pinned.removesuffix("\\").strip()),
            hashes=tuple(re.findall(r"--hash=(sha256:[0-9a-f]{64})(?=\s|$)", block)),
            is_direct=any("(pyproject.toml)" in line for line in rest),
        )


def _problems_of(pins: Sequence[Pin], requirements: Sequence[Requirement]) -> Iterator[str]:
    """Yield each requirement without a fitting pin, each pin without exactly one version and a hash, and each left over."""
    by_name: dict[str, list[Pin]] = {}
    for pin in pins:
        by_name.setdefault(canonicalize_name(pin.requirement.name), []).append(pin)
        if not re.fullmatch(r"==[^*,]+", str(pin.requirement.specifier)):
            yield f"{pin.requirement} is not one exact version"
        if not pin.hashes:
            yield f"{pin.requirement} has no hash"
    for requirement in requirements:
        of_that_name = by_name.get(canonicalize_name(requirement.name), [])
        if any(not _is_met(requirement, of_that_name, environment) for environment in _environments()):
            yield f"no pin fits {requirement}"
    asked_for = {canonicalize_name(requirement.name) for requirement in requirements}
    for name, of_that_name in by_name.items():
        if any(pin.is_direct for pin in of_that_name) and name not in asked_for:
            yield f"{name} is not in pyproject.toml any more"


def _is_met(requirement: Requirement, pins: Sequence[Pin], environment: Mapping[str, str]) -> bool:
    if requirement.marker is not None and not requirement.marker.evaluate(environment):
        return True
    applying = [pin for pin in pins if pin.requirement.marker is None or pin.requirement.marker.evaluate(environment)]
    versions = [specifier.version for pin in applying for specifier in pin.requirement.specifier]
    return len(versions) == 1 and requirement.specifier.contains(versions[0], prereleases=True)


def _environments() -> Iterator[dict[str, str]]:
    for python in _PYTHONS:
        for sys_platform, platform_system, os_name in _PLATFORMS:
            environment = {key: str(value) for key, value in default_environment().items()}
            environment |= {"python_version": python, "python_full_version": f"{python}.0", "os_name": os_name}
            environment |= {"sys_platform": sys_platform, "platform_system": platform_system}
            yield environment


def _addresses_in(text: str) -> Iterator[str]:
    """Yield lines that name an index or a file: whoever installs decides where packages come from."""
    for number, line in enumerate(text.splitlines(), start=1):
        if "://" in line or " @ " in line or re.match(r"\s*-(?!-hash=)", line):
            yield f"line {number} says where packages come from: {line.strip()}"


if __name__ == "__main__":
    sys.exit(main())
