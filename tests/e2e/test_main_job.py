"""The main job, with the real process: a stream in, webhooks out, and nothing lost on the way."""

import asyncio
import json
import signal
from collections.abc import Sequence
from pathlib import Path
from time import monotonic, time

import pytest

from forwarder.emulator.receiver import Answer, Received, Receiver
from forwarder.emulator.script import packaged_events, play, replay
from forwarder.emulator.server import Emulator
from tests.support.crash import until
from tests.support.paths import EVENTS
from tests.support.process import KEY, forwarder, is_sound, look, write_config

EXAMPLES = EVENTS


def bodies(requests: Sequence[Received]) -> set[bytes]:
    return {request.body for request in requests if request.accepted}


def assert_repeats_keep_their_id(requests: Sequence[Received]) -> None:
    ids: dict[bytes, set[str]] = {}
    for request in requests:
        ids.setdefault(request.body, set()).add(request.headers["webhook-id"])
    assert all(len(found) == 1 for found in ids.values())
    assert len({next(iter(found)) for found in ids.values()}) == len(ids)


async def test_every_example_event_passes_through_unchanged(tmp_path: Path) -> None:
    frames = [path.read_bytes() for path in sorted(EXAMPLES.glob("*.json")) if not path.name.startswith("public-sse")]
    async with Emulator(api_key=KEY) as emulator, Receiver() as receiver:
        config = write_config(tmp_path, stream=emulator.ws_url, destinations={"bot": receiver.url})
        async with forwarder(config):
            await emulator.wait_connected()
            for frame in frames:
                await emulator.send(frame)
            await receiver.wait_for(len(frames))
    assert bodies(receiver.requests) == set(frames)
    for request in receiver.requests:
        assert request.headers["Content-Type"] == "application/json"
        assert request.headers["User-Agent"].startswith("forwarder/")
        assert request.headers["webhook-id"].startswith("msg_")
        assert abs(int(request.headers["webhook-timestamp"]) - time()) < 60


async def test_a_thousand_events_at_200_a_second_arrive_byte_for_byte(tmp_path: Path) -> None:
    script = list(replay(rate=200, count=1_000))
    distinct = {frame for _, frame in script}
    async with Emulator(api_key=KEY) as emulator, Receiver() as receiver:
        config = write_config(
            tmp_path, stream=emulator.ws_url, destinations={"bot": f"{receiver.url}\n    timeout: 1m"}
        )
        async with forwarder(config) as daemon:
            await emulator.wait_connected()
            await play(script, emulator.send)
            await receiver.wait_for(len(distinct))
            daemon.send(signal.SIGTERM)
            assert await daemon.ended() == 0
    assert bodies(receiver.requests) == distinct
    assert len(receiver.requests) == len(distinct)
    assert_repeats_keep_their_id(receiver.requests)
    assert look(tmp_path / "outbox.db", "SELECT status, count(*) FROM deliveries GROUP BY status") == [
        ("delivered", len(distinct))
    ]
    stopped = daemon.lines[-1]
    assert stopped["event"] == "daemon.stopped"
    assert (stopped["seen"], stopped["doubles"]) == (1_000, 1_000 - len(distinct))


async def test_a_receiver_that_is_down_for_5_s_loses_nothing_and_is_caught_up_at_once(tmp_path: Path) -> None:
    script = list(replay(rate=100, count=900))
    distinct = {frame for _, frame in script}
    async with Emulator(api_key=KEY) as emulator, Receiver() as receiver:
        config = write_config(tmp_path, stream=emulator.ws_url, destinations={"bot": receiver.url})
        async with forwarder(config):
            await emulator.wait_connected()
            async with asyncio.TaskGroup() as group:
                group.create_task(play(script, emulator.send))
                await receiver.wait_for(100)
                await receiver.stop_listening()
                await asyncio.sleep(5)  # the length of the outage is what is tested
                await receiver.start_listening()
                back = monotonic()
            await receiver.wait_for(len(distinct), timeout=90)
            caught_up = monotonic() - back
    assert bodies(receiver.requests) == distinct
    assert_repeats_keep_their_id(receiver.requests)
    assert caught_up < 20


async def test_a_delivery_that_waits_a_long_step_is_due_at_once_when_its_destination_answers_again(
    tmp_path: Path,
) -> None:
    first, second = packaged_events()[0], packaged_events()[1]
    async with Emulator(api_key=KEY) as emulator, Receiver(status=503) as receiver:
        config = write_config(
            tmp_path, stream=emulator.ws_url, destinations={"bot": receiver.url + "\n    retry: {delays: [1h]}"}
        )
        async with forwarder(config) as daemon:
            await emulator.wait_connected()
            await emulator.send(first)
            await daemon.wait_for("delivery.retry_scheduled")
            await asyncio.sleep(1.1)  # failures count as an outage from 1 s on
            receiver.status = 200
            await emulator.send(second)
            await receiver.wait_for(2)
    assert bodies(receiver.requests) == {first, second}


async def test_kill_9_in_mid_stream_with_the_receiver_down_loses_nothing_read_50_ms_before(tmp_path: Path) -> None:
    async with Emulator(api_key=KEY) as emulator, Receiver() as receiver:
        config = write_config(tmp_path, stream=emulator.ws_url, destinations={"bot": receiver.url})
        await receiver.stop_listening()
        async with forwarder(config) as daemon:
            await emulator.wait_connected()
            async with asyncio.TaskGroup() as group:
                playing = group.create_task(play(replay(rate=200, count=2_000), emulator.send))
                await emulator.wait_until(lambda emulator: len(emulator.sent) >= 400)
                daemon.send(signal.SIGKILL)
                killed = monotonic()
                await daemon.ended()
                playing.cancel()
        due = {sent.frame for sent in emulator.sent if sent.at < killed - 0.05}
        assert len(due) > 300
        assert is_sound(tmp_path / "outbox.db")
        await receiver.start_listening()
        async with forwarder(config):
            await receiver.wait_until(lambda receiver: due <= bodies(receiver.requests), 90, "every event due")
    assert_repeats_keep_their_id(receiver.requests)
    assert is_sound(tmp_path / "outbox.db")


async def test_a_kill_between_the_answer_and_our_note_of_it_gives_one_repeat_with_the_same_id(tmp_path: Path) -> None:
    frame = packaged_events()[0]
    async with Emulator(api_key=KEY) as emulator, Receiver() as receiver:
        config = write_config(tmp_path, stream=emulator.ws_url, destinations={"bot": receiver.url})
        async with forwarder(config) as daemon:
            await emulator.wait_connected()
            receiver.respond = lambda _received: Answer(delay_s=2)
            await emulator.send(frame)
            await receiver.wait_until(lambda receiver: receiver.received == 1)
            kept = "SELECT count(*) FROM events"
            await until(lambda: look(tmp_path / "outbox.db", kept) == [(1,)], limit_s=90, what="the event on disk")
            daemon.send(signal.SIGSTOP)
            await receiver.wait_for(1)
            daemon.send(signal.SIGKILL)
            await daemon.ended()
        receiver.respond = None
        async with forwarder(config):
            await receiver.wait_for(2)
    assert len(receiver.requests) == 2
    assert_repeats_keep_their_id(receiver.requests)


async def test_sigterm_gives_back_what_hangs_uncounted_and_a_restart_delivers_it(tmp_path: Path) -> None:
    frame = packaged_events()[0]
    async with Emulator(api_key=KEY) as emulator, Receiver() as receiver:
        config = write_config(
            tmp_path, stream=emulator.ws_url, destinations={"bot": receiver.url}, extra="grace_period: 200ms\n"
        )
        receiver.respond = lambda _received: Answer(action="hang")
        async with forwarder(config) as daemon:
            await emulator.wait_connected()
            await emulator.send(frame)
            await receiver.wait_until(lambda receiver: receiver.received == 1)
            daemon.send(signal.SIGTERM)
            assert await daemon.ended() == 0
        assert look(tmp_path / "outbox.db", "SELECT status, attempts FROM deliveries") == [("pending", 0)]
        receiver.respond = None
        async with forwarder(config):
            await receiver.wait_for(1)
    assert receiver.requests[-1].headers["x-forwarder-attempt"] == "1"


async def test_a_second_signal_ends_a_long_grace_period_at_once(tmp_path: Path) -> None:
    async with Emulator(api_key=KEY) as emulator, Receiver() as receiver:
        config = write_config(
            tmp_path,
            stream=emulator.ws_url,
            destinations={"bot": receiver.url + "\n    timeout: 5m"},
            extra="grace_period: 5m\n",
        )
        receiver.respond = lambda _received: Answer(action="hang")
        async with forwarder(config) as daemon:
            await emulator.wait_connected()
            await emulator.send(packaged_events()[0])
            await receiver.wait_until(lambda receiver: receiver.received == 1)
            daemon.send(signal.SIGTERM)
            await daemon.wait_for("daemon.stopping")
            daemon.send(signal.SIGTERM)
            assert await daemon.ended() == 0
    assert is_sound(tmp_path / "outbox.db")


async def test_odd_frames_are_counted_said_once_and_never_forwarded(tmp_path: Path) -> None:
    frame = packaged_events()[0]
    async with Emulator(api_key=KEY) as emulator, Receiver() as receiver:
        config = write_config(tmp_path, stream=emulator.ws_url, destinations={"bot": receiver.url})
        async with forwarder(config) as daemon:
            await emulator.wait_connected()
            await emulator.garbage()
            sent = await emulator.garbage()
            await emulator.send(frame)
            await receiver.wait_for(1)
            daemon.send(signal.SIGTERM)
            assert await daemon.ended() == 0
    assert bodies(receiver.requests) == {frame}
    assert len(receiver.requests) == 1
    said = [line["kind"] for line in daemon.lines if line["event"] == "stream.odd_frame"]
    assert len(said) == len(set(said)) >= 6
    assert sum(daemon.lines[-1]["odd_frames"].values()) == 2 * sent


async def test_a_reload_by_sighup_changes_routes_and_a_bad_edit_changes_nothing(tmp_path: Path) -> None:
    frames = packaged_events()
    async with Emulator(api_key=KEY) as emulator, Receiver() as old, Receiver() as new:
        config = write_config(tmp_path, stream=emulator.ws_url, destinations={"bot": old.url})
        async with forwarder(config) as daemon:
            await emulator.wait_connected()
            await emulator.send(frames[0])
            await old.wait_for(1)
            good = config.read_text()
            config.write_text(good.replace("destinations:", "destination:"))
            daemon.send(signal.SIGHUP)
            refused = await daemon.wait_for("reload.refused")
            assert any("config.yaml:7:1" in problem for problem in refused["problems"])
            await emulator.send(frames[1])
            await old.wait_for(2)
            edited = good.replace(old.url, new.url)
            config.write_text(
                edited.replace("url: sqlite:outbox.db", "url: sqlite:outbox.db\n  max_size: 1GiB\n  keep_dead: 1d")
            )
            daemon.send(signal.SIGHUP)
            await daemon.wait_for("reload.done")
            needed = [line["setting"] for line in daemon.lines if line["event"] == "reload.restart_needed"]
            assert needed == ["outbox.max_size"]  # the other one is active at once
            await emulator.send(frames[2])
            await new.wait_for(1)
            assert len(emulator.connections) == len(emulator.handshakes) == 1
    assert bodies(old.requests) == set(frames[:2])


@pytest.mark.parametrize("order", [(signal.SIGHUP, signal.SIGTERM), (signal.SIGTERM, signal.SIGHUP)])
async def test_a_reload_beside_a_stop_starts_nothing_that_outlives_it(
    tmp_path: Path, order: tuple[signal.Signals, signal.Signals]
) -> None:
    async with Emulator(api_key=KEY) as emulator, Receiver() as receiver:
        receiver.respond = lambda _received: Answer(delay_s=1.5)
        config = write_config(
            tmp_path, stream=emulator.ws_url, destinations={"bot": receiver.url}, extra="grace_period: 3s\n"
        )
        async with forwarder(config) as daemon:
            await emulator.wait_connected()
            await emulator.send(packaged_events()[0])
            await receiver.wait_for(1)
            config.write_text(
                config.read_text().replace("use_fast_x: true", "use_fast_x: false").replace("hook", "hook2")
            )
            daemon.send(order[0])
            if order[0] is signal.SIGTERM:
                await daemon.wait_for("daemon.stopping")
            daemon.send(order[1])
            assert await daemon.ended(10) == 0


async def test_an_answer_made_to_break_the_daemon_is_an_answer(tmp_path: Path) -> None:
    nonsense = "Mon, 01 Jan 99999999999999999999 00:00:00 GMT"
    async with Emulator(api_key=KEY) as emulator, Receiver() as receiver:
        receiver.respond = lambda received: Answer(
            status=503 if received.headers["x-forwarder-attempt"] == "1" else 200, headers={"Retry-After": nonsense}
        )
        config = write_config(tmp_path, stream=emulator.ws_url, destinations={"bot": receiver.url})
        async with forwarder(config) as daemon:
            await emulator.wait_connected()
            await emulator.send(packaged_events()[0])
            await daemon.wait_for("delivery.delivered", attempt=2)


async def test_routes_choose_destinations_by_their_conditions(tmp_path: Path) -> None:
    routes = r"""  - name: addresses
    match:
      source: [x, fast-x]
      text: {regex: '\b0x[0-9a-f]{40}\b'}
    to: alerts
    stop: true
  - name: no bots
    match:
      not: {payload.author.screen_name: [novadesk]}
      any: [{source: discord}, {source: x}]
    to: alerts
unmatched: rest
"""
    frames = [json.loads(frame) | {"raw": frame} for frame in packaged_events()]
    async with Emulator(api_key=KEY) as emulator, Receiver() as alerts, Receiver() as rest:
        config = write_config(tmp_path, stream=emulator.ws_url, destinations={"alerts": alerts.url, "rest": rest.url})
        text = config.read_text()
        config.write_text(text[: text.index("  - name: everything")] + routes)
        async with forwarder(config):
            await emulator.wait_connected()
            for frame in frames:
                await emulator.send(frame["raw"])
            wanted = {
                frame["raw"]
                for frame in frames
                if (frame["source"] in {"x", "fast-x"} and " 0x" in frame["payload"]["text"])
                or (
                    frame["source"] in {"x", "discord"}
                    and frame["payload"].get("author", {}).get("screen_name") != "novadesk"
                )
            }
            others = {frame["raw"] for frame in frames} - wanted
            await alerts.wait_for(len(wanted))
            await rest.wait_for(len(others))
    assert bodies(alerts.requests) == wanted
    assert bodies(rest.requests) == others
