"""Which config was in force for which events: a row from the first event on, until the next row."""

import sqlite3
from dataclasses import dataclass
from datetime import datetime

from forwarder.core.revision import Revision
from forwarder.outbox.statements import SQL, from_ms, to_ms


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A revision as it was kept."""

    revision: Revision
    loaded_at: datetime


def note_revision(connection: sqlite3.Connection, revision: Revision, *, next_seq: int, now: datetime) -> None:
    """Note that this revision is in force from the event of that number on, where it is another one than before.

    Rows of later numbers are of no event: one config followed another before any came, or every event was pruned and the
    numbers begin anew.
    """
    connection.execute(SQL["forget_revisions_from"], (next_seq,))
    last = connection.execute(SQL["last_revision"]).fetchone()
    if last is None or last[1] != revision.digest:
        values = (next_seq, to_ms(now), revision.digest, revision.data)
        connection.execute(SQL["note_revision"], values)


def revision_at(connection: sqlite3.Connection, event_seq: int) -> Kept | None:
    """Return what was in force for an event; `None` for one that came before this was kept."""
    row = connection.execute(SQL["revision_at"], (event_seq,)).fetchone()
    if row is None:
        return None
    _, loaded_ms, digest, routing = row
    return Kept(revision=Revision(digest, routing), loaded_at=from_ms(loaded_ms))


def prune_revisions(connection: sqlite3.Connection) -> None:
    """Forget those of whose time no event is left."""
    connection.execute(SQL["prune_revisions"])
