"""What waits is counted in a thread: a disk that hangs holds nobody up, and is not asked a second time."""

import asyncio
import threading
from datetime import datetime
from pathlib import Path

import pytest

from forwarder.core.monitoring.status import Backlog
from forwarder.daemon import backlog_reader
from forwarder.daemon.backlog_reader import BacklogReader
from tests.support.daemon_parts import config_to, daemon_parts


async def test_the_backlog_is_that_of_the_outbox(tmp_path: Path) -> None:
    async with daemon_parts(tmp_path, config_to("bot: {url: 'http://127.0.0.1:9/'}")) as parts:
        await parts.bring(1, 2)
        assert await parts.outbox.settle()
        found = await BacklogReader(parts.outbox_path).read()
    assert found is not None
    assert found.waiting == {"bot": 2}
    assert found.file_bytes > 4096


async def test_an_outbox_that_is_not_there_has_none(tmp_path: Path) -> None:
    assert await BacklogReader(tmp_path / "outbox.db").read() is None


async def test_a_count_that_hangs_holds_nobody_up_and_is_not_begun_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    goes_on, begun = threading.Event(), 0

    def hangs(_outbox: Path, *, now: datetime) -> Backlog:
        nonlocal begun
        begun += 1
        assert now is not None
        goes_on.wait(60)
        return Backlog(waiting={"bot": begun})

    monkeypatch.setattr(backlog_reader, "_COUNTED_WITHIN_S", 0.01)
    monkeypatch.setattr(backlog_reader, "read_backlog", hangs)
    reader = BacklogReader(tmp_path / "outbox.db")
    assert await asyncio.gather(*(reader.read() for _ in range(3))) == [None] * 3
    assert begun == 1
    goes_on.set()
    monkeypatch.setattr(backlog_reader, "_COUNTED_WITHIN_S", 60.0)
    assert await reader.read() in (Backlog(waiting={"bot": 1}), Backlog(waiting={"bot": 2}))


async def test_each_of_many_gets_an_answer_whenever_it_asks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backlog_reader, "_FRESH_S", 0.0)
    monkeypatch.setattr(backlog_reader, "read_backlog", lambda _outbox, **_: Backlog(waiting={"bot": 1}))
    reader = BacklogReader(tmp_path / "outbox.db")

    async def asks() -> None:
        for _ in range(50):
            assert await reader.read() == Backlog(waiting={"bot": 1})

    await asyncio.gather(*(asks() for _ in range(10)))


async def test_a_count_is_not_made_again_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counts = iter(range(1, 10))
    monkeypatch.setattr(backlog_reader, "_FRESH_S", 60.0)
    monkeypatch.setattr(backlog_reader, "read_backlog", lambda _outbox, **_: Backlog(waiting={"bot": next(counts)}))
    reader = BacklogReader(tmp_path / "outbox.db")
    assert [await reader.read() for _ in range(3)] == [Backlog(waiting={"bot": 1})] * 3
    monkeypatch.setattr(backlog_reader, "_FRESH_S", 0.0)
    assert await reader.read() == Backlog(waiting={"bot": 2})


async def test_a_count_that_hangs_is_waited_for_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    goes_on, waited = threading.Event(), list[float | None]()
    real_wait = asyncio.wait

    async def wait(found: list[asyncio.Future[Backlog | None]], *, timeout: float) -> object:
        waited.append(timeout)
        return await real_wait(found, timeout=timeout)

    def hangs(_outbox: Path, *, now: datetime) -> Backlog:
        goes_on.wait(60)
        return Backlog()

    monkeypatch.setattr(backlog_reader, "read_backlog", hangs)
    monkeypatch.setattr(backlog_reader, "_COUNTED_WITHIN_S", 0.05)
    monkeypatch.setattr(asyncio, "wait", wait)
    reader = BacklogReader(tmp_path / "outbox.db")
    try:
        assert [await reader.read(), await reader.read()] == [None, None]
        assert waited == pytest.approx([0.05, 0.0])
    finally:
        goes_on.set()
