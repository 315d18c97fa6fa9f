"""A command's side of the control socket."""

import errno
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from forwarder.admin.paths import reachable
from forwarder.core.changes import Request

_CONNECT_TIMEOUT_S = 5


class NoDaemonError(Exception):
    """Nobody answers at the control socket; the text says so."""


class DaemonRefusedError(Exception):
    """The daemon says why it does not do it."""


class Control:
    """A connection to a running daemon."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._file = connection.makefile("rb")

    def ask(self, request: Request) -> dict[str, Any]:
        """Return the result. Raises `DaemonRefusedError`, or `NoDaemonError` where the daemon ends meanwhile."""
        try:
            self._connection.sendall(request.model_dump_json().encode() + b"\n")
            line = self._file.readline()
        except OSError as error:
            raise NoDaemonError(f"the daemon ended meanwhile ({error.strerror or error})") from error
        if not line:
            raise NoDaemonError("the daemon ended meanwhile")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise DaemonRefusedError(answer["error"])
        result: dict[str, Any] = answer["result"]
        return result

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self._connection.close()


@contextmanager
def control(path: Path) -> Iterator[Control]:
    """Connect to the daemon. Raises `NoDaemonError`."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(_CONNECT_TIMEOUT_S)
    try:
        with reachable(path) as address:
            connection.connect(address)
    except OSError as error:
        connection.close()
        hint = "; only root, the daemon's own user and the members of admin.group may ask it" * (
            error.errno == errno.EACCES
        )
        raise NoDaemonError(f"no forwarder answers at {path} ({os.strerror(error.errno or 0)}{hint})") from error
    connection.settimeout(None)
    with Control(connection) as connected:
        yield connected
