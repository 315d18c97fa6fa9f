"""Reads and ends deliveries that others depend on: first words that wait, and messages that are edited later."""

import sqlite3
from datetime import datetime

from forwarder.core.clock_steps import ClockSteps
from forwarder.core.delivery import DestinationName
from forwarder.core.ledger import SkipReason
from forwarder.core.ports import DeliveryState
from forwarder.core.routing.first_word import EarlierDelivery
from forwarder.outbox.sqlite.delivery_row import names_of, state_of
from forwarder.outbox.sqlite.statements import SQL, time_of, to_ms
from forwarder.outbox.sqlite.transactions import Step


def recent_posts(
    connection: sqlite3.Connection, *, since: datetime, limit: int, clock_steps: ClockSteps
) -> list[EarlierDelivery]:
    """Return the deliveries of the newest X posts, oldest first; `since` by the wall clock, the result in steady time."""
    return [
        EarlierDelivery(
            event_seq=seq,
            source=source,
            mid=mid,
            destination=DestinationName(destination),
            routes=names_of(routes),
            at=clock_steps.steady_of(time_of(accepted_ms), seq),
            cause=cause,
            waits_until=None if waits_ms is None else time_of(waits_ms),
        )
        for seq, source, mid, destination, routes, accepted_ms, cause, waits_ms in connection.execute(
            SQL["recent_posts"], {"since_ms": to_ms(since), "limit": limit}
        )
    ]


def skip_waiting(destination: DestinationName, event_seq: int, *, now: datetime, cause: SkipReason) -> Step[object]:
    """Return a step that skips a delivery that waits: what it waits for has come and replaces it."""
    values = {
        "event_seq": event_seq,
        "destination": destination,
        "now_ms": to_ms(now),
        "cause": cause,
    }
    return lambda connection: connection.execute(SQL["skip_waiting"], values)


def state_on_disk(connection: sqlite3.Connection, destination: DestinationName, event_seq: int) -> DeliveryState | None:
    """Return the state of a delivery; `None` where it is not stored, or not any more."""
    row = connection.execute(SQL["state_of"], {"event_seq": event_seq, "destination": destination}).fetchone()
    return None if row is None else state_of(*row)
