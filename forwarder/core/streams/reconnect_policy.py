"""How long a stream waits before it connects again. Pure: now and chance are arguments.

The reason for a wait decides its length. A path that is down (no name, no route, no listener) is tried about twice a second for a
minute, since that costs nothing and each second of waiting may lose an event. A server that accepts connections and ends them is
left alone longer each time. In any case a server sees at most eight connections in a minute. No wait is longer than a quarter of an
hour, because a stream that is never tried again is the worst outcome.
"""

from collections import deque
from collections.abc import Callable
from enum import StrEnum, auto
from typing import assert_never

HEALTHY_AFTER_S = 10.0
"""A connection that lasted this long, or brought an event, was a good one: the next one is opened at once."""
MOST_IN_A_MINUTE = 8
_MINUTE_S = 60.0
_FIRST_OF_PATH_S, _SPREAD_OF_PATH_S = 0.2, 0.5
"""The wait between two tries of a path in its first minute is 0.2 to 0.7 s."""
_LONGEST_BACKOFF_S = 30.0
_FIRST_REFUSAL_S, _LONGEST_REFUSAL_S = 60.0, 15 * 60.0
"""The waits after a refused key, and after a connection that another one has replaced."""
_FORGIVEN_AFTER_S = 3600.0
"""After a connection that lasted this long, earlier replacements are forgotten."""
MOST_REPLACED = 5
"""After so many replacements a stream gives way: it waits for a quarter of an hour each time. Of two programs that replace each other
one is then connected, and they change places every quarter of an hour at most."""
_FIRST_LIMIT_S, _LONGEST_LIMIT_S = 10.0, 5 * 60.0
_ENOUGH_REST_S = 600.0
"""After a connection that lasted this long, earlier rate limits are forgotten."""
_MOST_DOUBLINGS = 20
"""Keeps powers of two within the range of a float, however long the same fault lasts."""


class WaitKind(StrEnum):
    """Says what kind of wait a fault asks for."""

    PATH = auto()
    """The server was not reached."""
    SERVER = auto()
    """The server was reached, and no good connection came of it."""
    AT_ONCE = auto()
    """Our own side ended a good connection, so the next one need not wait."""
    REFUSED = auto()
    """The key was refused, which does not get better by itself."""
    REPLACED = auto()
    """Another connection with the same key took its place."""
    RATE_LIMITED = auto()
    """The server ended a connection because there were too many messages or connections."""


class ReconnectPolicy:
    """Decides how long one stream waits before its next try, from all its tries so far. Times are monotonic seconds."""

    def __init__(self, chance: Callable[[], float]) -> None:
        """`chance` returns numbers from 0 to 1."""
        self._chance = chance
        self._reached: deque[float] = deque(maxlen=MOST_IN_A_MINUTE)
        """No `SlidingWindow`: it asks when several more are allowed at once, and counts also those that were not allowed."""
        self._down_since: float | None = None
        self._failures = self._refusals = self._replacements = self._limits = 0

    @property
    def is_path_new(self) -> bool:
        """Whether the path is not known to have been down for a minute: then a try should not take long."""
        return self._failures == 0

    @property
    def gives_way(self) -> bool:
        """Whether another connection has replaced ours so often that the stream is left to it, except for a try now and then."""
        return self._replacements >= MOST_REPLACED

    def note_reached(self, now_s: float, connections: int = 1) -> None:
        """Count connections that the server has accepted; one try may need several."""
        self._reached.extend([now_s] * connections)

    def wait_s(
        self, kind: WaitKind, *, now_s: float, lasted_s: float = 0.0, was_useful: bool = False, connections: int = 1
    ) -> float:
        """Return how long to wait after a try, or after a connection of `lasted_s`: a quarter of an hour at most.

        `was_useful`: it brought an event. `connections` is how many the try needed, and the next one may need as many.
        """
        if lasted_s >= _FORGIVEN_AFTER_S:
            self._replacements = 0
        if lasted_s >= _ENOUGH_REST_S:
            self._limits = 0
        is_good = was_useful or lasted_s >= HEALTHY_AFTER_S
        if is_good:
            self._failures = self._refusals = 0
        if is_good or kind is not WaitKind.PATH:
            self._down_since = None
        return max(self._wait_s(kind, now_s, is_good=is_good), self._until_allowed_s(now_s, connections))

    def _wait_s(self, kind: WaitKind, now_s: float, *, is_good: bool) -> float:
        match kind:
            case WaitKind.REPLACED:
                self._replacements += 1
                return _LONGEST_REFUSAL_S if self.gives_way else _FIRST_REFUSAL_S * 2.0 ** (self._replacements - 1)
            case WaitKind.REFUSED:
                self._refusals += 1
                return _growing(_FIRST_REFUSAL_S, self._refusals, _LONGEST_REFUSAL_S)
            case WaitKind.RATE_LIMITED:
                self._limits += 1
                return _growing(_FIRST_LIMIT_S, self._limits, _LONGEST_LIMIT_S)
            case WaitKind.AT_ONCE:
                return 0.0
            case _ if is_good:
                return 0.0
            case WaitKind.PATH:
                self._down_since = now_s if self._down_since is None else self._down_since
                if now_s - self._down_since < _MINUTE_S:
                    return _FIRST_OF_PATH_S + _SPREAD_OF_PATH_S * self._chance()
                return self._backoff_s()
            case WaitKind.SERVER:
                return self._backoff_s()
            case _:
                assert_never(kind)

    def _backoff_s(self) -> float:
        """Return a random time below 1 s, then 2 s, 4 s … 30 s (exponential backoff with full jitter)."""
        longest = min(2.0 ** min(self._failures, _MOST_DOUBLINGS), _LONGEST_BACKOFF_S)
        self._failures += 1
        return longest * self._chance()

    def _until_allowed_s(self, now_s: float, connections: int) -> float:
        """Return how long until so many more connections are allowed in the minute."""
        room_for_others = max(MOST_IN_A_MINUTE - max(connections, 1), 0)
        if len(self._reached) <= room_for_others:
            return 0.0
        return max(self._reached[-1 - room_for_others] + _MINUTE_S - now_s, 0.0)

    def forgive(self) -> None:
        """Forget all failures: a person asks for a new connection."""
        self._failures = self._refusals = self._replacements = self._limits = 0
        self._down_since = None


def _growing(first_s: float, times: int, longest_s: float) -> float:
    """Return `first_s` the first time, and twice as long each further time, up to `longest_s`."""
    return min(first_s * 2.0 ** min(times - 1, _MOST_DOUBLINGS), longest_s)
