"""Decides which of the two events of an X post a destination gets: the first word (`fast-x`), the full text (`x`), or both.

A first word may wait for its full text. It is then a pending delivery, which is sent when it is due unless the full text has replaced it.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

import msgspec

from forwarder.core.delivery import DestinationName
from forwarder.core.ledger import NOT_SENT_BY_RULE, SkipReason

FAST, FULL = "fast-x", "x"
SOURCES = frozenset({FAST, FULL})
WINDOW = timedelta(minutes=10)
"""How long the two events of a post belong together. The full text usually comes half a second after the first word."""
CAPACITY = 50_000
WAIT = timedelta(seconds=3)
"""How long a first word waits for the full text by default."""
_NEVER_WANTED = {SkipReason.DISABLED, *NOT_SENT_BY_RULE}


class Prefer(StrEnum):
    """Which events of a post a route sends: all, the one that comes first, or the full text if it comes in time."""

    ALL = "all"
    FIRST = "first"
    FULL = "full"


class OnFull(StrEnum):
    """What happens to a full text after the destination got its first word."""

    IGNORE = "ignore"
    EDIT = "edit"
    """The full text edits the message of the first word."""
    SEND = "send"


class FirstWordDecision(msgspec.Struct, frozen=True, kw_only=True):
    """Whether an event is sent to a destination, and how."""

    is_wanted: bool
    edits: int | None = None
    """The number of the event whose message is edited."""
    waits_until: datetime | None = None
    """When the event is sent, unless the full text comes first. `None` means at once."""


WANTED = FirstWordDecision(is_wanted=True)
UNWANTED = FirstWordDecision(is_wanted=False)


class EarlierDelivery(msgspec.Struct, frozen=True, kw_only=True):
    """A delivery of one of the two events of a post by an earlier process."""

    event_seq: int
    source: str
    mid: str
    destination: DestinationName
    routes: tuple[str, ...]
    at: datetime
    cause: str | None
    """Why the delivery was skipped, if it was."""
    waits_until: datetime | None = None
    """Until when the delivery waits for the full text, if it does."""


class _Waiting(msgspec.Struct, frozen=True):
    event_seq: int
    until: datetime


@dataclass(slots=True)
class _Post:
    at: datetime
    last_seq: int = 0
    """The number of the last event that was sent."""
    has_fast: bool = False
    has_full: bool = False
    waiting: tuple[_Waiting, ...] = ()
    """The first words that are sent when their wait is over."""

    def note_over(self, now: datetime | None = None) -> None:
        """Note that the first words whose wait is over were sent; without a time, all of them."""
        over = [each for each in self.waiting if now is None or each.until <= now]
        if over:
            self.has_fast, self.last_seq = True, max(self.last_seq, over[-1].event_seq)
            self.waiting = tuple(each for each in self.waiting if each not in over)


class FirstWords:
    """Remembers which event of each post was sent to which destination, for ten minutes and for at most `capacity` posts."""

    def __init__(self, window: timedelta = WINDOW, *, capacity: int = CAPACITY) -> None:
        self._window = window
        self._capacity = capacity
        self._posts: dict[tuple[str, DestinationName], _Post] = {}
        """The posts by `mid` and destination, in the order in which they came."""

    def __len__(self) -> int:
        return len(self._posts)

    def waiting(self, mid: str, destination: DestinationName, *, now: datetime) -> tuple[int, ...]:
        """Return the numbers of the waiting first words that a full text can replace now; none if one was already sent."""
        post = self._posts.get((mid, destination))
        if post is None or not post.waiting:
            return ()
        post.note_over(now)
        return () if post.has_fast else tuple(each.event_seq for each in post.waiting)

    def replaced(self, mid: str, destination: DestinationName, event_seq: int) -> None:
        """Note that this waiting first word was replaced and is not sent."""
        if (post := self._posts.get((mid, destination))) is not None:
            post.waiting = tuple(each for each in post.waiting if each.event_seq != event_seq)

    def judge(
        self,
        source: str,
        mid: str,
        destination: DestinationName,
        *,
        event_seq: int,
        on_full: OnFull,
        now: datetime,
        wait: timedelta | None = None,
    ) -> FirstWordDecision:
        """Return whether and how an event of a post is sent, and remember it.

        A first word waits `wait` for the full text. First words that still wait when a full text comes count as sent; see `waiting`
        and `replaced`.
        """
        self._forget(now)
        post = self._posts.get((mid, destination))
        edits = None
        if post is not None:
            if source == FULL:
                post.note_over()
            if source == FAST and post.has_full:
                return UNWANTED
            if source == FULL and post.has_fast and on_full is OnFull.IGNORE:
                post.has_full = True
                return UNWANTED
            if source == FULL and post.has_fast and on_full is OnFull.EDIT:
                edits = post.last_seq
        waits_until = now + wait if wait is not None and source == FAST else None
        self._note(source, mid, destination, event_seq=event_seq, at=now, waits_until=waits_until)
        if edits is None and waits_until is None:
            return WANTED
        return FirstWordDecision(is_wanted=True, edits=edits, waits_until=waits_until)

    def recall(self, brought: EarlierDelivery, once: frozenset[str]) -> None:
        """Remember a delivery of an earlier process; call it oldest first. `once` are the routes that want only one of the two events."""
        if brought.cause in _NEVER_WANTED or not once.issuperset(brought.routes):
            return
        if brought.cause != SkipReason.PREFERRED:
            self._note(
                brought.source,
                brought.mid,
                brought.destination,
                event_seq=brought.event_seq,
                at=brought.at,
                waits_until=brought.waits_until,
            )
        elif brought.source == FULL and (post := self._posts.get((brought.mid, brought.destination))) is not None:
            post.has_full = True

    def _note(
        self,
        source: str,
        mid: str,
        destination: DestinationName,
        *,
        event_seq: int,
        at: datetime,
        waits_until: datetime | None,
    ) -> None:
        post = self._posts.setdefault((mid, destination), _Post(at=at))
        if waits_until is not None:
            post.waiting = (*post.waiting, _Waiting(event_seq, waits_until))
            return
        post.last_seq = event_seq
        if source == FAST:
            post.has_fast = True
        else:
            post.has_full = True

    def _forget(self, now: datetime) -> None:
        while self._posts:
            oldest = next(iter(self._posts))
            if self._posts[oldest].at >= now - self._window and len(self._posts) < self._capacity:
                return
            del self._posts[oldest]
