"""Decides when the outside monitor is requested, and with which of its URLs. Pure."""

from enum import Enum, auto
from math import inf

import msgspec

LEAST_APART_S = 10.0
"""No two requests are sent within this time."""
LOOK_EVERY_S = 5.0
"""How often it is checked whether all is well again, while it is not."""


class Ping(Enum):
    """What is requested."""

    SUCCESS = auto()
    FAILURE = auto()


class HeartbeatStep(msgspec.Struct, frozen=True):
    """What to request now, and how many seconds later to ask again."""

    ping: Ping | None
    wait_s: float


class HeartbeatSchedule:
    """Requests at fixed steps, which neither slow answers nor the wait of a moment shift; soon after all is well again; never too often."""

    def __init__(self, *, every_s: float, tells_failure: bool, last_s: float = -inf) -> None:
        """`tells_failure`: there is a URL for failures. `last_s`: when a request was sent under other settings."""
        self._every_s = every_s
        self._tells_failure = tells_failure
        self.last_s = last_s
        """When the last request was begun; `-inf` if there was none."""
        self._last: Ping | None = None
        self._due_s = -inf

    def step(self, now_s: float, *, is_well: bool) -> HeartbeatStep:
        """Return what to do now. The request counts as begun at `now_s`."""
        due_s = -inf if is_well and self._last is Ping.FAILURE else self._due_s
        due_s = max(due_s, self.last_s + LEAST_APART_S)
        ping = None
        if now_s >= due_s and (is_well or self._tells_failure):
            ping = self._last = Ping.SUCCESS if is_well else Ping.FAILURE
            self.last_s = now_s
            if now_s >= self._due_s:
                self._due_s = max(self._due_s + self._every_s, now_s)
                if self._due_s == now_s:  # the first one, or it was not well for longer than one step
                    self._due_s += self._every_s
            due_s = max(self._due_s, now_s + LEAST_APART_S)
        if is_well:
            return HeartbeatStep(ping, due_s - now_s)
        return HeartbeatStep(ping, min(LOOK_EVERY_S, due_s - now_s) if due_s > now_s else LOOK_EVERY_S)
