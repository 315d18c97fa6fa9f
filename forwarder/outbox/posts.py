"""What the outbox knows of deliveries that others depend on: the first words of posts, and the messages made of them."""

import json
import sqlite3
from datetime import datetime

from forwarder.core.books import Cause
from forwarder.core.clock_steps import ClockSteps
from forwarder.core.delivery import DestinationName
from forwarder.core.ports import DeliveryStanding
from forwarder.core.preference import AWAITS_FULL, Brought
from forwarder.outbox.batch import Step
from forwarder.outbox.rows import standing
from forwarder.outbox.statements import SQL, from_ms, to_ms


def recent_posts(
    connection: sqlite3.Connection, *, since: datetime, limit: int, clock_steps: ClockSteps
) -> list[Brought]:
    """Return the deliveries of the newest posts of X, oldest first; `since` by the wall clock, what is returned in steady time."""
    return [
        Brought(
            event_seq=seq,
            source=source,
            mid=mid,
            destination=DestinationName(destination),
            routes=tuple(json.loads(routes)),
            at=clock_steps.steady_of(from_ms(accepted_ms), seq),
            cause=cause,
            waits_until=None if waits_ms is None else from_ms(waits_ms),
        )
        for seq, source, mid, destination, routes, accepted_ms, cause, waits_ms in connection.execute(
            SQL["recent_posts"], {"since_ms": to_ms(since), "limit": limit, "awaits": AWAITS_FULL}
        )
    ]


def skip_waiting(destination: DestinationName, event_seq: int, *, now: datetime) -> Step[object]:
    """End a delivery that waits for the full text, which has come."""
    values = {
        "event_seq": event_seq,
        "destination": destination,
        "now_ms": to_ms(now),
        "awaits": AWAITS_FULL,
        "cause": Cause.PREFERRED,
    }
    return lambda connection: connection.execute(SQL["skip_waiting"], values)


def standing_on_disk(
    connection: sqlite3.Connection, destination: DestinationName, event_seq: int
) -> DeliveryStanding | None:
    """Return how a delivery stands; `None` where there is none (any more)."""
    row = connection.execute(SQL["standing"], {"event_seq": event_seq, "destination": destination}).fetchone()
    return None if row is None else standing(*row)
