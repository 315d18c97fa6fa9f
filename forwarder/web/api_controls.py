"""Pause, resume, canary and reconnect over HTTP: what a person does with a destination or a stream."""

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated

import msgspec
from aiohttp import web
from msgspec import Meta

from forwarder.core.commands import (
    Changed,
    PauseChange,
    Reconnect,
    SendCanary,
)
from forwarder.web.endpoints import Empty, Endpoint, change
from forwarder.web.parameters import (
    InvalidRequestError,
    Milliseconds,
    Name,
    read_path,
)
from forwarder.web.person_changes import PersonChanges, read_wanted
from forwarder.web.ports import DaemonAccess

_LONGEST_PAUSE_S = 366 * 24 * 3600


class PauseWanted(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """How a destination is to be paused."""

    why: Annotated[str, Meta(max_length=500)] = ""
    for_s: Annotated[float, Meta(ge=1, le=_LONGEST_PAUSE_S)] | None = None
    """For how many seconds; `null` until it is resumed, or until `until_ms`."""
    until_ms: Milliseconds | None = None
    """When it ends by itself, in Unix milliseconds."""


class PauseAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The state after a pause or a resumption."""

    destination: str
    paused: bool
    changed: bool
    """`false`: it was so already."""
    until: datetime | None = None


class CanaryAnswer(msgspec.Struct, frozen=True):
    """The destination to which a canary is sent within a second."""

    destination: str


class ReconnectAnswer(msgspec.Struct, frozen=True):
    """The streams that reconnect."""

    streams: list[str]


class Controls:
    """Does what is asked of a destination or a stream."""

    def __init__(self, access: DaemonAccess) -> None:
        self._access = access
        self._changes = PersonChanges(access)

    def endpoints(self) -> Iterator[Endpoint]:
        """Yield what there is."""
        of_destination = {"destination": Name}
        yield change(
            "/destinations/{destination}/pause",
            "Send nothing to a destination for a time, and keep what is meant for it",
            self.pause,
            PauseAnswer,
            body=PauseWanted,
            parts=of_destination,
        )
        yield change(
            "/destinations/{destination}/resume",
            "Send to a destination again",
            self.resume,
            PauseAnswer,
            parts=of_destination,
        )
        yield change(
            "/destinations/{destination}/canary",
            "Send the next canary of a destination now",
            self.canary,
            CanaryAnswer,
            parts=of_destination,
        )
        yield change(
            "/streams/{stream}/reconnect",
            "Reconnect a stream, without a gap",
            self.reconnect,
            ReconnectAnswer,
            parts={"stream": Name},
        )

    async def pause(self, request: web.Request) -> PauseAnswer:
        """Pause a destination."""
        wanted = await read_wanted(request, PauseWanted)
        now_ms = self._changes.now_ms()
        until_ms = wanted.until_ms if wanted.for_s is None else now_ms + round(wanted.for_s * 1000)
        if until_ms is not None and until_ms <= now_ms:
            raise InvalidRequestError("the end of the pause is over already")
        return await self._pause(
            PauseChange(
                verb="pause",
                destination=_destination(self._access, request),
                why=wanted.why,
                now_ms=now_ms,
                until_ms=until_ms,
            )
        )

    async def resume(self, request: web.Request) -> PauseAnswer:
        """Resume a destination."""
        await read_wanted(request, Empty)
        return await self._pause(
            PauseChange(verb="resume", destination=_destination(self._access, request), now_ms=self._changes.now_ms())
        )

    async def _pause(self, asked: PauseChange) -> PauseAnswer:
        done = await self._changes.make(asked, Changed)
        pause = self._access.status().destinations[asked.destination].paused
        return PauseAnswer(
            destination=asked.destination,
            paused=asked.verb == "pause",
            changed=bool(done.changed),
            until=None if pause is None or pause.until is None else datetime.fromisoformat(pause.until),
        )

    async def canary(self, request: web.Request) -> CanaryAnswer:
        """Send a canary."""
        await read_wanted(request, Empty)
        name = _destination(self._access, request)
        await self._changes.ask(SendCanary(destination=name))
        return CanaryAnswer(name)

    async def reconnect(self, request: web.Request) -> ReconnectAnswer:
        """Reconnect a stream."""
        await read_wanted(request, Empty)
        name: str = read_path(request, "stream", Name)
        if name not in self._access.status().streams:
            raise InvalidRequestError("there is no such stream", status=404)
        answer = await self._changes.ask(Reconnect(stream=name))
        streams = answer["streams"] if isinstance(answer, dict) else ()
        return ReconnectAnswer(msgspec.convert(streams, list[str]))


def _destination(access: DaemonAccess, request: web.Request) -> str:
    name: str = read_path(request, "destination", Name)
    if name not in access.status().destinations:
        raise InvalidRequestError("there is no such enabled destination", status=404)
    return name
