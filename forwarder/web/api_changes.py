"""What a person can change over HTTP. Each change goes the way of the commands, and the history of actions keeps that it was made."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from aiohttp import web
from msgspec import Meta
from pydantic import BaseModel

from forwarder.core.commands import (
    SLICE,
    Changed,
    DeadLetterChange,
    PauseChange,
    Reconnect,
    Reload,
    ReloadAnswer,
    Replay,
    Request,
    Resend,
    SendCanary,
)
from forwarder.web.api_reads import DeadQuery, find_event
from forwarder.web.endpoints import Answers, Endpoint, NoParameters
from forwarder.web.parameters import (
    EventId,
    EventSeq,
    InvalidRequestError,
    Moment,
    Name,
    PageCursor,
    Word,
    read_body,
    read_cursor,
    read_path,
    read_query,
    write_cursor,
)
from forwarder.web.ports import DaemonAccess

PERSON = "over HTTP"
"""Who is said to have made a change: who knows the token."""
_LONGEST_PAUSE_S = 366 * 24 * 3600
_Rate = Annotated[
    float, Meta(gt=0, le=100_000, description="Deliveries per second. Events that come meanwhile go first.")
]
_Ms = Annotated[int, Meta(ge=0, le=1 << 53)]
_T = TypeVar("_T", bound=BaseModel)
_S = TypeVar("_S", bound=msgspec.Struct)


class Empty(msgspec.Struct, forbid_unknown_fields=True):
    """Nothing: an empty object, or no body at all."""


DeliveryKey = tuple[EventSeq, Name]
"""The number of an event, and a destination."""
DeliveryId = Annotated[
    str, Meta(pattern="^(msg_[0-9a-f]{40}|[0-9a-f]{32})$", description="A `webhook-id`, or the id of an event.")
]


class PauseWanted(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """How a destination is to be paused."""

    why: Annotated[str, Meta(max_length=500)] = ""
    for_s: Annotated[float, Meta(ge=1, le=_LONGEST_PAUSE_S)] | None = None
    """For how many seconds; `null` until it is resumed, or until `until_ms`."""
    until_ms: _Ms | None = None
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

    start_ms: _Ms
    position: _Ms
    """How many were changed so far."""
    until_ms: _Ms
    after: PageCursor | None = None
    after_seq: _Ms = 0


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
    reason: Annotated[str, Meta(max_length=2000)] | None = None
    status: Literal["dead", "expired"] | None = None
    route: Name | None = None
    source: Word | None = None
    author: Word | None = None
    text: Word | None = None
    since: Moment | None = None
    until: Moment | None = None
    until_ms: _Ms | None = None
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


class ReloadResult(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a reload."""

    applied: bool
    """Whether the config on disk is active now."""
    changed: bool
    digest: str
    plan: list[str]
    """What changed, in sentences."""
    problems: list[str]
    failing_tests: list[str]
    warnings: list[str]


class Changes:
    """Carries out what is asked for."""

    def __init__(self, access: DaemonAccess) -> None:
        self._access = access

    def endpoints(self) -> Iterator[Endpoint]:
        """Yield what there is."""
        of_destination = {"destination": Name}
        yield _post(
            "/destinations/{destination}/pause",
            "Send nothing to a destination for a time, and keep what is meant for it",
            self.pause,
            PauseAnswer,
            body=PauseWanted,
            parts=of_destination,
        )
        yield _post(
            "/destinations/{destination}/resume",
            "Send to a destination again",
            self.resume,
            PauseAnswer,
            parts=of_destination,
        )
        yield _post(
            "/destinations/{destination}/canary",
            "Send the next canary of a destination now",
            self.canary,
            CanaryAnswer,
            parts=of_destination,
        )
        yield _post(
            "/streams/{stream}/reconnect",
            "Reconnect a stream, without a gap",
            self.reconnect,
            ReconnectAnswer,
            parts={"stream": Name},
        )
        yield _post(
            "/events/{event_id}/resend",
            "Send an event again, now",
            self.resend,
            ChangedAnswer,
            body=ResendWanted,
            parts={"event_id": EventId},
        )
        yield _post("/resend", "Send some events again, now", self.resend_keys, ChangedAnswer, body=ResendKeys)
        tried, dropped = "Try dead letters again, a slice at a time", "Drop dead letters, a slice at a time"
        yield _post("/dead/replay", tried, self.replay_dead, SliceAnswer, body=DeadWanted)
        yield _post("/dead/drop", dropped, self.drop_dead, SliceAnswer, body=DeadWanted)
        yield _post(
            "/replay",
            "Deliver events of the history to a destination, a slice at a time",
            self.replay,
            SliceAnswer,
            body=ReplayWanted,
        )
        yield _post("/reload", "Read the config again and activate it", self.reload, ReloadResult)

    async def pause(self, request: web.Request) -> PauseAnswer:
        """Pause a destination."""
        wanted = await _body(request, PauseWanted)
        now_ms = self._now_ms()
        until_ms = wanted.until_ms if wanted.for_s is None else now_ms + round(wanted.for_s * 1000)
        if until_ms is not None and until_ms <= now_ms:
            raise InvalidRequestError("the end of the pause is over already")
        return await self._pause(
            PauseChange(
                verb="pause", destination=self._destination(request), why=wanted.why, now_ms=now_ms, until_ms=until_ms
            )
        )

    async def resume(self, request: web.Request) -> PauseAnswer:
        """Resume a destination."""
        await _body(request, Empty)
        return await self._pause(
            PauseChange(verb="resume", destination=self._destination(request), now_ms=self._now_ms())
        )

    async def _pause(self, asked: PauseChange) -> PauseAnswer:
        done = await self._change(asked, Changed)
        pause = self._access.status().destinations[asked.destination].paused
        return PauseAnswer(
            destination=asked.destination,
            paused=asked.verb == "pause",
            changed=bool(done.changed),
            until=None if pause is None or pause.until is None else datetime.fromisoformat(pause.until),
        )

    async def canary(self, request: web.Request) -> CanaryAnswer:
        """Send a canary."""
        await _body(request, Empty)
        name = self._destination(request)
        await self._access.change(SendCanary(destination=name), PERSON)
        return CanaryAnswer(name)

    async def reconnect(self, request: web.Request) -> ReconnectAnswer:
        """Reconnect a stream."""
        await _body(request, Empty)
        name: str = read_path(request, "stream", Name)
        if name not in self._access.status().streams:
            raise InvalidRequestError("there is no such stream", status=404)
        answer = await self._access.change(Reconnect(stream=name), PERSON)
        streams = answer["streams"] if isinstance(answer, dict) else ()
        return ReconnectAnswer(msgspec.convert(streams, list[str]))

    async def resend(self, request: web.Request) -> ChangedAnswer:
        """Send an event again."""
        wanted = await _body(request, ResendWanted)
        event = await find_event(self._access, request, wanted.seq)
        names = wanted.destinations
        if names is None:
            names = [each.destination for each in event.deliveries if each.status != "skipped"]
        if not names:
            raise InvalidRequestError("the event went nowhere; name the destinations to send it to", status=409)
        keys = tuple((event.event_seq, name) for name in dict.fromkeys(names))
        done = await self._change(Resend(keys=keys, now_ms=self._now_ms()), Changed)
        return ChangedAnswer(changed=done.changed, left_alone=done.left_alone)

    async def resend_keys(self, request: web.Request) -> ChangedAnswer:
        """Send some events again."""
        keys = tuple(dict.fromkeys((await _body(request, ResendKeys)).keys))
        done = await self._change(Resend(keys=keys, now_ms=self._now_ms()), Changed)
        return ChangedAnswer(changed=done.changed, left_alone=done.left_alone)

    async def replay_dead(self, request: web.Request) -> SliceAnswer:
        """Try some dead letters again."""
        return await self._change_dead(request, "dead_replay")

    async def drop_dead(self, request: web.Request) -> SliceAnswer:
        """Drop some dead letters."""
        return await self._change_dead(request, "dead_drop")

    async def _change_dead(self, request: web.Request, verb: str) -> SliceAnswer:
        wanted = await _body(request, DeadWanted)
        now_ms = self._now_ms()
        until_ms = min(now_ms + 1, wanted.until_ms or now_ms + 1)
        begin = wanted.continue_at or SliceEnd(start_ms=now_ms, position=0, until_ms=until_ms)
        keys, after = await self._dead_keys(wanted, begin)
        if not keys:
            return SliceAnswer(changed=0, left_alone=0, is_last=True, next=None)
        change = DeadLetterChange.model_validate(
            {
                "verb": verb,
                "keys": keys,
                "since_ms": 0,
                "until_ms": begin.until_ms,
                "start_ms": begin.start_ms,
                "rate": wanted.rate,
                "position": begin.position,
            }
        )
        done = await self._change(change, Changed)
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
        wanted = await _body(request, ReplayWanted)
        now_ms = self._now_ms()
        if wanted.to not in self._access.status().destinations:
            raise InvalidRequestError("there is no such enabled destination", status=404)
        since_ms, until_ms = DeadQuery(since=wanted.since, until=wanted.until).bounds()
        begin = wanted.continue_at or SliceEnd(start_ms=now_ms, position=0, until_ms=min(until_ms, now_ms))
        done = await self._change(
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

    async def reload(self, request: web.Request) -> ReloadResult:
        """Read the config again."""
        await _body(request, Empty)
        done = await self._change(Reload(), ReloadAnswer)
        return ReloadResult(
            applied=done.applied,
            changed=done.changed,
            digest=done.digest,
            plan=list(done.plan),
            problems=list(done.problems),
            failing_tests=list(done.failing_tests),
            warnings=list(done.warnings),
        )

    async def _change(self, asked: Request, kind: type[_T]) -> _T:
        return kind.model_validate(await self._access.change(asked, PERSON))

    def _destination(self, request: web.Request) -> str:
        name: str = read_path(request, "destination", Name)
        if name not in self._access.status().destinations:
            raise InvalidRequestError("there is no such enabled destination", status=404)
        return name

    def _now_ms(self) -> int:
        return round(self._access.now().timestamp() * 1000)


async def _body(request: web.Request, kind: type[_S]) -> _S:
    read_query(request, NoParameters)
    return await read_body(request, kind)


def _post(
    path: str,
    summary: str,
    answer: Answers,
    result: type[msgspec.Struct],
    *,
    body: type[msgspec.Struct] = Empty,
    parts: Mapping[str, Any] | None = None,
) -> Endpoint:
    return Endpoint(
        method="POST",
        path=path,
        summary=summary,
        answer=answer,
        result=result,
        body=body,
        parts=parts or {},
        is_change=True,
        may_refuse=True,
    )
