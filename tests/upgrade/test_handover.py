"""The side of a takeover that leaves, without a process on the other."""

import asyncio
import threading
from pathlib import Path
from typing import cast

import pytest

from forwarder.core.commands import RequestRefusedError
from forwarder.daemon.runtime import ActiveRuntime
from forwarder.outbox.sqlite.outbox import SqliteOutbox
from forwarder.streams.group import StreamGroup
from forwarder.systemd import ServiceManager
from forwarder.upgrade import process
from forwarder.upgrade.handover import Handover


async def test_while_one_successor_is_being_started_another_upgrade_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, may_go_on = threading.Event(), threading.Event()
    starts = 0

    def start(_command: list[str]) -> process.Child:
        nonlocal starts
        starts += 1
        begun.set()
        may_go_on.wait()
        raise FileNotFoundError(2, "No such file or directory")

    monkeypatch.setattr(process, "start", start)
    hand_over = Handover(
        outbox_path=tmp_path / "outbox.db",
        outbox=cast("SqliteOutbox", None),  # nobody is announced
        streams=cast("StreamGroup", None),
        active=cast("ActiveRuntime", None),
        service=ServiceManager({}),
        stopped=asyncio.Event(),
        upgrade_wanted=asyncio.Event(),
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
