"""How the tests are run: in parallel, then those marked `quiet`, then those marked `alone` one at a time, all in one run of pytest.

A run of whole folders, as a plain `pytest` is, starts several processes (pytest-xdist). A run of single files or tests stays in one
process, as does one with `-s` or `--pdb`; `-n` decides otherwise. A test marked `alone` never runs at the same time as another one: while
it runs it holds a lock that every other test shares. Such tests come last in every run. Before them come those marked `quiet`, which wait
for time to pass and need little of the machine, but need that at once: they begin when no ordinary test runs (one that was handed out before may still begin), and run side by side.
"""

import fcntl
import os
from collections.abc import Generator
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Protocol, TextIO

import pytest
import structlog
from hypothesis import HealthCheck, settings

_LOCKS = "forwarder_locks"
_WORKERS_PER_CORE = 3
"""Most of the time a test waits for a process, a timer or a disk."""

if os.environ.pop("PYTHONDONTWRITEBYTECODE", None) is not None:
    # Every process would compile all it imports again, which is a third of what its start costs.
    os.environ.setdefault("PYTHONPYCACHEPREFIX", str(Path(__file__).parents[1] / ".pytest_cache" / "bytecode"))

for _name in [name for name in os.environ if name.upper() in {"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"}]:
    del os.environ[_name]  # `check` warns of them

# A busy machine is no mistake of the code: speed is measured in benchmarks/.
settings.register_profile(
    "any speed",
    max_examples=10 if os.environ.get("FORWARDER_TEST_EXAMPLES") == "few" else 100,  # see tests/support/examples.py
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("any speed")
pytest.register_assert_rewrite("tests.support")


@pytest.fixture(autouse=True)
def _log_as_found() -> Generator[None]:
    """Leave the log as it was: how it is set up holds for the process, so for every later test in it."""
    yield
    cached = structlog.get_config()["cache_logger_on_first_use"]
    structlog.reset_defaults()
    assert not cached, "this test had loggers cached, which no later test in this process can undo"


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    """Run in parallel where the command line does not say how; xdist reads its options after this."""
    option = config.option
    if not config.pluginmanager.hasplugin("xdist") or hasattr(config, "workerinput"):
        return
    if option.numprocesses is None and option.dist == "no" and not option.tx and _is_for_many_processes(config):
        option.numprocesses = "auto"
    if option.maxschedchunk is None:
        option.maxschedchunk = 1  # one test after another, so that all workers end at about the same time


def _is_for_many_processes(config: pytest.Config) -> bool:
    option = config.option
    if option.usepdb or option.trace or option.collectonly or option.capture == "no":
        return False
    return any(Path(argument).is_dir() for argument in config.args)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Return how many processes `-n auto` starts."""
    return _WORKERS_PER_CORE * len(os.sched_getaffinity(0))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests marked `quiet` behind all others, and those marked `alone` last."""
    items.sort(key=lambda item: (_is(item, "alone"), _is(item, "quiet")))


def pytest_configure(config: pytest.Config) -> None:
    """Make the locks in the process that starts the others; use them in those."""
    if (paths := getattr(config, "workerinput", {}).get(_LOCKS)) is not None:
        machine, crowd = (Path(path).open(encoding="ascii") for path in paths)  # noqa: SIM115 - closed at the end of the run
        config.add_cleanup(machine.close)
        config.add_cleanup(crowd.close)
        config.pluginmanager.register(_TakingTurns(machine, crowd))
    elif config.pluginmanager.hasplugin("xdist"):
        made = [NamedTemporaryFile(prefix="forwarder-tests-") for _ in range(2)]  # noqa: SIM115 - closed at the end of the run
        for each in made:
            config.add_cleanup(each.close)
        config.pluginmanager.register(_HandingOut([each.name for each in made]))


class _Worker(Protocol):
    workerinput: dict[str, object]
    """What the process that starts it hands it."""


class _HandingOut:
    """Tells each worker where the locks are."""

    def __init__(self, locks: list[str]) -> None:
        self._locks = locks

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: _Worker) -> None:
        node.workerinput[_LOCKS] = self._locks


class _TakingTurns:
    """Lets a test run while no test marked `alone` runs, one marked `alone` while no other runs, and one marked `quiet` after the crowd."""

    def __init__(self, machine: TextIO, crowd: TextIO) -> None:
        """`machine` is shared by all tests that run but those marked `alone`, and `crowd` by all without a mark."""
        self._machine = machine
        self._crowd = crowd

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        # Outermost: the time spent waiting is no time of the test, nor of `faulthandler_timeout`.
        if _is(item, "quiet"):
            fcntl.flock(self._crowd, fcntl.LOCK_EX)
            fcntl.flock(self._crowd, fcntl.LOCK_UN)
        fcntl.flock(self._machine, fcntl.LOCK_EX if _is(item, "alone") else fcntl.LOCK_SH)
        if not (_is(item, "alone") or _is(item, "quiet")):
            fcntl.flock(self._crowd, fcntl.LOCK_SH)
        try:
            return (yield)
        finally:
            fcntl.flock(self._crowd, fcntl.LOCK_UN)
            fcntl.flock(self._machine, fcntl.LOCK_UN)


def _is(item: pytest.Item, mark: str) -> bool:
    return item.get_closest_marker(mark) is not None
