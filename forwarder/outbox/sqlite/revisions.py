"""The config revisions: each row holds from its first event on, until the next row."""

import sqlite3
from datetime import datetime

from forwarder.core.config.revision import Revision
from forwarder.core.history import StoredRevision
from forwarder.outbox.sqlite.statements import SQL, from_ms, to_ms


def note_revision(connection: sqlite3.Connection, revision: Revision, *, next_seq: int, now: datetime) -> None:
    """Store that this revision is active from the event of that number on, where it differs from the one before.

    A row with a later number belongs to no event: a config was replaced before an event came, or every event was pruned and the
    numbers start again. It is deleted.
    """
    connection.execute(SQL["forget_revisions_from"], (next_seq,))
    last = connection.execute(SQL["last_revision"]).fetchone()
    if last is None or last[1] != revision.digest:
        values = (next_seq, to_ms(now), revision.digest, revision.data)
        connection.execute(SQL["note_revision"], values)


def revision_at(connection: sqlite3.Connection, event_seq: int) -> StoredRevision | None:
    """Return the config that was active for an event; `None` where it was not kept."""
    row = connection.execute(SQL["revision_at"], (event_seq,)).fetchone()
    if row is None:
        return None
    _, loaded_ms, digest, routing = row
    return StoredRevision(digest=digest, data=routing, loaded_at=from_ms(loaded_ms))


def prune_revisions(connection: sqlite3.Connection) -> None:
    """Delete the revisions that no kept event belongs to."""
    connection.execute(SQL["prune_revisions"])
