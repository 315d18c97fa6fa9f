"""The pages of the file: how many hold something, and how free ones are given back."""

import sqlite3

from forwarder.outbox.sqlite.file.connection import PAGE_SIZE
from forwarder.outbox.sqlite.pages import free_pages, give_back, page_count, page_size, pragma, used_pages


def test_free_pages_are_given_back_and_used_ones_stay(connection: sqlite3.Connection) -> None:
    assert page_size(connection) == PAGE_SIZE
    empty = used_pages(connection)
    connection.execute("CREATE TABLE much (body BLOB)")
    connection.executemany("INSERT INTO much VALUES (zeroblob(?))", [(20 * PAGE_SIZE,)] * 5)
    assert used_pages(connection) > empty + 100
    assert free_pages(connection) == 0
    connection.execute("DELETE FROM much")
    free, count = free_pages(connection), page_count(connection)
    assert free >= 100
    assert used_pages(connection) == count - free
    give_back(connection, 10)
    assert (free_pages(connection), page_count(connection)) == (free - 10, count - 10)
    give_back(connection, 1_000)
    assert free_pages(connection) == 0


def test_a_pragma_that_has_no_value_is_zero(connection: sqlite3.Connection) -> None:
    assert pragma(connection, "no_such_pragma") == 0
