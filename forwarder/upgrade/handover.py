"""The old process in a takeover: a successor announces itself, opens the streams as well, and then requests the handover.

Until that request, and for a moment after it, nothing changes here, so a successor that dies meanwhile changes nothing. Then this
process stops as usual and releases the lock of the outbox, for which the successor waits.
"""

import asyncio
import os
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol

import structlog

from forwarder import __version__
from forwarder.clocks.wall_clock import utc_now
from forwarder.core.commands import RequestRefusedError
from forwarder.core.config.runtime import ActiveConfig
from forwarder.core.event import EventId
from forwarder.streams.connection import READ_OUT_S
from forwarder.systemd import ServiceManager
from forwarder.upgrade import process
from forwarder.upgrade.process import Child, Process

OVERLAP = timedelta(seconds=1)
"""How long both processes receive everything at least: events that the server is already sending to us arrive in that time."""
LONGEST_READ = timedelta(seconds=READ_OUT_S)
"""How long this process reads at most what the server sent before the successor had its streams open."""
_CLOSING = timedelta(minutes=1)
"""How long a stop takes at most, in addition to the grace period."""
_SUCCESSOR_MAY_TAKE = timedelta(minutes=2)
"""How long a successor may take to read its config and open its streams."""
_NAME_MAY_TAKE = timedelta(seconds=10)
"""How long its launcher may take to report the process id of the successor."""
_STOP_MAY_TAKE = timedelta(seconds=10)
"""How long a successor that is stopped may take to end."""

_COPIES_REACH_BACK = timedelta(minutes=1)
"""A server may send a new connection some of the last events again. A successor knows copies by what it reads in the outbox."""

log = structlog.get_logger(__name__)


class HeldStreams(Protocol):
    """Gives access to the streams of this process."""

    @property
    def open_names(self) -> Collection[str]:
        """The names of the streams that are connected."""
        ...

    def remember_events(self) -> None:
        """Remember from now on which events come: another process is about to hold the streams as well."""
        ...

    async def read_out(self, least: timedelta, first_of: Callable[[str], Collection[EventId]]) -> None:
        """Return once everything is read that was sent before the other process held the streams. It must hold them by now."""
        ...

    def come_back(self, reason: str) -> None:
        """Connect again what another process has displaced."""
        ...


class KeptHistory(Protocol):
    """The history in the outbox, of which a part is to stay."""

    def need_history(self, since: datetime | None) -> None:
        """Keep what came since that moment; `None`: nothing is needed any more."""
        ...


class SuccessorLostError(Exception):
    """The successor has died after the handover; a service manager starts another process."""


class Handover:
    """Lets a successor take over from this process, one at a time.

    The public methods answer requests at the control socket; `run` carries them out.
    """

    def __init__(
        self,
        *,
        outbox_path: Path,
        outbox: KeptHistory,
        streams: HeldStreams,
        active: ActiveConfig,
        service: ServiceManager,
        stopped: asyncio.Event,
        upgrade_wanted: asyncio.Event,
    ) -> None:
        """`stopped` is set when this process stops, and setting it begins the stop; `upgrade_wanted` asks for a successor."""
        self._outbox_path = outbox_path
        self._outbox = outbox
        self._streams = streams
        self._active = active
        self._service = service
        self._stopped = stopped
        self._upgrade_wanted = upgrade_wanted
        self._successor: Process | None = None
        self._announced = asyncio.Event()
        self._asked = asyncio.Event()
        self._left = asyncio.Event()
        self._child: Child | None = None
        self._is_starting = False
        """This process is starting a successor."""
        self._first_events: Mapping[str, Collection[EventId]] = {}
        """The ids of the first events that the successor received, by the name of the stream."""

    @property
    def is_announced(self) -> bool:
        """Whether a successor has announced itself. It needs the events of the last minutes in the outbox."""
        return self._successor is not None

    @property
    def is_left(self) -> bool:
        """Whether this process stops because a successor takes over."""
        return self._left.is_set()

    def needs_history(self) -> bool:
        """Return whether a successor is about to read what the outbox holds of the last minutes."""
        return self.is_announced

    def announce(self, pid: int, outbox: str) -> dict[str, object]:
        """Answer a successor that announces itself. Raises `RequestRefusedError` if it cannot take over."""
        if os.path.realpath(outbox) != os.path.realpath(self._outbox_path):
            raise RequestRefusedError(
                f"the running forwarder (process {os.getpid()}) has another outbox: {self._outbox_path}, not {outbox}; "
                "restart it, or take over with its outbox.url"
            )
        if self._stopped.is_set():
            raise RequestRefusedError("the running forwarder is stopping; start this one after it has ended")
        present = self._successor
        if present is not None and present.is_alive():
            raise RequestRefusedError(f"process {present.pid} is taking over already")
        if self._service.is_there and (self._child is None or self._child.pid != pid):
            raise RequestRefusedError(
                "a service manager runs the present forwarder, and would not know this process; "
                "use `forwarder upgrade`, which lets the present forwarder start its successor"
            )
        try:
            successor = Process(pid)
        except OSError as error:
            raise RequestRefusedError(
                f"the running forwarder sees no process {pid}: does it run in another container?"
            ) from error
        if present is not None:
            present.close()
        self._successor = successor
        self._first_events = {}
        self._asked.clear()
        self._streams.remember_events()
        self._outbox.need_history(utc_now() - _COPIES_REACH_BACK)
        self._announced.set()
        log.info("takeover.announced", by=pid)
        return {
            "pid": os.getpid(),
            "version": __version__,
            "open_streams": sorted(self._streams.open_names),
        }

    def hand_over(self, pid: int) -> dict[str, object]:
        """Answer a successor that requests the handover: return how long this process may take to stop. See `core.commands`."""
        self._require_announced(pid)
        self._asked.set()
        return {"within_s": (OVERLAP + LONGEST_READ + self._active.config.grace_period + _CLOSING).total_seconds()}

    def note_first_events(self, pid: int, streams: Mapping[str, Sequence[str]]) -> dict[str, object]:
        """Note which events the successor received first, which shows how far this process has to read."""
        self._require_announced(pid)
        self._first_events = {name: tuple(map(EventId, ids)) for name, ids in streams.items()}
        return {}

    def _require_announced(self, pid: int) -> None:
        if self._successor is None or self._successor.pid != pid:
            raise RequestRefusedError("the running forwarder does not expect a takeover by this process")

    async def upgrade(self) -> dict[str, object]:
        """Start a successor, and return once it takes over. Raises `RequestRefusedError` if it does not."""
        if self._stopped.is_set():
            raise RequestRefusedError("the daemon is stopping")
        if self._child is not None:
            raise RequestRefusedError(f"process {self._child.pid} is taking over already")
        if self._is_starting:
            raise RequestRefusedError("a successor is being started already")
        self._is_starting = True
        try:
            self._child = child = await asyncio.to_thread(process.start, process.command_line())
        except OSError as error:
            raise RequestRefusedError(
                f"no successor can be started ({error.strerror or error}); this process keeps running"
            ) from error
        finally:
            self._is_starting = False
        try:
            await child.named(within=_NAME_MAY_TAKE)
            log.info("upgrade.started", successor=child.pid)
            await self._hand_over_to(child)
        finally:
            if not self.is_left:  # also if this process is stopped meanwhile: what it has started ends with it
                child.ask_to_end()
                child.close()
                self._child = None
        return {"pid": os.getpid(), "successor": child.pid, "version": __version__}

    async def run(self) -> None:
        """Carry out requests, until a successor takes over."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._follow_signals())
            group.create_task(self._follow_successors())

    def conclude(self) -> None:
        """Tell the service manager which process is the main one now. Call it while this process still holds the outbox."""
        if self._successor is not None and self._successor.is_alive():
            if self._child is not None:
                self._child.detach()  # a service manager waits for the end of its own children only
            self._service.main_pid(self._successor.pid)

    def check_successor(self) -> None:
        """Raise `SuccessorLostError` if the successor has died. Call it after everything of this process is closed."""
        if self._successor is not None and not self._successor.is_alive():
            raise SuccessorLostError(f"process {self._successor.pid}, which was to take over, has ended")

    # Carrying out requests

    async def _hand_over_to(self, child: Child) -> None:
        """Return once this process stops for the successor. Raises `RequestRefusedError` if the successor ends, or takes too long."""
        async with asyncio.TaskGroup() as group:
            waits = [group.create_task(child.ended()), group.create_task(self._left.wait())]
            limit = _SUCCESSOR_MAY_TAKE.total_seconds()
            await asyncio.wait(waits, timeout=limit, return_when=asyncio.FIRST_COMPLETED)
            for wait in waits:
                wait.cancel()
        is_alive = child.is_alive()
        if self.is_left:
            child.output()
            return
        if is_alive:
            await child.stop(within=_STOP_MAY_TAKE)
            why = f"did not take over within {_SUCCESSOR_MAY_TAKE.total_seconds():g} s and was stopped"
        else:
            why = f"ended with exit code {child.exit_code()} before it could take over"
        said = child.output()
        log.error("upgrade.failed", successor=child.pid, reason=why, said=said, note="this process keeps running")
        raise RequestRefusedError(
            f"the successor (process {child.pid}) {why}; this process keeps running" + _quoted(said)
        )

    async def _follow_signals(self) -> None:
        while True:
            await self._upgrade_wanted.wait()
            self._upgrade_wanted.clear()
            try:
                await self.upgrade()
            except RequestRefusedError as refused:
                log.warning("upgrade.refused", reason=str(refused).splitlines()[0])

    async def _follow_successors(self) -> None:
        while True:
            await self._announced.wait()
            self._announced.clear()
            process = self._successor
            assert process is not None  # noqa: S101 - it is announced
            if await self._is_ready(process):
                self._left.set()
                log.info("daemon.handing_over", to=process.pid)
                self._stopped.set()
                return
            if self._successor is process:
                self._successor = None
                process.close()
            log.warning(
                "takeover.abandoned", by=process.pid, note="the successor has ended; this process keeps running"
            )
            self._outbox.need_history(None)
            self._streams.come_back("the process that was to take over has ended")

    async def _is_ready(self, process: Process) -> bool:
        """Return whether the successor requests the handover, and is still alive when everything is read that it does not receive."""
        async with asyncio.TaskGroup() as group:
            ended = group.create_task(process.ended())
            for step in (self._asked.wait(), self._read_out()):
                under_way = group.create_task(step)
                await asyncio.wait([ended, under_way], return_when=asyncio.FIRST_COMPLETED)
                under_way.cancel()
            ended.cancel()
        return process.is_alive()

    async def _read_out(self) -> None:
        """Return after the overlap, once everything is read that was sent before the successor had its streams open."""
        async with asyncio.TaskGroup() as group:
            group.create_task(asyncio.sleep(OVERLAP.total_seconds()))
            group.create_task(self._streams.read_out(OVERLAP, lambda name: self._first_events.get(name, ())))


def _quoted(said: str) -> str:
    return f":\n{said}" if said else "; the log may say why"
