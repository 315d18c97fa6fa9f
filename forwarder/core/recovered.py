"""Which posts the repair of gaps has brought, and which ones streams bring meanwhile, so that none comes twice. Pure.

The payload of a recovered post is not that of the stream, so their ids as events differ; `mid` and `sid` they share.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta

PostKey = tuple[str, str]
"""`mid` and `sid`."""
CAPACITY = 50_000


class RecoveredPosts:
    """Remembers the newest that were recovered; within `window` a stream that brings one of them brings a double (0: never)."""

    def __init__(self, window: timedelta = timedelta(minutes=30), *, capacity: int = CAPACITY) -> None:
        self._window = window
        self._capacity = capacity
        self._at: dict[PostKey, datetime] = {}
        """In the order in which they came."""
        self._arrived: set[PostKey] = set()
        """Brought by streams while repairs are under way,"""
        self._repairs = 0
        """which are so many."""

    def recall(self, posts: Mapping[PostKey, datetime]) -> None:
        """Remember those of an earlier process, with when they were accepted."""
        for key, at in sorted(posts.items(), key=lambda post: post[1]):
            self._note(key, at)

    @contextmanager
    def repairing(self) -> Iterator[None]:
        """For the length of the block, remember what streams bring: who asks beforehand what is there knows of all."""
        self._repairs += 1
        try:
            yield
        finally:
            self._repairs -= 1
            if not self._repairs:
                self._arrived.clear()

    def is_double(self, key: PostKey, *, now: datetime) -> bool:
        """Return whether a stream brings what was recovered."""
        if self._repairs:
            self._arrived.add(key)
        at = self._at.get(key)
        return at is not None and now - at < self._window

    def is_new(self, key: PostKey, *, now: datetime) -> bool:
        """Return whether neither a repair has brought it nor, since that repair began, a stream; and remember it."""
        if key in self._at or key in self._arrived:
            return False
        self._note(key, now)
        return True

    def _note(self, key: PostKey, at: datetime) -> None:
        self._at[key] = at
        while len(self._at) > self._capacity:
            del self._at[next(iter(self._at))]
