"""The side of a takeover that leaves: one process announces itself, opens the streams too, and asks to be handed over to.

Until it asks, and for a moment after, nothing changes here: a successor that dies meanwhile leaves no trace. Then this process stops
as it always does, and leaves the outbox, whose lock the successor waits for.
"""

import asyncio
import os
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Protocol

import structlog

from forwarder import __version__, successor
from forwarder.admin.server import RequestRefusedError
from forwarder.core.event import EventId
from forwarder.notify import ServiceManager
from forwarder.streams.connection import READ_OUT_S
from forwarder.successor import Child, Process

OVERLAP = timedelta(seconds=1)
"""For so long at least both take in everything: what the server has under way for us arrives."""
LONGEST_READ = timedelta(seconds=READ_OUT_S)
"""So long at most is read what the server sent before the successor's streams were open."""
_CLOSING = timedelta(minutes=1)
"""Beyond the grace period; a stop takes no longer."""
_SUCCESSOR_MAY_TAKE = timedelta(minutes=2)
"""To read its config and open its streams."""
_NAME_MAY_TAKE = timedelta(seconds=10)
"""Its launcher, to say the number of the successor."""
_STOP_MAY_TAKE = timedelta(seconds=10)
"""A successor that takes too long, to end."""

log = structlog.get_logger(__name__)


class Held(Protocol):
    """The streams that this process holds."""

    @property
    def open_names(self) -> Collection[str]:
        """Of those that are connected."""
        ...

    def note_what_is_read(self) -> None:
        """Another process is about to hold them as well: remember which events come from now on."""
        ...

    async def read_out(self, least: timedelta, first_of: Callable[[str], Collection[EventId]]) -> None:
        """Return once everything is read that was sent before the other process held them, which has to do so now."""
        ...


class SuccessorLostError(Exception):
    """The process that was handed over to has died before it could go on; a service manager starts another one."""


class HandOver:
    """One successor at a time. Its verbs answer the control socket; `run` does what they ask for."""

    def __init__(
        self,
        *,
        outbox_path: Path,
        service: ServiceManager,
        grace: Callable[[], timedelta],
        streams: Callable[[], Held],
        is_stopping: Callable[[], bool],
        leave: Callable[[], None],
        on_announced: Callable[[], None],
        on_lost: Callable[[], None],
    ) -> None:
        """`leave` begins the stop; `on_lost` is called when a successor that was announced has died before that."""
        self._outbox_path = outbox_path
        self._service = service
        self._grace = grace
        self._streams = streams
        self._is_stopping = is_stopping
        self._leave = leave
        self._on_announced = on_announced
        self._on_lost = on_lost
        self._successor: Process | None = None
        self._announced = asyncio.Event()
        self._asked = asyncio.Event()
        self._left = asyncio.Event()
        self._child: Child | None = None
        self._is_starting = False
        """A successor of ours is being started."""
        self._first_events: Mapping[str, Collection[EventId]] = {}
        """What the successor received first, by its open streams."""
        self._upgrade_wanted = asyncio.Event()

    @property
    def is_announced(self) -> bool:
        """Whether a process is taking over: it relies on what the outbox holds of the last minutes."""
        return self._successor is not None

    @property
    def is_left(self) -> bool:
        """Whether this process stops because another one takes over."""
        return self._left.is_set()

    def announce(self, pid: int, outbox: str) -> dict[str, object]:
        """See `Succeeded`."""
        if os.path.realpath(outbox) != os.path.realpath(self._outbox_path):
            raise RequestRefusedError(
                f"the running forwarder (process {os.getpid()}) has another outbox: {self._outbox_path}, not {outbox}; "
                "restart it, or take over with its outbox.url"
            )
        if self._is_stopping():
            raise RequestRefusedError("the running forwarder is stopping; start this one when it has ended")
        present = self._successor
        if present is not None and present.is_alive():
            raise RequestRefusedError(f"process {present.pid} is taking over already")
        if self._service.is_there and (self._child is None or self._child.pid != pid):
            raise RequestRefusedError(
                "a service manager runs the forwarder in force, and would not know of this process; "
                "`forwarder upgrade` has it start its successor itself"
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
        self._streams().note_what_is_read()
        self._on_announced()
        self._announced.set()
        log.info("takeover.announced", by=pid)
        return {
            "pid": os.getpid(),
            "version": __version__,
            "open_streams": sorted(self._streams().open_names),
        }

    def hand_over(self, pid: int) -> dict[str, object]:
        """See `Succeeded`. Of a daemon that was told to stop meanwhile it is true all the same that it leaves."""
        self._require_announced(pid)
        self._asked.set()
        return {"within_s": (OVERLAP + LONGEST_READ + self._grace() + _CLOSING).total_seconds()}

    def note_first_events(self, pid: int, streams: Mapping[str, Sequence[str]]) -> dict[str, object]:
        """See `Succeeded`."""
        self._require_announced(pid)
        self._first_events = {name: tuple(map(EventId, ids)) for name, ids in streams.items()}
        return {}

    def _require_announced(self, pid: int) -> None:
        if self._successor is None or self._successor.pid != pid:
            raise RequestRefusedError("the running forwarder does not expect to be taken over from by this process")

    async def upgrade(self) -> dict[str, object]:
        """See `Succeeded`."""
        if self._is_stopping():
            raise RequestRefusedError("the daemon is stopping")
        if self._child is not None:
            raise RequestRefusedError(f"process {self._child.pid} is taking over already")
        if self._is_starting:
            raise RequestRefusedError("a successor is being started already")
        self._is_starting = True
        try:
            self._child = child = await asyncio.to_thread(successor.start, successor.command_line())
        except OSError as error:
            raise RequestRefusedError(
                f"no successor can be started ({error.strerror or error}); this one goes on"
            ) from error
        finally:
            self._is_starting = False
        try:
            await child.named(within=_NAME_MAY_TAKE)
            log.info("upgrade.started", successor=child.pid)
            await self._take_leave_of(child)
        finally:
            if not self.is_left:  # also where we are stopped meanwhile: what we have started ends with us
                child.ask_to_end()
                child.close()
                self._child = None
        return {"pid": os.getpid(), "successor": child.pid, "version": __version__}

    def want_upgrade(self) -> None:
        """Start a successor, soon; what it comes to is logged."""
        self._upgrade_wanted.set()

    async def run(self) -> None:
        """Follow what is asked for, until this process is left."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._follow_signals())
            group.create_task(self._follow_successors())

    def conclude(self) -> None:
        """Tell the service manager who goes on. To be called while the outbox is still ours, by which the successor can tell."""
        if self._successor is not None and self._successor.is_alive():
            if self._child is not None:
                self._child.let_go()  # a service manager waits for the end of its own children only
            self._service.main_pid(self._successor.pid)

    def check_successor(self) -> None:
        """Raise `SuccessorLostError` where it has died, once everything of ours is closed."""
        if self._successor is not None and not self._successor.is_alive():
            raise SuccessorLostError(f"process {self._successor.pid}, which was to take over, has ended")

    # What is done about it

    async def _take_leave_of(self, child: Child) -> None:
        """Return once the successor is left the place. Raises `RequestRefusedError` where it has ended, or takes too long."""
        async with asyncio.TaskGroup() as group:
            waits = [group.create_task(child.ended()), group.create_task(self._left.wait())]
            limit = _SUCCESSOR_MAY_TAKE.total_seconds()
            await asyncio.wait(waits, timeout=limit, return_when=asyncio.FIRST_COMPLETED)
            for wait in waits:
                wait.cancel()
        is_alive = child.is_alive()
        if self.is_left:
            child.words()
            return
        if is_alive:
            await child.stop(within=_STOP_MAY_TAKE)
            why = f"did not take over within {_SUCCESSOR_MAY_TAKE.total_seconds():g} s and was stopped"
        else:
            why = f"ended with exit code {child.exit_code()} before it could take over"
        said = child.words()
        log.error("upgrade.failed", successor=child.pid, reason=why, said=said, note="this process goes on")
        raise RequestRefusedError(f"the successor (process {child.pid}) {why}; this one goes on" + _quoted(said))

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
            if await self._stays(process):
                self._left.set()
                log.info("daemon.handing_over", to=process.pid)
                self._leave()
                return
            if self._successor is process:
                self._successor = None
                process.close()
            log.warning("takeover.abandoned", by=process.pid, note="it has ended; this process goes on")
            self._on_lost()

    async def _stays(self, process: Process) -> bool:
        """Return whether the successor has asked for it, and is still there when everything is read that it does not receive."""
        async with asyncio.TaskGroup() as group:
            ended = group.create_task(process.ended())
            for step in (self._asked.wait(), self._read_out()):
                under_way = group.create_task(step)
                await asyncio.wait([ended, under_way], return_when=asyncio.FIRST_COMPLETED)
                under_way.cancel()
            ended.cancel()
        return process.is_alive()

    async def _read_out(self) -> None:
        """Return after the overlap, and once what was sent before the successor's streams were open is read."""
        async with asyncio.TaskGroup() as group:
            group.create_task(asyncio.sleep(OVERLAP.total_seconds()))
            group.create_task(self._streams().read_out(OVERLAP, lambda name: self._first_events.get(name, ())))


def _quoted(said: str) -> str:
    return f":\n{said}" if said else "; the log may say why"
