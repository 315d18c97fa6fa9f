"""The side of a takeover that leaves, without a process on the other."""

import asyncio
import threading
from datetime import timedelta
from pathlib import Path

import pytest

from forwarder import successor
from forwarder.admin.server import RequestRefusedError
from forwarder.handover import HandOver
from forwarder.notify import ServiceManager


async def test_while_one_successor_is_being_started_another_upgrade_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, may_go_on = threading.Event(), threading.Event()
    starts = 0

    def start(_command: list[str]) -> successor.Child:
        nonlocal starts
        starts += 1
        begun.set()
        may_go_on.wait()
        raise FileNotFoundError(2, "No such file or directory")

    monkeypatch.setattr(successor, "start", start)
    hand_over = HandOver(
        outbox_path=tmp_path / "outbox.db",
        service=ServiceManager({}),
        grace=timedelta,
        streams=lambda: pytest.fail("nobody was announced"),
        is_stopping=lambda: False,
        leave=lambda: None,
        on_announced=lambda: None,
        on_lost=lambda: None,
    )
    first = asyncio.ensure_future(hand_over.upgrade())
    await asyncio.to_thread(begun.wait)
    with pytest.raises(RequestRefusedError, match="being started already"):
        await hand_over.upgrade()
    may_go_on.set()
    with pytest.raises(RequestRefusedError, match="no successor can be started"):
        await first
    with pytest.raises(RequestRefusedError, match="no successor can be started"):
        await hand_over.upgrade()  # it can be tried again
    assert starts == 2
