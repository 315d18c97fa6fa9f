"""The history from its beginning to its end, a page at a time: the file is held only while a page is read."""

import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from forwarder.core.backtest import Chosen
from forwarder.core.books import Cause
from forwarder.core.delivery import DestinationName
from forwarder.outbox.statements import from_ms, load

_SQL = load("history.sql")
_PAGE = 200
_NOT_SENT = frozenset(map(str, Cause)) - {Cause.DROPPED}
"""A dead letter that a person dropped was chosen and tried."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A part of the history, up to its end."""

    first_seq: int
    count: int
    begins_at: datetime | None
    """When its first event was accepted; `None`: there is none."""
    pruned: int
    """Events of the same time that are not kept any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PastEvent:
    """An event with what the routes of its time made of it."""

    seq: int
    accepted_at: datetime
    source: str
    body: bytes
    chosen: Chosen


def span_of(connection: sqlite3.Connection, *, since_ms: int, limit: int | None) -> Span:
    """Return the events accepted since then, the newest `limit` of them where that is given."""
    (first_seq,) = connection.execute(_SQL["first_seq_since"], {"since_ms": since_ms}).fetchone()
    if first_seq is not None and limit is not None:
        values = {"first_seq": first_seq, "limit": limit}
        (first_seq,) = connection.execute(_SQL["first_seq_of_last"], values).fetchone()
    (pruned,) = connection.execute(_SQL["pruned_events"], {"since_minute": since_ms // 60_000}).fetchone()
    if first_seq is None:
        return Span(first_seq=0, count=0, begins_at=None, pruned=pruned)
    count, begins_ms = connection.execute(_SQL["count_from"], {"first_seq": first_seq}).fetchone()
    return Span(first_seq=first_seq, count=count, begins_at=from_ms(begins_ms), pruned=pruned)


def in_order(connection: sqlite3.Connection, span: Span) -> Iterator[PastEvent]:
    """Yield the events of a span as they were accepted; what comes in meanwhile is left out."""
    next_seq, left = span.first_seq, span.count
    while left > 0:
        rows = connection.execute(
            _SQL["events_in_order"], {"first_seq": next_seq, "limit": min(left, _PAGE)}
        ).fetchall()
        if not rows:  # pruned meanwhile
            return
        bounds = {"first_seq": rows[0][0], "last_seq": rows[-1][0]}
        chosen: defaultdict[int, Chosen] = defaultdict(dict)
        for seq, destination, routes, is_added, end in connection.execute(_SQL["deliveries_between"], bounds):
            if end not in _NOT_SENT and not is_added:
                chosen[seq][DestinationName(destination)] = tuple(json.loads(routes))
        for seq, accepted_ms, source, body in rows:
            yield PastEvent(
                seq=seq, accepted_at=from_ms(accepted_ms), source=source, body=body, chosen=chosen.get(seq, {})
            )
        next_seq, left = rows[-1][0] + 1, left - len(rows)
