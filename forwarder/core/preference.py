"""Which of the two events of one X post a destination gets: the first word (`fast-x`), the full text (`x`), or both. Pure.

A first word may wait for its full text: it is a pending delivery then, which goes when it is due, unless the full text has
taken its place.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from forwarder.core.books import THINNED, Cause
from forwarder.core.delivery import DestinationName

FAST, FULL = "fast-x", "x"
SOURCES = frozenset({FAST, FULL})
WINDOW = timedelta(minutes=10)
"""The full text comes half a second after the first word; so much later it is taken for another event."""
CAPACITY = 50_000
WAIT = timedelta(seconds=3)
"""How long a first word waits for the full text where nothing else is said."""
_NEVER_MEANT = {Cause.DISABLED, *THINNED}
AWAITS_FULL = "waits for the full text"
"""The reason of a pending delivery that does; no other has it."""


class Prefer(StrEnum):
    """`all`: every event that matches. `first`: of the two events of a post the one that comes first. `full`: the full one, in time."""

    ALL = "all"
    FIRST = "first"
    FULL = "full"


class OnFull(StrEnum):
    """What becomes of a full text whose first word a destination has got."""

    IGNORE = "ignore"
    EDIT = "edit"
    """It changes the message that the first word made."""
    SEND = "send"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Whether an event goes to a destination, and how."""

    is_wanted: bool
    edits: int | None = None
    """The number of the event whose message it changes there."""
    waits_until: datetime | None = None
    """It goes then, unless the full text comes before."""


WANTED = Verdict(is_wanted=True)
UNWANTED = Verdict(is_wanted=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Brought:
    """A delivery that an earlier process made of one of the two."""

    event_seq: int
    source: str
    mid: str
    destination: DestinationName
    routes: tuple[str, ...]
    at: datetime
    cause: str | None
    """Why it was skipped, if it was."""
    waits_until: datetime | None = None
    """It waits for the full text."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    event_seq: int
    until: datetime


@dataclass(slots=True)
class _Post:
    at: datetime
    last_seq: int = 0
    """Of the last event that went there."""
    has_fast: bool = False
    has_full: bool = False
    waiting: tuple[_Waiting, ...] = ()
    """First words that go when their wait is over."""

    def note_over(self, now: datetime | None = None) -> None:
        """Note that those went whose wait is over; without a time, all of them."""
        over = [each for each in self.waiting if now is None or each.until <= now]
        if over:
            self.has_fast, self.last_seq = True, max(self.last_seq, over[-1].event_seq)
            self.waiting = tuple(each for each in self.waiting if each not in over)


class FirstWords:
    """Remembers what of each post went to whom by routes that want one of the two: for ten minutes, and never more than `capacity`."""

    def __init__(self, window: timedelta = WINDOW, *, capacity: int = CAPACITY) -> None:
        self._window = window
        self._capacity = capacity
        self._posts: dict[tuple[str, DestinationName], _Post] = {}
        """In the order in which they came."""

    def __len__(self) -> int:
        return len(self._posts)

    def waiting(self, mid: str, destination: DestinationName, *, now: datetime) -> tuple[int, ...]:
        """Return the numbers of the first words that a full text can replace now: they wait, and none has gone before."""
        post = self._posts.get((mid, destination))
        if post is None or not post.waiting:
            return ()
        post.note_over(now)
        return () if post.has_fast else tuple(each.event_seq for each in post.waiting)

    def replaced(self, mid: str, destination: DestinationName, event_seq: int) -> None:
        """Note that this first word, which waited, does not go."""
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
    ) -> Verdict:
        """Return what becomes of an event, which is one of the two, and remember it.

        A first word waits for the full text for so long. Whatever still waits when a full text comes counts as gone; see
        `waiting` and `replaced`.
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
        return Verdict(is_wanted=True, edits=edits, waits_until=waits_until)

    def recall(self, brought: Brought, once: frozenset[str]) -> None:
        """Remember what an earlier process did, oldest first; `once` are the routes that want one of the two."""
        if brought.cause in _NEVER_MEANT or not once.issuperset(brought.routes):
            return
        if brought.cause != Cause.PREFERRED:
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
