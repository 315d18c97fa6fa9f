"""What happens when something deletes or replaces the file while it is open."""

import shutil
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from structlog.typing import EventDict

from forwarder.outbox.problems import OutboxReplacedError
from forwarder.outbox.sqlite.file import atomic_swap
from forwarder.outbox.sqlite.file.connection import FileSettings
from forwarder.outbox.sqlite.file.database import Database
from forwarder.outbox.sqlite.file.file_guard import FileGuard
from tests.support.process import is_sound, look

COUNT = "SELECT count(*) FROM state WHERE name = 'mark'"


@pytest.fixture
async def database(path: Path) -> AsyncIterator[Database]:
    """Return an open file with a row that is in its WAL."""
    path.parent.mkdir()
    opened = Database(FileSettings(path=path))
    await opened.open()
    await opened.run(lambda connection: connection.execute("INSERT INTO state (name, value) VALUES ('mark', 1)"))
    try:
        yield opened
    finally:
        await opened.close()


async def test_a_file_that_is_where_it_was_is_left_alone(database: Database, path: Path) -> None:
    guard, inode = FileGuard(database), path.stat().st_ino
    await guard.mend_if_deleted()
    assert (guard.gone, path.stat().st_ino) == (None, inode)


async def test_a_deleted_file_is_written_out_again_and_used_from_then_on(
    database: Database, path: Path, logged: list[EventDict]
) -> None:
    guard = FileGuard(database)
    for file in path.parent.glob("outbox.db*"):
        file.unlink()
    await guard.mend_if_deleted()
    assert guard.gone is None
    assert [line["event"] for line in logged] == ["outbox.restored"]
    assert path.stat().st_mode & 0o777 == 0o600
    await database.run(lambda connection: connection.execute("INSERT INTO state (name, value) VALUES ('later', 1)"))
    assert is_sound(path)
    assert look(path, COUNT) == [(1,)]
    assert look(path, "SELECT count(*) FROM state WHERE name = 'later'") == [(1,)]


async def test_another_file_in_its_place_ends_the_use_of_it(database: Database, path: Path) -> None:
    other = path.with_name("other.db")
    shutil.copy(path, other)
    other.rename(path)
    with pytest.raises(OutboxReplacedError, match="another file was put in its place"):
        await FileGuard(database).mend_if_deleted()


async def test_what_a_deleted_wal_held_is_moved_into_the_file(
    database: Database, path: Path, logged: list[EventDict]
) -> None:
    path.with_name("outbox.db-wal").unlink()
    await FileGuard(database).mend_if_deleted()
    assert [line["event"] for line in logged] == ["outbox.wal_deleted"]
    assert look(path, COUNT) == [(1,)]


async def test_a_file_that_cannot_be_written_out_is_tried_again_and_that_is_logged_once(
    database: Database, path: Path, monkeypatch: pytest.MonkeyPatch, logged: list[EventDict]
) -> None:
    def fail(*_paths: Path) -> None:
        raise OSError(28, "No space left on device")

    guard = FileGuard(database)
    path.unlink()
    with monkeypatch.context() as full:
        full.setattr(atomic_swap, "make_ready", fail)
        for _ in range(3):
            await guard.mend_if_deleted()
            assert guard.gone is not None
            assert "No space left" in guard.gone
    assert [line["event"] for line in logged] == ["outbox.deleted"]
    assert not path.exists()
    await guard.mend_if_deleted()
    assert guard.gone is None
    assert look(path, COUNT) == [(1,)]


async def test_a_file_that_is_not_open_is_not_looked_at(path: Path) -> None:
    database = Database(FileSettings(path=path))
    await FileGuard(database).mend_if_deleted()
    assert not path.exists()


async def test_an_open_transaction_of_another_program_does_not_stop_the_guard(database: Database, path: Path) -> None:
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        await FileGuard(database).mend_if_deleted()
    finally:
        other.close()
