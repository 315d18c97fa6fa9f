"""How long a stream waits before it connects again. Pure: now and chance are arguments.

What the wait is for decides its length. A path that is down (no name, no route, nobody listening) is tried about twice a second for a
minute, since that costs nobody anything and every second of waiting may be an event; a server that takes connections and ends them
is left alone longer each time; and whatever the reasons, a server sees no more than eight connections in a minute. No wait is longer
than a quarter of an hour: a stream that nobody tries again is the worst of all outcomes.
"""

from collections import deque
from collections.abc import Callable
from enum import StrEnum, auto

HEALTHY_AFTER_S = 10.0
"""A connection that lasted so long, or brought an event, was a good one: the next one is made at once."""
MOST_IN_A_MINUTE = 8
_MINUTE_S = 60.0
_FIRST_OF_PATH_S, _SPREAD_OF_PATH_S = 0.2, 0.5
"""Between two tries of a path in its first minute: 0.2 to 0.7 s."""
_LONGEST_BACKOFF_S = 30.0
_FIRST_REFUSAL_S, _LONGEST_REFUSAL_S = 60.0, 15 * 60.0
"""Of a refused key, and of a connection that another one has replaced."""
_FORGIVEN_AFTER_S = 3600.0
"""A connection that lasted so long was not the one that another wanted."""
MOST_REPLACED = 5
"""After so many replacements a stream gives way: it waits for a quarter of an hour each time. Of two programs that replace each other
one is connected then, and they change places every quarter of an hour, or less often."""
_FIRST_LIMIT_S, _LONGEST_LIMIT_S = 10.0, 5 * 60.0
_ENOUGH_REST_S = 600.0
"""A connection that lasted so long was slow enough for the server's rate limit."""
_MOST_DOUBLINGS = 20
"""Keeps powers of two within what a float holds, however long the same fault goes on."""


class Class(StrEnum):
    """What kind of wait a fault asks for."""

    PATH = auto()
    """The server was not reached."""
    SERVER = auto()
    """It was, and no good connection came of it."""
    AT_ONCE = auto()
    """Something of ours ended a good connection: the next one is not to wait."""
    REFUSED = auto()
    """The key was refused; that does not get better by itself."""
    REPLACED = auto()
    """Another connection with the same key took its place."""
    RATE_LIMITED = auto()
    """The server ended a connection because it had seen too much of us."""


class Pace:
    """Of one stream, over all its connections. Times are monotonic seconds."""

    def __init__(self, chance: Callable[[], float]) -> None:
        """`chance` returns numbers from 0 to 1."""
        self._chance = chance
        self._reached: deque[float] = deque(maxlen=MOST_IN_A_MINUTE)
        self._down_since: float | None = None
        self._failures = self._refusals = self._replacements = self._limits = 0

    @property
    def is_path_new(self) -> bool:
        """Whether the path is not known to have been down for a minute: then a try is not to hang for long."""
        return self._failures == 0

    @property
    def gives_way(self) -> bool:
        """Whether another connection has replaced it so often that it leaves the place to that one, but for a try now and then."""
        return self._replacements >= MOST_REPLACED

    def note_reached(self, now_s: float, connections: int = 1) -> None:
        """Count a connection that the server has taken, or several that one try took."""
        self._reached.extend([now_s] * connections)

    def wait_s(
        self, kind: Class, *, now_s: float, lasted_s: float = 0.0, was_useful: bool = False, connections: int = 1
    ) -> float:
        """Return how long to wait after a try, or a connection of `lasted_s`: a quarter of an hour at most.

        `was_useful`: it brought an event. `connections`: so many it took, and so may the next try.
        """
        if lasted_s >= _FORGIVEN_AFTER_S:
            self._replacements = 0
        if lasted_s >= _ENOUGH_REST_S:
            self._limits = 0
        is_good = was_useful or lasted_s >= HEALTHY_AFTER_S
        if is_good:
            self._failures = self._refusals = 0
        if is_good or kind is not Class.PATH:
            self._down_since = None
        return max(self._wait_s(kind, now_s, is_good=is_good), self._until_allowed_s(now_s, connections))

    def _wait_s(self, kind: Class, now_s: float, *, is_good: bool) -> float:
        match kind:
            case Class.REPLACED:
                self._replacements += 1
                return _LONGEST_REFUSAL_S if self.gives_way else _FIRST_REFUSAL_S * 2.0 ** (self._replacements - 1)
            case Class.REFUSED:
                self._refusals += 1
                return _doubled(_FIRST_REFUSAL_S, self._refusals, _LONGEST_REFUSAL_S)
            case Class.RATE_LIMITED:
                self._limits += 1
                return _doubled(_FIRST_LIMIT_S, self._limits, _LONGEST_LIMIT_S)
            case Class.AT_ONCE:
                return 0.0
            case _ if is_good:
                return 0.0
            case Class.PATH:
                self._down_since = now_s if self._down_since is None else self._down_since
                if now_s - self._down_since < _MINUTE_S:
                    return _FIRST_OF_PATH_S + _SPREAD_OF_PATH_S * self._chance()
                return self._backoff_s()
            case Class.SERVER:
                return self._backoff_s()

    def _backoff_s(self) -> float:
        """Return a random time below 1 s, then 2 s, 4 s … 30 s (exponential backoff with full jitter)."""
        longest = min(2.0 ** min(self._failures, _MOST_DOUBLINGS), _LONGEST_BACKOFF_S)
        self._failures += 1
        return longest * self._chance()

    def _until_allowed_s(self, now_s: float, connections: int) -> float:
        """Return how long until so many more fit into the minute."""
        room_for_others = max(MOST_IN_A_MINUTE - max(connections, 1), 0)
        if len(self._reached) <= room_for_others:
            return 0.0
        return max(self._reached[-1 - room_for_others] + _MINUTE_S - now_s, 0.0)

    def forgive(self) -> None:
        """Begin anew: a person says so."""
        self._failures = self._refusals = self._replacements = self._limits = 0
        self._down_since = None


def _doubled(first_s: float, times: int, longest_s: float) -> float:
    """Return `first_s` the first time, and twice as long each further time, up to `longest_s`."""
    return min(first_s * 2.0 ** min(times - 1, _MOST_DOUBLINGS), longest_s)
