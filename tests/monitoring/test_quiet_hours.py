"""When digests are sent, and when what is kept gets another end."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from forwarder.core.config.runtime import quiet_of
from forwarder.core.delivery import DIGEST_KEY, DeliveryStatus, DestinationName, WaitsFor
from forwarder.core.event import Event
from forwarder.core.ledger import LedgerEntry
from forwarder.core.monitoring.counters import Counters
from forwarder.core.routing.quiet import QuietPlan
from forwarder.monitoring import quiet_hours
from forwarder.monitoring.quiet_hours import QuietKeeper
from forwarder.outbox.sqlite.file.connection import FileSettings
from forwarder.outbox.sqlite.opening import open_outbox
from forwarder.outbox.sqlite.outbox import SqliteOutbox
from tests.core.config.support import load
from tests.support.outbox import BOT, keep

NIGHT = datetime(2026, 1, 6, 2, tzinfo=UTC)
MORNING = datetime(2026, 1, 6, 7, tzinfo=UTC)


class Clock:
    """Shows the time that a test sets."""

    def __init__(self) -> None:
        self.now = NIGHT

    def __call__(self) -> datetime:
        return self.now

    def steady(self) -> datetime:
        return self.now

    def both(self) -> tuple[datetime, datetime]:
        return self.now, self.now


def plan_of(bot: str = "", route: str = "") -> QuietPlan | None:
    return quiet_of(
        load(
            f"streams: [{{api_key: key}}]\ndestinations: {{bot: {{url: http://127.0.0.1/, {bot}}}, b: {{url: http://127.0.0.1/}}}}\n"
            f"routes: [{{name: r, to: bot, {route}}}]\n"
        )
    )


@dataclass
class Scene:
    outbox: SqliteOutbox
    clock: Clock
    sent: list[tuple[str, dict[str, object]]] = field(default_factory=list)
    looked: list[str] = field(default_factory=list)
    counters: Counters = field(default_factory=Counters)

    def keeper(self, plan: QuietPlan | None) -> QuietKeeper:
        return QuietKeeper(
            self.outbox,
            post=self.post,
            look=self.looked.append,
            counters=self.counters,
            plan=plan,
            known={BOT},
            clock=self.clock,
        )

    def post(self, event: Event, destination: DestinationName, made_by: str) -> None:
        assert made_by == "quiet hours"
        self.sent.append((destination, json.loads(event.body)["payload"]))
        self.outbox.enqueue(event, self.outbox.new_seq(), {}, entry=LedgerEntry.OWN, now=self.clock(), read_at=0.0)

    def keep(self, *numbers: int, waits_for: WaitsFor = WaitsFor.DIGEST) -> None:
        for number in numbers:
            key = DIGEST_KEY if waits_for is WaitsFor.DIGEST else None
            keep(
                self.outbox, number, DeliveryStatus.PENDING, at=NIGHT, waits_until=MORNING, waits_for=waits_for, order_key=key
            )  # fmt: skip


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    async with open_outbox(FileSettings(path=tmp_path / "outbox.db", durability="normal")) as outbox:
        yield Scene(outbox, Clock())


DIGEST = "quiet: {hours: '23:00-07:00', then: digest}"


@pytest.mark.parametrize("plan", [plan_of(DIGEST), plan_of(route=DIGEST)], ids=["destination", "route"])
async def test_a_digest_is_sent_when_the_hours_are_over_and_once(scene: Scene, plan: QuietPlan) -> None:
    keeper = scene.keeper(plan)
    scene.keep(0, 1, 2)
    await keeper.look()
    assert scene.sent == []
    scene.clock.now = MORNING
    await keeper.look()
    await keeper.look()
    ((to, payload),) = scene.sent
    assert (to, payload["kind"]) == (BOT, "quiet_digest")
    assert scene.counters.skipped == 3
    assert scene.looked == []


async def test_a_long_night_has_several_digests(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quiet_hours, "_MOST", 2)
    keeper = scene.keeper(plan_of(DIGEST))
    scene.keep(*range(5))
    scene.clock.now = MORNING
    await keeper.look()
    assert len(scene.sent) == 3


async def test_what_is_kept_goes_when_the_setting_is_removed_also_while_no_daemon_ran(scene: Scene) -> None:
    scene.keep(0)
    scene.keep(1, waits_for=WaitsFor.QUIET_END)
    await scene.keeper(None).look()
    assert scene.looked == [BOT]
    claim = await scene.outbox.claim(BOT, now=NIGHT, limit=10)
    assert [delivery.event_seq for delivery in claim.deliveries] == [1, 2]


async def test_an_edit_wakes_it(scene: Scene) -> None:
    keeper = scene.keeper(plan_of("quiet: '23:00-07:00'"))
    assert keeper.quiet_until(BOT) == "2026-01-06T07:00:00+00:00"
    assert keeper.quiet_until(DestinationName("b")) is None
    running = asyncio.create_task(keeper.run())
    scene.keep(0, waits_for=WaitsFor.QUIET_END)
    await scene.outbox.settle()
    keeper.follow(plan_of("quiet: '23:00-08:00'"), {BOT})
    async with asyncio.timeout(60):
        while not scene.looked:  # noqa: ASYNC110 - it sends no notice
            await asyncio.sleep(0.01)
    claim = await scene.outbox.claim(BOT, now=MORNING, limit=10)
    assert (claim.deliveries, claim.next_due) == ([], MORNING + timedelta(hours=1))
    keeper.follow(None, {BOT})
    assert keeper.quiet_until(BOT) is None
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
