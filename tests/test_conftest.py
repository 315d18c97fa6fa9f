"""How tests are run, shown with pytest on a small suite that has the same settings and conftest.py."""

import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
SUITE = """
import os
from pathlib import Path
from time import monotonic, sleep

import pytest

FOLDER = Path(__file__).parent

def meet(number, kind, them):
    (FOLDER / f"{kind}-here-{number}").touch()
    end = monotonic() + 150
    while not all((FOLDER / f"{kind}-here-{each}").exists() for each in them):
        assert monotonic() < end, "the other one does not run"
        sleep(0.005)

def running(name, others):
    place = FOLDER / "running"
    place.mkdir(exist_ok=True)
    (place / name).touch()
    for _ in range(20):
        found = {each.name for each in place.iterdir()} - {name}
        assert not {each for each in found if others == "none" or each.startswith("alone")}, found
        sleep(0.005)
    (place / name).unlink()
    with (FOLDER / "order").open("a") as file:
        file.write(name + "\\n")

@pytest.mark.alone
@pytest.mark.parametrize("number", range(3))
def test_alone(number):
    running(f"alone-{number}", others="none")

@pytest.mark.quiet
@pytest.mark.parametrize("number", range(2))
def test_quiet(number):
    running(f"quiet-{number}", others="not alone")
    if os.environ.get("MEET"):
        meet(number, "quiet", (0, 1))

@pytest.mark.parametrize("number", range(3))
def test_together(number):
    if number != 1 and os.environ.get("MEET"):  # of three, which of the others a worker takes as its second
        meet(number, "any", (0, 2))

@pytest.mark.parametrize("number", range(12))
def test_any(number):
    running(f"any-{number}", others="not alone")
    assert number != int(os.environ.get("FAIL", -1))
"""


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests/test_it.py").write_text(SUITE, encoding="utf-8")
    shutil.copy(TESTS / "conftest.py", tmp_path / "tests")
    shutil.copy(TESTS.parent / "pyproject.toml", tmp_path)
    return tmp_path


def run(suite: Path, *arguments: str, **env: str) -> tuple[int, str]:
    """Run pytest there; return its exit code and what it printed."""
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments],
        cwd=suite,
        env={key: value for key, value in os.environ.items() if not key.startswith("PYTEST_")} | env,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    return ran.returncode, ran.stdout + ran.stderr


def order(suite: Path) -> list[str]:
    """Return which tests ended, in that order, without their numbers."""
    return [line.split("-")[0] for line in (suite / "tests/order").read_text(encoding="ascii").splitlines()]


def test_a_folder_runs_in_parallel_and_what_is_marked_quiet_or_alone_runs_behind_it(suite: Path) -> None:
    code, said = run(suite, "tests", "-n", "3", MEET="1")
    assert (code, "20 passed" in said) == (0, True), said
    assert order(suite)[-3:] == ["alone"] * 3
    assert Counter(order(suite)) == {"any": 12, "quiet": 2, "alone": 3}


def test_a_plain_run_runs_in_parallel(suite: Path) -> None:
    code, said = run(suite, "-k", "together", MEET="1")
    assert (code, "3 passed" in said) == (0, True), said


@pytest.mark.parametrize(
    "arguments", [("tests/test_it.py",), ("tests", "-n0"), ("tests", "-p", "no:xdist"), ("tests", "-s")]
)
def test_a_file_or_a_run_that_says_so_stays_in_one_process(suite: Path, arguments: tuple[str, ...]) -> None:
    code, said = run(suite, *arguments)
    assert (code, "20 passed" in said, "gw0" in said) == (0, True, False), said
    assert order(suite) == ["any"] * 12 + ["quiet"] * 2 + ["alone"] * 3


def test_one_failure_is_the_exit_code_of_the_run_and_what_is_alone_runs_all_the_same(suite: Path) -> None:
    code, said = run(suite, "tests", "-n", "2", FAIL="3")
    assert (code, "1 failed, 19 passed" in said) == (1, True), said


def test_the_first_failure_ends_a_run_with_x(suite: Path) -> None:
    code, said = run(suite, "tests", "-x", "-n", "2", FAIL="3")
    assert (code, "stopping after 1 failures" in said) == (2, True), said
    assert "alone" not in order(suite)
