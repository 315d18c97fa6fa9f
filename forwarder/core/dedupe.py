"""Which events came before: a replayed or doubly received one is dropped, an edited one has another id and passes."""

from array import array
from collections import deque
from datetime import datetime, timedelta

from forwarder.core.event import EventId

_GENERATIONS = 8
_SMALLEST = 1 << 10
_FILLED = 0.6


class RecentEvents:
    """Remembers ids for `window` (0: not at all), at most an eighth longer, and never more than about `capacity` of them.

    An id is kept as a 64-bit number in a table of open addressing, 13 to 27 bytes an event where a set would take 80. Two
    different events in a full memory of a million share a number once in 10⁷ such memories.
    """

    def __init__(self, window: timedelta, *, capacity: int = 1_000_000) -> None:
        self._window = window
        self._span = window / _GENERATIONS
        self._capacity = capacity
        self._tables: deque[_Table] = deque()
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def is_new(self, event_id: EventId, *, now: datetime) -> bool:
        """Return whether the id was not seen within the window, and remember it."""
        if not self._window:
            return True
        self._forget(now)
        number = int(event_id[:16], 16) or 1
        for table in self._tables:
            if number in table:
                return False
        self._add(number, now)
        return True

    def remember(self, event_id: EventId, *, now: datetime) -> None:
        """Remember an id that is known to be of its own, as `is_new` would."""
        self._forget(now)
        self._add(int(event_id[:16], 16) or 1, now)

    def _add(self, number: int, now: datetime) -> None:
        newest = self._tables[-1] if self._tables else None
        if newest is None or newest.is_full or now - newest.begun_at >= self._span:
            newest = _Table(now, size=self._next_size(newest, now))
            self._tables.append(newest)
        newest.add(number)
        self._count += 1
        newest.latest_at = now

    def _next_size(self, newest: "_Table | None", now: datetime) -> int:
        """Return a size that fits the pace: the same for the next span, twice as much where the table was full before its time."""
        if newest is None:
            return _SMALLEST
        if now - newest.begun_at < self._span:
            return min(2 * newest.size, max(self._capacity // _GENERATIONS, _SMALLEST))
        return max(newest.size // 2, _SMALLEST) if newest.count * 4 < newest.size else newest.size

    def _forget(self, now: datetime) -> None:
        while self._tables and (now - self._tables[0].latest_at > self._window or len(self) >= self._capacity):
            self._count -= self._tables.popleft().count


class _Table:
    """A set of numbers other than 0 that only grows, in one flat array whose size is a power of two."""

    def __init__(self, begun_at: datetime, *, size: int) -> None:
        self.begun_at = begun_at
        self.latest_at = begun_at
        self.size = 1 << (size - 1).bit_length()
        self.count = 0
        self._slots = array("Q", bytes(8 * self.size))

    @property
    def is_full(self) -> bool:
        return self.count >= _FILLED * self.size

    def __contains__(self, number: int) -> bool:
        return self._slots[self._slot_of(number)] == number

    def add(self, number: int) -> None:
        self._slots[self._slot_of(number)] = number
        self.count += 1

    def _slot_of(self, number: int) -> int:
        """Return where the number is, or the free slot where it belongs; the ids are hashes, so their low bits are spread."""
        slots, mask = self._slots, self.size - 1
        slot = number & mask
        while slots[slot] not in (0, number):
            slot = (slot + 1) & mask
        return slot
