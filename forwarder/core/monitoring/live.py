"""What a person who watches the daemon sees of each event and of each attempt. Texts of strangers are cut to a length that a screen can show."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import assert_never

import msgspec

from forwarder.core.delivery import Answered, Attempt, Delivery, DestinationName
from forwarder.core.dispatch.retry import Dead, Decision, Done, Expired, Postponed, RetryAt
from forwarder.core.event import Event
from forwarder.core.matching.post_search import heading_of_post
from forwarder.core.posts import read_post
from forwarder.core.routing.router import Selection
from forwarder.core.text import web_address

_MOST_AUTHOR = 100
_MOST_LINK = 500
_MOST_REASON = 500
_MS = timedelta(milliseconds=1)


class EventResult(StrEnum):
    """What routing made of an event."""

    MATCHED = "matched"
    UNMATCHED = "unmatched"
    DUPLICATE = "duplicate"


class AttemptOutcome(StrEnum):
    """What follows from an attempt."""

    DELIVERED = "delivered"
    RETRY = "retry"
    DEAD = "dead"
    EXPIRED = "expired"
    POSTPONED = "postponed"
    """The attempt does not count, because the fault is not the receiver's."""


class Glimpse(msgspec.Struct, frozen=True, kw_only=True):
    """What is shown of a post: the same author and text as in the lists of `events` and `deliveries`."""

    source: str
    author: str
    """The handle, the name or the id of who wrote it, or the id of its channel; empty where none is known."""
    text: str
    link: str
    """The web address of the post; empty where it has none, or one that is too long to be shown."""


class PassingEvent(msgspec.Struct, frozen=True, kw_only=True, tag_field="event", tag="event", omit_defaults=True):
    """An event that was routed, or a duplicate that was dropped."""

    at: datetime
    """When it came, by the wall clock."""
    event_id: str
    source: str
    stream: str
    """The stream that brought it; empty where the repair of a gap did."""
    author: str
    text: str
    link: str
    result: EventResult
    routes: list[str]
    """The routes that matched it, whether they send it or not."""
    destinations: dict[str, list[str]]
    """The destinations that get it, each with the names of the routes that chose it."""
    held: dict[str, str]
    """The destinations that were chosen and do not get it, because of a limit or a sample of the routes: each with the reason."""
    body: str | None = None
    """The event as it came, for those who asked for it."""


class PassingAttempt(msgspec.Struct, frozen=True, kw_only=True, tag_field="event", tag="attempt", omit_defaults=True):
    """An attempt that ended, or a delivery that expired before its next one."""

    at: datetime
    """When it ended, by the wall clock."""
    event_id: str
    delivery_id: str
    source: str
    author: str
    text: str
    link: str
    destination: str
    routes: list[str]
    trigger: str
    """Why the delivery was made."""
    attempt: int
    """The number of the attempt; 0 where the delivery expired before its first one."""
    outcome: AttemptOutcome
    status: int | None
    """The HTTP status; `None` where no answer came."""
    duration_ms: float | None
    """How long the attempt took; `None` where none was made."""
    since_received_ms: float
    """The time from reading the event to the end of the attempt."""
    reason: str
    """Why it failed, or what else happened in it."""
    retry_at: datetime | None
    """When the next attempt is due, by the wall clock; `None` where none is planned for a time."""
    body: str | None = None
    """The event as it came, for those who asked for it."""

    @property
    def has_failed(self) -> bool:
        """Whether the receiver does not have the event after this attempt."""
        return self.outcome is not AttemptOutcome.DELIVERED


Passing = PassingEvent | PassingAttempt


class Lost(msgspec.Struct, frozen=True, kw_only=True, tag_field="event", tag="lost"):
    """So many lines were lost here, because their reader was too slow."""

    lost: int


class LiveFilter(msgspec.Struct, frozen=True, kw_only=True):
    """What a watcher wants to see; `None` is anything."""

    source: str | None = None
    destination: str | None = None
    route: str | None = None
    is_failed: bool = False
    """Only attempts that failed."""

    def wants(self, item: Passing) -> bool:
        """Return whether the watcher wants to see this."""
        if self.source is not None and item.source != self.source:
            return False
        if isinstance(item, PassingAttempt):
            return (
                (not self.is_failed or item.has_failed)
                and self.destination in {None, item.destination}
                and (self.route is None or self.route in item.routes)
            )
        return (
            not self.is_failed
            and (self.destination is None or self.destination in item.destinations or self.destination in item.held)
            and (self.route is None or self.route in item.routes)
        )


EVERYTHING_PASSING = LiveFilter()
"""Wants to see everything."""


def with_body(item: Passing, body: bytes) -> Passing:
    """Return the same with the event as it came."""
    return msgspec.structs.replace(item, body=body.decode("utf-8", "replace"))


def glimpse(body: bytes) -> Glimpse:
    """Return what is shown of an event. Never raises, for any bytes."""
    post = read_post(body)
    heading = heading_of_post(post)
    return Glimpse(
        source=_encodable(post.source[:_MOST_AUTHOR]),
        author=_encodable(heading.author[:_MOST_AUTHOR]),
        text=_encodable(heading.text),
        link=web_address(post.link, limit=_MOST_LINK),
    )


def passing_event(
    event: Event, stream: str, selection: Selection | None, seen: Glimpse, *, at: datetime
) -> PassingEvent:
    """Return what is shown of an event; a duplicate has no selection."""
    if selection is None:
        result = EventResult.DUPLICATE
    else:
        result = EventResult.MATCHED if selection.is_matched else EventResult.UNMATCHED
    return PassingEvent(
        at=at,
        event_id=event.id,
        source=seen.source,
        stream=stream,
        author=seen.author,
        text=seen.text,
        link=seen.link,
        result=result,
        routes=[] if selection is None else list(selection.matched),
        destinations={} if selection is None else _lists(selection.chosen),
        held={} if selection is None else {name: reason.value for name, (reason, _) in selection.held.items()},
    )


def passing_attempt(
    delivery: Delivery, attempt: Attempt | None, decision: Decision, seen: Glimpse, *, wall: datetime, steady: datetime
) -> PassingAttempt:
    """Return what is shown of an attempt that ended now, by both clocks; `None`: the delivery expired before its next attempt."""
    outcome, reason, retry_at = _read(decision)
    return PassingAttempt(
        at=wall,
        event_id=delivery.event_id,
        delivery_id=delivery.id,
        source=seen.source,
        author=seen.author,
        text=seen.text,
        link=seen.link,
        destination=delivery.destination,
        routes=list(delivery.routes),
        trigger=delivery.trigger.value,
        attempt=delivery.attempts if attempt is None else attempt.number,
        outcome=outcome,
        status=attempt.outcome.status if attempt is not None and isinstance(attempt.outcome, Answered) else None,
        duration_ms=None if attempt is None else round(attempt.duration_ms, 2),
        since_received_ms=round((steady - delivery.accepted_at) / _MS, 2),
        reason=_encodable((reason or ("" if attempt is None else attempt.note))[:_MOST_REASON]),
        retry_at=None if retry_at is None else wall + (retry_at - steady),
    )


def _encodable(text: str) -> str:
    """Return the text with a question mark for each lone surrogate: a post that was cut in an emoji has one, and no line can."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def _lists(chosen: Mapping[DestinationName, tuple[str, ...]]) -> dict[str, list[str]]:
    return {destination: list(routes) for destination, routes in chosen.items()}


def _read(decision: Decision) -> tuple[AttemptOutcome, str, datetime | None]:
    """Return what follows from an attempt, the reason, and when the next one is due, by the steady clock."""
    match decision:
        case Done():
            return AttemptOutcome.DELIVERED, "", None
        case RetryAt(at=at, reason=reason):
            return AttemptOutcome.RETRY, reason, at
        case Postponed(at=at, reason=reason):
            return AttemptOutcome.POSTPONED, reason, at
        case Dead(reason=reason):
            return AttemptOutcome.DEAD, reason, None
        case Expired(reason=reason):
            return AttemptOutcome.EXPIRED, reason, None
        case _:
            assert_never(decision)
