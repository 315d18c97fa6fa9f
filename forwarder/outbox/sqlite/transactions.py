"""Transactions on a connection to the outbox file, and the type of a function that is carried out in one."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

_T = TypeVar("_T")
Step = Callable[[sqlite3.Connection], _T]
"""Reads or writes with the connection. It may run more than once, because a transaction that failed is tried again."""


def unconditionally(_connection: sqlite3.Connection) -> None:
    """Allow a commit."""


@contextmanager
def transaction(connection: sqlite3.Connection, *, before_commit: Step[None] = unconditionally) -> Iterator[None]:
    """Commit what the block does, or roll it back where the block or `before_commit` raises."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        before_commit(connection)
        connection.commit()
    except BaseException:
        if connection.in_transaction:  # SQLite rolls back by itself after some failures
            connection.execute("ROLLBACK")
        raise


def in_transaction(step: Step[_T], *, before_commit: Step[None] = unconditionally) -> Step[_T]:
    """Return the same step in a transaction of its own; see `transaction`."""

    def run(connection: sqlite3.Connection) -> _T:
        with transaction(connection, before_commit=before_commit):
            return step(connection)

    return run
