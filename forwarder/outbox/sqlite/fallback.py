"""What waits for a destination: how much, and a delivery to another one for what has waited too long.

These are added in slices, each inside a transaction. What was added is known by the rows themselves: an event that has a delivery to the other destination, whatever became of it, gets no second.
"""

import sqlite3
from datetime import datetime

from forwarder.core.commands import SLICE, Changed
from forwarder.core.destinations.destination import BacklogLimit
from forwarder.core.ledger import LedgerEntry
from forwarder.core.monitoring.backlog import WaitingAmount
from forwarder.core.ports import FallbackSlice
from forwarder.outbox.sqlite.clock_rows import clock_offset_ms
from forwarder.outbox.sqlite.commands import add_delivery
from forwarder.outbox.sqlite.statements import SQL, to_ms

_WINDOW = 20_000
"""How many events a slice looks at, at most."""


def fall_back(connection: sqlite3.Connection, asked: FallbackSlice) -> Changed:
    """Apply one slice; the next one begins after its `last_seq`."""
    before = {"before_ms": to_ms(asked.before)}
    horizon, first = connection.execute(SQL["waited_until"], before).fetchone()
    after = max(asked.after_seq, first - 1)
    until = min(horizon, after + _WINDOW)
    values = {"of": asked.of, "to": asked.to, "after_seq": after, "until_seq": until, "limit": SLICE}
    found = connection.execute(SQL["waited_too_long"], values).fetchall() if until > after else []
    due_ms = to_ms(asked.now) - clock_offset_ms(connection)
    for event_seq, accepted_ms, routes in found:
        row = {
            "event_seq": event_seq,
            "destination": asked.to,
            "routes": routes,
            "trigger": "fallback",
            "due_ms": due_ms,
            "expedited": 0,
        }
        add_delivery(connection, row, accepted_ms=accepted_ms, entry=LedgerEntry.FALLBACK)
    is_cut = len(found) == SLICE
    last_seq = found[-1][0] if is_cut else max(until, after)
    return Changed(
        changed=len(found),
        left_alone=0,
        destinations=(asked.to,) if found else (),
        last_seq=last_seq,
        is_last=not is_cut and until >= horizon,
    )


def backlog_of(connection: sqlite3.Connection, limit: BacklogLimit, *, before: datetime) -> WaitingAmount:
    """Return what waits for a destination; `before`: what was accepted earlier is old, by the wall clock."""
    count, has_old = 0, False
    if limit.count is not None:
        values = {"of": limit.of, "limit": limit.count + 1}
        (count,) = connection.execute(SQL["count_waiting"], values).fetchone()
    if limit.age is not None:
        horizon, _ = connection.execute(SQL["waited_until"], {"before_ms": to_ms(before)}).fetchone()
        (has_old,) = connection.execute(SQL["has_waiting_until"], {"of": limit.of, "until_seq": horizon}).fetchone()
    return WaitingAmount(count=count, has_old=bool(has_old))
