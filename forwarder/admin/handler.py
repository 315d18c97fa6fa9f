"""What the daemon does on request."""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Protocol, assert_never

from pydantic import BaseModel

from forwarder.admin.server import RequestRefusedError
from forwarder.core.changes import (
    Announce,
    Changed,
    Dead,
    Diff,
    FirstEvents,
    HandOver,
    PauseChange,
    Reconnect,
    Reload,
    Replay,
    Request,
    Status,
    Upgrade,
    Vacuum,
)
from forwarder.core.delivery import DestinationName
from forwarder.outbox.sqlite import SqliteOutbox

_MAY_TAKE_S = 4.0
"""For so long a change is tried while the outbox is in trouble. It may be made later all the same."""


class Succeeded(Protocol):
    """What another process can take over from. Each verb returns what the asker is told, or raises `RequestRefusedError`."""

    def announce(self, pid: int, outbox: str) -> dict[str, object]:
        """A process is about to take over this outbox."""
        ...

    def hand_over(self, pid: int) -> dict[str, object]:
        """The process that was announced holds the streams."""
        ...

    def note_first_events(self, pid: int, streams: Mapping[str, Sequence[str]]) -> dict[str, object]:
        """By the names of the streams that are open there: the ids of the first events that the announced process received."""
        ...

    async def upgrade(self) -> dict[str, object]:
        """Start a successor, and return once it is left the place, or has failed."""
        ...


class Handler:
    """Answers the requests of the control socket."""

    def __init__(
        self,
        outbox: SqliteOutbox,
        *,
        destinations: Callable[[], Collection[str]],
        look: Callable[[DestinationName], None],
        pause: Callable[[PauseChange], None],
        status: Callable[[], dict[str, object]],
        reload: Callable[[], Awaitable[dict[str, object]]],
        diff: Callable[[str], Awaitable[dict[str, object]]],
        reconnect: Callable[[str | None], dict[str, object]],
        succession: Succeeded,
        is_paused: Callable[[str], bool] = lambda _name: False,
    ) -> None:
        """`destinations` are those in force; `look` has the lane of one ask the outbox again, `pause` pauses or resumes one.

        `reload` reads the config again; `diff` tells what that of a file would change; `reconnect` has one stream, or all, connect anew;
        `succession` hands over to another process.
        """
        self._outbox = outbox
        self._destinations = destinations
        self._look = look
        self._pause = pause
        self._status = status
        self._reload = reload
        self._diff = diff
        self._succession = succession
        self._reconnect = reconnect
        self._is_paused = is_paused

    async def handle(self, request: Request) -> BaseModel | dict[str, object]:
        """Do it. Raises `RequestRefusedError`."""
        match request:
            case Status():
                return self._status() | {"outbox": self._outbox.health()}
            case Reload():
                return await self._reload()
            case Diff(file=file):
                return await self._diff(file)
            case Reconnect(stream=name):
                return self._reconnect(name)
            case FirstEvents(pid=pid, streams=streams):
                return self._succession.note_first_events(pid, streams)
        if (trouble := self._outbox.writer.trouble) is not None:
            return await self._handle_in_trouble(request, trouble)
        match request:
            case Announce(pid=pid, outbox=outbox):
                return self._succession.announce(pid, outbox)
            case HandOver(pid=pid):
                return self._succession.hand_over(pid)
            case Upgrade():
                return await self._succession.upgrade()
        try:
            return await self._change(request)
        except sqlite3.Error as error:
            raise RequestRefusedError(f"the outbox cannot be read now ({error}); try again when it can") from error

    async def _handle_in_trouble(self, request: Request, trouble: str) -> BaseModel | dict[str, object]:
        """Do what may be the way out of it: a full outbox may wait for a paused destination, or be full of dead letters."""
        refusal = f"the outbox cannot be written now ({trouble}); try again when it can"
        match request:
            case PauseChange(destination=name) if name in self._destinations():
                return self._pause_in_memory(request)
            case Dead(verb="dead_drop"):
                try:
                    async with asyncio.timeout(_MAY_TAKE_S):
                        return await self._outbox.change(request)
                except TimeoutError:
                    raise RequestRefusedError(refusal) from None
            case _:
                raise RequestRefusedError(refusal)

    def _pause_in_memory(self, asked: PauseChange) -> Changed:
        """Pause or resume at once; it is written when that is possible."""
        is_changed = self._is_paused(asked.destination) != (asked.verb == "pause")
        if is_changed:
            self._pause(asked)
        return Changed(
            changed=int(is_changed),
            left_alone=int(not is_changed),
            destinations=(asked.destination,),
            last_seq=0,
            is_last=True,
        )

    async def _change(self, request: Replay | Dead | PauseChange | Vacuum) -> BaseModel | dict[str, object]:
        match request:
            case Vacuum():
                return {"freed_bytes": await self._outbox.pruner.vacuum_slice()}
            case Replay(to=name) | PauseChange(destination=name) if name not in self._destinations():
                names = ", ".join(sorted(self._destinations()))
                raise RequestRefusedError(f"no enabled destination is called {name!r}; there are: {names}")
            case PauseChange():
                try:
                    async with asyncio.timeout(_MAY_TAKE_S):
                        done = await self._outbox.change(request)
                except TimeoutError:
                    return self._pause_in_memory(request)
                if done.changed:
                    self._pause(request)
                return done
            case Replay() | Dead():
                done = await self._outbox.change(request)
                for name in done.destinations:
                    self._look(DestinationName(name))
                return done
            case _:
                assert_never(request)
