"""The history over HTTP: events, deliveries, dead letters, gaps and what people did."""

import asyncio
from collections.abc import Iterator
from typing import Annotated, Any, Literal

import msgspec
from aiohttp import web
from msgspec import Meta
from msgspec.structs import replace

from forwarder.core.history import Query
from forwarder.core.past_routing import PastRouting
from forwarder.core.routing.explain import Explanation, RouteOutcome
from forwarder.web.endpoints import JSON, Endpoint, reading
from forwarder.web.parameters import (
    NO_NULL,
    EventId,
    EventSeq,
    Filters,
    InvalidRequestError,
    Limit,
    Name,
    Period,
    read_path,
    read_query,
    write_cursor,
)
from forwarder.web.ports import DaemonAccess, UnavailableError
from forwarder.web.records import DeadGroup, StoredAction, StoredDelivery, StoredEvent, StoredGap

_Status = Literal["pending", "in_flight", "delivered", "dead", "expired", "skipped"]
_EventState = Literal["pending", "in_flight", "delivered", "dead", "expired", "skipped", "unmatched"]


class EventsAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A page of events, newest first, without their bodies."""

    events: list[StoredEvent]
    next: str | None
    """`after` of the next page; `null` at the end."""


class DeliveriesAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A page of deliveries, without their attempts."""

    deliveries: list[StoredDelivery]
    next: str | None


class DeadGroupsAnswer(msgspec.Struct, frozen=True):
    """Dead letters by destination and reason, the group with the last death first."""

    groups: list[DeadGroup]


class GapsAnswer(msgspec.Struct, frozen=True):
    """Times in which a stream was not open, the last to begin first."""

    gaps: list[StoredGap]


class ActionsAnswer(msgspec.Struct, frozen=True):
    """What people did, the latest first."""

    actions: list[StoredAction]


class EventQuery(Filters, kw_only=True, forbid_unknown_fields=True):
    """Which events are asked for."""

    state: _EventState | None = None


class DeliveryQuery(Filters, kw_only=True, forbid_unknown_fields=True):
    """Which deliveries are asked for."""

    state: _Status | None = None


class DeadQuery(Filters, kw_only=True, forbid_unknown_fields=True):
    """Which dead letters are asked for; `since` and `until` are about when they died."""

    state: Literal["dead", "expired"] | None = None
    reason: Annotated[str, Meta(max_length=2000, pattern=NO_NULL)] | None = None
    """The whole reason, as a group has it."""


class GapQuery(Period, kw_only=True, forbid_unknown_fields=True):
    """Which gaps are asked for."""

    stream: Name | None = None
    open: bool = False
    """Only those that last."""


class WhichEvent(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Which of several acceptances of one event is meant."""

    seq: EventSeq | None = None
    """Its number; the newest if it is left out."""


class ExplanationQuery(WhichEvent, kw_only=True, forbid_unknown_fields=True):
    """Which routes are explained."""

    route: Name | None = None
    outcome: RouteOutcome | None = None
    limit: Limit = 200
    """The most routes of each explanation."""


_PIECE_BYTES = 64 << 10
_MOST_BODIES = 2
"""How many clients take a whole event at the same time: each is in memory until it is taken."""
_PIECE_WITHIN_S = 10.0
"""How long a client may take for a piece of it."""


class HistoryReads:
    """Answers what came, where it went and why."""

    def __init__(self, access: DaemonAccess) -> None:
        self._access = access
        self._bodies = 0

    def endpoints(self) -> Iterator[Endpoint]:
        """Yield what there is."""
        of_event = {"event_id": EventId}
        yield reading("/events", "Events, newest first", self.events, EventsAnswer, query=EventQuery)
        yield reading(
            "/events/{event_id}",
            "One event with its body, or the beginning of a large one, its deliveries and every attempt",
            self.event,
            StoredEvent,
            query=WhichEvent,
            parts=of_event,
        )
        yield reading(
            "/events/{event_id}/body",
            "One event as it came, all of it",
            self.body,
            Any,
            query=WhichEvent,
            parts=of_event,
        )
        yield reading(
            "/events/{event_id}/explanation",
            "How an event was routed and why, route by route, then and today",
            self.explanation,
            PastRouting,
            query=ExplanationQuery,
            parts=of_event,
        )
        yield reading(
            "/deliveries", "Deliveries, newest event first", self.deliveries, DeliveriesAnswer, query=DeliveryQuery
        )
        yield reading("/dead", "Dead letters, the last to die first", self.dead, DeliveriesAnswer, query=DeadQuery)
        yield reading(
            "/dead/groups",
            "Dead letters by destination and reason",
            self.dead_groups,
            DeadGroupsAnswer,
            query=DeadQuery,
        )
        yield reading("/gaps", "When a stream was not open", self.gaps, GapsAnswer, query=GapQuery)
        yield reading("/actions", "What people did", self.actions, ActionsAnswer, query=Period)

    async def events(self, request: web.Request) -> EventsAnswer:
        """Return a page of events."""
        asked = read_query(request, EventQuery)
        is_unmatched = asked.state == "unmatched"
        query = replace(asked.query(), status=None if is_unmatched else asked.state, unmatched=is_unmatched)
        page = await self._access.events(query)
        return EventsAnswer(events=page.events, next=write_cursor(page.next))

    async def event(self, request: web.Request) -> StoredEvent:
        """Return an event."""
        return await find_event(self._access, request, read_query(request, WhichEvent).seq)

    async def body(self, request: web.Request) -> web.StreamResponse:
        """Send a whole event in pieces. Of a client that takes none, the connection is closed."""
        seq = read_query(request, WhichEvent).seq
        event = await find_event(self._access, request, seq)
        if self._bodies >= _MOST_BODIES:
            raise UnavailableError("too many whole events are being sent; try again in a moment")
        self._bodies += 1
        try:
            body = await self._access.body(event.event_seq)
            if body is None:
                raise InvalidRequestError("there is no such event any more", status=404)
            return await _send(request, body)
        finally:
            self._bodies -= 1

    async def explanation(self, request: web.Request) -> PastRouting:
        """Return how an event was routed."""
        asked = read_query(request, ExplanationQuery)
        event = await find_event(self._access, request, asked.seq)
        found = await self._access.explain(event.event_seq)
        if found is None:
            raise InvalidRequestError("there is no such event any more", status=404)
        return replace(found, then=_narrowed(found.then, asked), today=_narrowed(found.today, asked))

    async def deliveries(self, request: web.Request) -> DeliveriesAnswer:
        """Return a page of deliveries."""
        asked = read_query(request, DeliveryQuery)
        page = await self._access.deliveries(replace(asked.query(), status=asked.state))
        return DeliveriesAnswer(deliveries=page.deliveries, next=write_cursor(page.next))

    async def dead(self, request: web.Request) -> DeliveriesAnswer:
        """Return a page of dead letters."""
        asked = read_query(request, DeadQuery)
        page = await self._access.dead_letters(replace(asked.query(), status=asked.state, reason=asked.reason))
        return DeliveriesAnswer(deliveries=page.deliveries, next=write_cursor(page.next))

    async def dead_groups(self, request: web.Request) -> DeadGroupsAnswer:
        """Return the dead letters by destination and reason."""
        asked = read_query(request, DeadQuery)
        query = replace(asked.query(), status=asked.state, reason=asked.reason, after=None)
        return DeadGroupsAnswer(await self._access.dead_groups(query))

    async def gaps(self, request: web.Request) -> GapsAnswer:
        """Return the gaps."""
        asked = read_query(request, GapQuery)
        return GapsAnswer(await self._access.gaps(_query_of(asked), stream=asked.stream, only_open=asked.open))

    async def actions(self, request: web.Request) -> ActionsAnswer:
        """Return what people did."""
        return ActionsAnswer(await self._access.actions(_query_of(read_query(request, Period))))


async def find_event(access: DaemonAccess, request: web.Request, seq: int | None) -> StoredEvent:
    """Return the event of the path; of several acceptances the one with this number, or the newest. Raises `InvalidRequestError`."""
    event_id: str = read_path(request, "event_id", EventId)
    found = [event for event in await access.event(event_id) if seq in {None, event.event_seq}]
    if not found:
        raise InvalidRequestError(
            "there is no such event: it did not come, or it is older than outbox.keep_delivered", status=404
        )
    return found[-1]


async def _send(request: web.Request, body: bytes) -> web.StreamResponse:
    answer = web.StreamResponse(headers={"Content-Type": JSON})
    answer.content_length = len(body)
    await answer.prepare(request)
    if request.method == "HEAD":
        return answer
    view = memoryview(body)
    try:
        for begin in range(0, len(body), _PIECE_BYTES):
            async with asyncio.timeout(_PIECE_WITHIN_S):
                await answer.write(bytes(view[begin : begin + _PIECE_BYTES]))
        await answer.write_eof()
    except (TimeoutError, ConnectionError):
        connection = request.protocol
        connection.force_close()
    return answer


def _narrowed(explanation: Explanation | None, asked: ExplanationQuery) -> Explanation | None:
    if explanation is None:
        return None
    routes = [
        route
        for route in explanation.routes
        if asked.route in {None, route.name} and asked.outcome in {None, route.outcome}
    ]
    return replace(explanation, routes=tuple(routes[: asked.limit]))


def _query_of(asked: Period) -> Query:
    since_ms, until_ms = asked.bounds()
    return Query(since_ms=since_ms, until_ms=until_ms, limit=asked.limit)
