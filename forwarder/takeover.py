"""The side of a takeover that comes: finds the daemon that runs, opens the streams beside it, and asks to be handed over to.

From there the lock of the outbox decides: whatever becomes of the other process, this one goes on when the lock is free.
"""

import asyncio
import os
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

import structlog

from forwarder.admin.client import DaemonRefusedError, DaemonSilentError, NoDaemonError, control
from forwarder.core.changes import Announce, FirstEvents, HandOver
from forwarder.core.event import EventId
from forwarder.outbox.access import require_openable, require_unused
from forwarder.outbox.problems import OutboxUnusableError
from forwarder.streams.running_timeout import RunningTimeout
from forwarder.successor import take_stderr_back

STREAMS_MAY_TAKE = timedelta(seconds=15)
"""To open, before the other process is asked to leave without them."""
SHORTEST_WINDOW = timedelta(minutes=1)
"""Of `dedupe_window`, beyond the grace period: the copies that both processes receive must be known as such."""
_ITS_END = timedelta(minutes=2)
"""The lock of a process that does not answer any more is waited for so long."""
_MAY_LOOK = timedelta(seconds=10)
"""A busy process, until it answers whether it can be taken over from."""
_MAY_CONSIDER = timedelta(seconds=30)
"""A busy process, until it answers that it leaves."""
_LOOK_EVERY_S = 0.1
_TELL_EVERY_S = 0.2

log = structlog.get_logger(__name__)


class TakeoverError(Exception):
    """It cannot take over, and nothing has changed; the text says why."""


class Held(Protocol):
    """The streams that this process holds."""

    @property
    def names(self) -> Collection[str]:
        """Of all."""
        ...

    @property
    def open_names(self) -> Collection[str]:
        """Of those that are connected."""
        ...

    @property
    def first_events(self) -> Mapping[str, Collection[EventId]]:
        """By the names of those that are connected: the ids of the first events that the connection brought."""
        ...

    def is_hopeless(self, until: datetime) -> bool:
        """Whether none is connected, nor will be before then."""
        ...


class Takeover:
    """From the daemon that runs with this control socket."""

    def __init__(self, socket_path: Path, *, pid: int, open_streams: Collection[str]) -> None:
        self._socket_path = socket_path
        self._pid = pid
        self._open_there = frozenset(open_streams)

    async def ask(self, tried: Sequence[asyncio.Event], here: Held) -> timedelta:
        """Ask the other process to leave, once our streams are open; return how long it may take to do so.

        `tried` are set when a stream is open or has failed. Raises `TakeoverError` where it has streams and we get none.
        """
        until = datetime.now(UTC) + STREAMS_MAY_TAKE
        with suppress(TimeoutError):
            async with RunningTimeout(STREAMS_MAY_TAKE.total_seconds()):
                for event in tried:
                    await event.wait()
                while not (self._is_covered(here) or here.is_hopeless(until)):  # noqa: ASYNC110 - a stream tells of its first try alone
                    await asyncio.sleep(_LOOK_EVERY_S)
        if self._open_there and not here.open_names and await asyncio.to_thread(self._is_there):
            raise TakeoverError(
                f"no stream can be opened (the log says why), and process {self._pid} holds some: it goes on"
            )
        log.info("takeover.asking", predecessor=self._pid, open_streams=sorted(here.open_names))
        take_stderr_back()
        try:
            answer = await asyncio.to_thread(self._ask)
        except DaemonSilentError as silent:
            log.warning("takeover.predecessor_silent", predecessor=self._pid, reason=str(silent))
            return _ITS_END
        except NoDaemonError:
            log.warning("takeover.predecessor_gone", predecessor=self._pid, note="it has ended; this process goes on")
            return _ITS_END
        except DaemonRefusedError as refused:
            raise TakeoverError(str(refused)) from refused
        return timedelta(seconds=answer["within_s"])

    async def tell_first_events(self, here: Held) -> None:
        """Tell the other process what our streams brought first, so that it knows how far to read its own; until it has ended.

        One of a version that does not understand it reads for as long as it does.
        """
        with suppress(NoDaemonError, DaemonRefusedError):
            while True:
                streams = {name: tuple(map(str, ids)) for name, ids in here.first_events.items()}
                await asyncio.to_thread(self._tell, FirstEvents(pid=os.getpid(), streams=streams))
                await asyncio.sleep(_TELL_EVERY_S)

    def _is_covered(self, here: Held) -> bool:
        """Whether we hold what the other process holds, of what our config has."""
        is_any = not self._open_there or bool(here.open_names)
        return is_any and self._open_there.intersection(here.names).issubset(here.open_names)

    # In a thread

    def _is_there(self) -> bool:
        try:
            with control(self._socket_path):
                return True
        except NoDaemonError:
            return False

    def _ask(self) -> dict[str, Any]:
        with control(self._socket_path) as daemon:
            return daemon.ask(HandOver(pid=os.getpid()), within=_MAY_CONSIDER)

    def _tell(self, first: FirstEvents) -> None:
        with control(self._socket_path) as daemon:
            daemon.ask(first)


def announce(outbox: Path, socket_path: Path, *, dedupe_window: timedelta, grace: timedelta) -> Takeover | None:
    """Tell the daemon that runs that we are about to take over; `None` where none runs.

    Raises `TakeoverError`, and `OutboxUnusableError` for a file that this program cannot open.
    """
    require_openable(outbox)
    if dedupe_window < SHORTEST_WINDOW + grace:
        raise TakeoverError(
            f"--takeover needs an outbox.dedupe_window of at least {(SHORTEST_WINDOW + grace).total_seconds():g} s: for a moment "
            "two processes receive the same, and the copies would be delivered"
        )
    try:
        with control(socket_path) as daemon:
            answer = daemon.ask(Announce(pid=os.getpid(), outbox=str(outbox.absolute())), within=_MAY_LOOK)
    except NoDaemonError as nobody:
        try:
            require_unused(outbox)
        except OutboxUnusableError as error:
            hint = "" if isinstance(nobody, DaemonSilentError) else "; is admin.socket another one?"
            raise TakeoverError(f"outbox {outbox}: {error.detail}, but {nobody}{hint}") from nobody
        take_stderr_back()
        return None
    except DaemonRefusedError as refused:
        if "does not understand" in str(refused):
            raise TakeoverError(
                "the running forwarder is of a version that cannot hand over; stop it, and start this one"
            ) from refused
        raise TakeoverError(str(refused)) from refused
    return Takeover(socket_path, pid=answer["pid"], open_streams=answer["open_streams"])
