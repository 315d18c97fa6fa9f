"""What ingest makes of what the routes hold back, on disk and in the ledger, and who is notified of it."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from forwarder.core.delivery import DestinationName
from forwarder.core.ledger import SkipReason
from forwarder.core.matching import EVERYTHING
from forwarder.core.matching.fields import NAMED_FIELDS
from forwarder.core.monitoring.counters import Counters
from forwarder.core.routing.dedupe import RecentEvents
from forwarder.core.routing.first_word import EarlierDelivery, FirstWords, OnFull, Prefer
from forwarder.core.routing.limiter import RouteLimit
from forwarder.core.routing.router import Route
from forwarder.ingest.ingest import Ingest, IngestMemory
from forwarder.monitoring.held_back import HeldBackReporter
from forwarder.outbox.sqlite.file.connection import FileSettings
from forwarder.outbox.sqlite.opening import open_outbox
from forwarder.outbox.sqlite.outbox import SqliteOutbox
from tests.support.accepting_lanes import AcceptingLanes
from tests.support.outbox import audit
from tests.support.process import look
from tests.support.routing import ActiveTable, OneClock

BOT, ALERTS = DestinationName("bot"), DestinationName("alerts")


class Scene:
    """An ingest with a real outbox, and the time that it and the summaries read."""

    def __init__(self, outbox: SqliteOutbox) -> None:
        self.now = datetime.now(UTC)
        self.lanes = AcceptingLanes()
        self.counters = Counters()
        self.known = {BOT, ALERTS}
        self.active = ActiveTable()
        self.ingest = Ingest(
            active=self.active,
            memory=IngestMemory(recent=RecentEvents(timedelta(minutes=30)), limiter=self.active.limiter),
            outbox=outbox,
            lanes=self.lanes,
            counters=self.counters,
            clock=OneClock(lambda: self.now),
        )
        self.summaries = HeldBackReporter(
            self.ingest.limiter, post=self.ingest.post, known=self.known, clock=lambda: self.now
        )

    def reload(self, *routes: Route) -> None:
        self.active.activate(*routes)

    async def take(self, *mids: int, source: str = "x", author: str = "foo") -> None:
        for mid in mids:
            payload = {"text": source, "author": {"screen_name": author}}
            event = {"mid": str(mid), "sid": "7", "source": source, "timestamp": 1, "payload": payload}
            await self.ingest.take(json.dumps(event).encode())

    def went(self) -> list[str]:
        """Return what went since it was last asked: mid and source of each event, the text of each summary."""
        taken, self.lanes.taken = self.lanes.taken, []
        events: list[dict[str, Any]] = [json.loads(each.body) for each in taken]
        return [
            f"{each.destination} of {', '.join(each.routes)}: {event['payload']['title']}"
            if event["source"] == "forwarder"
            else f"{event['mid']} {event['source']}"
            for each, event in zip(taken, events, strict=True)
        ]

    def pass_(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
        self.summaries.look()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "outbox.db"


@pytest.fixture
async def scene(path: Path) -> AsyncIterator[Scene]:
    async with open_outbox(FileSettings(path=path, durability="normal")) as outbox:
        yield Scene(outbox)


def route(
    count: int = 2,
    *,
    summary_to: tuple[DestinationName, ...] = (BOT,),
    name: str = "floods",
    prefer: Prefer = Prefer.ALL,
    sample: int | None = None,
) -> Route:
    limit = RouteLimit(count=count, per=timedelta(minutes=10), by=(NAMED_FIELDS["author"],), summary_to=summary_to)
    return Route(name=name, condition=EVERYTHING, to=(BOT,), limit=limit, prefer=prefer, sample=sample)


async def test_what_is_held_back_is_in_the_outbox_with_its_reason_and_everything_is_accounted_for(path: Path) -> None:
    async with open_outbox(FileSettings(path=path, durability="normal")) as outbox:
        scene = Scene(outbox)
        routes = route(), Route(name="none", condition=EVERYTHING, to=(ALERTS,), sample=0)
        scene.reload(*routes)
        await scene.take(1, 2, 3, 4)
        scene.active.activate(*routes, disabled={BOT})
        await scene.take(5)
        assert scene.went() == ["1 x", "2 x"]
    statement = (
        "SELECT destination, status, reason, closed_ms NOT NULL, routes FROM deliveries WHERE event_seq > 3 "
        "ORDER BY event_seq, destination"
    )
    assert look(path, statement) == [
        ("alerts", "skipped", "sampled", 1, '["none"]'),
        ("bot", "skipped", "limited", 1, '["floods"]'),
        ("alerts", "skipped", "sampled", 1, '["none"]'),
        ("bot", "skipped", "disabled", 1, '["floods"]'),
    ]
    counters = scene.counters
    assert (counters.matched, counters.unmatched, counters.sampled, counters.limited, counters.skipped) == (
        5,
        0,
        5,
        2,
        1,
    )
    found = audit(path)
    assert found.is_balanced
    assert {
        cause: found.ended_as(cause) for cause in (SkipReason.SAMPLED, SkipReason.LIMITED, SkipReason.DISABLED)
    } == {
        SkipReason.SAMPLED: 5,
        SkipReason.LIMITED: 2,
        SkipReason.DISABLED: 1,
    }


async def test_both_events_of_a_post_go_or_neither_and_preference_comes_after_the_limit(scene: Scene) -> None:
    scene.reload(route())
    for source in ("fast-x", "x"):
        await scene.take(1, 2, 3, source=source)
    assert scene.went() == ["1 fast-x", "2 fast-x", "1 x", "2 x"]
    scene.reload(route(name="first alone", prefer=Prefer.FIRST))
    for source in ("fast-x", "x"):
        await scene.take(11, 12, 13, source=source)
    assert scene.went() == ["11 fast-x", "12 fast-x"]
    assert (scene.counters.limited, scene.counters.skipped) == (2 + 2, 2)


async def test_the_summary_comes_when_the_time_is_over_to_whom_the_limit_says(scene: Scene) -> None:
    scene.reload(route(summary_to=(BOT, ALERTS)), Route(name="other", condition=EVERYTHING, to=(ALERTS,)))
    await scene.take(*range(7))
    await scene.take(*range(10, 13), author="bar")
    scene.went()
    scene.pass_(599)
    assert scene.went() == []
    scene.pass_(1)
    assert scene.went() == [
        f'{name} of limit of floods: Route "floods": 6 posts not sent' for name in ("bot", "alerts")
    ]
    scene.pass_(6_000)
    assert scene.went() == []


async def test_nothing_goes_to_a_destination_that_is_gone(scene: Scene) -> None:
    scene.reload(route(summary_to=(BOT, ALERTS)))
    await scene.take(*range(4))
    scene.went()
    scene.known.remove(ALERTS)
    scene.pass_(600)
    assert scene.went() == ['bot of limit of floods: Route "floods": 2 posts not sent']


async def test_a_reload_keeps_the_count_of_a_limit_that_stays_and_reports_what_another_one_held(scene: Scene) -> None:
    scene.reload(route())
    await scene.take(1, 2, 3)
    scene.reload(Route(name="new", condition=EVERYTHING, to=(ALERTS,)), route())
    await scene.take(4)
    assert scene.went() == ["1 x", "2 x", "4 x"]  # the last one by the new route
    scene.reload(route(3))
    await scene.take(5)
    scene.pass_(0)
    assert scene.went() == ["5 x", 'bot of limit of floods: Route "floods": 2 posts not sent']


async def test_a_stop_reports_the_rest(scene: Scene) -> None:
    scene.reload(route())
    await scene.take(*range(5))
    scene.went()
    scene.summaries.flush_on_stop()
    assert scene.went() == ['bot of limit of floods: Route "floods": 3 posts not sent']


async def test_a_summary_is_not_held_back_itself(scene: Scene) -> None:
    scene.reload(route(1))
    await scene.take(*range(5))
    scene.went()
    for _ in range(3):
        scene.summaries.flush_on_stop()
        await scene.take(int(scene.now.timestamp()))
        scene.now += timedelta(seconds=1)
    assert (
        scene.went()
        == ['bot of limit of floods: Route "floods": 4 posts not sent']
        + ['bot of limit of floods: Route "floods": 1 post not sent'] * 2
    )


@pytest.mark.parametrize("cause", [SkipReason.SAMPLED, SkipReason.LIMITED])
def test_what_was_held_back_is_not_recalled_as_sent(cause: SkipReason) -> None:
    words, now = FirstWords(), datetime.now(UTC)
    words.recall(
        EarlierDelivery(event_seq=1, source="fast-x", mid="9", destination=BOT, routes=("r",), at=now, cause=cause),
        frozenset({"r"}),
    )
    assert words.judge("x", "9", BOT, event_seq=2, on_full=OnFull.IGNORE, now=now).is_wanted
