"""Which streams were open when, to decide whether others covered the gap of one of them. Pure."""

from collections import defaultdict, deque
from collections.abc import Collection
from datetime import datetime

_KEPT = 1_000
"""How many times are kept per stream. What a forgotten one covered counts as not covered."""


class Uptime:
    """Remembers when each stream was open. From its opening to its last sign of life a stream covers everything."""

    def __init__(self) -> None:
        self._open_since: dict[str, datetime] = {}
        self._past: defaultdict[str, deque[tuple[datetime, datetime]]] = defaultdict(lambda: deque(maxlen=_KEPT))

    def note_open(self, stream: str, at: datetime) -> None:
        """Note that a stream is open since then."""
        self._open_since.setdefault(stream, at)

    def note_away(self, stream: str, last_heard: datetime) -> None:
        """Note that a stream is not open any more, with its last sign of life."""
        since = self._open_since.pop(stream, None)
        if since is not None and since < last_heard:
            self._past[stream].append((since, last_heard))

    @property
    def streams(self) -> set[str]:
        """The names of the streams that are open or have been; also of those that are no longer in the config."""
        return {*self._open_since, *self._past}

    def is_open(self, stream: str) -> bool:
        """Return whether a stream is open now."""
        return stream in self._open_since

    def was_open(self, stream: str, began: datetime, ended: datetime) -> bool:
        """Return whether a stream was open all the time between the two."""
        since = self._open_since.get(stream)
        if since is not None and since <= began:
            return True
        for since, until in reversed(self._past.get(stream, ())):
            if until < ended:
                break
            if since <= began:
                return True
        return False

    def is_covered(self, began: datetime, ended: datetime, *, by: Collection[str]) -> bool:
        """Return whether at each moment between the two at least one of these streams was open."""
        spans = [span for name in by for span in self._past.get(name, ())]
        spans += [(since, ended) for name in by if (since := self._open_since.get(name)) is not None]
        reached = began
        for since, until in sorted(spans):
            if since > reached:
                break
            reached = max(reached, until)
        return reached >= ended and bool(spans)
