"""Resend, replay and dead letters over HTTP: what a person does with deliveries, a slice of them at a time."""

from collections.abc import Iterator
from typing import Annotated, Literal

import msgspec
from aiohttp import web
from msgspec import Meta

from forwarder.core.commands import (
    SLICE,
    Changed,
    DeadLetterChange,
    Replay,
    Resend,
)
from forwarder.web.api_history import DeadQuery, find_event
from forwarder.web.endpoints import Endpoint, change
from forwarder.web.parameters import (
    NO_NULL,
    EventId,
    EventSeq,
    InvalidRequestError,
    Milliseconds,
    Moment,
    Name,
    PageCursor,
    Word,
    read_cursor,
    write_cursor,
)
from forwarder.web.person_changes import PersonChanges, read_wanted
from forwarder.web.ports import DaemonAccess

_Rate = Annotated[
    float, Meta(gt=0, le=100_000, description="Deliveries per second. Events that come meanwhile go first.")
]

DeliveryKey = tuple[EventSeq, Name]
"""The number of an event, and a destination."""
DeliveryId = Annotated[
    str, Meta(pattern="^(msg_[0-9a-f]{40}|[0-9a-f]{32})$", description="A `webhook-id`, or the id of an event.")
]


class ResendWanted(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Where an event is to be sent again."""

    destinations: Annotated[list[Name], Meta(min_length=1, max_length=100)] | None = None
    """`null`: where it went already, except where it was skipped."""
    seq: EventSeq | None = None
    """Which acceptance of the event; the newest if it is left out."""


class ChangedAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """How many deliveries were changed."""

    changed: int
    left_alone: int
    """Those that are in flight, wait already, or were changed by somebody else meanwhile."""


class SliceEnd(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a slice of a long change ended. The next slice takes it as `continue_at`."""

    start_ms: Milliseconds
    position: Milliseconds
    """How many were changed so far."""
    until_ms: Milliseconds
    after: PageCursor | None = None
    after_seq: Milliseconds = 0


class SliceAnswer(ChangedAnswer, frozen=True, kw_only=True):
    """What one slice of a change did. A long change takes several: repeat the request with `next` as `continue_at`."""

    is_last: bool
    next: SliceEnd | None
    """`null` after the last slice."""


class ResendKeys(msgspec.Struct, forbid_unknown_fields=True):
    """Which events are to be sent again, and where."""

    keys: Annotated[list[DeliveryKey], Meta(min_length=1, max_length=SLICE)]


class DeadWanted(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Which dead letters are to be changed: some by their keys or ids, those that fit all filters, or all of them."""

    keys: Annotated[list[DeliveryKey], Meta(min_length=1, max_length=SLICE)] | None = None
    ids: Annotated[list[DeliveryId], Meta(min_length=1, max_length=SLICE)] | None = None
    all: bool = False
    """`true`: also without a filter."""
    destination: Name | None = None
    reason: Annotated[str, Meta(max_length=2000, pattern=NO_NULL)] | None = None
    status: Literal["dead", "expired"] | None = None
    route: Name | None = None
    source: Word | None = None
    author: Word | None = None
    text: Word | None = None
    since: Moment | None = None
    until: Moment | None = None
    until_ms: Milliseconds | None = None
    """Only what died before, in Unix milliseconds."""
    rate: _Rate = 50.0
    continue_at: SliceEnd | None = None


class ReplayWanted(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Which events of the history are to be delivered to a destination, perhaps again."""

    to: Name
    since: Moment
    until: Moment | None = None
    """`null` is now."""
    route: Name | None = None
    source: Word | None = None
    missing: bool = False
    """`true`: leave alone what the destination has got."""
    rate: _Rate = 50.0
    continue_at: SliceEnd | None = None


class Replays:
    """Sends again, and drops, what is asked for."""

    def __init__(self, access: DaemonAccess) -> None:
        self._access = access
        self._changes = PersonChanges(access)

    def endpoints(self) -> Iterator[Endpoint]:
        """Yield what there is."""
        yield change(
            "/events/{event_id}/resend",
            "Send an event again, now",
            self.resend,
            ChangedAnswer,
            body=ResendWanted,
            parts={"event_id": EventId},
        )
        yield change("/resend", "Send some events again, now", self.resend_keys, ChangedAnswer, body=ResendKeys)
        tried, dropped = "Try dead letters again, a slice at a time", "Drop dead letters, a slice at a time"
        yield change("/dead/replay", tried, self.replay_dead, SliceAnswer, body=DeadWanted)
        yield change("/dead/drop", dropped, self.drop_dead, SliceAnswer, body=DeadWanted)
        yield change(
            "/replay",
            "Deliver events of the history to a destination, a slice at a time",
            self.replay,
            SliceAnswer,
            body=ReplayWanted,
        )

    async def resend(self, request: web.Request) -> ChangedAnswer:
        """Send an event again."""
        wanted = await read_wanted(request, ResendWanted)
        event = await find_event(self._access, request, wanted.seq)
        names = wanted.destinations
        if names is None:
            names = [each.destination for each in event.deliveries if each.status != "skipped"]
        if not names:
            raise InvalidRequestError("the event went nowhere; name the destinations to send it to", status=409)
        keys = tuple((event.event_seq, name) for name in dict.fromkeys(names))
        done = await self._changes.make(Resend(keys=keys, now_ms=self._changes.now_ms()), Changed)
        return ChangedAnswer(changed=done.changed, left_alone=done.left_alone)

    async def resend_keys(self, request: web.Request) -> ChangedAnswer:
        """Send some events again."""
        keys = tuple(dict.fromkeys((await read_wanted(request, ResendKeys)).keys))
        done = await self._changes.make(Resend(keys=keys, now_ms=self._changes.now_ms()), Changed)
        return ChangedAnswer(changed=done.changed, left_alone=done.left_alone)

    async def replay_dead(self, request: web.Request) -> SliceAnswer:
        """Try some dead letters again."""
        return await self._change_dead(request, "dead_replay")

    async def drop_dead(self, request: web.Request) -> SliceAnswer:
        """Drop some dead letters."""
        return await self._change_dead(request, "dead_drop")

    async def _change_dead(self, request: web.Request, verb: str) -> SliceAnswer:
        wanted = await read_wanted(request, DeadWanted)
        now_ms = self._changes.now_ms()
        until_ms = min(now_ms + 1, wanted.until_ms or now_ms + 1)
        begin = wanted.continue_at or SliceEnd(start_ms=now_ms, position=0, until_ms=until_ms)
        is_named = wanted.keys is not None or wanted.ids is not None
        keys, after = await self._dead_keys(wanted, begin)
        if not keys:
            return SliceAnswer(changed=0, left_alone=0, is_last=True, next=None)
        asked = DeadLetterChange.model_validate(
            {
                "verb": verb,
                "keys": keys,
                "since_ms": 0,
                "until_ms": begin.until_ms,
                "start_ms": begin.start_ms,
                "rate": wanted.rate,
                "position": begin.position,
                **(
                    {}
                    if is_named
                    else {"destination": wanted.destination, "route": wanted.route, "reason": wanted.reason}
                ),
            }
        )
        done = await self._changes.make(asked, Changed)
        position = begin.position + done.changed
        end = None if after is None else msgspec.structs.replace(begin, position=position, after=after)
        return SliceAnswer(changed=done.changed, left_alone=len(keys) - done.changed, is_last=end is None, next=end)

    async def _dead_keys(self, wanted: DeadWanted, begin: SliceEnd) -> tuple[tuple[tuple[int, str], ...], str | None]:
        """Return the dead letters of a slice, and where the next one begins."""
        if wanted.keys is not None or wanted.ids is not None:
            named = await self._access.dead_keys(wanted.ids) if wanted.ids is not None else ()
            keys = dict.fromkeys([*(wanted.keys or ()), *named])
            return tuple(keys)[:SLICE], None
        filters = {
            name: getattr(wanted, "status" if name == "state" else name)
            for name in ("destination", "reason", "route", "source", "author", "text", "since", "until", "state")
        }
        if not wanted.all and all(value is None for value in (*filters.values(), wanted.until_ms)):
            raise InvalidRequestError("name dead letters by keys, narrow them with a filter, or write all: true")
        asked = DeadQuery(**filters).query()
        query = msgspec.structs.replace(
            asked,
            reason=wanted.reason,
            status=wanted.status,
            until_ms=min(asked.until_ms, begin.until_ms),
            limit=SLICE,
            after=None if begin.after is None else read_cursor(begin.after),
        )
        page = await self._access.dead_letters(query)
        return tuple((each.event_seq, each.destination) for each in page.deliveries), write_cursor(page.next)

    async def replay(self, request: web.Request) -> SliceAnswer:
        """Deliver some events of the history."""
        wanted = await read_wanted(request, ReplayWanted)
        now_ms = self._changes.now_ms()
        if wanted.to not in self._access.status().destinations:
            raise InvalidRequestError("there is no such enabled destination", status=404)
        since_ms, until_ms = DeadQuery(since=wanted.since, until=wanted.until).bounds()
        begin = wanted.continue_at or SliceEnd(start_ms=now_ms, position=0, until_ms=min(until_ms, now_ms))
        done = await self._changes.make(
            Replay(
                to=wanted.to,
                since_ms=since_ms,
                until_ms=begin.until_ms,
                route=wanted.route,
                source=wanted.source,
                missing=wanted.missing,
                start_ms=begin.start_ms,
                rate=wanted.rate,
                position=begin.position,
                after_seq=begin.after_seq,
            ),
            Changed,
        )
        end = msgspec.structs.replace(begin, position=begin.position + done.changed, after_seq=done.last_seq)
        return SliceAnswer(
            changed=done.changed, left_alone=done.left_alone, is_last=done.is_last, next=None if done.is_last else end
        )
