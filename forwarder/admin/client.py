"""A command's side of the control socket. Every question has a time limit: a daemon that is stopped or stuck must hang nobody else."""

import errno
import json
import os
import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from time import monotonic, sleep
from typing import Any, Self

from forwarder.admin.paths import reachable
from forwarder.core.changes import PauseChange, Reconnect, Request, Status
from forwarder.core.durations import write_duration

ANSWER_WITHIN = timedelta(seconds=5)
"""A daemon that is well answers in milliseconds."""
_WORK_WITHIN = timedelta(minutes=3)
_QUICK = (Status, PauseChange, Reconnect)
"""Questions that take no work."""
_MAX_ANSWER_BYTES = 64 * 1024 * 1024
_TRY_EVERY_S = 0.05
_TICK_S = 1.0
_UNKNOWN = "what was asked for ({}) is finished if the daemon had begun it, and otherwise not done"
_UCRED = struct.Struct("3i")

Waiting = Callable[[float], None]
"""Called each second with how many seconds an answer has been waited for: shows that to a person."""


class NoDaemonError(Exception):
    """Nobody answers at the control socket; the text says so."""


class DaemonSilentError(NoDaemonError):
    """A daemon is there, and has not answered in time; the text says what is known of it, and what to do."""


class DaemonRefusedError(Exception):
    """The daemon says why it does not do it."""


class Control:
    """A connection to a running daemon."""

    def __init__(self, connection: socket.socket, path: Path) -> None:
        self._connection = connection
        self._path = path
        self._read = b""
        self.pid: int = _UCRED.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size))[0]
        """Of the daemon; 0 where it is in another container."""

    def ask(
        self, request: Request, *, within: timedelta | None = None, waiting: Waiting | None = None
    ) -> dict[str, Any]:
        """Return the result, which has to be here `within` that time: by default `ANSWER_WITHIN`, or minutes for what may take long.

        `waiting` is for what may take long: it is called meanwhile, and the daemon is asked now and then whether it answers at all.
        Raises `DaemonRefusedError`, `DaemonSilentError`, or `NoDaemonError` where the daemon ends meanwhile.
        """
        began = monotonic()
        if within is None:
            within = ANSWER_WITHIN if isinstance(request, _QUICK) else _WORK_WITHIN
        try:
            self._connection.settimeout(within.total_seconds())
            self._connection.sendall(request.model_dump_json().encode() + b"\n")
            line = self._line(began, within, waiting)
        except TimeoutError as error:
            note = "" if isinstance(request, Status) else f"; {_UNKNOWN.format(request.verb.replace('_', ' '))}"
            raise _silent(self._path, self.pid, within, note=note, is_alive=waiting is not None) from error
        except OSError as error:
            raise NoDaemonError(f"the daemon ended meanwhile ({error.strerror or error})") from error
        if line is None:
            raise NoDaemonError("the daemon ended meanwhile")
        return self._result(line)

    def _line(self, began: float, within: timedelta, waiting: Waiting | None) -> bytes | None:
        """Return the next line, `None` where the connection ends before. Raises `TimeoutError`."""
        until = began + within.total_seconds()
        next_look = began + ANSWER_WITHIN.total_seconds()
        while b"\n" not in self._read:
            if len(self._read) > _MAX_ANSWER_BYTES:
                raise self._stranger()
            left = until - monotonic()
            if left <= 0:
                raise TimeoutError
            self._connection.settimeout(min(left, _TICK_S) if waiting is not None else left)
            try:
                more = self._connection.recv(1 << 16)
            except TimeoutError:
                if waiting is None or monotonic() >= until:
                    raise
                waiting(monotonic() - began)
                if monotonic() >= next_look:
                    self._require_sign_of_life()
                    next_look = monotonic() + ANSWER_WITHIN.total_seconds()
                continue
            if not more:
                return None
            self._read += more
        line, self._read = self._read.split(b"\n", 1)
        return line

    def _require_sign_of_life(self) -> None:
        """Raise `DaemonSilentError` where the daemon does not answer the simplest question either, nor the one that it was asked."""
        try:
            with control(self._path) as other:
                other.ask(Status())
        except DaemonSilentError:
            self._connection.setblocking(False)
            with suppress(BlockingIOError):
                self._read += self._connection.recv(1 << 16)
            if b"\n" not in self._read:
                raise
        except (NoDaemonError, DaemonRefusedError):
            pass  # it ends, which our own connection will tell; or it is of a version that answers in other words

    def _result(self, line: bytes) -> dict[str, Any]:
        try:
            answer = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise self._stranger() from error
        if not isinstance(answer, dict):
            raise self._stranger()
        if "error" in answer:
            raise DaemonRefusedError(answer["error"])
        result = answer.get("result")
        if not isinstance(result, dict):
            raise self._stranger()
        return result

    def _stranger(self) -> NoDaemonError:
        return NoDaemonError(f"what answers at {self._path} is no forwarder; is admin.socket the one that it has?")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()


@contextmanager
def control(path: Path) -> Iterator[Control]:
    """Connect to the daemon. Raises `NoDaemonError`."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        _connect(connection, path)
        connected = Control(connection, path)
    except OSError as error:
        connection.close()
        hint = "; only root, the daemon's own user and the members of admin.group may ask it" * (
            error.errno == errno.EACCES
        )
        raise NoDaemonError(f"no forwarder answers at {path} ({os.strerror(error.errno or 0)}{hint})") from error
    except BaseException:
        connection.close()
        raise
    with connected:
        yield connected


def _connect(connection: socket.socket, path: Path) -> None:
    """Connect. Raises `OSError`, and `DaemonSilentError` where so many wait already that no more are taken."""
    until = monotonic() + ANSWER_WITHIN.total_seconds()
    connection.setblocking(False)
    while True:
        try:
            with reachable(path) as address:
                connection.connect(address)
        except BlockingIOError:
            if monotonic() >= until:
                raise _silent(path, 0, ANSWER_WITHIN) from None
            sleep(_TRY_EVERY_S)
        else:
            return


def _silent(path: Path, pid: int, within: timedelta, *, note: str = "", is_alive: bool = False) -> DaemonSilentError:
    who = f"forwarder (process {pid})" if pid else "the forwarder"
    did = "has not finished this, though it answers otherwise," if is_alive else "has not answered"
    return DaemonSilentError(f"{who} at {path} {did} within {write_duration(within)}: {_why(pid)}{note}")


def _why(pid: int) -> str:
    """Return what the system knows of a process that does not answer, and what to do."""
    states = _states(pid)
    if states & {"T", "t"}:
        return f"it is stopped, by SIGSTOP or a debugger; `kill -CONT {pid}` lets it go on"
    if "D" in states:
        return "it waits for a disk that does not answer: is its file system frozen, or the device gone?"
    return "it is busy, or waits for a disk; its log may say more, and a restart loses nothing that was accepted"


def _states(pid: int) -> set[str]:
    """Return the states of all its threads, as a letter each (proc(5)); none where they cannot be seen."""
    found = set()
    if pid:
        with suppress(OSError, IndexError):
            for thread in Path(f"/proc/{pid}/task").iterdir():
                found.add((thread / "stat").read_text(encoding="utf-8", errors="replace").rsplit(")", 1)[1].split()[0])
    return found
