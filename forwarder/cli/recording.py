"""The history of an outbox as a script for the emulator: what came, in the times between in which it came."""

import itertools
from collections.abc import Iterator
from datetime import datetime

from forwarder.core.event import OWN_SOURCE, NotAnEventError, decode_event
from forwarder.core.history import FOREVER_MS, History
from forwarder.emulator.script import marked, nth_pass

_BETWEEN_PASSES_S = 1.0


class Recording:
    """The events of an outbox in a range of time, each marked as replayed. Iterating reads them from the file each time."""

    def __init__(self, history: History, *, since_ms: int, until_ms: int = FOREVER_MS) -> None:
        self._history = history
        self._until_ms = until_ms
        self._span = history.span_of(since_ms=since_ms, limit=None)
        self.left_out = 0
        """How many events cannot be served: cut ones of the public stream, and what is no event any more."""
        self.count = 0
        self.lasts_s = 0.0
        """The time from the first event to the last one, in seconds."""
        self._measure()

    def _measure(self) -> None:
        first: datetime | None = None
        for at, _ in self.events():
            first = first or at
            self.count += 1
            self.lasts_s = max(self.lasts_s, (at - first).total_seconds())

    def __iter__(self) -> Iterator[bytes]:
        return (frame for _, frame in self.events())

    def events(self) -> Iterator[tuple[datetime, bytes]]:
        """Yield each event with the time at which it was accepted. Forwarder's own are not among them."""
        self.left_out = 0
        for past in self._history.past_events(self._span):
            if past.accepted_at.timestamp() * 1000 >= self._until_ms:
                return
            if past.source == OWN_SOURCE:
                continue
            try:
                is_whole = not decode_event(past.body).truncated
            except NotAnEventError:
                is_whole = False
            if is_whole:
                yield past.accepted_at, marked(past.body)
            else:
                self.left_out += 1

    def script(self, *, speed: float, count: int | None, loop: bool) -> Iterator[tuple[float, bytes]]:
        """Yield each event with the seconds after the start at which it is due, at so many times the original speed.

        Later passes have new ids. `count` is how many events there are at most; with a count there are as many passes as it needs.
        """
        passes = itertools.count() if loop or count is not None else iter((0,))
        return itertools.islice(self._passes(passes, speed), count)

    def _passes(self, passes: Iterator[int], speed: float) -> Iterator[tuple[float, bytes]]:
        began_s = 0.0
        for number in passes:
            first: datetime | None = None
            due_s = began_s
            frames = nth_pass(self, number) if number else itertools.repeat(b"")
            for (at, recorded), advanced in zip(self.events(), frames, strict=False):
                first, frame = first or at, advanced or recorded
                due_s = began_s + max((at - first).total_seconds(), 0.0) / speed
                yield due_s, frame
            if first is None:
                return
            began_s = due_s + _BETWEEN_PASSES_S / speed
