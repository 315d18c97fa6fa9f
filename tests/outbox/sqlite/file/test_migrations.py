"""Files of earlier versions are brought forward, and salvaged where they are damaged."""

import errno
import os
import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from forwarder.core.delivery import DestinationName
from forwarder.core.dispatch.priority import Priority
from forwarder.core.history import AWAITS_FULL, Query
from forwarder.outbox.problems import OutboxProblem, OutboxUnusableError
from forwarder.outbox.sqlite.file.connection import FileSettings, open_connection
from forwarder.outbox.sqlite.file.integrity import Check
from forwarder.outbox.sqlite.file.migrations import SCHEMA_VERSION, migrate
from forwarder.outbox.sqlite.file.salvage import salvage
from forwarder.outbox.sqlite.history.queries import open_history
from forwarder.outbox.sqlite.opening import open_outbox
from forwarder.outbox.sqlite.statements import to_ms
from tests.support.outbox import BOT, EVENTS, NOW, attempt, audit
from tests.support.paths import DATA
from tests.support.process import look

DATA = DATA / "outbox"
CHAT = DestinationName("chat")
FAR_AHEAD_MS = 1 << 45
"""A time after that of every test."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "outbox.db"


def make(path: Path, version: int) -> None:
    """Make a file of an earlier version."""
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        connection.executescript((DATA / f"version_{version}.sql").read_text(encoding="utf-8"))


def add_states_of_version_5(path: Path) -> None:
    """Add a message, an edit of it that is done and one that waits, and a first word that waits for its full text."""
    rows = [
        (5, "delivered", 0, None, "m-77"),
        (6, "pending", 0, None, "@5"),
        (7, "pending", FAR_AHEAD_MS, AWAITS_FULL, None),
        (8, "delivered", 0, None, "@5"),
        (9, "pending", 0, None, "@name"),
    ]
    with closing(sqlite3.connect(path)) as connection, connection:
        for number, (seq, status, due_ms, reason, receipt) in enumerate(rows):
            event = EVENTS[number]
            connection.execute(
                "INSERT OR REPLACE INTO events VALUES (?, ?, ?, ?, ?, ?, ?, 1, ?)",
                (seq, event.id, event.source, event.mid, event.sid, event.timestamp, to_ms(NOW), event.body),
            )
            connection.execute("DELETE FROM deliveries WHERE event_seq = ?", (seq,))
            connection.execute(
                "INSERT INTO deliveries VALUES (?, 'chat', '[]', ?, 'first', 0, 0, 0, ?, 0, NULL, NULL, NULL, ?, NULL, 0, NULL, ?)",
                (seq, status, due_ms, reason, receipt),
            )


STATES = [
    (5, None, "m-77", 0, None),
    (6, None, None, 0, 5),
    (7, None, None, 1, None),
    (8, None, None, 0, 5),
    (9, None, "@name", 0, None),
]
"""What the migration makes of them."""
LOOK_AT_STATES = "SELECT event_seq, reason, receipt, awaits_full, edits FROM deliveries WHERE destination = 'chat' ORDER BY event_seq"


@pytest.mark.parametrize("version", [1, 2, 3, 4])
async def test_a_file_that_could_not_grow_by_its_migration_stays_as_it_is(
    path: Path, monkeypatch: pytest.MonkeyPatch, version: int
) -> None:
    """On a disk with room for the WAL alone; otherwise it could never be moved into the file."""
    make(path, version)
    before = look(path, "SELECT name, sql FROM sqlite_schema")

    def refuse(*_arguments: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as full:
        full.setattr(os, "posix_fallocate", refuse)
        with pytest.raises(OutboxUnusableError, match="disk is full") as caught:
            open_connection(FileSettings(path=path), Check.ALL)
    assert caught.value.problem is OutboxProblem.UNWRITABLE
    assert look(path, "PRAGMA user_version") == [(version,)]
    assert look(path, "SELECT name, sql FROM sqlite_schema") == before
    async with open_outbox(FileSettings(path=path)) as outbox:
        assert await outbox.recover() == {BOT: 2}


async def test_opening_leaves_no_room_held(path: Path) -> None:
    make(path, 1)
    open_connection(FileSettings(path=path), Check.ALL).close()
    assert [file.name for file in path.parent.iterdir()] == ["outbox.db"]


@pytest.mark.parametrize("version", range(1, SCHEMA_VERSION))
async def test_a_file_of_an_earlier_version_is_brought_forward(path: Path, version: int) -> None:
    make(path, version)
    async with open_outbox(FileSettings(path=path)) as outbox:
        assert await outbox.recover() == {BOT: 2}
        claim = await outbox.claim(BOT, now=NOW + timedelta(hours=1), limit=10)
        assert [(found.event_seq, found.attempts, found.body) for found in claim.deliveries] == [
            (5, 0, b'{"mid":"13"}'),
            (2, 1, b'{"mid":"12"}'),
        ]
        for delivery in claim.deliveries:
            outbox.complete(delivery, attempt(200, delivery.attempts + 1))
        assert outbox.new_seq() == 7
    assert look(path, "SELECT event_seq, destination, number, http_status FROM attempts") == [
        (1, "bot", 1, 503),
        (2, "bot", 1, 503),
    ]
    assert look(path, "PRAGMA user_version") == [(SCHEMA_VERSION,)]
    assert look(path, "PRAGMA page_size") == [(4096,)]  # as it was
    assert look(path, "PRAGMA foreign_key_check") == []
    assert audit(path).is_balanced
    fresh = path.with_name("fresh.db")
    async with open_outbox(FileSettings(path=fresh)):
        pass
    schema = "SELECT type, name, tbl_name FROM sqlite_schema ORDER BY 1, 2"
    assert look(path, schema) == look(fresh, schema)
    for (table,) in look(path, "SELECT name FROM sqlite_schema WHERE type = 'table'"):
        columns = f"SELECT name, type, \"notnull\", dflt_value, pk FROM pragma_table_info('{table}')"  # noqa: S608 - our own
        assert look(path, columns) == look(fresh, columns)


@pytest.mark.parametrize("version", [3, 4, 5])
async def test_waits_for_the_full_text_and_edits_have_columns_of_their_own(path: Path, version: int) -> None:
    make(path, version)
    add_states_of_version_5(path)
    async with open_outbox(FileSettings(path=path)) as outbox:
        assert look(path, LOOK_AT_STATES) == STATES
        claim = await outbox.claim(CHAT, now=NOW + timedelta(hours=1), limit=10, is_early=True)
        assert [(found.event_seq, found.edits) for found in claim.deliveries] == [(6, 5), (9, None)]
        message = await outbox.look_up(CHAT, 5, now=NOW)
        assert message is not None
        assert message.receipt == "m-77"
    with open_history(path) as history:
        reasons = {each["event_seq"]: each["reason"] for each in history.deliveries(Query(destination="chat"))}
    assert reasons == {5: None, 6: None, 7: AWAITS_FULL, 8: None, 9: None}


async def test_a_damaged_file_of_version_5_is_salvaged_with_its_waits_and_edits(path: Path) -> None:
    make(path, 5)
    add_states_of_version_5(path)
    with closing(open_connection(FileSettings(path=path.with_name("fresh.db")), Check.NOTHING)) as fresh:
        assert salvage(path, fresh).waiting == 3
        assert fresh.execute(LOOK_AT_STATES).fetchall() == STATES


async def test_rows_that_the_migration_left_as_they_were_are_salvaged(path: Path) -> None:
    make(path, 5)
    add_states_of_version_5(path)
    async with open_outbox(FileSettings(path=path)):
        pass
    with closing(open_connection(FileSettings(path=path.with_name("fresh.db")), Check.NOTHING)) as fresh:
        assert salvage(path, fresh).waiting == 3
        assert fresh.execute(LOOK_AT_STATES).fetchall() == STATES


async def test_a_file_of_version_6_has_no_priorities_and_is_salvaged_as_it_is(path: Path) -> None:
    make(path, 6)
    look_at = "SELECT event_seq, destination, status, priority FROM deliveries ORDER BY 1, 2"
    rows = [(1, "alerts", "dead", 0), (1, "bot", "delivered", 0), (2, "bot", "pending", 0), (5, "bot", "pending", 0)]
    with closing(open_connection(FileSettings(path=path.with_name("fresh.db")), Check.NOTHING)) as fresh:
        assert salvage(path, fresh).waiting == 0  # the ids of its events are made up
    async with open_outbox(FileSettings(path=path)) as outbox:
        await outbox.recover()
        assert look(path, look_at) == rows
        waits = await outbox.claim(BOT, now=NOW + timedelta(hours=1), limit=10, priority=Priority.NORMAL)
        assert [found.event_seq for found in waits.deliveries] == [5, 2]


def fill(connection: sqlite3.Connection, events: int) -> None:
    """Add so many events to a file of any version, each with a delivery that waits."""
    for table in ("events", "deliveries"):
        columns = connection.execute("SELECT name, type FROM pragma_table_info(?)", (table,)).fetchall()
        names = [name for name, _ in columns]
        rows = [
            [
                number if name in {"seq", "event_seq"} else _FILLING.get(name, 0 if kind != "TEXT" else str(number))
                for name, kind in columns
            ]
            for number in range(1_000, 1_000 + events)
        ]
        marks = ", ".join("?" * len(names))
        connection.executemany(f"INSERT INTO {table} ({', '.join(names)}) VALUES ({marks})", rows)  # noqa: S608 - our own names
    connection.commit()


_FILLING = {"status": "pending", "body": b"{}", "trigger": "first", "routes": "[]", "planned": 1, "destination": "bot"}
"""What `fill` puts into columns that accept only some values."""


def steps_of_migration(path: Path, version: int, *, events: int) -> int:
    """Return how many thousand steps SQLite's machine takes to migrate a file with so many events: its work, not its time."""
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript((DATA / f"version_{version}.sql").read_text(encoding="utf-8"))
        fill(connection, events)
        steps = 0

        def count() -> int:
            nonlocal steps
            steps += 1
            return 0

        connection.set_progress_handler(count, 1_000)
        migrate(connection, version=version)
        connection.set_progress_handler(None, 0)
        assert connection.execute("SELECT count(*) FROM deliveries WHERE event_seq >= 1000").fetchone() == (events,)
    return steps


@pytest.mark.parametrize("version", range(1, SCHEMA_VERSION))
def test_the_work_of_a_migration_grows_with_the_file_and_not_with_its_square(tmp_path: Path, version: int) -> None:
    small = steps_of_migration(tmp_path / "small.db", version, events=500)
    large = steps_of_migration(tmp_path / "large.db", version, events=4_000)
    assert large < 16 * (small + 1)
