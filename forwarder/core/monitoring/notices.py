"""Builds the notices that forwarder itself sends to a destination: failures, recoveries, summaries and canaries.

A notice is an event of the source `forwarder`, so it is stored, delivered and retried like any other event, and every format can
show it. When a notice is due is decided in `forwarder/monitoring`.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum

import msgspec
from msgspec.structs import replace

from forwarder.core.counted import counted
from forwarder.core.durations import spell
from forwarder.core.event import OWN_SOURCE, Event, decode_event
from forwarder.core.routing.limiter import HeldBack


class Level(StrEnum):
    """How severe a notice is; message formats choose a colour by it."""

    ERROR = "error"
    WARNING = "warning"
    OK = "ok"
    INFO = "info"


class NoticeSubject(StrEnum):
    """What kind of thing a notice is about; the value is the payload key that holds its name."""

    DESTINATION = "destination"
    ROUTE = "route"
    STREAM = "stream"
    EXPECT = "expect"


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """One message of forwarder's own, ready to become an event."""

    kind: str
    """What happened, as a word for programs."""
    about: str
    """The name of the destination, route, stream or expectation that the notice is about."""
    level: Level
    title: str
    text: str
    subject: NoticeSubject = NoticeSubject.DESTINATION
    details: Mapping[str, object] = msgspec.field(default_factory=dict)
    """More keys of the payload, for programs."""


def as_event(notice: Notice, *, now: datetime, number: int) -> Event:
    """Return the event that carries a notice; `number` distinguishes notices of the same millisecond."""
    at_ms = int(now.timestamp() * 1000)
    body = msgspec.json.encode(
        {
            "mid": f"{at_ms}-{number}",
            "sid": notice.about,
            "source": OWN_SOURCE,
            "timestamp": at_ms,
            "payload": {
                "kind": notice.kind,
                str(notice.subject): notice.about,
                "level": notice.level,
                "title": notice.title,
                "text": notice.text,
                **notice.details,
            },
        }
    )
    return decode_event(body)


class NoticeTemplate(msgspec.Struct, frozen=True, kw_only=True):
    """The wording of one kind of notice; `{name}` and the fields that `about` is given are filled in."""

    kind: str
    level: Level
    title: str
    text: str
    subject: NoticeSubject = NoticeSubject.DESTINATION

    def about(self, name: str, **fields: str | int | timedelta | datetime) -> Notice:
        """Return the notice about `name`."""
        shown = {key: _shown(value) for key, value in fields.items()} | {"name": name}
        return Notice(
            kind=self.kind,
            about=name,
            level=self.level,
            title=self.title.format_map(shown),
            text=self.text.format_map(shown),
            subject=self.subject,
        )


def _shown(value: str | int | timedelta | datetime) -> str:
    match value:
        case timedelta():
            return spell(value)
        case datetime():
            return f"{value:%Y-%m-%d %H:%M:%S} UTC"
        case int():
            return f"{value:,}"
        case _:
            return value


FAILING = NoticeTemplate(
    kind="failing",
    level=Level.ERROR,
    title="{name} is failing",
    text="Nothing was delivered to {name} for {time}. Last error: {reason}. "
    "New events are kept and will be sent when it recovers.",
)
PAUSED = NoticeTemplate(
    kind="paused",
    level=Level.ERROR,
    title="{name} is paused",
    text="{name} was paused: {reason}. New events are kept. They will be sent when an operator resumes {name}.",
)
RECOVERED = NoticeTemplate(
    kind="recovered",
    level=Level.OK,
    title="{name} recovered",
    text="{name} accepts deliveries again after {time}. The events that were kept are being sent.",
)
BACKLOG = NoticeTemplate(
    kind="backlog",
    level=Level.WARNING,
    title="{name} has a backlog",
    text="{reason}. All of it is kept and is sent as soon as {name} accepts it.",
)
BACKLOG_OVER = NoticeTemplate(
    kind="backlog_over",
    level=Level.OK,
    title="{name} has caught up",
    text="The backlog of {name} is over after {time}.",
)
DEAD = NoticeTemplate(
    kind="dead",
    level=Level.ERROR,
    title="events for {name} could not be delivered",
    text="forwarder gave up {deliveries} to {name}. Last error: {reason}. They are kept, and an operator can send them again.",
)
EXPIRED = NoticeTemplate(
    kind="expired",
    level=Level.WARNING,
    title="{events} expired",
    text="{events} for {name} became too old before they could be delivered; received from {first} to {last}. "
    "They are kept, and an operator can send them again.",
)
LIMITED = NoticeTemplate(
    kind="limited",
    level=Level.WARNING,
    title='Route "{name}": {posts} not sent',
    text='Route "{name}": {posts} not sent (limit {limit}){values}. First: {first}, last: {last}.',
    subject=NoticeSubject.ROUTE,
)
DESTINATION_LIMITED = replace(
    LIMITED,
    title="{posts} not sent to {name}",
    text="{posts} not sent to {name} (limit {limit}){values}. First: {first}, last: {last}.",
    subject=NoticeSubject.DESTINATION,
)
STREAM_AWAY = NoticeTemplate(
    kind="stream_away",
    level=Level.ERROR,
    title="stream {name} is not connected",
    text="Stream {name} has not been connected for {time}: {reason}. {retry}"
    "No other stream is connected, so new events are missed.",
    subject=NoticeSubject.STREAM,
)
STREAM_AWAY_COVERED = replace(
    STREAM_AWAY,
    level=Level.WARNING,
    text="Stream {name} has not been connected for {time}: {reason}. {retry}"
    "Another stream is connected and may bring the same events.",
)
STREAM_BACK = NoticeTemplate(
    kind="stream_back",
    level=Level.OK,
    title="stream {name} is connected again",
    text="Stream {name} is connected again after {time}.",
    subject=NoticeSubject.STREAM,
)
STREAM_SILENT = NoticeTemplate(
    kind="silent",
    level=Level.WARNING,
    title="stream {name} is silent",
    text="Stream {name} is connected but received no event for {time}. forwarder is reconnecting it.",
    subject=NoticeSubject.STREAM,
)
STREAM_HEARD_AGAIN = NoticeTemplate(
    kind="heard_again",
    level=Level.OK,
    title="stream {name} receives events again",
    text="Stream {name} received an event again.",
    subject=NoticeSubject.STREAM,
)
EXPECT_SILENT = NoticeTemplate(
    kind="silent",
    level=Level.WARNING,
    title="no events for {name}",
    text="No event for {name} arrived for {time}. forwarder is reconnecting all streams.",
    subject=NoticeSubject.EXPECT,
)
EXPECT_HEARD_AGAIN = NoticeTemplate(
    kind="heard_again",
    level=Level.OK,
    title="events for {name} arrive again",
    text="An event for {name} arrived again.",
    subject=NoticeSubject.EXPECT,
)
CANARY = NoticeTemplate(
    kind="canary",
    level=Level.INFO,
    title="test event for {name}",
    text="This is a test event. forwarder sends one every {time} to check that {name} receives events.",
)
CANARY_MISSED = NoticeTemplate(
    kind="canary",
    level=Level.ERROR,
    title="a test event for {name} is missing",
    text="The test event for {name} was not delivered within {time}: {reason}.",
)
CANARY_BACK = NoticeTemplate(
    kind="canary",
    level=Level.OK,
    title="test events for {name} arrive again",
    text="The last test event for {name} was delivered after {duration_ms} ms.",
)


def limited(held: HeldBack) -> Notice:
    """Return the summary of the posts that were not sent because of the limit of a route or of a destination."""
    limit = held.limit
    others = held.count - sum(count for _, count in held.top)
    values = [_value_count(held, value, count) for value, count in held.top]
    if held.top and others:
        values.append(f"{others:,} from others")
    by = f" for each {' and '.join(field.name for field in limit.by)}" if limit.by else ""
    template = DESTINATION_LIMITED if held.destination else LIMITED
    return template.about(
        held.destination or held.route,
        posts=counted(held.count, "post"),
        limit=f"{limit.count:,} per {spell(limit.per)}{by}",
        values=f"; {', '.join(values)}" if values else "",
        first=held.first,
        last=held.last,
    )


YIELDED = "Another connection uses the same key. This one is tried again every 15 minutes. "
"""The sentence for a stream that gave way to another connection with the same key."""


def _value_count(held: HeldBack, value: str, count: int) -> str:
    for field in held.limit.by:
        if value == f"no {field.name}":
            return f"{count:,} without {'an' if field.name[0] in 'aeiou' else 'a'} {field.name}"
    return f"{count:,} from {value}"
