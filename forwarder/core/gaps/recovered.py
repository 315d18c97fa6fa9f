"""Which posts gap repair has brought, and which ones streams bring at the same time, so that none is delivered twice. Pure.

The payload of a recovered post differs from that of the stream, and so does its event id. Both have the same `mid` and `sid`.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta

PostKey = tuple[str, str]
"""The `mid` and the `sid` of a post."""
CAPACITY = 50_000


class RecoveredPosts:
    """Remembers the newest recovered posts. If a stream brings one of them within `window`, that is a duplicate (0: never)."""

    def __init__(self, window: timedelta = timedelta(minutes=30), *, capacity: int = CAPACITY) -> None:
        self._window = window
        self._capacity = capacity
        self._at: dict[PostKey, datetime] = {}
        """When each post was recovered, in that order."""
        self._arrived: set[PostKey] = set()
        """Posts that streams have brought while a repair was running."""
        self._repairs = 0
        """How many repairs are running."""

    def recall(self, posts: Mapping[PostKey, datetime]) -> None:
        """Remember the posts that an earlier process has recovered, with the time of each."""
        for key, at in sorted(posts.items(), key=lambda post: post[1]):
            self._note(key, at)

    @contextmanager
    def repairing(self) -> Iterator[None]:
        """Remember what streams bring for the length of the block. Together with a query of the outbox inside it that is complete."""
        self._repairs += 1
        try:
            yield
        finally:
            self._repairs -= 1
            if not self._repairs:
                self._arrived.clear()

    def is_duplicate(self, key: PostKey, *, now: datetime) -> bool:
        """Return whether a post that a stream brings was recovered before."""
        if self._repairs:
            self._arrived.add(key)
        at = self._at.get(key)
        return at is not None and now - at < self._window

    def is_new(self, key: PostKey, *, now: datetime) -> bool:
        """Return whether no repair has brought the post, and no stream since this repair began; and remember it."""
        if key in self._at or key in self._arrived:
            return False
        self._note(key, now)
        return True

    def _note(self, key: PostKey, at: datetime) -> None:
        self._at[key] = at
        while len(self._at) > self._capacity:
            del self._at[next(iter(self._at))]
