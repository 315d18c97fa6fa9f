"""Decides when deliveries that were given up are reported: dead letters at most once an hour, expired events in digests."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from forwarder.core.delivery import Delivery, DestinationName

DEAD_EVERY = timedelta(hours=1)
"""The first dead letter of a destination is reported at once, later ones at most this often, by their number."""
DIGEST_AFTER = timedelta(seconds=5)
"""A digest of expired events is due when no further event has expired for this long."""
DIGEST_AT_LATEST = timedelta(minutes=10)
"""A digest of expired events is due this long after the first of them, even when more keep coming."""


@dataclass(slots=True)
class Digest:
    """Summarises the deliveries to one destination that were given up since the last report. All times are steady times."""

    first: datetime
    """When the earliest of their events was accepted."""
    last: datetime
    """When the latest of their events was accepted."""
    began: datetime
    """When the first delivery was given up."""
    latest: datetime
    """When the last delivery was given up."""
    reason: str = ""
    """Why the last delivery was given up."""
    count: int = 0

    def add(self, delivery: Delivery, reason: str, now: datetime) -> None:
        """Count a delivery."""
        self.first = min(self.first, delivery.accepted_at)
        self.last = max(self.last, delivery.accepted_at)
        self.count += 1
        self.reason, self.latest = reason, now


class GivenUpDigests:
    """Collects the deliveries that were given up, by destination, until they are due to be reported."""

    def __init__(self, dead_reported_at: Mapping[DestinationName, datetime]) -> None:
        """`dead_reported_at`: when the dead letters of destinations were last reported, also by an earlier process."""
        self._dead: dict[DestinationName, Digest] = {}
        self._dead_reported_at = dict(dead_reported_at)
        self._expired: dict[DestinationName, Digest] = {}

    def note_dead(self, delivery: Delivery, reason: str, now: datetime) -> None:
        """Count a dead letter."""
        _add(self._dead, delivery, reason, now)

    def note_expired(self, delivery: Delivery, reason: str, now: datetime) -> None:
        """Count a delivery that expired."""
        _add(self._expired, delivery, reason, now)

    def due_dead(self, now: datetime) -> list[tuple[DestinationName, Digest]]:
        """Remove and return the dead letters to report now."""
        due = [name for name in self._dead if self._is_dead_due(name, now)]
        self._dead_reported_at.update(dict.fromkeys(due, now))
        return [(name, self._dead.pop(name)) for name in due]

    def due_expired(self, now: datetime, *, is_last: bool) -> list[tuple[DestinationName, Digest]]:
        """Remove and return the expired deliveries to report now; with `is_last` all of them."""
        due = [name for name, digest in self._expired.items() if is_last or _is_expired_due(digest, now)]
        return [(name, self._expired.pop(name)) for name in due]

    def _is_dead_due(self, name: DestinationName, now: datetime) -> bool:
        reported_at = self._dead_reported_at.get(name)
        return reported_at is None or now - reported_at >= DEAD_EVERY


def _add(to: dict[DestinationName, Digest], delivery: Delivery, reason: str, now: datetime) -> None:
    accepted = delivery.accepted_at
    digest = to.setdefault(delivery.destination, Digest(first=accepted, last=accepted, began=now, latest=now))
    digest.add(delivery, reason, now)


def _is_expired_due(digest: Digest, now: datetime) -> bool:
    return now - digest.latest >= DIGEST_AFTER or now - digest.began >= DIGEST_AT_LATEST
