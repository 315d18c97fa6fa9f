"""What a daemon does for each request at its control socket, and what it refuses while its outbox is in trouble."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, TypeAdapter

from forwarder.core.commands import Reconnect, Request, RequestRefusedError, SendCanary
from forwarder.core.delivery import DestinationName
from forwarder.core.destinations.destination import CanaryPolicy
from forwarder.core.history import Query
from forwarder.daemon import control
from forwarder.daemon.control import ControlHandler
from forwarder.emulator.receiver import Receiver
from forwarder.emulator.server import Emulator
from forwarder.outbox.open import open_history
from forwarder.outbox.problems import OutboxUnreadableError
from forwarder.outbox.sqlite.batch import Batch
from tests.support.admin_side import admin_of
from tests.support.crash import until
from tests.support.daemon_parts import MINUTE, DaemonParts, config_to, daemon_parts
from tests.support.lanes import mids
from tests.support.metrics import samples_of
from tests.support.process import look
from tests.support.write_faults import READ_ONLY, WriteFaults

BOT = DestinationName("bot")
_REQUEST: TypeAdapter[Request] = TypeAdapter(Request)
AFTER_ALL = 1 << 50
"""Milliseconds: after everything that a test does."""


@dataclass
class Scene:
    """A handler with everything that it changes."""

    parts: DaemonParts
    handler: ControlHandler
    receiver: Receiver
    text: str

    async def ask(self, verb: str, **fields: object) -> dict[str, Any]:
        """Return the answer to a request, as it goes through the socket."""
        answer = await self.handler.handle(_REQUEST.validate_python({"verb": verb, **fields}))
        return answer.model_dump() if isinstance(answer, BaseModel) else dict(answer)

    async def refusal(self, verb: str, **fields: object) -> str:
        """Return why a request is refused."""
        with pytest.raises(RequestRefusedError) as refused:
            await self.ask(verb, **fields)
        return str(refused.value)

    async def until_in_trouble(self) -> None:
        """Return once the outbox knows that it cannot be written."""
        await until(lambda: self.parts.outbox.trouble is not None, limit_s=60, what="the trouble")


@asynccontextmanager
async def control_of(folder: Path, *, stream: str = "ws://127.0.0.1:9/ws") -> AsyncIterator[Scene]:
    async with Receiver() as receiver:
        text = config_to(f"bot: {{url: '{receiver.url}'}}", stream=stream)
        async with daemon_parts(folder, text) as parts:
            yield Scene(parts, admin_of(parts)._handler, receiver, text)


@pytest.fixture
def faults(monkeypatch: pytest.MonkeyPatch) -> WriteFaults:
    faults = WriteFaults()
    faults.is_for_all = True
    monkeypatch.setattr(Batch, "write", lambda *asked: faults.write(*asked))  # noqa: PLW0108 - a function is bound to the batch, a method is not
    return faults


@asynccontextmanager
async def in_trouble(folder: Path, faults: WriteFaults) -> AsyncIterator[Scene]:
    """Give a handler whose outbox cannot be written, with one event in memory; it can at the end."""
    async with control_of(folder) as scene:
        faults.left = [READ_ONLY] * 100_000
        try:
            await scene.parts.bring(1)
            await scene.until_in_trouble()
            yield scene
        finally:
            faults.left.clear()


def letters(verb: str, **fields: object) -> dict[str, Any]:
    return {"verb": verb, "since_ms": 0, "until_ms": AFTER_ALL, "start_ms": 0, "rate": 1000, **fields}


async def dead_letter(scene: Scene) -> None:
    """Have one delivery given up."""
    scene.receiver.status = 400
    await scene.parts.bring(1)
    await scene.parts.attempts.until(lambda attempts: len(attempts.made) == 1)
    await scene.parts.outbox.settle()
    assert look(scene.parts.outbox_path, "SELECT status FROM deliveries") == [("dead",)]
    scene.receiver.status = 200


async def test_the_status_has_every_part(tmp_path: Path) -> None:
    async with control_of(tmp_path) as scene:
        await scene.parts.bring(1)
        await scene.parts.attempts.until(lambda attempts: attempts.done == 1)
        status = await scene.ask("status")
    assert (status["state"], status["pid"]) == ("running", os.getpid())
    assert list(status["destinations"]) == ["bot"]
    assert status["since_start"]["delivered"] == 1
    assert status["outbox"]["trouble"] is None
    assert status["config"]["file"] == str(scene.parts.file)


async def test_the_metrics_are_those_of_the_daemon_and_of_what_waits(tmp_path: Path) -> None:
    async with control_of(tmp_path) as scene:
        await scene.parts.bring(1)
        await scene.parts.attempts.until(lambda attempts: attempts.done == 1)
        scene.parts.file.write_text("nonsense", encoding="utf-8")
        assert (await scene.ask("reload"))["applied"] is False
        found = samples_of((await scene.ask("metrics"))["text"])
    assert found["forwarder_destination_deliveries_total", "bot", "delivered"] == 1
    assert found["forwarder_delivery_latency_seconds_count", "bot"] == 1
    assert found["forwarder_attempt_duration_seconds_count", "bot"] == 1
    assert found["forwarder_route_matches_total", "all"] == 1
    assert found["forwarder_stream_events_total", "x", "main"] == 1
    assert found["forwarder_config_reloads_total", "refused"] == 1
    assert found["forwarder_destination_waiting", "bot"] in {0, 1}  # it may not be on disk yet


async def test_a_reload_activates_the_file_and_a_diff_only_shows_what_another_one_would_change(tmp_path: Path) -> None:
    other = tmp_path / "other.yaml"
    async with control_of(tmp_path) as scene:
        other.write_text(scene.text.replace("name: all", "name: everything"), encoding="utf-8")
        shown = await scene.ask("diff", file=str(other))
        assert (shown["applied"], shown["changed"]) == (False, True)
        assert [route.name for route in scene.parts.active.routing_table.router.routes] == ["all"]
        assert (await scene.ask("reload"))["changed"] is False
        scene.parts.file.write_text(other.read_text(encoding="utf-8"), encoding="utf-8")
        done = await scene.ask("reload")
        assert (done["applied"], done["changed"]) == (True, True)
        assert [route.name for route in scene.parts.active.routing_table.router.routes] == ["everything"]
        scene.parts.signals.stopped.set()
        scene.parts.file.write_text(scene.text, encoding="utf-8")
        assert "is stopping" in await scene.refusal("reload")


async def test_a_stream_is_reconnected_by_its_name_and_others_are_named_in_the_refusal(tmp_path: Path) -> None:
    async with Emulator() as emulator:
        async with control_of(tmp_path, stream=emulator.ws_url) as scene:
            scene.parts.streams.group.start(scene.parts.active.runtime.streams)
            await emulator.wait_connected()
            await until(lambda: scene.parts.streams.states.of("main").is_open, limit_s=60, what="the open stream")
            assert await scene.ask("reconnect", stream="main") == {"streams": ["main"]}
            await emulator.wait_until(lambda emulator: len(emulator.handshakes) == 2)
            assert await scene.ask("reconnect") == {"streams": ["main"]}
            assert (
                await scene.refusal("reconnect", stream="mian")
                == 'no stream is called "mian"; did you mean "main"? There are: main'
            )


async def test_a_pause_and_a_resume_are_on_disk_and_take_effect_at_once(tmp_path: Path) -> None:
    async with control_of(tmp_path) as scene:
        done = await scene.ask("pause", destination="bot", now_ms=5, why="moving")
        assert (done["changed"], done["left_alone"]) == (1, 0)
        assert scene.parts.reporting.monitor.is_paused(BOT)
        assert look(scene.parts.outbox_path, "SELECT count(*) FROM destinations") == [(1,)]
        await scene.parts.bring(1)
        again = await scene.ask("pause", destination="bot", now_ms=6)
        assert (again["changed"], again["left_alone"]) == (0, 1)
        assert (await scene.ask("resume", destination="bot", now_ms=7))["changed"] == 1
        await scene.receiver.wait_for(1)
        assert not scene.parts.reporting.monitor.is_paused(BOT)


@pytest.mark.parametrize("verb", ["pause", "resume"])
async def test_a_destination_that_is_not_there_is_refused_with_the_names_that_are(tmp_path: Path, verb: str) -> None:
    async with control_of(tmp_path) as scene:
        said = await scene.refusal(verb, destination="bto", now_ms=1)
        assert said == 'no enabled destination is called "bto"; did you mean "bot"? There are: bot'
        assert said == await scene.refusal(**letters("replay", to="bto"))
        assert said == await scene.refusal("resend", keys=((1, "bot"), (1, "bto")), now_ms=1)


async def test_a_replay_is_delivered_without_a_wait(tmp_path: Path) -> None:
    async with control_of(tmp_path) as scene:
        await scene.parts.bring(1, 2)
        await scene.parts.attempts.until(lambda attempts: attempts.done == 2)
        await scene.parts.outbox.settle()
        done = await scene.ask(**letters("replay", to="bot"))
        assert (done["changed"], done["destinations"], done["is_last"]) == (2, ("bot",), True)
        await scene.receiver.wait_for(4)
    assert sorted(mids(scene.receiver)) == [1, 1, 2, 2]


async def test_a_resend_is_delivered_without_a_wait(tmp_path: Path) -> None:
    async with control_of(tmp_path) as scene:
        await scene.parts.bring(1, 2)
        await scene.parts.attempts.until(lambda attempts: attempts.done == 2)
        await scene.parts.outbox.settle()
        done = await scene.ask("resend", keys=((2, "bot"),), now_ms=1)
        assert (done["changed"], done["destinations"]) == (1, ("bot",))
        await scene.receiver.wait_for(3)
    assert sorted(mids(scene.receiver)) == [1, 2, 2]


async def test_a_dead_letter_is_sent_again(tmp_path: Path) -> None:
    async with control_of(tmp_path) as scene:
        await dead_letter(scene)
        assert (await scene.ask(**letters("dead_replay")))["changed"] == 1
        await scene.receiver.wait_for(1)


async def test_a_dead_letter_is_dropped(tmp_path: Path) -> None:
    async with control_of(tmp_path) as scene:
        await dead_letter(scene)
        assert (await scene.ask(**letters("dead_drop")))["changed"] == 1
        assert look(scene.parts.outbox_path, "SELECT count(*) FROM deliveries WHERE status = 'dead'") == [(0,)]
        assert scene.receiver.accepted == 0


async def test_free_pages_are_given_back_to_the_disk(tmp_path: Path) -> None:
    async with control_of(tmp_path) as scene:
        assert await scene.ask("vacuum") == {"freed_bytes": 0}


async def test_what_the_outbox_cannot_read_is_refused_and_can_be_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail() -> int:
        raise OutboxUnreadableError("disk I/O error")

    async with control_of(tmp_path) as scene:
        with monkeypatch.context() as patched:
            patched.setattr(scene.parts.outbox, "vacuum_slice", fail)
            said = await scene.refusal("vacuum")
        assert said == "the outbox cannot be read now (disk I/O error); try again when it can"
        assert await scene.ask("vacuum") == {"freed_bytes": 0}


async def test_only_a_successor_that_announced_itself_can_take_over(tmp_path: Path) -> None:
    mine = os.getpid()
    async with control_of(tmp_path) as scene:
        for said in (
            await scene.refusal("hand_over", pid=mine),
            await scene.refusal("first_events", pid=mine, streams={}),
        ):
            assert "does not expect a takeover" in said
        assert "has another outbox" in await scene.refusal("announce_takeover", pid=mine, outbox="/elsewhere.db")
        found = await scene.ask("announce_takeover", pid=mine, outbox=str(scene.parts.outbox_path))
        assert (found["pid"], found["open_streams"]) == (mine, [])
        assert await scene.ask("first_events", pid=mine, streams={"main": ["0" * 32]}) == {}
        assert (await scene.ask("hand_over", pid=mine))["within_s"] > 60


async def test_no_upgrade_begins_while_the_daemon_stops(tmp_path: Path) -> None:
    async with control_of(tmp_path) as scene:
        scene.parts.signals.stopped.set()
        assert await scene.refusal("upgrade") == "the daemon is stopping"


# While the outbox is in trouble


@pytest.mark.parametrize(
    "asked",
    [
        {"verb": "upgrade"},
        {"verb": "vacuum"},
        {"verb": "hand_over", "pid": 1},
        {"verb": "announce_takeover", "pid": 1, "outbox": "/outbox.db"},
        letters("replay", to="bot"),
        letters("dead_replay"),
        {"verb": "pause", "destination": "unknown", "now_ms": 1},
    ],
    ids=lambda asked: asked["verb"],
)
async def test_what_has_to_be_written_is_refused_with_the_reason(
    tmp_path: Path, faults: WriteFaults, asked: dict[str, Any]
) -> None:
    async with in_trouble(tmp_path, faults) as scene:
        trouble = scene.parts.outbox.trouble
        assert await scene.refusal(**asked) == f"the outbox cannot be written now ({trouble}); try again when it can"


async def test_the_status_a_reload_and_a_reconnect_need_no_outbox(tmp_path: Path, faults: WriteFaults) -> None:
    async with in_trouble(tmp_path, faults) as scene:
        assert (await scene.ask("status"))["outbox"]["trouble"] == scene.parts.outbox.trouble
        assert samples_of((await scene.ask("metrics"))["text"])["forwarder_outbox_healthy",] == 0
        scene.parts.file.write_text(scene.text.replace("name: all", "name: everything"), encoding="utf-8")
        assert (await scene.ask("diff", file=str(scene.parts.file)))["changed"] is True
        assert (await scene.ask("reload"))["applied"] is True
        assert await scene.ask("reconnect") == {"streams": ["main"]}  # which the reload has started


async def test_a_pause_takes_effect_in_memory_and_is_written_when_that_is_possible(
    tmp_path: Path, faults: WriteFaults
) -> None:
    async with in_trouble(tmp_path, faults) as scene:
        first = await scene.ask("pause", destination="bot", now_ms=5)
        again = await scene.ask("pause", destination="bot", now_ms=6)
        assert [(each["changed"], each["left_alone"]) for each in (first, again)] == [(1, 0), (0, 1)]
        assert scene.parts.dispatcher.lanes[BOT].admission.is_paused
    async with daemon_parts(tmp_path, scene.text) as parts:
        assert parts.reporting.monitor.is_paused(BOT)


async def test_a_pause_that_cannot_be_written_in_time_takes_effect_all_the_same(
    tmp_path: Path, faults: WriteFaults, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk stops to answer after it was asked: nobody knows of trouble yet."""
    monkeypatch.setattr(control, "_MAY_TAKE_S", 0.05)
    async with control_of(tmp_path) as scene:
        faults.left = [READ_ONLY] * 100_000
        try:
            assert scene.parts.outbox.trouble is None
            assert (await scene.ask("pause", destination="bot", now_ms=5))["changed"] == 1
            assert scene.parts.reporting.monitor.is_paused(BOT)
        finally:
            faults.left.clear()


async def test_dead_letters_can_be_dropped_where_that_is_the_way_out(
    tmp_path: Path, faults: WriteFaults, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with control_of(tmp_path) as scene:
        await dead_letter(scene)
        faults.left = [READ_ONLY] * 100_000
        try:
            await scene.parts.bring(2)
            await scene.until_in_trouble()
            with monkeypatch.context() as patched:
                patched.setattr(control, "_MAY_TAKE_S", 0.05)
                said = await scene.refusal(**letters("dead_drop", keys=((999, "bot"),)))
                assert said.startswith("the outbox cannot be written now (")
            monkeypatch.setattr(control, "_MAY_TAKE_S", 60.0)
            dropping = asyncio.ensure_future(scene.ask(**letters("dead_drop")))
            await asyncio.wait([dropping], timeout=0)
        finally:
            faults.left.clear()
        assert (await dropping)["changed"] == 1
        assert scene.parts.outbox.trouble is None


async def test_a_canary_is_sent_at_once_where_there_is_one(tmp_path: Path) -> None:
    async with control_of(tmp_path) as scene:
        assert "no enabled destination" in await scene.refusal("canary", destination="nobody")
        assert "has no canary in the config" in await scene.refusal("canary", destination="bot")
        scene.parts.outbound._canaries.follow({BOT: CanaryPolicy(every=10 * MINUTE, within=MINUTE)})
        scene.parts.outbound._canaries._look_unless_late()
        assert await scene.ask("canary", destination="bot") == {"destination": "bot"}
        scene.parts.outbound._canaries._look_unless_late()
        await scene.receiver.wait_for(1)
        await scene.ask("pause", destination="bot", now_ms=1)
        assert "is paused" in await scene.refusal("canary", destination="bot")


async def test_who_reconnected_or_sent_a_canary_is_kept_and_the_daemon_itself_is_not(tmp_path: Path) -> None:
    async with Emulator() as emulator, control_of(tmp_path, stream=emulator.ws_url) as scene:
        scene.parts.streams.group.start(scene.parts.active.runtime.streams)
        scene.parts.outbound._canaries.follow({BOT: CanaryPolicy(every=10 * MINUTE, within=MINUTE)})
        scene.parts.outbound._canaries._look_unless_late()
        for person in ("", "ann"):
            await scene.handler.handle(Reconnect(), person)
            await scene.handler.handle(SendCanary(destination="bot"), person)
        with pytest.raises(RequestRefusedError):
            await scene.handler.handle(SendCanary(destination="nobody"), "ann")
        assert await scene.parts.outbox.settle()
        with open_history(scene.parts.outbox_path) as history:
            kept = [(each["person"], each["verb"], each["what"], each["changed"]) for each in history.actions(Query())]
    assert kept == [("ann", "canary", "bot", 1), ("ann", "reconnect", "main", 1)]
