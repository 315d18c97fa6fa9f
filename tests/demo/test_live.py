"""The demo on the public stream, with the real program: everything arrives, also what an outage holds up when it ends."""

import asyncio
import io
from datetime import timedelta
from pathlib import Path

import pytest
from rich.console import Console

from forwarder.core.config import load_config
from forwarder.demo import live, story
from forwarder.demo.live import CONFIG, StreamAwayError, run_live_demo
from forwarder.demo.result import DemoResult
from forwarder.demo.screen import Screen
from forwarder.emulator.server import Emulator
from tests.support.crash import until
from tests.support.streams import numbered


def screen() -> tuple[Screen, io.StringIO]:
    text = io.StringIO()
    return Screen(Console(file=text, width=160)), text


def test_the_config_of_the_live_demo_is_valid() -> None:
    text = CONFIG.format(stream="https://scrape.st/stream", bot="http://127.0.0.1:2/", alerts="http://127.0.0.1:3/")
    config = load_config(text.encode(), name="demo", env={}, read_file=story._no_file)
    assert config.streams[0].is_public
    assert [route.name for route in config.routes] == ["posts of X", "archive"]


async def feed(emulator: Emulator, running: "asyncio.Task[DemoResult]") -> None:
    """Send posts until the demo is over."""
    for frame in numbered(100_000, source="fast-x"):
        if running.done():
            return
        await emulator.send(frame)
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("is_stopped", [False, True])
async def test_it_ends_after_enough_events_or_when_it_is_stopped_and_nothing_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_stopped: bool
) -> None:
    monkeypatch.setattr(live, "_OUTAGE_EVERY_S", 0.5)
    monkeypatch.setattr(story, "OUTAGE", timedelta(seconds=60))  # it lasts until the demo ends
    shown, text = screen()
    stop = asyncio.Event()
    count = None if is_stopped else 60
    async with asyncio.timeout(90), Emulator() as emulator:
        running = asyncio.ensure_future(
            run_live_demo(shown, tmp_path, url=f"{emulator.url}/stream", count=count, stop=stop)
        )
        feeding = asyncio.ensure_future(feed(emulator, running))
        if is_stopped:
            await until(
                lambda: all(each in text.getvalue() for each in ("alerts goes down", "bot ✓")),
                limit_s=60,
                what="all of it",
            )
            stop.set()
        result = await running
        await feeding
    assert result.is_live
    assert result.lost == 0
    assert result.counters.unmatched == 0
    assert result.delivered["bot"] > 0
    assert "frame read to POST received" in text.getvalue()
    if is_stopped:
        assert "alerts is up again" in text.getvalue()


async def test_a_stream_that_cannot_be_opened_is_an_error(tmp_path: Path) -> None:
    async with Emulator() as emulator:
        emulator.refuse(503)
        with pytest.raises(StreamAwayError, match="the server is busy or broken"):
            await run_live_demo(screen()[0], tmp_path, url=f"{emulator.url}/stream", count=1, stop=asyncio.Event())
