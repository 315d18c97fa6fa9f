"""Recognises duplicate events: replayed ones and those received twice. An edited event has another id and is no duplicate."""

import sys
from array import array
from bisect import bisect_left
from collections import deque
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from forwarder.core.event import EventId

GENERATIONS = 8
"""How many parts the window has; each is forgotten as a whole."""
_SMALLEST = 1 << 12
_FILLED = 0.7
_SPARE = 1.05
_LONG_AGO = datetime.min.replace(tzinfo=UTC)


class RecentEvents:
    """Remembers event ids for `window` (0 means not at all) and up to an eighth longer, but at most about `capacity` of them.

    An id is kept as a 64-bit number in a hash table with open addressing: about 12 bytes for an event; a set would take 80. The
    probability that two events in a full table of a million share a number is 10⁻⁷.
    """

    def __init__(self, window: timedelta, *, capacity: int = 1_000_000) -> None:
        self._window = window
        self._span = window / GENERATIONS
        self._capacity = capacity
        self._older: deque[_GrowingSet | _FixedSet] = deque()
        self._newest = _GrowingSet(_LONG_AGO, size=_SMALLEST)
        self._turns_at = _LONG_AGO
        """The next time to check: something may be too old, or the newest table has reached its span."""
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def is_new(self, event_id: EventId, *, now: datetime) -> bool:
        """Return whether the id is new within the window, and remember it."""
        if not self._window:
            return True
        if now >= self._turns_at or self._newest.is_full:
            self._turn(now)
        number = int(event_id[:16], 16) or 1  # as `id_number`
        for table in self._older:
            if number in table:
                return False
        if not self._newest.add(number):
            return False
        self._newest.latest_at = now
        self._count += 1
        return True

    def remember(self, numbers: "array[int]", *, latest_at: datetime) -> None:
        """Remember sorted `id_numbers` of events seen up to `latest_at`, later than all that were remembered before."""
        if self._window and numbers:
            self._older.append(_FixedSet(numbers, latest_at))
            self._count += len(numbers)

    def _turn(self, now: datetime) -> None:
        """Forget ids that are too old or too many, and start a new table if the newest is full or has reached its span."""
        older, newest = self._older, self._newest
        if newest.is_full or now - newest.begun_at >= self._span:
            if newest.count:
                older.append(newest)
            self._newest = _GrowingSet(now, size=self._next_size(newest, now))
        while older and (now - older[0].latest_at > self._window or self._count >= self._capacity):
            self._count -= older.popleft().count
        self._turns_at = self._newest.begun_at + self._span
        if older:
            self._turns_at = min(self._turns_at, older[0].latest_at + self._window + timedelta.resolution)

    def _next_size(self, newest: "_GrowingSet", now: datetime) -> int:
        """Return how many slots the next table needs for a whole span at the rate of the newest one, at most four times as many.

        A short burst does not make the table large. If the burst continues, each table is larger than the one before.
        """
        lasted = max(now - newest.begun_at, timedelta.resolution)
        wanted = _SPARE * newest.count / _FILLED * (self._span / lasted)
        return max(_SMALLEST, int(min(wanted, 4 * newest.size, self._capacity // GENERATIONS)))


def id_number(event_id: EventId) -> int:
    """Return the number that is remembered for an id: its first 64 bits, never 0."""
    return int(event_id[:16], 16) or 1


def id_numbers(beginnings: Sequence[str]) -> "array[int]":
    """Return the sorted `id_number` of many ids, given by their first 16 digits. A million take half a second."""
    numbers = array("Q", bytes.fromhex("".join(beginnings)))
    if sys.byteorder == "little":  # pragma: no branch - a machine has one order of bytes
        numbers.byteswap()
    return array("Q", sorted(numbers))


class _FixedSet:
    """A fixed set of numbers that was read from the outbox."""

    def __init__(self, numbers: "array[int]", latest_at: datetime) -> None:
        self.latest_at = latest_at
        self.count = len(numbers)
        self._numbers = numbers

    def __contains__(self, number: int) -> bool:
        place = bisect_left(self._numbers, number)
        return place < self.count and self._numbers[place] == number


class _GrowingSet:
    """A growing set of numbers other than 0, in one flat array."""

    def __init__(self, begun_at: datetime, *, size: int) -> None:
        self.begun_at = begun_at
        self.latest_at = begun_at
        self.size = size
        self.count = 0
        self.is_full = False
        self._most = int(_FILLED * size)
        self._slots = array("Q", bytes(8 * size))

    def __contains__(self, number: int) -> bool:
        return self._slots[self._slot_of(number)] == number

    def add(self, number: int) -> bool:
        """Add a number; return whether it was not there."""
        slot = self._slot_of(number)
        if self._slots[slot]:
            return False
        self._slots[slot] = number
        self.count += 1
        self.is_full = self.count >= self._most
        return True

    def _slot_of(self, number: int) -> int:
        """Return the slot of the number, or the free slot where it belongs. The ids are hashes, so they are spread evenly."""
        slots, size = self._slots, self.size
        slot = number % size
        while slots[slot] not in (0, number):
            slot = (slot + 1) % size
        return slot
