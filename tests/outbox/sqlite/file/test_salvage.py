"""What is saved of a damaged file, and a salvage that is cut off."""

import shutil
import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from forwarder.core.actions import Action
from forwarder.core.delivery import DeliveryStatus
from forwarder.core.dispatch.destination_state import DestinationState, Pause, PausedBy
from forwarder.outbox.sqlite.action_rows import actions
from forwarder.outbox.sqlite.destination_rows import known_states
from forwarder.outbox.sqlite.file import atomic_swap, salvage
from forwarder.outbox.sqlite.file.connection import PAGE_SIZE, FileSettings, open_connection
from forwarder.outbox.sqlite.file.database import Database
from forwarder.outbox.sqlite.file.integrity import Check
from forwarder.outbox.sqlite.file.lock import sync_folder
from forwarder.outbox.sqlite.opening import open_outbox
from tests.support.outbox import BOT, EVENTS, NOW, keep
from tests.support.paths import DATA
from tests.support.process import look

DATA = DATA / "outbox"


async def fill(path: Path) -> int:
    async with open_outbox(FileSettings(path=path)) as outbox:
        for number in range(len(EVENTS)):
            keep(outbox, number, DeliveryStatus.PENDING)
    return len(EVENTS)


def pages_of(path: Path, kind: int) -> list[int]:
    """The numbers, from 0, of the pages that begin so."""
    content = path.read_bytes()
    return [at // PAGE_SIZE for at in range(0, len(content), PAGE_SIZE) if content[at] == kind and at // PAGE_SIZE != 1]


def page_with(path: Path, text: bytes) -> int:
    return path.read_bytes().index(text) // PAGE_SIZE


def zero(path: Path, page: int) -> None:
    with path.open("r+b") as file:
        file.seek(page * PAGE_SIZE)
        file.write(bytes(PAGE_SIZE))


@pytest.mark.parametrize("auto_vacuum", ["INCREMENTAL", "NONE"])
async def test_a_file_of_other_pages_is_salvaged_as_well(tmp_path: Path, auto_vacuum: str) -> None:
    """As version 1 had them, and whoever copied a file with another program."""
    path = tmp_path / "outbox.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA page_size = 4096")
        connection.execute(f"PRAGMA auto_vacuum = {auto_vacuum}")
        connection.executescript((DATA / "version_1.sql").read_text(encoding="utf-8"))
    await fill(path)
    assert look(path, "PRAGMA page_size") == [(4096,)]
    with closing(open_connection(FileSettings(path=tmp_path / "fresh.db"), Check.NOTHING)) as fresh:
        salvage.salvage(path, fresh)
        assert {body for (body,) in fresh.execute("SELECT body FROM events")} == {event.body for event in EVENTS}


async def test_of_a_file_that_was_cut_short_the_salvage_is_reported_as_incomplete(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    await fill(path)
    with closing(open_connection(FileSettings(path=tmp_path / "whole.db"), Check.NOTHING)) as fresh:
        assert salvage.salvage(path, fresh).is_complete
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 2 // PAGE_SIZE * PAGE_SIZE)
    with closing(open_connection(FileSettings(path=tmp_path / "cut.db"), Check.NOTHING)) as fresh:
        assert not salvage.salvage(path, fresh).is_complete


async def test_a_salvage_that_is_cut_off_is_done_again_or_finished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "outbox.db"
    await fill(path)
    zero(path, page_with(path, EVENTS[0].body))
    steps = 0

    def count_step(*_arguments: object) -> None:
        nonlocal steps
        steps += 1
        if steps == cut_at:
            raise KeyboardInterrupt

    real_sync, real_salvage = sync_folder, salvage.salvage

    def sync(folder: Path) -> None:
        count_step()
        real_sync(folder)

    def copy(damaged: Path, fresh: sqlite3.Connection) -> salvage.Salvaged:
        found = real_salvage(damaged, fresh)
        count_step()
        return found

    monkeypatch.setattr(atomic_swap, "sync_folder", sync)
    monkeypatch.setattr(salvage, "salvage", copy)
    waiting: list[int] = []
    for cut_at in (0, 1, 2, 3, 4):
        folder = tmp_path / str(cut_at)
        folder.mkdir()
        copied = shutil.copy(path, folder / "outbox.db")
        steps = 0
        settings = FileSettings(path=Path(copied))
        database = Database(settings)
        if cut_at:
            with pytest.raises(KeyboardInterrupt):
                salvage._replace(settings, folder / "aside")
        steps = 99
        await salvage.open_or_salvage(database)
        found = await database.run(lambda connection: connection.execute("SELECT count(*) FROM deliveries").fetchone())
        waiting.append(found[0])
        await database.close()
    assert set(waiting) == {waiting[0]}
    assert 0 < waiting[0] < len(EVENTS)


async def test_a_lost_inner_page_costs_no_event(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    count = await fill(path)
    inner = pages_of(path, 0x05)
    assert inner, "the table is too small for this test"
    for page in inner:
        zero(path, page)
    async with open_outbox(FileSettings(path=path)) as outbox:
        assert len((await outbox.claim(BOT, now=NOW, limit=2 * count)).deliveries) == count


async def test_a_changed_body_is_not_delivered(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    count = await fill(path)
    content = path.read_bytes()
    changed = EVENTS[0].body.replace(b'"text":"', b'"text":"\x01', 1)[: len(EVENTS[0].body)]
    assert changed != EVENTS[0].body
    path.write_bytes(content.replace(EVENTS[0].body, changed))
    zero(path, pages_of(path, 0x05)[0])
    async with open_outbox(FileSettings(path=path)) as outbox:
        claim = await outbox.claim(BOT, now=NOW, limit=2 * count)
        assert len(claim.deliveries) == count - 1


async def test_what_people_did_and_until_when_they_paused_is_salvaged(tmp_path: Path) -> None:
    path, until = tmp_path / "outbox.db", NOW + timedelta(hours=2)
    state = DestinationState(
        pause=Pause(since=NOW, by=PausedBy.PERSON, why="works", until=until),
        dead_reported_at=NOW - timedelta(minutes=1),
    )
    async with open_outbox(FileSettings(path=path)) as outbox:
        outbox.note_destination(BOT, state)
        for digest in ("00ff", "ff00"):
            outbox.note_config(digest, Action(person="ann", verb="edit", what=f"config {digest}"), now=NOW)
        keep(outbox, 0, DeliveryStatus.PENDING)
    zero(path, page_with(path, EVENTS[0].body))
    database = Database(FileSettings(path=path))
    await salvage.open_or_salvage(database)
    assert await database.run(known_states) == {BOT: state}
    found = await database.run(lambda connection: list(actions(connection, since_ms=0, until_ms=2**53, limit=-1)))
    assert [(person, verb, what, changed) for _, person, verb, what, changed in found] == [
        ("ann", "edit", "config ff00", 1)
    ]
    rows = "SELECT value FROM state WHERE name = 'config active'"
    assert await database.run(lambda connection: connection.execute(rows).fetchall()) == [(0xFF00,)]
    await database.close()
    assert look(path, "SELECT count(*) FROM events") == [(0,)]  # it was salvaged
