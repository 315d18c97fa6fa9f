"""The pages of the outbox file: their size, how many there are, and how free ones are given back."""

import sqlite3


def pragma(connection: sqlite3.Connection, name: str) -> int:
    """Return the value of a pragma that holds one."""
    row = connection.execute(f"PRAGMA {name}").fetchone()
    value: int = row[0] if row is not None else 0
    return value


def page_size(connection: sqlite3.Connection) -> int:
    """Return the size of the pages of the file in bytes."""
    return pragma(connection, "page_size")


def give_back(connection: sqlite3.Connection, pages: int) -> None:
    """Give up to `pages` free pages back to the disk.

    The sqlite3 module of Python 3.11 ends this pragma after one page, so it is repeated until it gives nothing back.
    """
    free, before = free_pages(connection), None
    least = max(free - pages, 0)
    while free > least and free != before:
        connection.execute(f"PRAGMA incremental_vacuum({free - least})").fetchall()
        free, before = free_pages(connection), free


def page_count(connection: sqlite3.Connection) -> int:
    """Return how many pages the file has."""
    return pragma(connection, "page_count")


def used_pages(connection: sqlite3.Connection) -> int:
    """Return how many pages of the file hold something."""
    return page_count(connection) - free_pages(connection)


def free_pages(connection: sqlite3.Connection) -> int:
    """Return how many pages of the file hold nothing."""
    return pragma(connection, "freelist_count")
