"""Which config was in force for which events, over reloads, restarts, pruning and damage."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from forwarder.core.revision import Revision, packed
from forwarder.core.tree import Scalar
from forwarder.outbox.connection import FileSettings, open_connection
from forwarder.outbox.inspection import Check
from forwarder.outbox.revisions import revision_at
from forwarder.outbox.salvage import salvage
from forwarder.outbox.sqlite import open_outbox
from tests.support.outbox import NOW, attempt, keep
from tests.support.process import look

LATER = NOW + timedelta(days=1)


def revision(name: str) -> Revision:
    return packed({"unmatched": Scalar(name)}, {})


A, B, C = map(revision, "ABC")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "outbox.db"


@contextmanager
def plain(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(path)) as connection:
        yield connection


def in_force(path: Path, *seqs: int) -> list[str | None]:
    with plain(path) as connection:
        found = [revision_at(connection, seq) for seq in seqs]
    names = {each.digest: name for name, each in zip("ABC", (A, B, C), strict=True)}
    return [None if kept is None else names[kept.revision.digest] for kept in found]


async def test_each_event_has_the_config_that_was_in_force_when_it_came(path: Path) -> None:
    async with open_outbox(FileSettings(path=path)) as outbox:
        keep(outbox, 0)
        outbox.note_revision(A, now=NOW)
        keep(outbox, 1)
        outbox.note_revision(A, now=LATER)  # the same again is no row
        keep(outbox, 2)
        outbox.note_revision(B, now=LATER)
        outbox.note_revision(C, now=LATER)  # B was in force for no event
        outbox.note_revision(None, now=LATER)
        keep(outbox, 3)
    assert in_force(path, 1, 2, 3, 4, 5) == [None, "A", "A", "C", "C"]
    assert look(path, "SELECT first_seq FROM config_revisions ORDER BY 1") == [(2,), (4,)]
    with plain(path) as connection:
        kept = revision_at(connection, 2)
    assert kept is not None
    assert (kept.revision, kept.loaded_at) == (A, NOW)


async def test_what_follows_what_was_there_before_is_one_row(path: Path) -> None:
    async with open_outbox(FileSettings(path=path)) as outbox:
        outbox.note_revision(A, now=NOW)
        keep(outbox, 0)
        outbox.note_revision(B, now=NOW)
        outbox.note_revision(A, now=NOW)  # taken back before an event came
        keep(outbox, 1)
    assert in_force(path, 1, 2) == ["A", "A"]
    assert look(path, "SELECT count(*) FROM config_revisions") == [(1,)]


async def test_revisions_go_with_the_last_event_of_their_time_and_the_one_in_force_stays(path: Path) -> None:
    async with open_outbox(FileSettings(path=path)) as outbox:
        for number, each in enumerate((A, B, C)):
            outbox.note_revision(each, now=NOW)
            delivery = keep(outbox, number)
            if each is not A:
                outbox.complete(delivery, attempt(200))
        await outbox.writer.settle()
        await outbox.pruner.prune(delivered_before=LATER, dead_before=LATER)
    assert in_force(path, 1, 3) == ["A", "C"]  # the event of A waits; that of C is gone, and C is in force
    assert look(path, "SELECT count(*) FROM config_revisions") == [(2,)]


async def test_numbers_that_begin_anew_do_not_belong_to_an_old_config(path: Path) -> None:
    async with open_outbox(FileSettings(path=path)) as outbox:
        outbox.note_revision(A, now=NOW)
        for number in range(5):
            outbox.complete(keep(outbox, number), attempt(200))
        outbox.note_revision(B, now=NOW)
        await outbox.writer.settle()
        await outbox.pruner.prune(delivered_before=LATER, dead_before=LATER)
    assert look(path, "SELECT count(*) FROM events") == [(0,)]
    async with open_outbox(FileSettings(path=path)) as outbox:
        outbox.note_revision(C, now=LATER)
        keep(outbox, 0)
    assert in_force(path, 1, 100) == ["C", "C"]
    assert look(path, "SELECT count(*) FROM config_revisions") == [(1,)]


async def test_whole_revisions_are_salvaged_and_damaged_ones_are_not(path: Path) -> None:
    async with open_outbox(FileSettings(path=path)) as outbox:
        outbox.note_revision(A, now=NOW)
        keep(outbox, 0)
        outbox.note_revision(B, now=NOW)
        keep(outbox, 1)
    with plain(path) as connection, connection:
        connection.execute("UPDATE config_revisions SET routing = x'00' WHERE first_seq = 2")
    saved = path.with_name("saved.db")
    with closing(open_connection(FileSettings(path=saved), Check.NOTHING)) as fresh:
        assert salvage(path, fresh).events == 2
    assert in_force(saved, 1) == ["A"]
    assert look(saved, "SELECT first_seq FROM config_revisions") == [(1,)]
