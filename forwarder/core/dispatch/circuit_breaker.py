"""The circuit breaker of a destination: after many failures only a real delivery now and then is attempted, as a probe. Pure.

Times are monotonic seconds.
"""

from collections import deque
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

import msgspec

SHORTEST_PROBE_WAIT_S = 1.0
LONGEST_PROBE_WAIT_S = 30.0
_SHARE_OF_OUTAGE = 0.05
"""The wait from one probe to the next is this part of the outage so far, within those bounds."""
MOST_PROBES = 6
"""A receiver that does not respond gets the next probe although the one before has no outcome yet, up to so many at once."""
STREAK_S = 1.0
"""It also opens when nothing but failures came for so long: where little is sent, five in a row may take hours."""
_LONGEST_KNOCK_WAIT_S = 1.0
_SHORTEST_KNOCK_WAIT_S = 0.25
_KNOCK_SHARE_OF_OUTAGE = 0.01
_PARTS = 10
"""The window consists of so many parts; the oldest is forgotten as a whole."""


def probe_wait_s(outage_s: float) -> float:
    """Return how long to wait before the next try, after an outage of so long so far."""
    return min(max(_SHARE_OF_OUTAGE * outage_s, SHORTEST_PROBE_WAIT_S), LONGEST_PROBE_WAIT_S)


class BreakerState(StrEnum):
    """`open` waits for the next probe, `half_open` for the outcome of one."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class BreakerPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """When it opens: so many failures in a row, or so large a share of the attempts of a window."""

    in_a_row: int = 5
    ratio: float = 0.7
    min_attempts: int = 10
    """The share is not looked at before so many attempts are in the window."""
    window: timedelta = timedelta(minutes=5)
    is_on: bool = True


@dataclass(slots=True)
class _Part:
    begins_at: float
    attempts: int = 0
    failures: int = 0


class Breaker:
    """Decides from the outcomes whether attempts are made as they come, or probes only, and when.

    Its window is no `SlidingWindow`: it needs the share of failures among any number of attempts, not the times of a few.
    """

    def __init__(self, policy: BreakerPolicy) -> None:
        self._policy = policy
        self._part_s = policy.window.total_seconds() / _PARTS
        self._parts: deque[_Part] = deque()
        self._in_a_row = 0
        self._row_began = 0.0
        self._culprits: set[int] = set()
        """The event numbers of up to two of the deliveries that failed in the row."""
        self._failed_at = 0.0
        """When the last attempt failed."""
        self._down_since = 0.0
        """When the first attempt of the outage failed."""
        self._probes = 0
        """Probes under way, also of an outage before this one."""
        self.is_closed = True
        """Attempts are made as they come."""
        self.probe_at = 0.0
        """When the next probe may be made, while it is open."""
        self.opened_at = 0.0

    @property
    def state(self) -> BreakerState:
        """Return which of the three it is."""
        if self.is_closed:
            return BreakerState.CLOSED
        return BreakerState.HALF_OPEN if self._probes else BreakerState.OPEN

    @property
    def may_be_one_deliverys(self) -> bool:
        """Whether one delivery alone has failed: it may be the cause itself, so another one need not wait for a probe's time."""
        return len(self._culprits) == 1

    @property
    def is_probing(self) -> bool:
        """Whether the outcome of a probe is awaited."""
        return not self.is_closed and self._probes > 0

    @property
    def probes(self) -> int:
        """How many probes are under way, also of an outage that has ended."""
        return self._probes

    @property
    def has_most_probes(self) -> bool:
        """Whether no more may be under way."""
        return self._probes >= MOST_PROBES

    @property
    def opens_at(self) -> float | None:
        """When it opens by time, unless a success comes before; `None`: not at all."""
        return self._row_began + STREAK_S if self._in_a_row and self.is_closed and self._policy.is_on else None

    def open(self, now: float, *, probe_in_s: float = SHORTEST_PROBE_WAIT_S) -> None:
        """Allow nothing but probes, the first after `probe_in_s`. Does nothing where it is switched off."""
        if not self._policy.is_on:
            return
        self.is_closed = False
        self.opened_at = now
        self._down_since = self._row_began if self._in_a_row else now
        self.probe_at = now + probe_in_s

    def open_if_failing(self, now: float) -> bool:
        """Open where nothing but failures came for too long; return whether it did."""
        opens_at = self.opens_at
        if opens_at is None or now < opens_at:
            return False
        self.open(now, probe_in_s=max(self._failed_at + SHORTEST_PROBE_WAIT_S - now, 0.0))
        return True

    def begin_probe(self, now: float) -> None:
        """Note that a probe begins: the next one may follow after the current wait, whether or not this one has an outcome by then."""
        self._probes += 1
        self.probe_at = now + self._wait_s(now)

    def end_probe(self) -> None:
        """Note that a probe has ended; its outcome is noted after this."""
        self._probes -= 1

    def give_up_probe(self, now: float, *, wait_s: float | None = None) -> None:
        """Note that a probe showed nothing about the receiver; another may be made, after the current wait or `wait_s`."""
        if not self.is_closed:
            self.probe_at = now + (self._wait_s(now) if wait_s is None else wait_s)

    def probe_now(self, now: float) -> None:
        """Allow the next probe at once: there is a sign that the receiver is back."""
        if not self.is_closed:
            self.probe_at = min(self.probe_at, now)

    def knock_wait_s(self, now: float) -> float:
        """Return how long to wait before asking again whether somebody listens; that costs a receiver nothing."""
        wait_s = _KNOCK_SHARE_OF_OUTAGE * (now - self._down_since)
        return min(max(wait_s, _SHORTEST_KNOCK_WAIT_S), _LONGEST_KNOCK_WAIT_S)

    def _wait_s(self, now: float) -> float:
        return probe_wait_s(now - self._down_since)

    def note_success(self, now: float) -> bool:
        """Note that the receiver responds; return whether this closed the breaker."""
        self._in_a_row = 0
        self._culprits.clear()
        if self.is_closed:
            self._count(now, is_failure=False)
            return False
        self.is_closed = True
        self._parts.clear()
        return True

    def note_failure(self, now: float, *, is_probe: bool, culprit: int) -> bool:
        """Note a failed attempt of the delivery numbered `culprit`; return whether this opened the breaker.

        A probe that fails when the breaker is closed again belongs to the outage that has ended, and changes nothing. Nor do
        attempts that were under way when it opened.
        """
        if len(self._culprits) < 2:
            self._culprits.add(culprit)
        if not self.is_closed or is_probe:
            return False
        if not self._in_a_row:
            self._row_began = now
        self._in_a_row += 1
        self._failed_at = now
        self._count(now, is_failure=True)
        if not self._policy.is_on or not self._is_too_much(now):
            return False
        self.open(now)
        return True

    def _count(self, now: float, *, is_failure: bool) -> None:
        parts = self._parts
        if not parts or now - parts[-1].begins_at >= self._part_s:
            parts.append(_Part(now))
            while now - parts[0].begins_at > self._part_s * _PARTS:
                parts.popleft()
        parts[-1].attempts += 1
        parts[-1].failures += is_failure

    def _is_too_much(self, now: float) -> bool:
        if self._in_a_row >= self._policy.in_a_row or now - self._row_began >= STREAK_S:
            return True
        attempts = sum(part.attempts for part in self._parts)
        failures = sum(part.failures for part in self._parts)
        return attempts >= self._policy.min_attempts and failures >= attempts * self._policy.ratio
