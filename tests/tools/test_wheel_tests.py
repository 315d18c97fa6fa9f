"""The wheel holds what the package needs, and a CPython is taken only if it is one that can be used."""

import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

from tests.support.paths import ROOT
from tools.wheel_tests import build, interpreter

VERSION = "{}.{}".format(*sys.version_info)


def test_the_wheel_holds_every_file_of_the_package_and_nothing_else(tmp_path: Path) -> None:
    with ZipFile(build(tmp_path)) as wheel:
        held = {name for name in wheel.namelist() if ".dist-info/" not in name}
    package = [path for path in (ROOT / "forwarder").rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    assert held == {path.relative_to(ROOT).as_posix() for path in package}


def fake(folder: Path, script: str) -> Path:
    """Put an interpreter of this version on the path that does what the script says."""
    path = folder / f"python{VERSION}"
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="ascii")
    path.chmod(0o755)
    return path


@pytest.fixture(autouse=True)
def only_this_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "pyenv"))
    monkeypatch.setenv("UV_PYTHON_INSTALL_DIR", str(tmp_path / "uv"))


def test_an_interpreter_on_the_path_is_found(tmp_path: Path) -> None:
    path = fake(tmp_path, f'exec {sys.executable} "$@"')
    assert interpreter(VERSION) == path


def test_one_of_pyenv_is_found_and_a_shim_that_leads_nowhere_is_passed_over(tmp_path: Path) -> None:
    fake(tmp_path, "exit 127")
    folder = tmp_path / "pyenv" / "versions" / f"{VERSION}.0" / "bin"
    folder.mkdir(parents=True)
    path = fake(folder, f'exec {sys.executable} "$@"')
    assert interpreter(VERSION) == path


@pytest.mark.parametrize("said", ["pypy 3.11", "cpython 3.10", ""])
def test_another_implementation_or_version_is_not_taken(tmp_path: Path, said: str) -> None:
    path = fake(tmp_path, f"echo {said}")
    assert interpreter(VERSION) != path


def test_a_version_that_is_not_here_is_none() -> None:
    assert interpreter("3.99") is None
