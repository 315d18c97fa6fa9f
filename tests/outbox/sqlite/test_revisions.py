"""The rows of the configs that were active: which are written, deleted and salvaged."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from forwarder.core.config.revision import Revision, packed
from forwarder.core.yaml.tree import Scalar
from forwarder.outbox.sqlite.file.connection import FileSettings, open_connection
from forwarder.outbox.sqlite.file.integrity import Check
from forwarder.outbox.sqlite.file.salvage import salvage
from forwarder.outbox.sqlite.opening import open_outbox
from forwarder.outbox.sqlite.revisions import revision_at
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


def active_digests(path: Path, *seqs: int) -> list[str | None]:
    with plain(path) as connection:
        found = [revision_at(connection, seq) for seq in seqs]
    names = {each.digest: name for name, each in zip("ABC", (A, B, C), strict=True)}
    return [None if kept is None else names[kept.digest] for kept in found]


async def test_a_config_that_is_noted_again_or_routed_no_event_has_no_row(path: Path) -> None:
    async with open_outbox(FileSettings(path=path)) as outbox:
        keep(outbox, 0)
        outbox.note_revision(A, now=NOW)
        keep(outbox, 1)
        outbox.note_revision(A, now=LATER)
        keep(outbox, 2)
        outbox.note_revision(B, now=LATER)
        outbox.note_revision(C, now=LATER)
        outbox.note_revision(None, now=LATER)
        keep(outbox, 3)
    assert look(path, "SELECT first_seq FROM config_revisions ORDER BY 1") == [(2,), (4,)]


async def test_a_config_that_is_taken_back_has_no_row(path: Path) -> None:
    async with open_outbox(FileSettings(path=path)) as outbox:
        outbox.note_revision(A, now=NOW)
        keep(outbox, 0)
        outbox.note_revision(B, now=NOW)
        outbox.note_revision(A, now=NOW)
        keep(outbox, 1)
    assert look(path, "SELECT count(*) FROM config_revisions") == [(1,)]


async def test_a_row_is_deleted_with_the_last_event_of_its_time(path: Path) -> None:
    async with open_outbox(FileSettings(path=path)) as outbox:
        for number, each in enumerate((A, B, C)):
            outbox.note_revision(each, now=NOW)
            delivery = keep(outbox, number)
            if each is not A:
                outbox.complete(delivery, attempt(200))
        await outbox.settle()
        await outbox.prune(delivered_before=LATER, dead_before=LATER)
    assert active_digests(path, 1, 3) == ["A", "C"]  # the event of A waits; that of C is gone, and C is active
    assert look(path, "SELECT count(*) FROM config_revisions") == [(2,)]


async def test_the_rows_of_an_empty_outbox_are_replaced_by_the_next_config(path: Path) -> None:
    async with open_outbox(FileSettings(path=path)) as outbox:
        outbox.note_revision(A, now=NOW)
        for number in range(5):
            outbox.complete(keep(outbox, number), attempt(200))
        outbox.note_revision(B, now=NOW)
        await outbox.settle()
        await outbox.prune(delivered_before=LATER, dead_before=LATER)
    assert look(path, "SELECT count(*) FROM events") == [(0,)]
    async with open_outbox(FileSettings(path=path)) as outbox:
        outbox.note_revision(C, now=LATER)
        keep(outbox, 0)
    assert active_digests(path, 1, 100) == ["C", "C"]
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
    assert active_digests(saved, 1) == ["A"]
    assert look(saved, "SELECT first_seq FROM config_revisions") == [(1,)]
