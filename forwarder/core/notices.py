"""What forwarder itself has to say to a destination: failures of another one, what expired, tests. Pure.

A notice is an event of the source `forwarder`, so it is kept, delivered and retried like any other, and every format can
show it.
"""

import shlex
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

import msgspec

from forwarder.core.delivery import Delivery
from forwarder.core.durations import write_duration
from forwarder.core.event import Event, decode_event
from forwarder.core.limits import HeldBack

OWN_SOURCE = "forwarder"


class Level(StrEnum):
    """How a format may colour it."""

    ERROR = "error"
    WARNING = "warning"
    OK = "ok"
    INFO = "info"


class Subject(StrEnum):
    """What a notice tells of: the key of its payload that the name stands under."""

    DESTINATION = "destination"
    ROUTE = "route"
    STREAM = "stream"
    EXPECT = "expect"


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """`about` is the name of what it tells of, of the kind `subject`; `kind` is what a program may look at."""

    kind: str
    about: str
    level: Level
    title: str
    text: str
    subject: Subject = Subject.DESTINATION


def as_event(notice: Notice, *, now: datetime, number: int) -> Event:
    """Return the event that carries a notice; `number` tells those of one millisecond apart."""
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
            },
        }
    )
    return decode_event(body)


def is_own(delivery: Delivery) -> bool:
    """Whether it carries an event of our own."""
    return bool(delivery.body) and decode_event(delivery.body).source == OWN_SOURCE


def failing(name: str, *, since: datetime, now: datetime, reason: str) -> Notice:
    """Tell that a destination fails."""
    return Notice(
        kind="failing",
        about=name,
        level=Level.ERROR,
        title=f"{name} is failing",
        text=f"Nothing could be delivered to {name} for {spell(now - since)}. The last attempt came to: {reason}. "
        "What is meant for it waits and is delivered when it works again; what was given up is among the dead letters.",
    )


def paused(name: str, *, why: str) -> Notice:
    """Tell that a destination was paused without a person's doing."""
    return Notice(
        kind="paused",
        about=name,
        level=Level.ERROR,
        title=f"{name} is paused",
        text=f"{name} gets nothing more until somebody resumes it: {why}. What is meant for it is kept. "
        f"When it is mended: forwarder resume {name}",
    )


def recovered(name: str, *, after: timedelta) -> Notice:
    """Tell that a destination works again."""
    return Notice(
        kind="recovered",
        about=name,
        level=Level.OK,
        title=f"{name} works again",
        text=f"{name} takes deliveries again after {spell(after)}. What waited for it is being delivered.",
    )


def dead(name: str, *, count: int, reason: str) -> Notice:
    """Tell of dead letters."""
    what = "One delivery" if count == 1 else f"{count:,} deliveries"
    return Notice(
        kind="dead",
        about=name,
        level=Level.ERROR,
        title=f"dead letters for {name}",
        text=f"{what} to {name} {'was' if count == 1 else 'were'} given up. The last one: {reason}. "
        f"To see them: forwarder dead list --destination {name}",
    )


def expired(name: str, *, count: int, first: datetime, last: datetime) -> Notice:
    """Tell a destination what it did not get because it was too old."""
    what = "One event was" if count == 1 else f"{count:,} events were"
    return Notice(
        kind="expired",
        about=name,
        level=Level.WARNING,
        title=f"{count:,} too old to send",
        text=f"{what} too old to be of use and not sent: from {first:%Y-%m-%d %H:%M:%S} to {last:%Y-%m-%d %H:%M:%S} UTC. "
        f"They are among the dead letters: forwarder dead list --destination {name}",
    )


def limited(held: HeldBack) -> Notice:
    """Tell what a route held back by its limit."""
    limit, per = held.limit, write_duration(held.limit.per)
    what = "one more post" if held.count == 1 else f"{held.count:,} more posts"
    others = held.count - sum(count for _, count in held.top)
    if len(held.top) == 1 and not others:
        of_whom = f" of {held.top[0][0]} within {per}"
    else:
        each = [f"{count:,} of {value}" for value, count in held.top] + ([f"{others:,} of others"] if others else [])
        of_whom = f" within {per}" + (f": {', '.join(each)}" if held.top else "")
    times = f"the first at {held.first:%Y-%m-%d %H:%M:%S}, the last at {held.last:%Y-%m-%d %H:%M:%S} UTC"
    by = f" for each {' and '.join(field.name for field in limit.by)}" if limit.by else ""
    return Notice(
        kind="limited",
        about=held.route,
        level=Level.WARNING,
        title=f"{held.route} held back {held.count:,}",
        text=f"Held back {what}{of_whom}; {times}. Route {held.route} lets {limit.count:,} per {per}{by} through. "
        f"They are in the history: forwarder deliveries --status skipped --route {shlex.quote(held.route)}",
        subject=Subject.ROUTE,
    )


def stream_away(name: str, *, since: datetime, now: datetime, reason: str, is_covered: bool, yielded: bool) -> Notice:
    """Tell that a stream is not connected."""
    others = (
        "Another stream is connected, so nothing need be missing."
        if is_covered
        else "No other stream is connected: what is sent now is missed."
    )
    how = (
        f"It tries again every 15 minutes; to connect at once: forwarder reconnect {shlex.quote(name)}. "
        if yielded
        else ""
    )
    return Notice(
        kind="stream_away",
        about=name,
        level=Level.WARNING if is_covered else Level.ERROR,
        title=f"stream {name} is not connected",
        text=f"Stream {name} has not been connected for {spell(now - since)}: {reason}. {how}{others}",
        subject=Subject.STREAM,
    )


def stream_back(name: str, *, after: timedelta) -> Notice:
    """Tell that a stream is connected again."""
    return Notice(
        kind="stream_back",
        about=name,
        level=Level.OK,
        title=f"stream {name} is connected again",
        text=f"Stream {name} is connected again after {spell(after)}. What was missed: forwarder gaps",
        subject=Subject.STREAM,
    )


def silent(name: str, *, within: timedelta, is_stream: bool) -> Notice:
    """Tell that nothing came over a stream, or none of the events that are expected."""
    what = f"No event came over stream {name}" if is_stream else f"None of the events expected as {name} came"
    return Notice(
        kind="silent",
        about=name,
        level=Level.WARNING,
        title=f"{'stream ' if is_stream else ''}{name} is silent",
        text=f"{what} for {spell(within)}, though it is connected. The connection is being renewed.",
        subject=Subject.STREAM if is_stream else Subject.EXPECT,
    )


def heard_again(name: str, *, is_stream: bool) -> Notice:
    """Tell that an event came again."""
    return Notice(
        kind="heard_again",
        about=name,
        level=Level.OK,
        title=f"{'stream ' if is_stream else ''}{name} is heard again",
        text=f"An event came {'over stream ' + name if is_stream else 'that is expected as ' + name} again.",
        subject=Subject.STREAM if is_stream else Subject.EXPECT,
    )


def canary(name: str, *, every: timedelta) -> Notice:
    """Return what a destination is sent on schedule."""
    return Notice(
        kind="canary",
        about=name,
        level=Level.INFO,
        title=f"canary for {name}",
        text=f"Nothing has happened. forwarder sends this every {spell(every)} to see that it arrives.",
    )


def canary_missed(name: str, *, within: timedelta, reason: str) -> Notice:
    """Tell that a canary did not arrive in time."""
    return Notice(
        kind="canary",
        about=name,
        level=Level.ERROR,
        title=f"a canary for {name} is missing",
        text=f"What forwarder sends to {name} to see that it arrives did not arrive within {spell(within)}: {reason}.",
    )


def canary_back(name: str, *, took_ms: float) -> Notice:
    """Tell that canaries arrive again."""
    return Notice(
        kind="canary",
        about=name,
        level=Level.OK,
        title=f"canaries for {name} arrive again",
        text=f"The last one was with {name} after {took_ms:,.0f} ms.",
    )


def spell(time: timedelta) -> str:
    """Return a time as a person says it: `45 s`, `12 min`, `3 h 20 min`, `2 d 4 h`."""
    seconds = round(time.total_seconds())
    if seconds < 100:
        return f"{seconds} s"
    minutes = seconds // 60
    if minutes < 100:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min"
    return f"{hours // 24} d {hours % 24} h"
