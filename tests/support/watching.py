"""Control sockets that nobody watches."""

from typing import NoReturn

from forwarder.core.commands import Watch


def unwatched(asked: Watch) -> NoReturn:
    """Be what opens a watch, where no test asks for one."""
    raise AssertionError(asked)
