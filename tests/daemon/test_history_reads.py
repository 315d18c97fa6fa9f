"""Reads of the history for a running daemon: a few at a time, each within a time limit."""

import asyncio
import threading
from pathlib import Path

import pytest

from forwarder.core.history import History, Query
from forwarder.daemon import history_reads
from forwarder.daemon.history_reads import HistoryReader
from forwarder.outbox.open import open_outbox
from forwarder.web.ports import UnavailableError
from tests.support.outbox import keep


@pytest.fixture
async def outbox(tmp_path: Path) -> Path:
    path = tmp_path / "outbox.db"
    async with open_outbox(path) as opened:
        for number in range(3):
            keep(opened, number)
    return path


def count(history: History) -> int:
    return len(list(history.events(Query())))


async def test_a_read_returns_what_its_function_returns(outbox: Path) -> None:
    assert await HistoryReader(outbox).read(count) == 3


async def test_an_outbox_that_is_not_there_is_said_to_be_unavailable(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match="there is no such file"):
        await HistoryReader(tmp_path / "none.db").read(count)


async def test_a_read_that_takes_too_long_is_ended(outbox: Path) -> None:
    def never_ends(history: History) -> int:
        while True:
            count(history)

    with pytest.raises(UnavailableError, match="the search took longer than 0 s; narrow it"):
        await HistoryReader(outbox, within_s=0.05).read(never_ends)


async def test_a_read_that_nobody_waits_for_any_longer_ends(outbox: Path) -> None:
    begun, ended = threading.Event(), threading.Event()

    def never_ends(history: History) -> int:
        try:
            while True:
                count(history)
                begun.set()
        finally:
            ended.set()

    reading = asyncio.ensure_future(HistoryReader(outbox, within_s=600).read(never_ends))
    assert await asyncio.to_thread(begun.wait, 60)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert await asyncio.to_thread(ended.wait, 60)


async def test_threads_that_hang_keep_their_places_and_no_more_are_started(
    outbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history_reads, "_END_WITHIN_S", 0.05)
    go_on = threading.Event()
    reader = HistoryReader(outbox, within_s=0.05, turn_within_s=0.05)

    def hangs(_history: History) -> int:
        go_on.wait(60)
        return 0

    hanging = [reader.read(hangs) for _ in range(history_reads._MOST_READS)]
    for found in await asyncio.gather(*hanging, return_exceptions=True):
        assert isinstance(found, UnavailableError)
        assert "the disk of the outbox does not answer" in str(found)
    with pytest.raises(UnavailableError, match="too many searches are under way"):
        await reader.read(count)
    go_on.set()
    async with asyncio.timeout(60):
        while True:  # the threads end, and their places are free again
            try:
                assert await HistoryReader.read(reader, count) == 3
            except UnavailableError:
                continue
            break


async def test_an_error_of_ours_is_raised(outbox: Path) -> None:
    def fails(_history: History) -> int:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await HistoryReader(outbox).read(fails)
