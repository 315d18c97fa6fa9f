"""The start of the outbox."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from forwarder.outbox.problems import OutboxProblem, OutboxUnusableError
from forwarder.outbox.sqlite import opening
from forwarder.outbox.sqlite.file.connection import FileSettings
from forwarder.outbox.sqlite.file.lock import locked
from forwarder.outbox.sqlite.opening import open_outbox
from tests.support.crash import until
from tests.support.disks import disk, run, why_no_disk
from tests.support.outbox import BOT, NOW, attempt, keep
from tests.support.process import look
from tests.support.write_faults import BUSY, WriteFaults


async def test_a_start_does_not_wait_for_a_write(path: Path, faults: WriteFaults) -> None:
    async with open_outbox(FileSettings(path=path)) as outbox:
        keep(outbox, 0)
    assert look(path, "SELECT status FROM deliveries") == [("in_flight",)]
    async with open_outbox(FileSettings(path=path)) as outbox:
        faults.left, faults.is_for_all = [BUSY] * 1_000, True
        recovering = asyncio.ensure_future(outbox.recover())
        async with asyncio.timeout(10):
            assert await recovering == {BOT: 1}
            assert await outbox.gaps.unended_gaps() == []
            claim = await outbox.claim(BOT, now=NOW, limit=9)
        assert [delivery.event_seq for delivery in claim.deliveries] == [1]
        faults.left = []
        outbox.complete(claim.deliveries[0], attempt(200))
    assert look(path, "SELECT status FROM deliveries") == [("delivered",)]


async def test_a_disk_that_does_not_answer_holds_up_the_opening_alone(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The loop goes on meanwhile, and another process may have the lock when nobody waits for it any more."""
    asked, answers = threading.Event(), threading.Event()

    @contextmanager
    def silent(outbox: Path, *, by_command: bool = False) -> Iterator[None]:
        asked.set()
        answers.wait(10)
        with locked(outbox, by_command=by_command):
            yield

    monkeypatch.setattr(opening, "locked", silent)
    opening_it = asyncio.ensure_future(opened(path))
    await asyncio.to_thread(asked.wait)
    assert not opening_it.done()
    answers.set()
    await opening_it
    answers.clear()
    for name in ("_COMMAND_MAY_TAKE_S", "_LOOK_AT_LOCK_EVERY_S"):
        monkeypatch.setattr(opening, name, 0.01)
    with pytest.raises(OutboxUnusableError, match="its disk does not answer") as caught:
        await opened(path)
    assert caught.value.problem is OutboxProblem.UNWRITABLE
    answers.set()
    monkeypatch.undo()
    await opened(path, patience=timedelta(seconds=30))


async def opened(path: Path, *, patience: timedelta | None = None) -> None:
    """Open an outbox and close it."""
    async with open_outbox(FileSettings(path=path), patience=patience):
        pass


@pytest.mark.skipif(why_no_disk() is not None, reason=why_no_disk() or "")
async def test_a_frozen_file_system_is_waited_for(tmp_path: Path) -> None:
    with disk(tmp_path, size_mb=16) as made:
        await opened(made.mounted / "outbox.db")
        run("fsfreeze", "--freeze", str(made.mounted))
        try:
            opening_it = asyncio.ensure_future(opened(made.mounted / "outbox.db"))
            await until(is_waiting_for_a_disk, limit_s=30, what="a thread that waits for the disk")
            assert not opening_it.done()
        finally:
            run("fsfreeze", "--unfreeze", str(made.mounted))
        await opening_it


def is_waiting_for_a_disk() -> bool:
    """Return whether a thread of this process does so."""
    found = (each.read_text(encoding="utf-8") for each in Path("/proc/self/task").glob("*/stat"))
    return any(text.rpartition(")")[2].split()[0] == "D" for text in found)
