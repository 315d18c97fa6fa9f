"""First words that wait for their full text, through the real daemon: kills, reloads and stops in the wait, and everything is accounted for."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from forwarder.emulator.receiver import Receiver
from forwarder.emulator.server import Emulator
from tests.e2e.test_first_words import balanced, frame, stopped
from tests.support.delivery import ok
from tests.support.process import KEY, LOG_ALL, Forwarder, forwarder, look

LONG = "10m"
"""No test waits for its end."""
SHORT = "1s"
WAITING = "SELECT count(*) FROM deliveries WHERE status = 'pending' AND awaits_full"


@dataclass(slots=True)
class Scene:
    """A stream and one receiver."""

    folder: Path
    emulator: Emulator
    receiver: Receiver

    def config(self, *, wait: str, prefer: str = "full", to: str = "", extra: str = "") -> Path:
        path = self.folder / "config.yaml"
        path.write_text(
            f"""
streams: [{{url: "{self.emulator.ws_url}", api_key: {KEY}, use_fast_x: true}}]
outbox: {{url: "sqlite:outbox.db"}}
destinations:
  bot: {{url: "{self.receiver.url}"{to}}}
routes:
  - {{to: bot, prefer: {prefer}{f", wait: {wait}" if prefer == "full" else ""}}}
{extra}
""",
            encoding="utf-8",
        )
        return path

    async def send(self, mid: int, word: str) -> None:
        await self.emulator.send(frame(mid, word))

    async def until_waiting(self, config: Path, count: int) -> None:
        """Return when so many wait on disk, as the operator can see it."""
        await self._until(WAITING, count, config)

    async def until_kept(self, config: Path, count: int) -> None:
        """Return when so many events are on disk."""
        await self._until("SELECT count(*) FROM events", count, config)

    async def _until(self, statement: str, count: int, config: Path) -> None:
        async with asyncio.timeout(90):
            while look(self.folder / "outbox.db", statement) != [(count,)]:
                await ok(config, "deliveries")

    def read(self) -> list[str]:
        """Return what was taken, in the order it came."""
        events = [json.loads(request.body) for request in self.receiver.requests if request.accepted]
        return [f"{event['mid']} {event['payload']['text'].split()[0]}" for event in events]


@asynccontextmanager
async def scene_in(folder: Path) -> AsyncIterator[Scene]:
    async with Emulator(api_key=KEY) as emulator, Receiver() as receiver:
        yield Scene(folder, emulator, receiver)


async def reloaded(daemon: Forwarder, count: int = 1) -> None:
    daemon.send(signal.SIGHUP)
    await daemon.wait_for("reload.done", count=count)


async def test_the_full_text_goes_alone_in_either_order_of_arrival(tmp_path: Path) -> None:
    async with scene_in(tmp_path) as scene, forwarder(scene.config(wait=LONG)) as daemon:
        await scene.emulator.wait_connected()
        for mid, words in ((1, ("first", "full")), (2, ("full", "first"))):
            for word in words:
                await scene.send(mid, word)
        await scene.receiver.wait_for(2)
        await stopped(daemon)
    assert sorted(scene.read()) == ["1 full", "2 full"]
    assert await balanced(tmp_path) == {"planned": 4, "delivered": 2, "preferred": 2}


async def test_the_first_word_goes_where_no_full_text_comes_in_time_and_the_late_one_is_as_the_destination_says(
    tmp_path: Path,
) -> None:
    async with scene_in(tmp_path) as scene, forwarder(scene.config(wait=SHORT), *LOG_ALL) as daemon:
        await scene.emulator.wait_connected()
        await scene.send(1, "first")
        await scene.receiver.wait_for(1)
        await scene.send(1, "full")
        scene.config(wait=SHORT, to=", on_full: send")
        await daemon.wait_for("delivery.delivered")
        await reloaded(daemon)
        await scene.send(2, "first")
        await scene.receiver.wait_for(2)
        await scene.send(2, "full")
        await scene.receiver.wait_for(3)
        await stopped(daemon)
    assert scene.read() == ["1 first", "2 first", "2 full"]
    assert await balanced(tmp_path) == {"planned": 4, "delivered": 3, "preferred": 1}


async def test_a_kill_in_the_wait_loses_nothing_and_the_full_text_still_takes_its_place(tmp_path: Path) -> None:
    async with scene_in(tmp_path) as scene:
        config = scene.config(wait=LONG)
        async with forwarder(config) as daemon:
            await scene.emulator.wait_connected()
            await scene.send(1, "first")
            await scene.send(2, "first")
            await scene.until_waiting(config, 2)
            daemon.send(signal.SIGKILL)
            await daemon.ended()
        assert await balanced(tmp_path) == {"planned": 2, "waiting": 2}
        async with forwarder(config) as daemon:
            await scene.emulator.wait_connected()
            await scene.send(1, "full")
            await scene.receiver.wait_for(1)
            await stopped(daemon)
        assert scene.read() == ["1 full"]
    assert await balanced(tmp_path) == {"planned": 3, "delivered": 1, "preferred": 1, "waiting": 1}


async def test_after_a_kill_in_the_wait_the_first_word_goes_when_it_is_due(tmp_path: Path) -> None:
    async with scene_in(tmp_path) as scene:
        config = scene.config(wait="2s")
        async with forwarder(config) as daemon:
            await scene.emulator.wait_connected()
            await scene.send(1, "first")
            await scene.until_kept(config, 1)
            daemon.send(signal.SIGKILL)
            await daemon.ended()
        async with forwarder(config, *LOG_ALL) as daemon:
            await scene.receiver.wait_for(1, timeout=90)
            await daemon.wait_for("delivery.delivered")
            await scene.emulator.wait_connected()
            await scene.send(1, "full")
            await scene.until_kept(config, 2)
            await stopped(daemon)
    assert scene.read() == ["1 first"]
    assert await balanced(tmp_path) == {"planned": 2, "delivered": 1, "preferred": 1}


async def test_a_reload_or_a_pause_in_the_wait_changes_nothing(tmp_path: Path) -> None:
    async with scene_in(tmp_path) as scene:
        config = scene.config(wait=LONG, to=", order: sid")
        async with forwarder(config) as daemon:
            await scene.emulator.wait_connected()
            for mid in (1, 2, 3):
                await scene.send(mid, "first")
            await scene.until_waiting(config, 3)
            scene.config(wait=LONG, to=", order: strict, timeout: 7s")
            await reloaded(daemon)
            await scene.send(1, "full")
            await scene.receiver.wait_for(1)
            await ok(config, "pause", "bot")
            await scene.send(2, "full")
            await scene.until_waiting(config, 1)
            await ok(config, "resume", "bot")
            await scene.receiver.wait_for(2)
            scene.config(wait=LONG, prefer="first", to=", on_full: ignore")  # what waits is not distinguished
            await reloaded(daemon, 2)
            await scene.send(3, "full")
            await scene.receiver.wait_for(3)
            await stopped(daemon)
    assert scene.read() == ["1 full", "2 full", "3 full"]
    assert await balanced(tmp_path) == {"planned": 6, "delivered": 3, "preferred": 3}


async def test_where_a_reload_has_both_go_what_waits_goes_when_it_is_due(tmp_path: Path) -> None:
    async with scene_in(tmp_path) as scene:
        config = scene.config(wait="2s")
        async with forwarder(config) as daemon:
            await scene.emulator.wait_connected()
            await scene.send(1, "first")
            await scene.until_kept(config, 1)
            scene.config(wait="", prefer="all")
            await reloaded(daemon)
            await scene.send(1, "full")
            await scene.receiver.wait_for(2, timeout=90)
            await stopped(daemon)
    assert sorted(scene.read()) == ["1 first", "1 full"]
    assert await balanced(tmp_path) == {"planned": 2, "delivered": 2}


async def test_an_operator_sees_what_waits_and_until_when(tmp_path: Path) -> None:
    async with scene_in(tmp_path) as scene:
        config = scene.config(wait=LONG)
        async with forwarder(config) as daemon:
            await scene.emulator.wait_connected()
            await scene.send(1, "first")
            await scene.until_waiting(config, 1)
            (found,) = [json.loads(line) for line in (await ok(config, "deliveries", "--json")).splitlines()]
            listed = await ok(config, "deliveries", "--wide")
            shown = await ok(config, "deliveries", "show", found["delivery_id"])
            event = await ok(config, "events", "show", found["event_id"])
            await stopped(daemon)
    assert (found["status"], found["reason"], found["order_key"]) == ("pending", "waits for the full text", None)
    assert found["accepted_at"] < found["due_at"]
    assert "waits for the full text; due in " in listed
    for said in (shown, event):
        assert "bot: waits for the full text, due " in said
