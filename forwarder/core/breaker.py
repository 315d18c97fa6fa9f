"""The circuit breaker of a destination: after many failures only one real delivery now and then is tried. Pure.

Times are monotonic seconds.
"""

from collections import deque
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

FIRST_PROBE_S = 1.0
LONGEST_PROBE_WAIT_S = 30.0
_GROWTH = 1.5
"""Probes come 1, 1.5, 2.3, 3.4, 5, … 30 seconds one after the other: a receiver that is back waits about a third of its outage,
and never longer than that."""
_STREAK_S = 2.0
"""It also opens at a failure that comes so long after the first of an unbroken row: where little is sent, five may take hours."""
_PARTS = 10
"""The window is counted in so many parts; the oldest is forgotten as a whole."""


class BreakerState(StrEnum):
    """`open` waits for the next probe, `half_open` for the outcome of one."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerPolicy:
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
    """Hears of each outcome, and says whether, and when, the next attempt may be made."""

    def __init__(self, policy: BreakerPolicy) -> None:
        self._policy = policy
        self._part_s = policy.window.total_seconds() / _PARTS
        self._parts: deque[_Part] = deque()
        self._in_a_row = 0
        self._row_began = 0.0
        self._culprits: set[int] = set()
        """Which deliveries failed in the row: one, or a few of more."""
        self._probe_wait_s = FIRST_PROBE_S
        self.state = BreakerState.CLOSED
        self.probe_at = 0.0
        """When the next probe may be made, while it is open."""
        self.opened_at = 0.0

    @property
    def is_closed(self) -> bool:
        """Whether attempts are made as they come."""
        return self.state is BreakerState.CLOSED

    @property
    def may_be_one_deliverys(self) -> bool:
        """Whether one delivery alone has failed: that may be its own fault, and another one need not wait for a probe's time."""
        return len(self._culprits) == 1

    @property
    def is_probing(self) -> bool:
        """Whether the outcome of a probe is awaited."""
        return self.state is BreakerState.HALF_OPEN

    def open(self, now: float, *, probe_in_s: float = FIRST_PROBE_S) -> None:
        """Let nothing through but a probe, the first after `probe_in_s`; nothing where it is switched off."""
        if not self._policy.is_on:
            return
        self.state = BreakerState.OPEN
        self.opened_at = now
        self.probe_at = now + probe_in_s
        self._probe_wait_s = FIRST_PROBE_S

    def begin_probe(self) -> None:
        """Note that a probe is under way: nothing else may go until its outcome is in."""
        self.state = BreakerState.HALF_OPEN

    def give_up_probe(self, now: float, *, wait_s: float | None = None) -> None:
        """Note that the probe told nothing about the receiver; another may be made, after the wait in force or `wait_s`."""
        if self.is_probing:
            self.state = BreakerState.OPEN
            self.probe_at = now + (self._probe_wait_s if wait_s is None else wait_s)

    def note_success(self, now: float) -> bool:
        """Note that the receiver answers; return whether this closed the breaker."""
        self._in_a_row = 0
        self._culprits.clear()
        if self.is_closed:
            self._count(now, is_failure=False)
            return False
        self.state = BreakerState.CLOSED
        self._parts.clear()
        return True

    def note_failure(self, now: float, *, is_probe: bool, culprit: int) -> bool:
        """Note a failed attempt of the delivery numbered `culprit`; return whether this opened the breaker."""
        if len(self._culprits) < 2:
            self._culprits.add(culprit)
        if not self.is_closed:
            if is_probe:  # others were under way when it opened, and tell nothing new
                self._probe_wait_s = min(self._probe_wait_s * _GROWTH, LONGEST_PROBE_WAIT_S)
                self.state = BreakerState.OPEN if self._policy.is_on else BreakerState.CLOSED
                self.probe_at = now + self._probe_wait_s
            return False
        if not self._in_a_row:
            self._row_began = now
        self._in_a_row += 1
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
        if self._in_a_row >= self._policy.in_a_row or now - self._row_began >= _STREAK_S:
            return True
        attempts = sum(part.attempts for part in self._parts)
        failures = sum(part.failures for part in self._parts)
        return attempts >= self._policy.min_attempts and failures >= attempts * self._policy.ratio
