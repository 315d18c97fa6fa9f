"""When the WAL is moved into the file, and what is said where a reader prevents it."""

import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from structlog.typing import EventDict

from forwarder.outbox.sqlite.file import checkpoints
from forwarder.outbox.sqlite.file.checkpoints import CHECKPOINT_PAGES, MAX_WAL_PAGES, Checkpointer
from forwarder.outbox.sqlite.file.connection import FileSettings
from forwarder.outbox.sqlite.file.database import Database


@pytest.fixture
async def database(path: Path) -> AsyncIterator[Database]:
    path.parent.mkdir()
    opened = Database(FileSettings(path=path))
    await opened.open()
    try:
        yield opened
    finally:
        await opened.close()


async def write(database: Database, *, pages: float) -> None:
    """Write a row, and have the WAL count as that large."""
    await database.run(
        lambda connection: connection.execute("INSERT OR REPLACE INTO state (name, value) VALUES ('mark', 1)")
    )
    database.wal_pages = pages


def is_moved(path: Path) -> bool:
    """Whether the row is in the file itself."""
    connection = sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True)
    try:
        return bool(connection.execute("SELECT count(*) FROM state WHERE name = 'mark'").fetchone()[0])
    except sqlite3.OperationalError:  # not even the tables are
        return False
    finally:
        connection.close()


@pytest.mark.parametrize(
    ("pages", "is_quiet", "free", "moved"),
    [
        (CHECKPOINT_PAGES - 1, True, 1 << 40, False),
        (CHECKPOINT_PAGES, True, 1 << 40, True),
        (CHECKPOINT_PAGES, False, 1 << 40, False),
        (MAX_WAL_PAGES - 1, False, 1 << 40, False),
        (MAX_WAL_PAGES, False, 1 << 40, True),
        (60, False, 60 * 8192 * 4 - 1, True),  # the disk may be full before it is moved
        (60, False, 60 * 8192 * 4 + 1, False),
        (40, False, 0, False),  # not worth it
    ],
)
async def test_the_wal_is_moved_when_it_has_grown_enough(
    database: Database,
    path: Path,
    *,
    pages: float,
    is_quiet: bool,
    free: int,
    moved: bool,
) -> None:
    await write(database, pages=pages)
    database.free_bytes = free
    await Checkpointer(database).checkpoint(is_quiet=is_quiet)
    assert is_moved(path) == moved
    assert database.wal_pages == (0 if moved else pages)


async def test_the_size_of_the_wal_is_estimated_from_what_is_written(database: Database) -> None:
    before = database.wal_pages
    checkpointer = Checkpointer(database)
    checkpointer.note_written(size=10 * database.page_size, rows=40)
    assert database.wal_pages == before + 6 + 10 + 10


async def test_a_reader_that_keeps_the_wal_is_warned_of_once_a_minute(
    database: Database, path: Path, monkeypatch: pytest.MonkeyPatch, logged: list[EventDict]
) -> None:
    monkeypatch.setattr(checkpoints, "_WARN_WAL_PAGES", 0)
    reader = sqlite3.connect(path, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM state").fetchone()
    checkpointer = Checkpointer(database)
    try:
        for _ in range(2):
            await write(database, pages=MAX_WAL_PAGES)
            await checkpointer.checkpoint(is_quiet=True)
    finally:
        reader.close()
    assert [line["event"] for line in logged] == ["outbox.wal_growing"]


async def test_a_large_wal_is_cut_once_no_reader_needs_it(
    database: Database, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpointer = Checkpointer(database)
    await write(database, pages=1)
    size = database.wal_size
    await checkpointer.shrink_wal()
    assert database.wal_size == size > 0
    monkeypatch.setattr(checkpoints, "MAX_WAL_PAGES", 0)
    await checkpointer.shrink_wal()
    assert database.wal_size == 0
    assert is_moved(path)
