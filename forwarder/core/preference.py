"""Which of the two events of one X post a destination gets: the first word (`fast-x`), the full text (`x`), or both. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from forwarder.core.books import Cause
from forwarder.core.delivery import DestinationName

FAST, FULL = "fast-x", "x"
SOURCES = frozenset({FAST, FULL})
WINDOW = timedelta(minutes=10)
"""The full text comes half a second after the first word; so much later it is taken for another event."""
CAPACITY = 50_000


class Prefer(StrEnum):
    """`all`: every event that matches. `first`: of the two events of a post the one that comes first."""

    ALL = "all"
    FIRST = "first"


class OnFull(StrEnum):
    """What becomes of a full text whose first word a destination has got."""

    IGNORE = "ignore"
    EDIT = "edit"
    """It changes the message that the first word made."""
    SEND = "send"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Whether an event goes to a destination, and the number of the event whose message it changes there, if it does."""

    is_wanted: bool
    edits: int | None = None


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


@dataclass(slots=True)
class _Post:
    at: datetime
    event_seq: int
    """Of the last event that went there."""
    has_fast: bool = False
    has_full: bool = False


class FirstWords:
    """Remembers what of each post went to whom by routes that prefer the first: for ten minutes, and never more than `capacity`."""

    def __init__(self, window: timedelta = WINDOW, *, capacity: int = CAPACITY) -> None:
        self._window = window
        self._capacity = capacity
        self._posts: dict[tuple[str, DestinationName], _Post] = {}
        """In the order in which they came."""

    def __len__(self) -> int:
        return len(self._posts)

    def judge(
        self, source: str, mid: str, destination: DestinationName, *, event_seq: int, on_full: OnFull, now: datetime
    ) -> Verdict:
        """Return what becomes of an event, which is one of the two, and remember it."""
        self._forget(now)
        post = self._posts.get((mid, destination))
        edits = None
        if post is not None:
            if source == FAST and post.has_full:
                return UNWANTED
            if source == FULL and post.has_fast and on_full is OnFull.IGNORE:
                post.has_full = True
                return UNWANTED
            if source == FULL and post.has_fast and on_full is OnFull.EDIT:
                edits = post.event_seq
        self._note(source, mid, destination, event_seq=event_seq, at=now)
        return WANTED if edits is None else Verdict(is_wanted=True, edits=edits)

    def recall(self, brought: Brought, first: frozenset[str]) -> None:
        """Remember what an earlier process did, oldest first; `first` are the routes that prefer the first."""
        if brought.cause == Cause.DISABLED or not first.issuperset(brought.routes):
            return
        if brought.cause != Cause.PREFERRED:
            self._note(brought.source, brought.mid, brought.destination, event_seq=brought.event_seq, at=brought.at)
        elif brought.source == FULL and (post := self._posts.get((brought.mid, brought.destination))) is not None:
            post.has_full = True

    def _note(self, source: str, mid: str, destination: DestinationName, *, event_seq: int, at: datetime) -> None:
        post = self._posts.setdefault((mid, destination), _Post(at=at, event_seq=event_seq))
        post.event_seq = event_seq
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
