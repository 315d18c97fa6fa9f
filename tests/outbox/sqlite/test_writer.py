"""What the writer does when the disk fails, by failures put between it and a real file."""

import asyncio
import errno
import os
import shutil
from datetime import timedelta
from pathlib import Path

import pytest
from structlog.typing import EventDict

from forwarder.outbox.problems import OutboxFailedError
from forwarder.outbox.sqlite import writer as writer_module
from forwarder.outbox.sqlite.file import database as database_module
from forwarder.outbox.sqlite.file.connection import FileSettings
from forwarder.outbox.sqlite.opening import open_outbox
from tests.support.crash import until
from tests.support.outbox import attempt, audit, keep
from tests.support.process import look
from tests.support.write_faults import BUSY, FULL, IOERR, IOERR_WRITE, WriteFaults


@pytest.mark.parametrize(
    ("codes", "is_after", "is_logged"),
    [
        ([BUSY, BUSY], False, False),
        ([IOERR], False, True),
        ([IOERR, IOERR], False, True),
        ([IOERR], True, True),
        ([FULL], False, True),
        ([IOERR, BUSY, FULL, IOERR], False, True),
    ],
    ids=["busy", "failed", "failed twice", "failed and yet on disk", "full", "one after the other"],
)
async def test_a_batch_that_fails_is_written_once(
    path: Path, faults: WriteFaults, logged: list[EventDict], *, codes: list[int], is_after: bool, is_logged: bool
) -> None:
    async with open_outbox(FileSettings(path=path)) as outbox:
        faults.left, faults.is_after = list(codes), is_after
        keep(outbox, 0)
        await outbox._queue.ask(lambda connection: connection.total_changes)
        assert outbox._queue.trouble is None
    assert faults.left == []
    assert (len(look(path, "SELECT * FROM events")), audit(path).is_balanced) == (1, True)
    assert [line["event"] for line in logged] == (["outbox.degraded", "outbox.recovered"] if is_logged else [])


async def test_a_disk_that_fails_three_times_in_a_row_ends_the_outbox(path: Path, faults: WriteFaults) -> None:
    async def until_it_ends() -> None:
        async with open_outbox(FileSettings(path=path)) as outbox:
            faults.left = [IOERR] * 9
            keep(outbox, 0)
            await outbox.watch()

    with pytest.raises(OutboxFailedError, match="failed 3 times in a row"):
        await until_it_ends()
    assert faults.tried == 3
    assert look(path, "SELECT * FROM events") == []


@pytest.mark.parametrize("number", [errno.EDQUOT, errno.ENOSPC])
async def test_a_quota_that_is_used_up_is_a_full_disk_and_ends_nothing(
    path: Path, faults: WriteFaults, logged: list[EventDict], monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    async with open_outbox(FileSettings(path=path)) as outbox:
        allocate = os.posix_fallocate

        def refuse(*arguments: int) -> None:
            if faults.left:
                raise OSError(number, os.strerror(number))
            allocate(*arguments)

        monkeypatch.setattr(os, "posix_fallocate", refuse)
        faults.left = [IOERR_WRITE] * 5
        keep(outbox, 0)
        await outbox._queue.ask(lambda _connection: None)
    assert [(line["event"], line.get("fault")) for line in logged] == [
        ("outbox.degraded", "full"),
        ("outbox.recovered", None),
    ]
    assert (len(look(path, "SELECT * FROM events")), audit(path).is_balanced) == (1, True)


async def test_what_cannot_be_written_at_the_end_is_named(
    path: Path, faults: WriteFaults, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer_module, "CLOSING_S", 0.2)

    async def until_it_ends() -> None:
        async with open_outbox(FileSettings(path=path)) as outbox:
            faults.left = [FULL] * 100
            keep(outbox, 0)

    with pytest.raises(OutboxFailedError, match=r"1 event and 1 delivery were in memory alone"):
        await until_it_ends()


async def test_a_folder_that_was_deleted_ends_nothing_and_is_restored_with_what_came_meanwhile(
    path: Path, logged: list[EventDict], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer_module, "_TICK", timedelta(milliseconds=20))
    monkeypatch.setattr(database_module, "_ASK_DISK_EVERY_S", 0.0)
    async with open_outbox(FileSettings(path=path)) as outbox, asyncio.timeout(90):
        delivery = keep(outbox, 0)
        assert await outbox.settle()
        shutil.rmtree(path.parent)
        outbox.complete(delivery, attempt(200))
        await outbox._queue.ask(lambda _connection: None)  # `settle` says no once it is known that the file is gone
        keep(outbox, 1)
        await outbox._queue.ask(lambda _connection: None)
        assert await outbox.prune_to_size() == 0
        path.parent.mkdir()
        await until(lambda: any(line["event"] == "outbox.restored" for line in logged), limit_s=90, what="restored")
    assert look(path, "SELECT event_seq, status FROM deliveries") == [(1, "delivered"), (2, "in_flight")]
