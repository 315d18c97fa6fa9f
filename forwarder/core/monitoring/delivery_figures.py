"""Counts deliveries and attempts by destination: since the start, in the last five minutes, and in the last minute for the log. Pure.

A delivery costs as few calls as possible, because it is counted here each time: one, and one for each of its two durations.
"""

from bisect import bisect_left
from collections import Counter, deque
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from datetime import UTC, datetime, timedelta

import msgspec

from forwarder.core.delivery import DestinationName
from forwarder.core.histogram import BOUNDS_S, Histogram
from forwarder.core.monitoring.status import RecentReport

SLOT = timedelta(seconds=10)
"""The last five minutes are counted in slots of this length."""
_SLOTS = 30
RECENT = _SLOTS * SLOT
"""How far back the recent figures reach, to within a slot."""
_SECOND = timedelta(seconds=1)
NOTHING_RECENT = RecentReport()
_LONG_AGO = datetime.min.replace(tzinfo=UTC)


class AttemptCounts:
    """What the attempts at one destination came to in some time."""

    __slots__ = ("attempts", "delivered", "failed", "latencies")

    def __init__(self) -> None:
        self.delivered = 0
        self.failed = 0
        """Attempts that failed and were counted as such."""
        self.attempts = Histogram()
        """How long attempts took, whatever their outcome was."""
        self.latencies = Histogram()
        """From receiving an event to the 2xx for it."""

    def add(self, other: "AttemptCounts") -> None:
        """Count all that another one has counted."""
        self.delivered += other.delivered
        self.failed += other.failed
        self.attempts.add(other.attempts)
        self.latencies.add(other.latencies)

    def subtract(self, other: "AttemptCounts") -> None:
        """Take away what another one has counted, and this one as well."""
        self.delivered -= other.delivered
        self.failed -= other.failed
        self.attempts.subtract(other.attempts)
        self.latencies.subtract(other.latencies)


class DestinationFigures:
    """The figures of one destination. Of the last five minutes only the buckets of each slot are kept, not each attempt."""

    __slots__ = ("_before", "_recent", "_slots", "_window", "current", "dead", "ends_at", "expired", "postponed")

    def __init__(self) -> None:
        self._before = AttemptCounts()
        """Everything but the current slot."""
        self._slots: deque[tuple[datetime, AttemptCounts]] = deque()
        """The slots of the last five minutes before the current one in which there was an attempt, each with its end."""
        self._window = AttemptCounts()
        """The sum of these slots: so nothing has to be added up where somebody asks."""
        self.current = AttemptCounts()
        """What is counted now."""
        self.ends_at = _LONG_AGO
        """When the current slot ends: what comes later calls `turn` first."""
        self._recent = ((0, 0, 0), NOTHING_RECENT)
        """What was last summed up, and of what."""
        self.postponed = 0
        self.dead = 0
        self.expired = 0

    def turn(self, now: datetime) -> None:
        """End the current slot and begin the next one."""
        self._expire(now)
        if self.current.attempts.buckets:
            self._before.add(self.current)
            self._window.add(self.current)
            self._slots.append((self.ends_at, self.current))
            self.current = AttemptCounts()
        self.ends_at = now + SLOT

    def _expire(self, now: datetime) -> None:
        while self._slots and now - self._slots[0][0] >= RECENT:
            self._window.subtract(self._slots.popleft()[1])

    @property
    def delivered(self) -> int:
        """Attempts that delivered, since the start."""
        return self._before.delivered + self.current.delivered

    @property
    def failed(self) -> int:
        """Attempts that failed and were counted as such, since the start."""
        return self._before.failed + self.current.failed

    def total(self) -> AttemptCounts:
        """Return what was counted since the start."""
        total = AttemptCounts()
        total.add(self._before)
        total.add(self.current)
        return total

    def recent(self, now: datetime) -> RecentReport:
        """Return the figures of the last five minutes. They are summed up again only if something has changed."""
        if now >= self.ends_at:  # also where nothing has come since
            self.turn(now)
        self._expire(now)
        state = (self.delivered, self.failed, len(self._slots))
        if self._recent[0] != state:
            self._recent = (state, self._summed_up())
        return self._recent[1]

    def _summed_up(self) -> RecentReport:
        parts = [*(slot for _, slot in self._slots), self.current]
        sum_ = AttemptCounts()
        sum_.add(self._window)
        sum_.add(self.current)
        sum_.attempts.longest_s = max(part.attempts.longest_s for part in parts)
        sum_.latencies.longest_s = max(part.latencies.longest_s for part in parts)
        made = sum_.delivered + sum_.failed
        latency_p50_ms, latency_p99_ms = _quantiles_ms(sum_.latencies)
        attempt_p50_ms, attempt_p99_ms = _quantiles_ms(sum_.attempts)
        return RecentReport(
            delivered=sum_.delivered,
            failed_attempts=sum_.failed,
            success_rate=round(sum_.delivered / made, 4) if made else None,
            latency_p50_ms=latency_p50_ms,
            latency_p99_ms=latency_p99_ms,
            attempt_p50_ms=attempt_p50_ms,
            attempt_p99_ms=attempt_p99_ms,
        )


def _quantiles_ms(durations: Histogram) -> tuple[float, float] | tuple[None, None]:
    if not durations.buckets:
        return None, None
    p50, p99 = durations.quantiles_s(0.5, 0.99)
    return round(p50 * 1000, 2), round(p99 * 1000, 2)


class LastMinute(msgspec.Struct, frozen=True):
    """What was delivered since the last line of the log about it."""

    by_destination: Counter[DestinationName] = msgspec.field(default_factory=Counter)
    durations: Histogram = msgspec.field(default_factory=Histogram)
    """How long the attempts took that delivered."""


class _ByName(dict[DestinationName, DestinationFigures]):
    def __missing__(self, name: DestinationName) -> DestinationFigures:
        found = self[name] = DestinationFigures()
        return found


class DeliveryFigures:
    """Counts the attempts at all destinations. Times are in steady time."""

    def __init__(self) -> None:
        self._by_name = _ByName()
        self._minute = LastMinute()

    @property
    def by_name(self) -> Mapping[DestinationName, DestinationFigures]:
        """The figures of every destination at which there was an attempt."""
        return self._by_name

    def follow(self, names: AbstractSet[DestinationName]) -> None:
        """Forget the destinations that are not among these: they are not in the config any more."""
        for name in self._by_name.keys() - names:
            del self._by_name[name]

    def take_minute(self) -> LastMinute:
        """Return what was delivered since the last call."""
        minute, self._minute = self._minute, LastMinute()
        return minute

    def note_delivered(self, name: DestinationName, took: timedelta, latency: timedelta | None, now: datetime) -> None:
        """Count an attempt that delivered.

        `latency` is the time since the event was received; `None` where something else than the destination decided how long it took.
        """
        figures, minute, took_s = self._by_name[name], self._minute, took / _SECOND
        if now >= figures.ends_at:
            figures.turn(now)
        place = bisect_left(BOUNDS_S, took_s)
        minute.by_destination[name] += 1
        durations = minute.durations
        durations.buckets[place] += 1
        durations.sum_s += took_s
        if took_s > durations.longest_s:  # noqa: PLR1730 - one call less for each delivery
            durations.longest_s = took_s
        current = figures.current
        current.delivered += 1
        attempts = current.attempts
        attempts.buckets[place] += 1
        attempts.sum_s += took_s
        if took_s > attempts.longest_s:  # noqa: PLR1730 - one call less for each delivery
            attempts.longest_s = took_s
        if latency is not None:
            latency_s, latencies = latency / _SECOND, current.latencies
            latencies.buckets[bisect_left(BOUNDS_S, latency_s)] += 1
            latencies.sum_s += latency_s
            if latency_s > latencies.longest_s:  # noqa: PLR1730 - one call less for each delivery
                latencies.longest_s = latency_s

    def note_failed(self, name: DestinationName, took: timedelta, now: datetime, *, is_postponed: bool) -> None:
        """Count an attempt that did not deliver; `is_postponed`: it showed nothing about the receiver."""
        figures = self._by_name[name]
        if is_postponed:
            figures.postponed += 1
            return
        if now >= figures.ends_at:
            figures.turn(now)
        figures.current.failed += 1
        figures.current.attempts.observe(took / _SECOND)

    def note_end(self, name: DestinationName, *, is_dead: bool) -> None:
        """Count a delivery that was given up: it is dead, or it expired."""
        figures = self._by_name[name]
        figures.dead += is_dead
        figures.expired += not is_dead
