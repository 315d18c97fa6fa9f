"""When which pages of the outbox are read to see that they are sound.

A small file is read whole before anything else is done. Of a large one that would hold up the start (a million events of 2 KB:
seconds), so the bodies, which are most of it, are checked beside delivery. Damage that shows up while the daemon runs leaves a
mark: the next start reads everything, and salvages.
"""

import asyncio
import sqlite3
from contextlib import closing, suppress
from enum import Enum, auto
from pathlib import Path

from forwarder.outbox.problems import DAMAGE, OutboxFailedError, corrupt, error_code

SMALL_FILE_BYTES = 256 * 1024 * 1024
"""Checked whole in 0.2 s from the page cache, in some seconds from a slow disk."""


class Check(Enum):
    """What is read while a file is opened."""

    NOTHING = auto()
    ALL_BUT_BODIES = auto()
    ALL = auto()


def check_at_start(path: Path) -> Check:
    """Return what to read before the daemon goes to work."""
    try:
        is_large = path.stat().st_size > SMALL_FILE_BYTES
    except OSError:
        return Check.ALL
    return Check.ALL_BUT_BODIES if is_large and not _mark(path).exists() else Check.ALL


def mark(path: Path) -> None:
    """Have the next start read the whole file."""
    with suppress(OSError):  # a full or failing disk: then the same damage is met again
        _mark(path).touch(mode=0o600)


def unmark(path: Path) -> None:
    """The file was read whole, or replaced."""
    with suppress(OSError):
        _mark(path).unlink(missing_ok=True)


def check_pages(connection: sqlite3.Connection, path: Path, check: Check) -> None:
    """Read what `check` says. Raises `OutboxUnusableError` where something is wrong with it."""
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
    """Read the events in a thread, on a connection that cannot write; cancelling it stops that.

    Raises `OutboxFailedError` where they are damaged, with the mark left.
    """
    try:
        opened = _connect_read_only(path)
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
                return  # busy, or gone: other eyes see that
            findings = [str(error)]
    if findings:
        raise damaged_in_use(path, "; ".join(findings))


def damaged_in_use(path: Path, detail: str) -> OutboxFailedError:
    """Return the sentence for damage met while the daemon runs, and leave the mark."""
    mark(path)
    return OutboxFailedError(
        f"outbox {path}: the file reads as damaged ({detail}). The next start reads all of it; what is damaged is "
        "set aside, and what can be read is salvaged"
    )


def _connect_read_only(path: Path) -> sqlite3.Connection:
    uri = f"{path.absolute().as_uri()}?mode=ro"
    return sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)


def _quick_check(connection: sqlite3.Connection, table: str | None) -> list[str]:
    statement = "PRAGMA quick_check(3)" if table is None else f"PRAGMA quick_check({table})"
    findings = [str(row[0]) for row in connection.execute(statement)]
    return [] if findings == ["ok"] else findings


def _mark(path: Path) -> Path:
    return path.with_name(path.name + ".check")
