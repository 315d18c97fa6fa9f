"""What is needed of the daemon, and the daemon that has it."""

import inspect

from forwarder.daemon.web_access import WebAccess
from forwarder.web.ports import DaemonAccess


def test_the_daemon_has_all_that_is_needed_of_it_and_takes_the_same() -> None:
    needed = {name: each for name, each in vars(DaemonAccess).items() if not name.startswith("_")}
    assert len(needed) > 10
    for name, each in needed.items():
        found = inspect.getattr_static(WebAccess, name)
        if inspect.isfunction(each):
            assert list(inspect.signature(found).parameters) == list(inspect.signature(each).parameters), name
            assert inspect.iscoroutinefunction(found) == inspect.iscoroutinefunction(each), name
        else:
            assert isinstance(found, property), name
