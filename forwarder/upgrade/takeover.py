"""The new process in a takeover: finds the running daemon, opens the streams as well, and requests the handover.

After that the lock of the outbox decides: this process continues once the lock is free, even if the other one has died.
"""

import asyncio
import os
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Protocol

import structlog

from forwarder.clocks.periodic import periodic
from forwarder.control.client import control
from forwarder.control.errors import DaemonRefusedError, DaemonSilentError, NoDaemonError
from forwarder.core.commands import Announce, AnnounceAnswer, HandoverAnswer, ReportFirstEvents, RequestHandover
from forwarder.core.event import EventId
from forwarder.outbox.open import require_openable, require_unused
from forwarder.outbox.problems import OutboxUnusableError
from forwarder.streams.running_timeout import RunningTimeout
from forwarder.upgrade.process import restore_stderr

STREAMS_MAY_TAKE = timedelta(seconds=15)
"""How long the streams may take to open before the handover is requested without them."""
SHORTEST_WINDOW = timedelta(minutes=1)
"""The minimum of `dedupe_window`, in addition to the grace period: events that both processes receive must be recognised as duplicates."""
_ITS_END = timedelta(minutes=2)
"""How long to wait for the lock of a process that no longer responds."""
_MAY_LOOK = timedelta(seconds=10)
"""How long a busy process may take to answer the announcement."""
_MAY_CONSIDER = timedelta(seconds=30)
"""How long a busy process may take to answer the request for the handover."""
_LOOK_EVERY_S = 0.1
_REPORT_EVERY = timedelta(milliseconds=200)

log = structlog.get_logger(__name__)


class TakeoverError(Exception):
    """The takeover is not possible, and nothing has changed; the text says why."""


class StartedStreams(Protocol):
    """Gives access to the streams that this process has started."""

    @property
    def names(self) -> Collection[str]:
        """The names of all streams."""
        ...

    @property
    def open_names(self) -> Collection[str]:
        """The names of the streams that are connected."""
        ...

    @property
    def first_events(self) -> Mapping[str, Collection[EventId]]:
        """The ids of the first events of each open connection, by the name of its stream."""
        ...

    def is_hopeless(self, until: datetime) -> bool:
        """Return whether no stream is connected, or will be before then."""
        ...


class Takeover:
    """Takes over from the daemon that answers at a control socket."""

    def __init__(
        self, socket_path: Path, *, pid: int, open_streams: Collection[str], outbox: Path | None = None
    ) -> None:
        """`outbox` is that of the daemon, whose owner may be another user than this process's."""
        self._control = partial(control, socket_path, outbox=outbox)
        self._pid = pid
        self._open_there = frozenset(open_streams)

    async def ask(self, tried: Sequence[asyncio.Event], here: StartedStreams) -> timedelta:
        """Request the handover once our streams are open; return how long the other process may take to stop.

        `tried` are set when a stream is open or has failed. Raises `TakeoverError` if that process has streams and we can open none.
        """
        until = datetime.now(UTC) + STREAMS_MAY_TAKE
        with suppress(TimeoutError):
            async with RunningTimeout(STREAMS_MAY_TAKE.total_seconds()):
                for event in tried:
                    await event.wait()
                while not (self._is_covered(here) or here.is_hopeless(until)):  # noqa: ASYNC110 - a stream reports only its first try
                    await asyncio.sleep(_LOOK_EVERY_S)
        if self._open_there and not here.open_names and await asyncio.to_thread(self._is_there):
            raise TakeoverError(
                f"no stream can be opened (the log says why), and process {self._pid} has some open: it keeps running"
            )
        log.info("takeover.asking", predecessor=self._pid, open_streams=sorted(here.open_names))
        restore_stderr()
        try:
            answer = await asyncio.to_thread(self._ask)
        except DaemonSilentError as silent:
            log.warning("takeover.predecessor_silent", predecessor=self._pid, reason=str(silent))
            return _ITS_END
        except NoDaemonError:
            log.warning("takeover.predecessor_gone", predecessor=self._pid, note="it has ended; this process continues")
            return _ITS_END
        except DaemonRefusedError as refused:
            raise TakeoverError(str(refused)) from refused
        return timedelta(seconds=answer.within_s)

    async def report_first_events(self, here: StartedStreams) -> None:
        """Report to the other process which events our streams brought first, until it ends: that shows how far it has to read its own.

        A process of an older version does not understand it, and reads for a fixed time.
        """

        async def report() -> None:
            streams = {name: tuple(map(str, ids)) for name, ids in here.first_events.items()}
            await asyncio.to_thread(self._report, ReportFirstEvents(pid=os.getpid(), streams=streams))

        with suppress(NoDaemonError, DaemonRefusedError):
            await report()
            await periodic(_REPORT_EVERY, report)

    def _is_covered(self, here: StartedStreams) -> bool:
        """Return whether every stream is open that is in our config and open in the other process."""
        is_any = not self._open_there or bool(here.open_names)
        return is_any and self._open_there.intersection(here.names).issubset(here.open_names)

    # In a thread

    def _is_there(self) -> bool:
        try:
            with self._control():
                return True
        except NoDaemonError:
            return False

    def _ask(self) -> HandoverAnswer:
        with self._control() as daemon:
            return daemon.ask_for(HandoverAnswer, RequestHandover(pid=os.getpid()), within=_MAY_CONSIDER)

    def _report(self, first: ReportFirstEvents) -> None:
        with self._control() as daemon:
            daemon.ask(first)


def announce(outbox: Path, socket_path: Path, *, dedupe_window: timedelta, grace: timedelta) -> Takeover | None:
    """Announce to the running daemon that this process is about to take over; return `None` if no daemon runs.

    Raises `TakeoverError`, and `OutboxUnusableError` if this program cannot open the file.
    """
    require_openable(outbox)
    if dedupe_window < SHORTEST_WINDOW + grace:
        raise TakeoverError(
            f"--takeover needs an outbox.dedupe_window of at least {(SHORTEST_WINDOW + grace).total_seconds():g} s: for a moment "
            "two processes receive the same events, and the duplicates would be delivered"
        )
    try:
        with control(socket_path, outbox=outbox) as daemon:
            asked = Announce(pid=os.getpid(), outbox=str(outbox.absolute()))
            answer = daemon.ask_for(AnnounceAnswer, asked, within=_MAY_LOOK)
    except NoDaemonError as no_daemon:
        try:
            require_unused(outbox)
        except OutboxUnusableError as error:
            hint = "" if isinstance(no_daemon, DaemonSilentError) else "; is admin.socket set to another path?"
            raise TakeoverError(f"outbox {outbox}: {error.detail}, but {no_daemon}{hint}") from no_daemon
        restore_stderr()
        return None
    except DaemonRefusedError as refused:
        if "does not understand" in str(refused):
            raise TakeoverError(
                "the running forwarder is of a version that does not support takeovers; stop it, then start this one"
            ) from refused
        raise TakeoverError(str(refused)) from refused
    return Takeover(socket_path, pid=answer.pid, open_streams=answer.open_streams, outbox=outbox)
