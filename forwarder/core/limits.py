"""How many posts a route lets through in a span of time, and what it held back. Pure: times are those of the events it is asked about."""

import heapq
import json
from array import array
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice

from forwarder.core.delivery import DestinationName
from forwarder.core.durations import write_duration
from forwarder.core.event import fingerprint
from forwarder.core.matching.subject import Field, Found, Subject
from forwarder.core.preference import SOURCES, WINDOW

_CAPACITY = 100_000
_TIMES_EACH = 10
"""Of the times that are remembered there are at most so many for each of the windows."""
_TOP = 3
_LABEL = 40
"""Characters of a value that a summary shows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """At most `count` posts in any span of `per`; with `by`, for each value of these fields."""

    count: int
    per: timedelta
    by: tuple[Field, ...] = ()
    tell: tuple[DestinationName, ...] = field(default=(), compare=False)
    """Who gets the summaries of what was held back."""

    def __str__(self) -> str:
        by = f" by {', '.join(each.name for each in self.by)}" if self.by else ""
        return f"{self.count} in {write_duration(self.per)}{by}"


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldBack:
    """What a route held back since it was last told of."""

    route: str
    limit: Limit
    count: int
    first: datetime
    last: datetime
    top: Sequence[tuple[str, int]]
    """The values with the most posts, the first of them first; none without `by`."""


class _Window:
    """When the last `count` posts went, as a ring: the one after them may go once the oldest is `per` ago."""

    __slots__ = ("oldest", "over_at", "times")

    def __init__(self) -> None:
        self.times = array("d")
        self.oldest = 0
        self.over_at = 0.0
        """When all of it is past."""

    def take(self, at: float, *, count: int, per: float) -> bool:
        """Count a post if it may go; `at` and `per` are seconds."""
        times = self.times
        if times:
            newest = times[self.oldest - 1]
            if newest > at + per:  # the clock was set back
                del times[:]
                self.oldest = 0
            elif newest > at:
                at = newest
        if len(times) < count:
            times.append(at)
        elif times[self.oldest] <= at - per:
            times[self.oldest] = at
            self.oldest = (self.oldest + 1) % count
        else:
            return False
        self.over_at = at + per
        return True


class _Gathering:
    """What a route holds back until it is told of."""

    __slots__ = ("began", "by_value", "count", "first", "labels", "last", "limit")

    def __init__(self, limit: Limit, now: datetime, *, steady: datetime) -> None:
        self.limit = limit
        self.began = steady
        self.first = self.last = now
        self.count = 0
        self.by_value = Counter[str]()
        self.labels: dict[str, str] = {}

    def so_far(self, route: str) -> HeldBack:
        """Return it as it is told."""
        top = heapq.nlargest(_TOP, self.by_value.items(), key=lambda entry: entry[1])
        return HeldBack(
            route=route,
            limit=self.limit,
            count=self.count,
            first=self.first,
            last=self.last,
            top=[(self.labels[value], count) for value, count in top],
        )


class Limiter:
    """The windows of all routes that have a limit: at most `capacity` of them, the one that has been quiet for longest forgotten first."""

    def __init__(self, *, capacity: int = _CAPACITY) -> None:
        self.ahead = timedelta()
        """What the time of the events is ahead of the steady time: a limit counts by the latter, so that a clock that is set changes nothing."""
        self._capacity = capacity
        self._limits: dict[str, Limit] = {}
        self._windows: dict[tuple[str, str], _Window] = {}
        """By route and value, in the order in which something last went."""
        self._times = 0
        """Those in all of the windows."""
        self._verdicts: dict[tuple[str, str], tuple[datetime, bool]] = {}
        """By route and post: when one of its two events came, and whether it went. In that order."""
        self._gatherings: dict[str, _Gathering] = {}
        self._values = 0
        """Those in all of the gatherings."""
        self._over: list[HeldBack] = []
        """What routes held back that are gone, or have another limit."""

    def __len__(self) -> int:
        return len(self._windows)

    def follow(self, limits: Mapping[str, Limit]) -> None:
        """Forget the routes that have no limit any more, or another one; `limits` are those of a reload, by the routes' names."""
        gone = {name for name, limit in self._limits.items() if limits.get(name) != limit}
        self._limits = dict(limits)
        if gone:
            self._windows = {key: window for key, window in self._windows.items() if key[0] not in gone}
            self._times = sum(len(window.times) for window in self._windows.values())
            self._verdicts = {key: verdict for key, verdict in self._verdicts.items() if key[0] not in gone}
            self._over += [self._tell(name) for name in list(self._gatherings) if name in gone]
        for name, gathering in self._gatherings.items():
            gathering.limit = limits.get(name, gathering.limit)

    def lets_through(self, route: str, limit: Limit, subject: Subject) -> bool:
        """Return whether a route sends an event, and count it.

        Posts are counted: what became of one of the two events of a post becomes of the other, and that counts for nothing.
        """
        event, now = subject.event, subject.now - self.ahead
        post = (route, event.mid) if event.source in SOURCES else None
        if post is not None:
            known = self._verdicts.get(post)
            if known is not None and now - known[0] <= WINDOW:
                return known[1]
        value = _value(limit, subject)
        goes = self._take((route, value), limit, now.timestamp())
        if post is not None:
            self._note(post, now, goes=goes)
        if not goes and limit.tell:
            self._gather(route, limit, value, subject)
        return goes

    def due(self, now: datetime, *, is_last: bool = False) -> list[HeldBack]:
        """Return what is to be told of now, which is then forgotten; `is_last`: all of it."""
        steady = now - self.ahead
        over = [
            name
            for name, gathering in self._gatherings.items()
            if is_last or steady - gathering.began >= gathering.limit.per
        ]
        found, self._over = self._over + [self._tell(name) for name in over], []
        return found

    def _take(self, key: tuple[str, str], limit: Limit, at: float) -> bool:
        window = self._windows.get(key)
        if window is None:
            window = _Window()
        before = len(window.times)
        if not window.take(at, count=limit.count, per=limit.per.total_seconds()):
            return False
        self._times += len(window.times) - before
        self._windows.pop(key, None)
        self._windows[key] = window
        self._forget(at)
        return True

    def _forget(self, at: float) -> None:
        """Forget windows that are past, or too many; never the newest."""
        while len(self._windows) > 1:
            oldest = next(iter(self._windows))
            is_too_much = len(self._windows) > self._capacity or self._times > self._capacity * _TIMES_EACH
            if not is_too_much and self._windows[oldest].over_at > at:
                return
            self._times -= len(self._windows.pop(oldest).times)

    def _note(self, post: tuple[str, str], now: datetime, *, goes: bool) -> None:
        self._verdicts.pop(post, None)
        self._verdicts[post] = now, goes
        while len(self._verdicts) > 1:
            oldest = next(iter(self._verdicts))
            if len(self._verdicts) <= self._capacity and now - self._verdicts[oldest][0] <= WINDOW:
                return
            del self._verdicts[oldest]

    def _gather(self, route: str, limit: Limit, value: str, subject: Subject) -> None:
        gathering = self._gatherings.get(route)
        if gathering is None:
            gathering = self._gatherings[route] = _Gathering(limit, subject.now, steady=subject.now - self.ahead)
        gathering.count += 1
        gathering.last = subject.now
        if not limit.by:
            return
        if value not in gathering.labels:
            if self._values >= self._capacity:
                return
            self._values += 1
            gathering.labels[value] = _label(limit, subject)
        gathering.by_value[value] += 1

    def _tell(self, route: str) -> HeldBack:
        gathering = self._gatherings.pop(route)
        self._values -= len(gathering.labels)
        return gathering.so_far(route)


def _value(limit: Limit, subject: Subject) -> str:
    """Return what the event has under the fields of a limit, of one length whatever that is. Without a field: nothing, which is a value too."""
    if not limit.by:
        return ""
    parts: list[str] = []
    for each in limit.by:
        texts = [_text(found) for found in subject.elements(each)]
        if each.ignores_case:
            texts = [subject.fold(text) for text in texts]
        parts += [str(len(texts)), *texts]
    return fingerprint(*parts)


def _text(found: Found) -> str:
    if isinstance(found, str):
        return found
    return found.isoformat() if isinstance(found, datetime) else json.dumps(found, sort_keys=True)


def _label(limit: Limit, subject: Subject) -> str:
    """Return what the event has under the fields of a limit, for people."""
    return " / ".join(
        ", ".join(f"{each.marker}{_shown(found)}" for found in islice(subject.elements(each), _TOP))
        or f"no {each.name}"
        for each in limit.by
    )


def _shown(found: Found) -> str:
    text = _text(found)
    cut = text if len(text) <= _LABEL else text[: _LABEL - 1] + "…"
    return "".join(mark if mark.isprintable() else " " for mark in cut)
