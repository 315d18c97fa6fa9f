"""What leaves the outbox again: slices small enough that no commit waits long for one."""

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from forwarder.outbox.statements import SQL, to_ms

_FOREVER_MS = 1 << 62


@dataclass(frozen=True, slots=True, kw_only=True)
class Cutoff:
    """Up to when what is closed may go, in Unix milliseconds. What waits is never pruned."""

    delivered_before_ms: int
    dead_before_ms: int


ANY_DELIVERED = Cutoff(delivered_before_ms=_FOREVER_MS, dead_before_ms=0)
"""To make room: however young, but no dead letter, because a person may still want it."""


def delivered_before(moment: datetime) -> Cutoff:
    """Return the same of what was accepted before then."""
    return replace(ANY_DELIVERED, delivered_before_ms=to_ms(moment))


ANY_CLOSED = Cutoff(delivered_before_ms=_FOREVER_MS, dead_before_ms=_FOREVER_MS)
"""To make room where nothing else is left: dead letters, too, rather than that the streams are not read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """What one step of pruning did."""

    last_seq: int
    """Where the next one goes on."""
    pruned: int
    is_last: bool


def prune_slice(connection: sqlite3.Connection, cutoff: Cutoff, *, after_seq: int, limit: int) -> Slice:
    """Delete, of the next `limit` events, those that may go, with all that belongs to them; inside a transaction."""
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
    """Delete events with all that belongs to them, inside a transaction, and enter it in the books, where it is not noted there yet."""
    if not seqs:
        return
    values = {"seqs": json.dumps(seqs)}
    for name in ("note_pruned", "prune_attempts", "prune_deliveries", "prune_recovered", "prune_events"):
        if name != "note_pruned" or not is_noted:
            connection.execute(SQL[name], values)


def prune_books(connection: sqlite3.Connection, *, before_ms: int) -> None:
    """Forget the minutes of which no event is left."""
    connection.execute(SQL["prune_books"], {"before_minute": before_ms // 60_000})


def prune_gaps(connection: sqlite3.Connection, *, before_ms: int) -> None:
    """Forget those that ended before, and that nothing is to be done for any more."""
    connection.execute(SQL["prune_gaps"], {"before_ms": before_ms})


def give_back(connection: sqlite3.Connection, pages: int) -> None:
    """Give up to `pages` free pages back to the disk."""
    connection.execute(f"PRAGMA incremental_vacuum({pages})").fetchall()


def page_count(connection: sqlite3.Connection) -> int:
    """Return how many pages the file has."""
    (total,) = connection.execute("PRAGMA page_count").fetchone()
    return int(total)


def used_pages(connection: sqlite3.Connection) -> int:
    """Return how many pages of the file hold something."""
    return page_count(connection) - free_pages(connection)


def free_pages(connection: sqlite3.Connection) -> int:
    """Return how many pages of the file could be given back."""
    (free,) = connection.execute("PRAGMA freelist_count").fetchone()
    return int(free)
