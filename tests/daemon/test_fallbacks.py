"""When the daemon looks for what waits too long, and whom it tells."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from forwarder.clocks.process_clock import ProcessClock
from forwarder.core.commands import Changed
from forwarder.core.ports import FallbackSlice
from forwarder.core.routing.quiet import QuietPlan
from forwarder.daemon.fallbacks import Fallbacks
from forwarder.daemon.runtime import ActiveRuntime, runtime_of
from forwarder.outbox.problems import OutboxUnreadableError
from forwarder.outbox.sqlite.file.connection import FileSettings
from forwarder.outbox.sqlite.opening import open_outbox
from forwarder.outbox.sqlite.outbox import SqliteOutbox
from tests.core.config.support import load
from tests.support.outbox import keep

CONFIG = """
streams: [{api_key: k}]
destinations:
  bot: {url: http://127.0.0.1:9000/hook, fallback: {to: spare, after: 1m}}
  spare: {url: http://127.0.0.1:9000/spare}
routes: [{to: bot}]
"""


@pytest.fixture
async def outbox(tmp_path: Path) -> AsyncIterator[SqliteOutbox]:
    async with open_outbox(FileSettings(path=tmp_path / "outbox.db", durability="normal")) as outbox:
        yield outbox


async def test_the_lane_of_the_fallback_asks_the_outbox_again_once_something_is_there(outbox: SqliteOutbox) -> None:
    looked: list[str] = []
    clock = ProcessClock()
    active = ActiveRuntime(runtime_of(load(CONFIG)), at=clock())
    fallbacks = Fallbacks(outbox, active, clock=clock, look=looked.append)
    keep(outbox, 0)  # it was accepted long ago
    await fallbacks.look()
    assert looked == ["spare"]
    for _ in range(6):  # its turn comes again after some looks
        await fallbacks.look()
    assert looked == ["spare"]
    active.activate(runtime_of(load(CONFIG.replace(", fallback: {to: spare, after: 1m}", ""))), at=clock())
    keep(outbox, 1)
    for _ in range(6):
        await fallbacks.look()
    assert looked == ["spare"]


async def test_an_outbox_that_cannot_be_read_is_asked_again_later(
    outbox: SqliteOutbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(_asked: FallbackSlice) -> Changed:
        raise OutboxUnreadableError("malformed")

    clock = ProcessClock()
    active = ActiveRuntime(runtime_of(load(CONFIG.replace("after: 1m", "after: 1s"))), at=clock())
    looked: list[str] = []
    fallbacks = Fallbacks(outbox, active, clock=clock, look=looked.append)
    keep(outbox, 0)
    with monkeypatch.context() as patch:
        patch.setattr(outbox, "fall_back", fail)
        await fallbacks.look()
    assert not looked
    await fallbacks.look()
    assert looked == ["spare"]


async def test_a_fallback_in_its_quiet_hours_gets_it_after_them(
    outbox: SqliteOutbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = ProcessClock()
    text = CONFIG.replace("/spare}", '/spare, quiet: "23:00-07:00"}').replace("after: 1m", "after: 1s")
    active = ActiveRuntime(runtime_of(load(text)), at=clock())
    looked: list[str] = []
    fallbacks = Fallbacks(outbox, active, clock=clock, look=looked.append)
    keep(outbox, 0)
    with monkeypatch.context() as patch:
        patch.setattr(QuietPlan, "quiet_until", lambda _plan, name, at: at if name == "spare" else None)
        for _ in range(3):
            await fallbacks.look()
    assert not looked
    monkeypatch.setattr(QuietPlan, "quiet_until", lambda *_: None)
    await fallbacks.look()
    assert looked == ["spare"]
