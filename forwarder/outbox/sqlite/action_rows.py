"""The table of what people did. It is made with the first entry, so that a file of an earlier version needs no migration."""

import sqlite3
from collections.abc import Iterator

from forwarder.core.actions import Action
from forwarder.outbox.sqlite.statements import SQL, storable

_MOST = 10_000
"""How many entries are kept, the newest."""
ACTIVE_CONFIG = "config active"
"""The name of the row of `state` for the digest of the active config, as a number."""
TABLE = """\
CREATE TABLE IF NOT EXISTS actions (
  id        INTEGER PRIMARY KEY,
  at_ms     INTEGER NOT NULL,
  person    TEXT NOT NULL,
  verb      TEXT NOT NULL,
  what      TEXT NOT NULL,
  changed   INTEGER NOT NULL,
  group_key TEXT NOT NULL
) STRICT"""


def note_action(connection: sqlite3.Connection, action: Action, *, changed: int, now_ms: int) -> None:
    """Store what a person did, inside a transaction; another slice of the last entry's command is added to it."""
    connection.execute(TABLE)
    if action.group:
        added = connection.execute(
            "UPDATE actions SET changed = changed + ? WHERE id = (SELECT max(id) FROM actions) AND group_key = ? AND person = ?",
            (changed, action.group, action.person),
        )
        if added.rowcount:
            return
    connection.execute(
        "INSERT INTO actions (at_ms, person, verb, what, changed, group_key) VALUES (?, ?, ?, ?, ?, ?)",
        (now_ms, storable(action.person), action.verb, storable(action.what), changed, action.group),
    )
    connection.execute("DELETE FROM actions WHERE id <= (SELECT max(id) FROM actions) - ?", (_MOST,))


def note_config(connection: sqlite3.Connection, digest: str, edit: Action, *, now_ms: int) -> None:
    """Store which config is active, inside a transaction, and the edit if another one was active before."""
    value = int(digest, 16)
    before = connection.execute("SELECT value FROM state WHERE name = ?", (ACTIVE_CONFIG,)).fetchone()
    if before == (value,):
        return
    connection.execute(SQL["note_state_value"], (ACTIVE_CONFIG, value))
    if before is not None:
        note_action(connection, edit, changed=1, now_ms=now_ms)


def actions(
    connection: sqlite3.Connection, *, since_ms: int, until_ms: int, limit: int
) -> Iterator[tuple[int, str, str, str, int]]:
    """Yield time, person, verb, object and count of what people did, the newest first."""
    if connection.execute("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'actions'").fetchone() is None:
        return
    yield from connection.execute(
        "SELECT at_ms, person, verb, what, changed FROM actions WHERE at_ms >= ? AND at_ms < ? ORDER BY id DESC LIMIT ?",
        (since_ms, until_ms, limit),
    )
