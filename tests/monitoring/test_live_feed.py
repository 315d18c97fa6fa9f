"""Who watches gets what passes; who is slow loses the oldest; nobody is waited for."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest

from forwarder.core.commands import Watch
from forwarder.core.delivery import Answered, Attempt, DestinationName, new_delivery
from forwarder.core.dispatch.retry import Dead, Decision, Done
from forwarder.core.event import Event
from forwarder.core.monitoring.live import Glimpse, LiveFilter, PassingAttempt, PassingEvent, glimpse
from forwarder.core.routing.router import Selection
from forwarder.monitoring import live_feed
from forwarder.monitoring.live_feed import Listeners, LiveFeed
from tests.support.lanes import BOT, event
from tests.support.routing import OneClock

NOW = datetime(2026, 1, 1, tzinfo=UTC)
CHOSEN = Selection(chosen={BOT: ("r",)}, matched=("all",))
DONE = Attempt(number=1, started_at=NOW, duration=timedelta(milliseconds=3), outcome=Answered(status=200))


def feed(listeners: Listeners = live_feed.NOBODY) -> LiveFeed:
    return LiveFeed(OneClock(lambda: NOW), listeners)


def note(live: LiveFeed, *numbers: int) -> None:
    """Have events pass."""
    for number in numbers:
        live.note_event(event(number), "main", CHOSEN, NOW)


def finish(live: LiveFeed, number: int) -> None:
    """Have an attempt pass."""
    live.note_attempt(new_delivery(event(number), BOT, ("r",), event_seq=number, accepted_at=NOW), DONE, Done())


def texts(passed: list[PassingEvent | PassingAttempt]) -> list[str]:
    return [each.text for each in passed]


def test_it_is_watched_only_while_somebody_watches() -> None:
    live = feed()
    seen = [live.is_watched]
    with live.subscribe(most=5):
        seen.append(live.is_watched)
        with live.subscribe(most=5):
            seen.append(live.is_watched)
        seen.append(live.is_watched)
    seen.append(live.is_watched)
    assert seen == [False, True, True, True, False]


async def test_every_subscription_gets_what_passes_in_its_block() -> None:
    live = feed()
    with live.subscribe(most=5) as first:
        note(live, 1)
        with live.subscribe(most=5) as second:
            note(live, 2)
            finish(live, 2)
        note(live, 3)
    assert texts(await first.take()) == ["1", "2", "2", "3"]
    later = await second.take()
    assert [type(each) for each in later] == [PassingEvent, PassingAttempt]
    assert (first.lost, second.lost) == (0, 0)


async def test_a_slow_reader_loses_the_oldest_and_knows_how_many() -> None:
    live = feed()
    with live.subscribe(most=2) as slow, live.subscribe(most=5) as quick:
        note(live, 1, 2, 3, 4, 5)
        assert texts(await slow.take()) == ["4", "5"]
        assert slow.lost == 3
        note(live, 6)
        assert texts(await slow.take()) == ["6"]
        assert slow.lost == 3
        assert texts(await quick.take()) == ["2", "3", "4", "5", "6"]
        assert quick.lost == 1


async def test_a_reader_waits_for_the_next_one() -> None:
    live = feed()
    with live.subscribe(most=5) as subscription:
        taken = asyncio.ensure_future(subscription.take())
        following = asyncio.ensure_future(anext(subscription))
        await asyncio.sleep(0)
        assert not taken.done()
        note(live, 1)
        assert texts(await taken) == ["1"]
        note(live, 2)
        assert (await following).text == "2"


async def test_the_end_comes_after_what_waits() -> None:
    live = feed()
    with live.subscribe(most=5) as subscription, live.subscribe(most=5) as other:
        note(live, 1)
        live.close()
        assert [each.text async for each in subscription] == ["1"]
        assert texts(await other.take()) == ["1"]
        assert await other.take() == []


async def test_who_comes_after_the_end_gets_nothing() -> None:
    live = feed()
    live.close()
    with live.subscribe(most=5) as subscription:
        assert await subscription.take() == []


async def test_listeners_are_notified_of_everything_and_subscriptions_as_well() -> None:
    events: list[tuple[str, bool]] = []
    attempts: list[Decision] = []

    def on_event(seen: Event, chosen: Mapping[DestinationName, tuple[str, ...]] | None) -> None:
        events.append((seen.mid, chosen is None))

    listeners = Listeners(on_event=on_event, on_attempt=lambda _delivery, _attempt, decision: attempts.append(decision))
    live = feed(listeners)
    assert live.is_watched
    note(live, 1)
    live.note_event(event(1), "main", None, NOW)
    finish(live, 1)
    live.note_expired(new_delivery(event(1), BOT, ("r",), event_seq=1, accepted_at=NOW), "1 h old")
    with live.subscribe(most=5) as subscription:
        note(live, 2)
        finish(live, 2)
        live.note_expired(new_delivery(event(3), BOT, ("r",), event_seq=3, accepted_at=NOW), "1 h old")
    assert live.is_watched
    assert events == [("1", False), ("1", True), ("2", False)]
    assert attempts == [Done(), Done()]
    assert texts(await subscription.take()) == ["2", "2", "3"]


async def test_what_is_remembered_of_events_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_feed, "_MOST_GLIMPSES", 2)
    read: list[bytes] = []

    def noted(body: bytes) -> Glimpse:
        read.append(body)
        return glimpse(body)

    monkeypatch.setattr(live_feed, "glimpse", noted)
    live = feed()
    with live.subscribe(most=10):
        note(live, 1, 2)
        finish(live, 1)
        assert len(read) == 2
        note(live, 3)
        finish(live, 2)
        assert len(read) == 3
        finish(live, 1)
        assert len(read) == 4


async def test_bodies_are_handed_to_who_asked_for_them_and_their_size_is_bounded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    size = len(event(1).body)
    monkeypatch.setattr(live_feed, "_MOST_BODIES", 2 * size)
    live = feed()
    with live.open_watch(Watch(with_body=True)) as whole, live.open_watch(Watch()) as short:
        note(live, 1, 2, 3)
        assert [each.body for each in await whole.take()] == [event(2).body.decode(), event(3).body.decode()]
        note(live, 4, 5)
        assert (await anext(whole)).body == event(4).body.decode()
        note(live, 6)
        assert whole.lost == 1
        live.note_event(event(7, padding=3 * size), "main", CHOSEN, NOW)  # one that is larger is kept alone
        assert [each.event_id for each in await whole.take()] == [event(7, padding=3 * size).id]
        assert whole.lost == 3
        assert {each.body for each in await short.take()} == {None}


async def test_only_what_is_wanted_takes_room() -> None:
    live = feed()
    with live.subscribe(most=2, wanted=LiveFilter(is_failed=True)) as failed:
        note(live, 1, 2, 3)
        finish(live, 1)
        failing = new_delivery(event(4), BOT, ("r",), event_seq=4, accepted_at=NOW)
        live.note_attempt(failing, DONE, Dead(reason="HTTP 400"))
    assert texts(await failed.take()) == ["4"]
    assert failed.lost == 0
