"""What the outbox knows of deliveries that others depend on: the first words of posts, and the messages made of them."""

import json
import sqlite3
from datetime import datetime

from forwarder.core.delivery import DestinationName
from forwarder.core.ports import DeliveryStanding
from forwarder.core.preference import Brought
from forwarder.outbox.rows import standing
from forwarder.outbox.statements import SQL, from_ms, to_ms


def recent_posts(connection: sqlite3.Connection, *, since: datetime, limit: int) -> list[Brought]:
    """Return the deliveries of the newest posts of X, oldest first."""
    return [
        Brought(
            event_seq=seq,
            source=source,
            mid=mid,
            destination=DestinationName(destination),
            routes=tuple(json.loads(routes)),
            at=from_ms(accepted_ms),
            cause=cause,
        )
        for seq, source, mid, destination, routes, accepted_ms, cause in connection.execute(
            SQL["recent_posts"], {"since_ms": to_ms(since), "limit": limit}
        )
    ]


def standing_on_disk(
    connection: sqlite3.Connection, destination: DestinationName, event_seq: int
) -> DeliveryStanding | None:
    """Return how a delivery stands; `None` where there is none (any more)."""
    row = connection.execute(SQL["standing"], {"event_seq": event_seq, "destination": destination}).fetchone()
    return None if row is None else standing(*row)
