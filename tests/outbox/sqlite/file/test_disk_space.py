"""The reserve, and what makes room on a full disk."""

import errno
import os
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from functools import partial
from pathlib import Path

import pytest

from forwarder.core.delivery import DeliveryStatus
from forwarder.outbox.sqlite.access import reading, writing
from forwarder.outbox.sqlite.file import disk_space
from forwarder.outbox.sqlite.file.connection import FileSettings
from forwarder.outbox.sqlite.file.disk_space import (
    RESERVE_BYTES,
    DiskFullError,
    Reserve,
    free_usual_reserve,
    growth_bytes,
    is_short_of_room,
    make_room,
    move_wal_if_short,
    move_whole_wal,
    require_movable,
    require_room,
)
from forwarder.outbox.sqlite.file.problems import error_code
from forwarder.outbox.sqlite.opening import open_outbox
from forwarder.outbox.sqlite.prune_slices import ANY_CLOSED
from forwarder.outbox.sqlite.transactions import transaction
from tests.support.outbox import attempt, audit, keep
from tests.support.process import look

MIB = 1024 * 1024


@pytest.fixture
async def filled(path: Path) -> Path:
    """Return an outbox with 300 delivered events, a dead one and one that waits."""
    async with open_outbox(FileSettings(path=path)) as outbox:
        for number in range(300):
            outbox.complete(keep(outbox, number), attempt(200))
        outbox.bury(keep(outbox, 300), attempt(400), reason="r")
        keep(outbox, 301, DeliveryStatus.PENDING)
    return path


def test_the_reserve_takes_its_room_and_is_given_up(tmp_path: Path) -> None:
    reserve = Reserve(tmp_path / "outbox.db")
    before = reserve.is_there
    assert reserve.make()
    assert reserve.make()  # it is there already
    assert (before, reserve.is_there) == (False, True)
    assert reserve.path.stat().st_blocks * 512 >= RESERVE_BYTES
    assert reserve.path.stat().st_mode & 0o777 == 0o600
    reserve.give_up()
    reserve.give_up()
    assert not reserve.path.exists()


def test_no_reserve_is_made_where_the_disk_has_no_room_or_a_link_is_in_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reserve = Reserve(tmp_path / "outbox.db")
    reserve.path.symlink_to(tmp_path / "elsewhere")
    assert not reserve.make()
    assert not (tmp_path / "elsewhere").exists()
    monkeypatch.setattr(disk_space, "free_bytes", lambda _folder: RESERVE_BYTES)
    assert not reserve.make()
    assert list(tmp_path.iterdir()) == []


def test_a_reserve_that_is_too_small_does_not_count(tmp_path: Path) -> None:
    reserve = Reserve(tmp_path / "outbox.db")
    reserve.path.write_bytes(b"x")
    assert not reserve.is_there
    assert reserve.make()


def test_the_wal_is_moved_unless_a_reader_needs_it(filled: Path) -> None:
    with writing(filled) as connection:
        connection.execute("DELETE FROM books")
        wal = filled.with_name("outbox.db-wal")
        reader = sqlite3.connect(filled, isolation_level=None)
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM events").fetchone()
        connection.execute("PRAGMA user_version").fetchone()
        connection.execute("DELETE FROM state")
        with pytest.raises(sqlite3.OperationalError, match="keeps a read") as caught:
            move_whole_wal(connection, Reserve(filled))
        assert error_code(caught.value) == sqlite3.SQLITE_BUSY
        reader.close()
        move_whole_wal(connection, Reserve(filled))
        assert wal.stat().st_size == 0


def test_a_batch_needs_room_in_the_wal_and_in_the_file(filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with writing(filled) as connection:
        for free, size, has_room in (
            (100 * MIB, 50 * MIB, True),  # plenty: not even weighed
            (10 * MIB, MIB, True),
            (2 * MIB, MIB, False),  # enough for the WAL alone
            (0, 0, False),
        ):
            monkeypatch.setattr(disk_space, "free_bytes", lambda _folder, free=free: free)
            if has_room:
                require_room(connection, Reserve(filled), size=size)
                continue
            with pytest.raises(sqlite3.OperationalError, match="disk is full") as caught:
                require_room(connection, Reserve(filled), size=size)
            assert error_code(caught.value) == sqlite3.SQLITE_FULL


def held_wal(connection: sqlite3.Connection, path: Path) -> sqlite3.Connection:
    """Return a reader that holds the WAL, to which a megabyte is added that the file does not have yet."""
    reader = sqlite3.connect(path, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM events").fetchone()
    connection.execute("CREATE TABLE more AS SELECT zeroblob(1000000) AS more")
    return reader


def test_the_reserve_holds_what_the_file_needs_to_grow_by_the_wal(filled: Path) -> None:
    reserve = Reserve(filled)
    assert reserve.make()
    with writing(filled) as connection:
        require_movable(connection, reserve)
        assert reserve.size == RESERVE_BYTES  # nothing is in the WAL
        with closing(held_wal(connection, filled)):
            for keep in (0, RESERVE_BYTES):
                require_movable(connection, reserve, keep=keep)
                assert MIB <= reserve.size - keep < 2 * MIB
                assert reserve.path.stat().st_blocks * 512 >= reserve.size
            with suppress(sqlite3.OperationalError):
                move_whole_wal(connection, reserve)
            assert reserve.size > 2 * MIB  # a reader prevented it: held again
            free_usual_reserve(connection, reserve)
            assert MIB <= reserve.size < 2 * MIB
            require_movable(connection, reserve, keep=RESERVE_BYTES)
        move_whole_wal(connection, reserve)
        assert reserve.size == RESERVE_BYTES
        assert growth_bytes(connection, reserve) == 0
        free_usual_reserve(connection, reserve)
        assert not reserve.path.exists()


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_no_commit_is_allowed_for_which_the_file_could_not_grow(
    filled: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    reserve = Reserve(filled)
    assert reserve.make()
    with writing(filled) as connection, closing(held_wal(connection, filled)):
        monkeypatch.setattr(os, "posix_fallocate", raising(number))
        with (
            pytest.raises(DiskFullError, match="disk is full") as caught,
            transaction(connection, before_commit=partial(require_movable, reserve=reserve, keep=RESERVE_BYTES)),
        ):
            connection.execute("DELETE FROM state")
        assert error_code(caught.value) == sqlite3.SQLITE_FULL
        assert connection.execute("SELECT count(*) FROM state").fetchone() > (0,)
        assert reserve.size == RESERVE_BYTES


def test_where_no_room_can_be_held_commits_are_allowed(filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with writing(filled) as connection, closing(held_wal(connection, filled)):
        monkeypatch.setattr(os, "posix_fallocate", raising(errno.EOPNOTSUPP))
        require_movable(connection, Reserve(filled), keep=RESERVE_BYTES)


def test_a_file_that_was_deleted_needs_no_room_to_grow(filled: Path) -> None:
    with writing(filled) as connection, closing(held_wal(connection, filled)):
        filled.unlink()
        assert growth_bytes(connection, Reserve(filled)) == 0


def raising(number: int) -> Callable[..., None]:
    """Return a function that fails with that number."""

    def fail(*_arguments: object) -> None:
        raise OSError(number, os.strerror(number))

    return fail


@pytest.mark.parametrize(("free", "is_moved"), [(0, True), (1 << 40, False)])
def test_the_wal_is_moved_early_where_the_disk_has_little_left(
    filled: Path, monkeypatch: pytest.MonkeyPatch, free: int, is_moved: bool
) -> None:
    with writing(filled) as connection:
        connection.execute("DELETE FROM state")
        monkeypatch.setattr(disk_space, "free_bytes", lambda _folder: free)
        move_wal_if_short(connection, Reserve(filled))
        assert (filled.with_name("outbox.db-wal").stat().st_size == 0) == is_moved


def test_room_is_made_by_delivered_history_alone_and_only_as_much_as_needed(
    filled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = iter([False, False, True])
    monkeypatch.setattr(disk_space, "_is_enough", lambda *_: next(answers))
    reserve = Reserve(filled)
    with writing(filled) as connection:
        made = make_room(connection, reserve, size=1)
    assert (made.pruned, made.last_seq) == (200, 200)  # two slices
    assert reserve.is_there
    assert look(filled, "SELECT min(seq) FROM events") == [(201,)]
    assert audit(filled).is_balanced


def test_dead_letters_make_room_only_where_they_are_named_and_what_waits_never(
    filled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disk_space, "_is_enough", lambda *_: False)
    with writing(filled) as connection:
        assert make_room(connection, Reserve(filled), size=1).pruned == 300
        assert make_room(connection, Reserve(filled), size=1).pruned == 0
        assert make_room(connection, Reserve(filled), size=1, cutoff=ANY_CLOSED).pruned == 1
    assert look(filled, "SELECT status FROM deliveries") == [("pending",)]
    assert audit(filled).is_balanced


def test_a_disk_is_short_of_room_before_it_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Found:
        f_frsize = 4096
        f_blocks = 1 << 20  # 4 GiB
        f_bavail = 0

    monkeypatch.setattr("os.statvfs", lambda _folder: Found)
    for free, is_short in ((64 * MIB, False), (64 * MIB - 4096, True)):
        Found.f_bavail = free // 4096
        assert is_short_of_room(tmp_path) == is_short
    Found.f_blocks = 64 * MIB // 4096  # a small disk: an eighth of it
    for free, is_short in ((8 * MIB, False), (8 * MIB - 4096, True)):
        Found.f_bavail = free // 4096
        assert is_short_of_room(tmp_path) == is_short


async def test_reading_goes_on_after_room_was_made(filled: Path) -> None:
    with writing(filled) as connection:
        make_room(connection, Reserve(filled), size=1)
    with reading(filled) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
