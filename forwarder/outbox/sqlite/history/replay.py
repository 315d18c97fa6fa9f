"""Reads a range of the history a page at a time, so that the file is held only while a page is read."""

import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterator

import msgspec

from forwarder.core.delivery import Chosen, DestinationName
from forwarder.core.history import HistorySpan, PastEvent
from forwarder.core.ledger import SkipReason
from forwarder.outbox.sqlite.history.records import SQL, readable
from forwarder.outbox.sqlite.statements import from_ms

_PAGE = 200
_NOT_SENT = frozenset(map(str, SkipReason)) - {SkipReason.DROPPED}
"""How deliveries ended that a route did not choose. A dead letter that a person dropped was chosen and tried."""


def span_of(connection: sqlite3.Connection, *, since_ms: int, limit: int | None) -> HistorySpan:
    """Return the range of the events accepted since then; with `limit` only the newest so many."""
    (first_seq,) = connection.execute(SQL["first_seq_since"], {"since_ms": since_ms}).fetchone()
    if first_seq is not None and limit is not None:
        values = {"first_seq": first_seq, "limit": limit}
        (first_seq,) = connection.execute(SQL["first_seq_of_last"], values).fetchone()
    (pruned,) = connection.execute(SQL["pruned_events"], {"since_minute": since_ms // 60_000}).fetchone()
    if first_seq is None:
        return HistorySpan(first_seq=0, count=0, begins_at=None, pruned=pruned)
    count, begins_ms = connection.execute(SQL["count_from"], {"first_seq": first_seq}).fetchone()
    with readable(f"the event of number {first_seq}"):
        return HistorySpan(first_seq=first_seq, count=count, begins_at=from_ms(begins_ms), pruned=pruned)


def past_events(connection: sqlite3.Connection, span: HistorySpan) -> Iterator[PastEvent]:
    """Yield the events of a span in the order of their acceptance; events that arrive later are left out."""
    next_seq, left = span.first_seq, span.count
    while left > 0:
        rows = connection.execute(SQL["events_in_order"], {"first_seq": next_seq, "limit": min(left, _PAGE)}).fetchall()
        if not rows:  # pruned meanwhile
            return
        bounds = {"first_seq": rows[0][0], "last_seq": rows[-1][0]}
        chosen: defaultdict[int, Chosen] = defaultdict(dict)
        for seq, destination, routes, is_added, end in connection.execute(SQL["deliveries_between"], bounds):
            if end not in _NOT_SENT and not is_added:
                with readable(f"a delivery of the event of number {seq}"):
                    chosen[seq][DestinationName(destination)] = tuple(msgspec.convert(json.loads(routes), list[str]))
        for seq, accepted_ms, source, body in rows:
            with readable(f"the event of number {seq}"):
                accepted_at = from_ms(accepted_ms)
            yield PastEvent(seq=seq, accepted_at=accepted_at, source=source, body=body, chosen=chosen.get(seq, {}))
        next_seq, left = rows[-1][0] + 1, left - len(rows)
