"""How the tests are run: in parallel, then those marked `alone` one at a time, all in one run of pytest.

A run of whole folders, as a plain `pytest` is, starts several processes (pytest-xdist). A run of single files or tests stays in one
process, as does one with `-s` or `--pdb`; `-n` decides otherwise. A test marked `alone` never runs at the same time as another one: while
it runs it holds a lock that every other test shares. Such tests come last in every run.
"""

import fcntl
import os
from collections.abc import Generator
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Protocol, TextIO

import pytest
from hypothesis import HealthCheck, settings

_LOCK = "forwarder_lock"
_WORKERS_PER_CORE = 3
"""Most of the time a test waits for a process, a timer or a disk."""

if os.environ.pop("PYTHONDONTWRITEBYTECODE", None) is not None:
    # Every process would compile all it imports again, which is a third of what its start costs.
    os.environ.setdefault("PYTHONPYCACHEPREFIX", str(Path(__file__).parents[1] / ".pytest_cache" / "bytecode"))

# A busy machine is no mistake of the code: speed is measured in benchmarks/.
settings.register_profile("any speed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any speed")


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
    """Put the tests marked `alone` last."""
    items.sort(key=_is_alone)


def pytest_configure(config: pytest.Config) -> None:
    """Make the lock in the process that starts the others; use it in those."""
    if (path := getattr(config, "workerinput", {}).get(_LOCK)) is not None:
        lock = Path(path).open(encoding="ascii")  # noqa: SIM115 - closed at the end of the run
        config.add_cleanup(lock.close)
        config.pluginmanager.register(_TakingTurns(lock))
    elif config.pluginmanager.hasplugin("xdist"):
        made = NamedTemporaryFile(prefix="forwarder-tests-")  # noqa: SIM115 - closed at the end of the run
        config.add_cleanup(made.close)
        config.pluginmanager.register(_HandingOut(made.name))


class _Worker(Protocol):
    workerinput: dict[str, object]
    """What the process that starts it hands it."""


class _HandingOut:
    """Tells each worker where the lock is."""

    def __init__(self, lock: str) -> None:
        self._lock = lock

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: _Worker) -> None:
        node.workerinput[_LOCK] = self._lock


class _TakingTurns:
    """Lets a test run while no test marked `alone` runs, and one marked `alone` while no other runs."""

    def __init__(self, lock: TextIO) -> None:
        self._lock = lock

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        # Outermost: the time spent waiting is no time of the test, nor of `faulthandler_timeout`.
        fcntl.flock(self._lock, fcntl.LOCK_EX if _is_alone(item) else fcntl.LOCK_SH)
        try:
            return (yield)
        finally:
            fcntl.flock(self._lock, fcntl.LOCK_UN)


def _is_alone(item: pytest.Item) -> bool:
    return item.get_closest_marker("alone") is not None
