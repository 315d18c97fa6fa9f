"""The lock fits pyproject.toml, and a lock that does not is reported."""

import re
import tomllib
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

from tests.support.paths import ROOT
from tools.lock import LOCKS, problems, read

PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
TEXTS = {name: (ROOT / name).read_text(encoding="utf-8") for name in LOCKS}
RUNTIME, DEV = LOCKS


def test_the_lock_fits_pyproject() -> None:
    assert list(problems(PYPROJECT, TEXTS)) == []


def test_the_lock_holds_exact_versions_with_hashes() -> None:
    pins = list(read(TEXTS[DEV]))
    assert {"aiohttp", "pytest", "hatchling"} <= {pin.requirement.name for pin in pins}
    assert all(pin.hashes for pin in pins)
    assert "pytest" not in {pin.requirement.name for pin in read(TEXTS[RUNTIME])}


def changed(change: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    pyproject = deepcopy(PYPROJECT)
    change(pyproject["project"])
    return pyproject


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda project: project["dependencies"].append("some-library>=1"), "no pin fits some-library>=1"),
        (lambda project: project["dependencies"].append("aiohttp<1"), "no pin fits aiohttp<1"),
        (lambda project: project["optional-dependencies"]["test"].append("pytest>=1000"), "no pin fits pytest>=1000"),
        (lambda project: project["dependencies"].append("backports.zstd>=1.0"), "no pin fits backports.zstd>=1.0"),
        (lambda project: project["optional-dependencies"]["dev"].remove("forwarder[test]"), "trustme is not in"),
    ],
    ids=["new", "other version", "an extra's", "on more Pythons", "removed"],
)
def test_a_change_of_pyproject_that_the_lock_does_not_fit_is_reported(
    change: Callable[[dict[str, Any]], object], said: str
) -> None:
    assert any(said in problem for problem in problems(changed(change), TEXTS))


@pytest.mark.parametrize(
    ("name", "found", "put", "said"),
    [
        (RUNTIME, r"\A", "--index-url https://index.example/simple\n", "line 1 says where packages come from"),
        (RUNTIME, r"\A", "# from https://index.example\n", "line 1 says where packages come from"),
        (DEV, r"^pytest==[^ ]+", "pytest @ file:///pytest.whl", "says where packages come from"),
        (RUNTIME, r"^aiohttp==[^ ]+", "aiohttp==3.14.*", "aiohttp==3.14.* is not one exact version"),
        (RUNTIME, r"^aiohttp==[^ ]+", "aiohttp>=3.14.3", "aiohttp>=3.14.3 is not one exact version"),
        (RUNTIME, r"--hash=sha256:", "--hash=md5:", "has no hash"),
        (RUNTIME, r"^aiohttp==[^ ]+", "aiohttp==3.14.3", "locks/dev.txt: does not hold aiohttp==3.14.3"),
        (RUNTIME, r"(?s).*", "", "no pin fits aiohttp"),
    ],
)
def test_what_is_no_lock_or_not_the_same_in_both_files_is_reported(name: str, found: str, put: str, said: str) -> None:
    text = re.sub(found, put, TEXTS[name], flags=re.MULTILINE, count=0 if "hash" in found else 1)
    assert text != TEXTS[name]
    assert any(said in problem for problem in problems(PYPROJECT, TEXTS | {name: text}))
