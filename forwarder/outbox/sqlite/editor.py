"""Changes that a command makes to the outbox file where no daemon runs."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from forwarder.core.commands import Change, Changed
from forwarder.outbox.sqlite.access import writing
from forwarder.outbox.sqlite.commands import apply
from forwarder.outbox.sqlite.transactions import transaction


@contextmanager
def open_editor(path: Path) -> Iterator["SqliteEditor"]:
    """Open the outbox to change it. Raises `OutboxUnusableError`, as in use where a daemon runs."""
    with writing(path) as connection:
        yield SqliteEditor(connection)


class SqliteEditor:
    """Applies changes to the file, each in a transaction of its own; see `outbox.store.OutboxEditor`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def apply(self, change: Change, *, person: str = "") -> Changed:
        with transaction(self._connection):
            return apply(self._connection, change, person=person, is_alone=True)
