"""Which pages of the outbox are checked, and when.

A small file is checked completely at the start. With a large one that would delay the start (a million events of 2 KB: seconds), so
the bodies, which are most of it, are checked while deliveries go on. Damage that is found while the daemon runs leaves a mark: the
next start checks everything, and salvages.
"""

import asyncio
import os
import sqlite3
from contextlib import closing, suppress
from enum import Enum, auto
from pathlib import Path

from forwarder.outbox.problems import OutboxFailedError
from forwarder.outbox.sqlite.file.names import beside
from forwarder.outbox.sqlite.file.problems import DAMAGE, corrupt, error_code
from forwarder.outbox.sqlite.file.read_connection import connect_to_read

SMALL_FILE_BYTES = 256 * 1024 * 1024
"""The check of such a file takes 0.2 s from the page cache, and some seconds from a slow disk."""


class Check(Enum):
    """What is checked while a file is opened."""

    NOTHING = auto()
    ALL_BUT_BODIES = auto()
    ALL = auto()


def check_at_start(path: Path) -> Check:
    """Return what to check before the daemon starts its work."""
    try:
        is_large = path.stat().st_size > SMALL_FILE_BYTES
    except OSError:
        return Check.ALL
    return Check.ALL_BUT_BODIES if is_large and not _mark(path).exists() else Check.ALL


def mark(path: Path) -> None:
    """Have the next start check the whole file."""
    with suppress(OSError):  # a full or failing disk: then the same damage is met again
        os.close(os.open(_mark(path), os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))


def unmark(path: Path) -> None:
    """Remove the mark: the file was checked completely, or replaced."""
    with suppress(OSError):
        _mark(path).unlink(missing_ok=True)


def check_pages(connection: sqlite3.Connection, path: Path, check: Check) -> None:
    """Check the pages that `check` names. Raises `OutboxUnusableError` where they are damaged."""
    match check:
        case Check.NOTHING:
            return
        case Check.ALL:
            findings = _quick_check(connection, None)
        case Check.ALL_BUT_BODIES:
            tables = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table' AND name != 'events'")
            findings = [finding for (table,) in tables.fetchall() for finding in _quick_check(connection, table)]
    if findings:
        raise corrupt(path, "; ".join(findings[:3]))


async def check_bodies(path: Path) -> None:
    """Check the events in a thread, on a connection that cannot write; to cancel it stops that.

    Raises `OutboxFailedError` where they are damaged, with the mark left.
    """
    try:
        opened = connect_to_read(path)
    except sqlite3.Error:
        return
    with closing(opened) as connection:
        checking = asyncio.ensure_future(asyncio.to_thread(_quick_check, connection, "events"))
        try:
            findings = await asyncio.shield(checking)
        except asyncio.CancelledError:
            connection.interrupt()
            with suppress(sqlite3.Error):
                await checking
            raise
        except sqlite3.Error as error:
            if error_code(error) not in DAMAGE:
                return  # busy, or gone: the writer meets that too
            findings = [str(error)]
    if findings:
        raise damaged_in_use(path, "; ".join(findings))


def damaged_in_use(path: Path, detail: str) -> OutboxFailedError:
    """Return the error for damage that is met while the daemon runs, and leave the mark."""
    mark(path)
    return OutboxFailedError(
        f"outbox {path}: the file reads as damaged ({detail}). The next start reads all of it; what is damaged is "
        "set aside, and what can be read is salvaged"
    )


def _quick_check(connection: sqlite3.Connection, table: str | None) -> list[str]:
    statement = "PRAGMA quick_check(3)" if table is None else f"PRAGMA quick_check({table})"
    findings = [str(row[0]) for row in connection.execute(statement)]
    return [] if findings == ["ok"] else findings


def _mark(path: Path) -> Path:
    return beside(path, ".check")
