"""A transaction is committed, or rolled back and out of the way."""

import sqlite3

import pytest

from forwarder.outbox.sqlite.transactions import in_transaction, transaction

COUNT = "SELECT count(*) FROM state"


def add(connection: sqlite3.Connection, name: str) -> None:
    connection.execute("INSERT INTO state (name, value) VALUES (?, 1)", (name,))


def count(connection: sqlite3.Connection) -> int:
    return int(connection.execute(COUNT).fetchone()[0])


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_whatever_the_block_raises_rolls_it_back(connection: sqlite3.Connection, error: type[BaseException]) -> None:
    def fail() -> None:
        with transaction(connection):
            add(connection, "a")
            raise error

    before = count(connection)
    with pytest.raises(error):
        fail()
    assert count(connection) == before
    with transaction(connection):
        add(connection, "a")
    assert (count(connection), connection.in_transaction) == (before + 1, False)


def test_the_error_is_kept_where_sqlite_has_rolled_back_by_itself(connection: sqlite3.Connection) -> None:
    def fail() -> None:
        with transaction(connection):
            connection.execute("ROLLBACK")
            raise ValueError("the reason")

    with pytest.raises(ValueError, match="the reason"):
        fail()


def test_a_step_in_a_transaction_of_its_own_returns_its_result(connection: sqlite3.Connection) -> None:
    before = count(connection)

    def step(plain: sqlite3.Connection) -> str:
        assert plain.in_transaction
        add(plain, "b")
        return "done"

    assert in_transaction(step)(connection) == "done"
    assert count(connection) == before + 1
