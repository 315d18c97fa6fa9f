"""The state of this moment over HTTP: the verdict, the streams and the destinations."""

import asyncio
from collections.abc import Iterator

import msgspec
from aiohttp import web

from forwarder.core.monitoring.status import Backlog, DestinationReport, StatusReport, StreamReport
from forwarder.core.monitoring.verdict import Concern, HealthLevel
from forwarder.web.endpoints import Endpoint, NoParameters, reading
from forwarder.web.parameters import (
    read_query,
)
from forwarder.web.ports import DaemonAccess


class VerdictView(msgspec.Struct, frozen=True, kw_only=True):
    """How well the daemon is."""

    level: HealthLevel
    line: str
    """All of it in one line."""
    advice: str
    """What to do about the worst of it; empty if there is nothing to do."""
    concerns: tuple[Concern, ...]


class StatusAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The state of the daemon, as `forwarder status --json` has it, with the verdict."""

    verdict: VerdictView
    status: StatusReport
    backlog: Backlog | None
    """`null` if the outbox cannot be counted in time."""


class StreamsAnswer(msgspec.Struct, frozen=True):
    """The streams, by name."""

    streams: dict[str, StreamReport]


class DestinationsAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The enabled destinations, by name."""

    destinations: dict[str, DestinationReport]
    waiting: dict[str, int]
    """How many deliveries are still to be made."""
    dead: dict[str, int]
    """How many dead letters there are."""


class StateReads:
    """Answers how the daemon is now."""

    def __init__(self, access: DaemonAccess) -> None:
        self._access = access

    def endpoints(self) -> Iterator[Endpoint]:
        """Yield what there is."""
        yield reading("/status", "How well the daemon is, and all that it reports", self.status, StatusAnswer)
        yield reading("/streams", "The streams", self.streams, StreamsAnswer)
        yield reading("/destinations", "The destinations", self.destinations, DestinationsAnswer)

    async def status(self, request: web.Request) -> StatusAnswer:
        """Return the state of the daemon."""
        read_query(request, NoParameters)
        backlog, verdict = await asyncio.gather(self._access.backlog(), self._access.verdict())
        view = VerdictView(level=verdict.level, line=verdict.line, advice=verdict.advice, concerns=verdict.concerns)
        return StatusAnswer(verdict=view, status=self._access.status(), backlog=backlog)

    async def streams(self, request: web.Request) -> StreamsAnswer:
        """Return the streams."""
        read_query(request, NoParameters)
        return StreamsAnswer(self._access.status().streams)

    async def destinations(self, request: web.Request) -> DestinationsAnswer:
        """Return the destinations with what waits and what is dead."""
        read_query(request, NoParameters)
        backlog = await self._access.backlog() or Backlog()
        return DestinationsAnswer(
            destinations=self._access.status().destinations, waiting=backlog.waiting, dead=backlog.dead
        )
