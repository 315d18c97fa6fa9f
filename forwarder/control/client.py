"""The client of the control socket, for commands. Each request has a time limit, so that a stopped daemon does not block a command."""

import errno
import json
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from time import monotonic, sleep
from typing import Any, Self, TypeVar

from pydantic import BaseModel, ValidationError

from forwarder.control.errors import DaemonRefusedError, DaemonSilentError, NoDaemonError
from forwarder.control.peer import peer_of, trusted_users
from forwarder.control.socket_path import reachable
from forwarder.core.commands import (
    ALIVE,
    END,
    DeadLetterChange,
    Diff,
    Forget,
    MetricsRequest,
    Reload,
    Replay,
    Request,
    Resend,
    StatusRequest,
    Succession,
    Vacuum,
    Watch,
)
from forwarder.core.durations import write_duration
from forwarder.files import user_name

ANSWER_WITHIN = timedelta(seconds=5)
"""The time limit of a quick request. A healthy daemon answers in milliseconds."""
SILENT_FOR = timedelta(seconds=15)
"""How long a daemon that is watched may send nothing, where it sends a sign of life every five seconds."""
_WORK_WITHIN = timedelta(minutes=3)
_LONG = Replay | DeadLetterChange | Resend | Forget | Vacuum | Reload | Diff | Succession
"""Requests that take work. All others are quick."""
_MAX_ANSWER_BYTES = 16 * 1024 * 1024
"""The status of ten thousand destinations and routes takes 8 MB. Decoded, JSON may take twenty times its size."""
_TRY_EVERY_S = 0.05
_TICK_S = 1.0
_UNKNOWN = "the request ({}) is completed if the daemon had begun it, and otherwise not carried out"

_Answer = TypeVar("_Answer", bound=BaseModel)

OnWaiting = Callable[[float], None]
"""Is called each second with the seconds waited so far, to show them to a person."""


class Control:
    """Sends requests to a running daemon over one connection."""

    def __init__(self, connection: socket.socket, path: Path, outbox: Path | None = None) -> None:
        """Raises `NoDaemonError` where the process belongs to a user who may not be the daemon's: see `trusted_users`."""
        self._connection = connection
        self._path = path
        self._outbox = outbox
        self._read = bytearray()
        self.pid, user, _ = peer_of(connection)
        """The process id of the daemon; 0 if it is in another container."""
        if user not in trusted_users(path, outbox):
            raise NoDaemonError(
                f"the process that answers at {path} belongs to {user_name(user)}, who is neither you nor root nor the owner of the "
                "outbox; nothing was sent to it"
            )

    def ask_for(
        self,
        answer: type[_Answer],
        request: Request,
        *,
        within: timedelta | None = None,
        waiting: OnWaiting | None = None,
    ) -> _Answer:
        """Return the result as a value of a type. Raises as `ask` does, also `NoDaemonError` for a result that is not of the type."""
        result = self.ask(request, within=within, waiting=waiting)
        try:
            return answer.model_validate(result)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            place = ".".join(map(str, first["loc"]))
        raise NoDaemonError(f"the process that answers at {self._path} is of another version ({place}: {first['msg']})")

    def ask(
        self, request: Request | Watch, *, within: timedelta | None = None, waiting: OnWaiting | None = None
    ) -> dict[str, Any]:
        """Return the result. It must come `within` a time: by default `ANSWER_WITHIN` for a quick request, minutes for a long one.

        `waiting` is for a long request: it is called meanwhile, and the daemon is asked at intervals whether it responds at all. The
        latter also where a long request has neither.
        Raises `DaemonRefusedError`, `DaemonSilentError`, or `NoDaemonError` if the daemon ends meanwhile.
        """
        began = monotonic()
        if within is None:
            within = ANSWER_WITHIN
            if isinstance(request, _LONG):
                within, waiting = _WORK_WITHIN, waiting or _show_nothing
        try:
            self._connection.settimeout(within.total_seconds())
            with suppress(BrokenPipeError, ConnectionResetError):  # it may have refused us before it has read anything
                self._connection.sendall(request.model_dump_json(exclude_none=True).encode() + b"\n")
            line = self._line(began, within, waiting)
        except TimeoutError as error:
            note = (
                ""
                if isinstance(request, StatusRequest | MetricsRequest)
                else f"; {_UNKNOWN.format(request.verb.replace('_', ' '))}"
            )
            raise _silent(self._path, self.pid, within, note=note, is_alive=waiting is not None) from error
        except OSError as error:
            raise NoDaemonError(f"the daemon ended meanwhile ({error.strerror or error})") from error
        if line is None:
            raise NoDaemonError("the daemon ended meanwhile")
        return self._result(line)

    def watch(self, request: Watch) -> Iterator[bytes]:
        """Ask to see what passes, and return the lines of it, as JSON. Once the daemon ends, they raise `NoDaemonError`.

        Raises `DaemonRefusedError`; the lines raise `DaemonSilentError` if not even a sign of life comes for `SILENT_FOR`.
        """
        try:
            self.ask(request)
        except DaemonRefusedError as refused:
            if "does not understand the request" not in str(refused):
                raise
            raise DaemonRefusedError(
                "the running forwarder is of an earlier version, which cannot be watched; forwarder upgrade replaces it without a gap"
            ) from refused
        return self._passing()

    def interrupt(self) -> None:
        """End the connection from another thread: what waits for an answer raises `NoDaemonError` at once."""
        with suppress(OSError):  # it has ended already
            self._connection.shutdown(socket.SHUT_RDWR)

    def _passing(self) -> Iterator[bytes]:
        while True:
            try:
                line = self._line(monotonic(), SILENT_FOR, None)
            except TimeoutError as error:
                raise _silent(self._path, self.pid, SILENT_FOR) from error
            except OSError as error:
                raise NoDaemonError(f"the daemon ended ({error.strerror or error})") from error
            if line is None or line == END:
                raise NoDaemonError("the daemon ended")
            if line != ALIVE:
                yield line

    def _line(self, began: float, within: timedelta, waiting: OnWaiting | None) -> bytes | None:
        """Return the next line, or `None` if the connection ends before it. Raises `TimeoutError`."""
        until = began + within.total_seconds()
        next_look = began + ANSWER_WITHIN.total_seconds()
        looked_at = 0
        while (end := self._read.find(b"\n", looked_at)) < 0:
            looked_at = len(self._read)
            if len(self._read) > _MAX_ANSWER_BYTES:
                raise self._not_forwarder()
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
        line = bytes(self._read[:end])
        del self._read[: end + 1]
        return line

    def _require_sign_of_life(self) -> None:
        """Raise `DaemonSilentError` if the daemon answers neither the present request nor the simplest one."""
        try:
            with control(self._path, outbox=self._outbox) as other:
                other.ask(StatusRequest())
        except DaemonSilentError:
            self._connection.setblocking(False)
            with suppress(BlockingIOError):
                self._read += self._connection.recv(1 << 16)
            if b"\n" not in self._read:
                raise
        except (NoDaemonError, DaemonRefusedError):
            pass  # it ends, which our own connection will show; or its version answers differently

    def _result(self, line: bytes) -> dict[str, Any]:
        try:
            answer = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise self._not_forwarder() from error
        if not isinstance(answer, dict):
            raise self._not_forwarder()
        if isinstance(refusal := answer.get("error"), str):
            raise DaemonRefusedError(refusal)
        result = answer.get("result")
        if not isinstance(result, dict):
            raise self._not_forwarder()
        return result

    def _not_forwarder(self) -> NoDaemonError:
        return NoDaemonError(f"the process that answers at {self._path} is not a forwarder; is admin.socket correct?")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()


@contextmanager
def control(path: Path, *, outbox: Path | None = None) -> Iterator[Control]:
    """Connect to the daemon of an outbox. Raises `NoDaemonError`, also where the process that answers cannot be that daemon."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        _connect(connection, path)
        connected = Control(connection, path, outbox)
    except OSError as error:
        connection.close()
        hint = "; only root, the daemon's own user and the members of admin.group may use it" * (
            error.errno == errno.EACCES
        )
        raise NoDaemonError(f"no forwarder answers at {path} ({os.strerror(error.errno or 0)}{hint})") from error
    except BaseException:
        connection.close()
        raise
    with connected:
        yield connected


def _connect(connection: socket.socket, path: Path) -> None:
    """Connect. Raises `OSError`, and `DaemonSilentError` if too many connections wait already."""
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


def _show_nothing(_waited_s: float) -> None:
    """Wait without a word."""


def _silent(path: Path, pid: int, within: timedelta, *, note: str = "", is_alive: bool = False) -> DaemonSilentError:
    who = f"forwarder (process {pid})" if pid else "the forwarder"
    did = "has not finished this, though it responds to other requests," if is_alive else "has not answered"
    return DaemonSilentError(f"{who} at {path} {did} within {write_duration(within)}: {_why(pid)}{note}")


def _why(pid: int) -> str:
    """Return what the system knows about a process that does not respond, and what to do."""
    states = _states(pid)
    if states & {"T", "t"}:
        return f"it is stopped, by SIGSTOP or a debugger; `kill -CONT {pid}` lets it continue"
    if "D" in states:
        return "it waits for a disk that does not respond: is its file system frozen, or the device gone?"
    return "it is busy, or waits for a disk; its log may say more. A restart loses nothing that was accepted"


def _states(pid: int) -> set[str]:
    """Return the states of all its threads, one letter each (proc(5)); none if they are not visible."""
    found = set()
    if pid:
        with suppress(OSError, IndexError):
            for thread in Path(f"/proc/{pid}/task").iterdir():
                found.add((thread / "stat").read_text(encoding="utf-8", errors="replace").rsplit(")", 1)[1].split()[0])
    return found
