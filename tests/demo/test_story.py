"""The course of the demo with the real program: everything arrives, also what an outage held up, and it can be stopped."""

import asyncio
import io
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic

import pytest
from multidict import CIMultiDict, CIMultiDictProxy
from rich.console import Console

from forwarder.core.config import load_config
from forwarder.core.delivery import Answered, Attempt, DestinationName, delivery_id, new_delivery
from forwarder.core.dispatch.retry import Done
from forwarder.core.event import decode_event
from forwarder.core.monitoring.counters import Counters
from forwarder.demo import story
from forwarder.demo.result import DemoResult
from forwarder.demo.screen import Screen
from forwarder.demo.story import CONFIG, run_demo
from forwarder.emulator.receiver import Received, Receiver
from forwarder.emulator.script import packaged_events
from tests.support.crash import until

NAMES = ("bot", "alerts")


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(story, "OUTAGE", timedelta(seconds=0.3))


def screen() -> tuple[Screen, io.StringIO]:
    text = io.StringIO()
    return Screen(Console(file=text, width=160)), text


def test_the_config_of_the_demo_is_valid() -> None:
    text = CONFIG.format(stream="ws://127.0.0.1:1/ws", bot="http://127.0.0.1:2/", alerts="http://127.0.0.1:3/")
    config = load_config(text.encode(), name="demo", env={}, read_file=story._no_file)
    assert [route.name for route in config.routes] == ["contract addresses", "cashtags", "archive"]


def test_the_demo_reads_no_file() -> None:
    with pytest.raises(FileNotFoundError, match="/etc/key"):
        story._no_file("/etc/key")


async def test_everything_arrives_although_a_receiver_is_down_for_a_while(tmp_path: Path) -> None:
    shown, text = screen()
    async with asyncio.timeout(90):
        result = await run_demo(shown, tmp_path, rate=150, count=150, forever=False, stop=asyncio.Event())
    counters = result.counters
    assert counters.seen == 150
    assert counters.seen == counters.matched + counters.unmatched + counters.duplicates
    assert result.lost == 0
    assert sum(result.delivered.values()) >= counters.delivered > 0
    assert set(result.delivered) == {"bot", "alerts"}
    assert 0 < len(result.latencies_ms) <= counters.delivered - result.waited
    assert text.getvalue().count(" ↻ ") == result.waited >= result.waited_at_return
    assert f"alerts is up again; {result.waited_at_return} waiting" in text.getvalue()
    assert "alerts goes down for 0.3 s" in text.getvalue()
    assert "what happened" in text.getvalue()


def test_what_came_during_an_outage_has_waited_for_it_even_if_its_first_attempt_was_after_it() -> None:
    shown, text = screen()
    told = story.Story(shown, {"bot": Receiver(), "alerts": Receiver()})
    event, now = decode_event(packaged_events()[0]), datetime.now(UTC)
    both = {name: new_delivery(event, DestinationName(name), ("all",), event_seq=1, accepted_at=now) for name in NAMES}
    told._is_out = True
    told.note_event(event, {DestinationName(name): ("all",) for name in NAMES})
    for name, delivery in both.items():
        receive = told._receivers[name].on_request
        assert receive is not None
        headers = CIMultiDictProxy(CIMultiDict({"webhook-id": str(delivery.id)}))
        told._sent_at[delivery.body] = monotonic()
        receive(Received(path="/", headers=headers, body=delivery.body, status=200, at=monotonic()))
        outcome = Answered(status=200)
        told.note_attempt(delivery, Attempt(number=1, started_at=now, duration=timedelta(), outcome=outcome), Done())
    assert " → bot ✓ " in text.getvalue()
    assert " → alerts ↻ attempt 1, " in text.getvalue()
    assert (told.result(Counters()).waited, len(told.result(Counters()).latencies_ms)) == (1, 1)


async def test_a_demo_without_an_end_is_stopped_from_outside(tmp_path: Path) -> None:
    shown, text = screen()
    stop = asyncio.Event()
    stop.set()
    async with asyncio.timeout(90):
        result = await run_demo(shown, tmp_path, rate=50, count=None, forever=True, stop=stop)
    assert isinstance(result, DemoResult)
    assert "what happened" in text.getvalue()


async def test_what_waits_for_a_receiver_that_is_down_when_it_is_stopped_is_not_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(story, "OUTAGE", timedelta(seconds=600))
    shown, text = screen()
    stop = asyncio.Event()
    async with asyncio.timeout(90):
        running = asyncio.ensure_future(run_demo(shown, tmp_path, rate=100, count=None, forever=True, stop=stop))
        await until(lambda: "; kept" in text.getvalue(), limit_s=60, what="a delivery that waits")
        stop.set()
        result = await running
    assert result.lost == 0
    assert result.still_waiting > 0
    assert f"{result.still_waiting} deliver" in text.getvalue()


def test_without_an_outbox_nothing_waits(tmp_path: Path) -> None:
    assert story.deliveries_in(tmp_path) == set()


def test_what_is_neither_received_nor_in_the_outbox_is_lost() -> None:
    told = story.Story(screen()[0], {"bot": Receiver(), "alerts": Receiver()})
    event = decode_event(packaged_events()[0])
    told.note_event(event, {DestinationName(name): ("all",) for name in NAMES})
    told.note_still_waiting([delivery_id(event.id, DestinationName("bot"))])
    result = told.result(Counters())
    assert (result.still_waiting, result.lost) == (1, 1)
