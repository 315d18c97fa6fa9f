"""Deletes old events in slices that are small enough that no commit waits long for one."""

import json
import sqlite3
from collections.abc import Sequence
from datetime import datetime

import msgspec
from msgspec.structs import replace

from forwarder.outbox.sqlite.statements import SQL, to_ms

_FOREVER_MS = 1 << 62


class Cutoff(msgspec.Struct, frozen=True, kw_only=True):
    """The times before which closed deliveries may be deleted, in Unix milliseconds. What waits is never deleted."""

    delivered_before_ms: int
    dead_before_ms: int


ANY_DELIVERED = Cutoff(delivered_before_ms=_FOREVER_MS, dead_before_ms=0)
"""For making room: all finished events however young, but no dead letter, because a person may still want it."""


def delivered_before(moment: datetime) -> Cutoff:
    """Return the same, of events that were accepted before then."""
    return replace(ANY_DELIVERED, delivered_before_ms=to_ms(moment))


ANY_CLOSED = Cutoff(delivered_before_ms=_FOREVER_MS, dead_before_ms=_FOREVER_MS)
"""For making room where nothing else is left: dead letters too, because otherwise the streams could not be read."""


class Slice(msgspec.Struct, frozen=True, kw_only=True):
    """The result of one slice."""

    last_seq: int
    """The event after which the next slice goes on."""
    pruned: int
    """How many events were deleted."""
    is_last: bool
    """Whether nothing is left after it."""


def prune_slice(connection: sqlite3.Connection, cutoff: Cutoff, *, after_seq: int, limit: int) -> Slice:
    """Delete those of the next `limit` events that may go, with all that belongs to them; inside a transaction."""
    oldest = connection.execute(
        SQL["oldest_events"], {"after_seq": after_seq, "before_ms": cutoff.delivered_before_ms, "limit": limit}
    ).fetchall()
    old = [seq for seq, is_old in oldest if is_old]
    is_last = len(old) < limit
    if not old:
        return Slice(last_seq=after_seq, pruned=0, is_last=True)
    bounds = {"first_seq": old[0], "last_seq": old[-1], "dead_before_ms": cutoff.dead_before_ms}
    seqs = [seq for (seq,) in connection.execute(SQL["prunable_events"], bounds)]
    delete_events(connection, seqs)
    return Slice(last_seq=old[-1], pruned=len(seqs), is_last=is_last)


def delete_events(connection: sqlite3.Connection, seqs: Sequence[int], *, is_noted: bool = False) -> None:
    """Delete events with all that belongs to them, inside a transaction. With `is_noted` the ledger has counted that already."""
    if not seqs:
        return
    values = {"seqs": json.dumps(seqs)}
    for name in ("note_pruned", "prune_attempts", "prune_deliveries", "prune_recovered", "prune_events"):
        if name != "note_pruned" or not is_noted:
            connection.execute(SQL[name], values)


def prune_ledger(connection: sqlite3.Connection, *, before_ms: int) -> None:
    """Delete the minutes of the ledger of which no event is left."""
    connection.execute(SQL["prune_ledger"], {"before_minute": before_ms // 60_000})


def prune_gaps(connection: sqlite3.Connection, *, before_ms: int) -> None:
    """Delete the gaps that ended before then and whose repair is over."""
    connection.execute(SQL["prune_gaps"], {"before_ms": before_ms})
