"""Quiet hours: what comes meanwhile is kept, and sent at their end, each by itself or all in one digest."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum

import msgspec

from forwarder.core.delivery import DestinationName
from forwarder.core.matching.values import WallClock

_STEP = timedelta(minutes=5)
_MINUTE = timedelta(minutes=1)
LONGEST = timedelta(days=8)
"""Quiet hours that last longer never end."""
_MOST_ROUNDS = 20
"""How often the quiet hours of a route and of a destination may follow each other without a break."""


class Then(StrEnum):
    """What happens at the end of quiet hours."""

    SEND = "send"
    DIGEST = "digest"


class QuietHours:
    """When nothing is sent, and what happens at the end with what came meanwhile."""

    def __init__(self, clock: WallClock, then: Then = Then.SEND) -> None:
        self.clock = clock
        self.then = then
        self._last: tuple[datetime, datetime] | None = None
        """A span that was found before: some moment of quiet hours, and their end."""

    def __eq__(self, other: object) -> bool:
        """Equal settings are equal, so that a reload sees what has changed."""
        return isinstance(other, QuietHours) and (self.clock, self.clock.zone_name, self.then) == (
            other.clock,
            other.clock.zone_name,
            other.then,
        )

    __hash__ = None  # type: ignore[assignment] # it is no key of anything

    def __str__(self) -> str:
        from forwarder.core.matching.rendering import span_of_clock  # noqa: PLC0415 - the daemon does not show it

        return f"{span_of_clock(self.clock)}, then {self.then}"

    def end(self, at: datetime) -> datetime | None:
        """Return when the quiet hours of a moment end, by the wall clock, or `None` if that moment is in none.

        The end is found minute by minute of the local clock, so it is right on days on which that clock is set.
        """
        if self._last is not None and self._last[0] <= at < self._last[1]:
            return self._last[1]
        if not self.clock.contains(at):
            return None
        after = before = at
        while self.clock.contains(after):
            before, after = after, after + _STEP
            if after - at > LONGEST:
                return after
        found = before.replace(second=0, microsecond=0)
        while self.clock.contains(found):
            found += _MINUTE
        self._last = at, found
        return found

    def longest(self) -> timedelta:
        """Return about how long they last at most, by a usual week; `LONGEST` or more if they never end."""
        longest, week = timedelta(), datetime.fromisoformat("2026-01-05T00:00:00+00:00")
        at = week
        while at < week + timedelta(days=7):
            end = self.end(at)
            if end is not None:
                longest = max(longest, end - at)
            at = at + timedelta(minutes=30) if end is None else end
        return longest


class Kept(msgspec.Struct, frozen=True):
    """Until when a delivery is kept, by the wall clock, and what happens then."""

    until: datetime
    then: Then


class QuietPlan(msgspec.Struct, frozen=True, kw_only=True):
    """All quiet hours of a config."""

    of_destinations: Mapping[DestinationName, QuietHours]
    of_routes: Mapping[str, QuietHours]

    def keep(self, destination: DestinationName, routes: Sequence[str], at: datetime) -> Kept | None:
        """Return until when a delivery that comes at `at` is kept, or `None` if it is sent at once.

        It is kept in the quiet hours of its destination, and while all the routes that chose it are in theirs. Where such hours follow
        each other it is kept to the end of the last; the first of them say what happens then.
        """
        until, then = at, None
        for _ in range(_MOST_ROUNDS):
            found = self._now(destination, routes, until)
            if found is None:
                break
            until, then = found.until, then or found.then
        return None if then is None else Kept(until, then)

    def keep_again(self, destination: DestinationName, routes: Sequence[str], at: datetime) -> Kept | None:
        """Return until when a delivery is kept that came in quiet hours before: until now, if they are over; `None` without any."""
        kept = self.keep(destination, routes, at)
        if kept is not None:
            return kept
        own = self.of_destinations.get(destination)
        of_routes = [own] if own is not None else [self.of_routes.get(name) for name in routes]
        first = of_routes[0] if of_routes and None not in of_routes else None
        return None if first is None else Kept(at, first.then)

    def quiet_until(self, destination: DestinationName, at: datetime) -> datetime | None:
        """Return when the quiet hours of a destination itself end; `None` if it is in none."""
        quiet = self.of_destinations.get(destination)
        return None if quiet is None else quiet.end(at)

    def _now(self, destination: DestinationName, routes: Sequence[str], at: datetime) -> Kept | None:
        own = self.of_destinations.get(destination)
        if own is not None and (end := own.end(at)) is not None:
            return Kept(end, own.then)
        of_routes = [self.of_routes.get(name) for name in routes]
        ends = [(quiet.end(at), quiet.then) for quiet in of_routes if quiet is not None]
        known = [Kept(end, then) for end, then in ends if end is not None]
        return min(known, key=lambda kept: kept.until) if known and len(known) == len(of_routes) else None
