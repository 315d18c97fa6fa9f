"""The file as a whole: what a check finds, and what is given back to the disk."""

import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from forwarder.outbox.problems import OutboxProblem, OutboxUnusableError
from forwarder.outbox.sqlite.file.connection import FileSettings
from forwarder.outbox.sqlite.maintenance import SqliteMaintenance
from forwarder.outbox.sqlite.opening import open_outbox
from tests.support.outbox import EVENTS, NOW, attempt, audit, keep
from tests.support.process import look


async def fill(path: Path) -> None:
    async with open_outbox(FileSettings(path=path)) as outbox:
        for number in range(len(EVENTS)):
            outbox.complete(keep(outbox, number), attempt(200))


async def test_a_row_without_its_event_is_a_finding(path: Path) -> None:
    await fill(path)
    maintenance = SqliteMaintenance(path)
    assert maintenance.check(lambda _seconds: None) == []
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DELETE FROM events WHERE seq = 1")
    assert maintenance.check(lambda _seconds: None) == ["a row of deliveries belongs to no row of events"]


async def test_a_vacuum_makes_the_file_smaller_and_needs_it_alone(path: Path) -> None:
    await fill(path)
    maintenance = SqliteMaintenance(path)
    with closing(sqlite3.connect(path)) as connection, connection:
        for table in ("attempts", "deliveries", "events", "books"):
            connection.execute(f"DELETE FROM {table}")  # noqa: S608 - our own names
    before, free = maintenance.size(), maintenance.free_bytes()
    assert 0 < free < before
    maintenance.vacuum(lambda _seconds: None)
    assert maintenance.size() < before
    assert maintenance.free_bytes() == 0
    async with open_outbox(FileSettings(path=path)):
        with pytest.raises(OutboxUnusableError) as caught:
            maintenance.vacuum(lambda _seconds: None)
    assert caught.value.problem is OutboxProblem.IN_USE


async def test_a_copy_is_whole_and_leaves_nothing_beside_it(path: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    async with open_outbox(FileSettings(path=path)) as outbox:
        keep(outbox, 0, at=NOW + timedelta(seconds=1))
        await outbox.settle()
        SqliteMaintenance(path).back_up(copy, lambda _pages: None)
        keep(outbox, 1)
    assert look(copy, "SELECT count(*) FROM events") == [(1,)]
    assert audit(copy).is_balanced
    assert sorted(file.name for file in tmp_path.iterdir()) == ["copy.db", "state"]
