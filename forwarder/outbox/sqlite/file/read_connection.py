"""Connections that only read the outbox file, beside the one that writes."""

import sqlite3
from pathlib import Path

_LOCK_MAY_TAKE_S = 2.0
"""How long another program may hold the file."""


def connect_to_read(path: Path, *, mode: str = "ro") -> sqlite3.Connection:
    """Return a connection that cannot write, which any thread may use. Raises `sqlite3.Error`.

    The mode `rw` lets SQLite read a WAL that a killed process left behind.
    """
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}",
        uri=True,
        isolation_level=None,
        timeout=_LOCK_MAY_TAKE_S,
        check_same_thread=False,
    )
    try:
        connection.execute("PRAGMA query_only = ON")
    except sqlite3.Error:
        connection.close()
        raise
    return connection
