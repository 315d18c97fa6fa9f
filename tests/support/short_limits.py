"""The daemon with shorter limits, for tests of what it does when it stood still for longer: `python -m tests.support.short_limits run …`."""

import sys
from datetime import timedelta
from typing import Any

from forwarder.cli import main
from forwarder.streams import pulse, suspend_detector
from forwarder.streams.sse import SseStream
from forwarder.streams.websocket import WebSocketStream

DEAD_AFTER_S = 4.0
"""With two seconds the server of the tests, on a busy machine, is silent for too long before anything was stopped."""
STANDSTILL_S = 6.5
"""Longer than any limit that is shortened here."""


def shorten() -> None:
    """Have nothing be heard for four seconds at most."""
    dead_after = timedelta(seconds=DEAD_AFTER_S)
    _defaults(WebSocketStream).update(dead_after=dead_after, ping_every=timedelta(seconds=0.7))
    _defaults(SseStream).update(dead_after=dead_after, answers_within=timedelta(seconds=1.5))
    pulse._LATE_S = 1.0
    suspend_detector.STANDSTILL_S = 2.0


def _defaults(kind: type) -> dict[str, Any]:
    """Return the defaults of a dataclass, to be changed: it was built with them."""
    defaults: dict[str, Any] = kind.__init__.__kwdefaults__  # type: ignore[misc] # of this very class
    return defaults


if __name__ == "__main__":
    shorten()
    sys.exit(main())
