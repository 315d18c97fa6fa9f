"""A backlog is reported once, and its end."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from forwarder.clocks.process_clock import ProcessClock
from forwarder.core.delivery import DeliveryStatus
from forwarder.core.destinations.destination import BacklogLimit
from forwarder.core.monitoring.backlog import WaitingAmount
from forwarder.daemon.backlogs import Backlogs
from forwarder.daemon.runtime import ActiveRuntime, runtime_of
from forwarder.outbox.problems import OutboxUnreadableError
from forwarder.outbox.sqlite.file.connection import FileSettings
from forwarder.outbox.sqlite.opening import open_outbox
from forwarder.outbox.sqlite.outbox import SqliteOutbox
from tests.contracts.support import stored
from tests.core.config.support import load
from tests.support.outbox import BOT, NOW, attempt, keep

CONFIG = """
streams: [{api_key: k}]
destinations:
  bot: {url: http://127.0.0.1:9000/hook, on_failure: {to: spare, backlog: BACKLOG}}
  spare: {url: http://127.0.0.1:9000/spare}
routes: [{to: bot}]
"""


@pytest.fixture
async def outbox(tmp_path: Path) -> AsyncIterator[SqliteOutbox]:
    async with open_outbox(FileSettings(path=tmp_path / "outbox.db", durability="normal")) as outbox:
        yield outbox


def backlogs(outbox: SqliteOutbox, backlog: str) -> tuple[Backlogs, list[str]]:
    clock, titles = ProcessClock(), list[str]()
    active = ActiveRuntime(runtime_of(load(CONFIG.replace("BACKLOG", backlog))), at=clock())
    return Backlogs(outbox, active, clock=clock, notify=lambda notice: titles.append(notice.title)), titles


@pytest.mark.parametrize("order_key", [None, "sid 1"])
@pytest.mark.parametrize("backlog", ["{count: 1}", "{age: 10m}"])
async def test_too_much_is_reported_once_and_its_end_too(
    outbox: SqliteOutbox, backlog: str, order_key: str | None
) -> None:
    watch, titles = backlogs(outbox, backlog)
    await watch.look()
    for number in range(2):
        keep(outbox, number, DeliveryStatus.PENDING, order_key=order_key)
    await stored(outbox)
    await watch.look()
    await watch.look()
    assert titles == ["bot has a backlog"]
    later = NOW + timedelta(hours=1)
    claim = (
        await outbox.claim(BOT, now=later, limit=10)
        if order_key is None
        else await outbox.claim_in_order(BOT, order_key, now=later, limit=10)
    )
    for each in claim.deliveries:
        outbox.complete(each, attempt(200))
    await stored(outbox)
    await watch.look()
    assert titles == ["bot has a backlog", "bot has caught up"]


async def test_an_outbox_that_cannot_be_read_is_no_news(outbox: SqliteOutbox, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(_limit: BacklogLimit, *, before: datetime) -> WaitingAmount:
        raise OutboxUnreadableError("malformed")

    watch, titles = backlogs(outbox, "{count: 1}")
    monkeypatch.setattr(outbox, "backlog", fail)
    await watch.look()
    assert not titles
