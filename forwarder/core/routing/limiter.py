"""Applies the limits of routes and of destinations, and collects what they did not send for summaries. Times are those of the events."""

import heapq
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from typing import NamedTuple

import msgspec

from forwarder.core.delivery import DestinationName
from forwarder.core.durations import write_duration
from forwarder.core.event import fingerprint
from forwarder.core.matching.fields import NAMED_FIELDS
from forwarder.core.matching.subject import Field, Found, Subject
from forwarder.core.routing.first_word import SOURCES, WINDOW
from forwarder.core.sliding_window import SlidingWindow

_OF_AUTHOR = frozenset({"author", "author_id", "author_name"})
_IN_PLACE_OF_AUTHOR = (NAMED_FIELDS["channel"], NAMED_FIELDS["source"])
"""Whose count a post without an author goes to: that of the first of these fields that it has."""
_CAPACITY = 100_000
_TIMES_EACH = 10
"""How many times are remembered on average for each window, at most."""
_TOP = 3
_LABEL = 40
"""How many characters of a value a summary shows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteLimit:
    """The limit of a route or of a destination: at most `count` posts in any span of `per`; with `by`, for each value of these fields."""

    count: int
    per: timedelta
    by: tuple[Field, ...] = ()
    summary_to: tuple[DestinationName, ...] = field(default=(), compare=False)
    """The destinations that get the summaries."""

    def __str__(self) -> str:
        by = f" by {', '.join(each.name for each in self.by)}" if self.by else ""
        return f"{self.count} in {write_duration(self.per)}{by}"


class OfDestination(NamedTuple):
    """Owns a limit that holds for everything that a destination gets. A limit of a route is owned by the name of the route."""

    destination: DestinationName


Owner = str | OfDestination


class HeldBack(msgspec.Struct, frozen=True, kw_only=True):
    """A summary of the posts that a route, or all routes of a destination, did not send since the last summary."""

    route: str = ""
    destination: str = ""
    """The destination whose own limit it was; then there is no route."""
    limit: RouteLimit
    count: int
    first: datetime
    last: datetime
    top: Sequence[tuple[str, int]]
    """The values with the most posts, in descending order; none without `by`."""


class _Gathering:
    """Collects the posts that one limit does not let through, until the next summary."""

    __slots__ = ("began", "by_value", "count", "first", "labels", "last", "limit")

    def __init__(self, limit: RouteLimit, now: datetime, *, steady: datetime) -> None:
        self.limit = limit
        self.began = steady
        self.first = self.last = now
        self.count = 0
        self.by_value = Counter[str]()
        self.labels: dict[str, str] = {}

    def so_far(self, owner: Owner) -> HeldBack:
        """Return the summary so far."""
        top = heapq.nlargest(_TOP, self.by_value.items(), key=lambda entry: entry[1])
        return HeldBack(
            route=owner if isinstance(owner, str) else "",
            destination="" if isinstance(owner, str) else owner.destination,
            limit=self.limit,
            count=self.count,
            first=self.first,
            last=self.last,
            top=[(self.labels[value], count) for value, count in top],
        )


class Limiter:
    """Applies the limits of all routes and destinations. Remembers at most `capacity` windows, and forgets those that were unused for longest first."""

    def __init__(self, *, capacity: int = _CAPACITY) -> None:
        self.ahead = timedelta()
        """How far the time of the events is ahead of the steady time. Limits use steady time, so setting the clock does not affect them."""
        self._capacity = capacity
        self._limits: dict[Owner, RouteLimit] = {}
        self._windows: dict[tuple[Owner, str], SlidingWindow] = {}
        """The windows by owner and value, in the order of their last post."""
        self._times = 0
        """How many times are remembered in all windows."""
        self._verdicts: dict[tuple[Owner, str], tuple[datetime, bool]] = {}
        """By owner and post: when one of its two events came, and whether it was sent; in the order of time."""
        self._gatherings: dict[Owner, _Gathering] = {}
        self._values = 0
        """How many values are remembered in all gatherings."""
        self._over: list[HeldBack] = []
        """Summaries of routes and destinations that a reload removed or gave another limit."""

    def __len__(self) -> int:
        return len(self._windows)

    def follow(self, limits: Mapping[Owner, RouteLimit]) -> None:
        """Use these limits, by their owners. Forget what was counted for owners whose limit is gone or has changed."""
        gone = {name for name, limit in self._limits.items() if limits.get(name) != limit}
        self._limits = dict(limits)
        if gone:
            self._windows = {key: window for key, window in self._windows.items() if key[0] not in gone}
            self._times = sum(len(window) for window in self._windows.values())
            self._verdicts = {key: verdict for key, verdict in self._verdicts.items() if key[0] not in gone}
            self._over += [self._take_summary(name) for name in list(self._gatherings) if name in gone]
        for name, gathering in self._gatherings.items():
            gathering.limit = limits.get(name, gathering.limit)

    def lets_through(self, owner: Owner, limit: RouteLimit, subject: Subject) -> bool:
        """Return whether a route sends an event, or a destination gets it, and count it.

        Posts are counted, not events: the second event of a post gets the same decision as the first and is not counted.
        """
        event, now = subject.event, subject.now - self.ahead
        post = (owner, event.mid) if event.source in SOURCES else None
        if post is not None:
            known = self._verdicts.get(post)
            if known is not None and now - known[0] <= WINDOW:
                return known[1]
        value = _value(limit, subject)
        goes = self._take((owner, value), limit, now.timestamp())
        if post is not None:
            self._note(post, now, goes=goes)
        if not goes and limit.summary_to:
            self._gather(owner, limit, value, subject)
        return goes

    def due(self, now: datetime, *, is_last: bool = False) -> list[HeldBack]:
        """Remove and return the summaries that are due; with `is_last` all of them."""
        steady = now - self.ahead
        over = [
            name
            for name, gathering in self._gatherings.items()
            if is_last or steady - gathering.began >= gathering.limit.per
        ]
        found, self._over = self._over + [self._take_summary(name) for name in over], []
        return found

    def _take(self, key: tuple[Owner, str], limit: RouteLimit, at: float) -> bool:
        window = self._windows.get(key)
        if window is None:
            window = SlidingWindow(limit.count, limit.per.total_seconds())
        before = len(window)
        if not window.try_take(at):
            return False
        self._times += len(window) - before
        self._windows.pop(key, None)
        self._windows[key] = window
        self._forget(at)
        return True

    def _forget(self, at: float) -> None:
        """Forget windows that are over or too many, but never the newest."""
        while len(self._windows) > 1:
            oldest = next(iter(self._windows))
            is_too_much = len(self._windows) > self._capacity or self._times > self._capacity * _TIMES_EACH
            if not is_too_much and self._windows[oldest].over_at > at:
                return
            self._times -= len(self._windows.pop(oldest))

    def _note(self, post: tuple[Owner, str], now: datetime, *, goes: bool) -> None:
        self._verdicts.pop(post, None)
        self._verdicts[post] = now, goes
        while len(self._verdicts) > 1:
            oldest = next(iter(self._verdicts))
            if len(self._verdicts) <= self._capacity and now - self._verdicts[oldest][0] <= WINDOW:
                return
            del self._verdicts[oldest]

    def _gather(self, owner: Owner, limit: RouteLimit, value: str, subject: Subject) -> None:
        gathering = self._gatherings.get(owner)
        if gathering is None:
            gathering = self._gatherings[owner] = _Gathering(limit, subject.now, steady=subject.now - self.ahead)
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

    def _take_summary(self, owner: Owner) -> HeldBack:
        gathering = self._gatherings.pop(owner)
        self._values -= len(gathering.labels)
        return gathering.so_far(owner)


def _value(limit: RouteLimit, subject: Subject) -> str:
    """Return a fingerprint of the event's values of the limit's fields. Events without a field share one value, except an author."""
    if not limit.by:
        return ""
    parts: list[str] = []
    for wanted in limit.by:
        each = _counted_by(wanted, subject)
        if each is not wanted:
            parts.append(each.name)
        texts = [_text(found) for found in subject.elements(each)]
        if each.ignores_case:
            texts = [subject.caseless(text) for text in texts]
        parts += [str(len(texts)), *texts]
    return fingerprint(*parts)


def _counted_by(field: Field, subject: Subject) -> Field:
    """Return the field whose value says what the event counts with: for an author that it has not, the channel or the source."""
    if field.name not in _OF_AUTHOR or subject.elements(field):
        return field
    return next(each for each in _IN_PLACE_OF_AUTHOR if subject.elements(each))


def _text(found: Found) -> str:
    if isinstance(found, str):
        return found
    return found.isoformat() if isinstance(found, datetime) else json.dumps(found, sort_keys=True)


def _label(limit: RouteLimit, subject: Subject) -> str:
    """Return the event's values of the limit's fields, for people."""
    return " / ".join(_label_of(each, subject) for each in limit.by)


def _label_of(wanted: Field, subject: Subject) -> str:
    each = _counted_by(wanted, subject)
    found = ", ".join(f"{each.marker}{_shown(found)}" for found in islice(subject.elements(each), _TOP))
    return (found if each is wanted else f"{each.name} {found}") or f"no {each.name}"


def _shown(found: Found) -> str:
    text = _text(found)
    cut = text if len(text) <= _LABEL else text[: _LABEL - 1] + "…"
    return "".join(mark if mark.isprintable() else " " for mark in cut)
