"""The real daemon over cuts, reloads, renewals and stops of its streams: what is lost is written down, and nothing else is lost."""

import asyncio
import json
import signal
from contextlib import AsyncExitStack
from pathlib import Path

from forwarder.emulator.receiver import Receiver
from forwarder.emulator.server import Emulator
from forwarder.emulator.settings import EmulatorSettings
from tests.support.crash import Load, assert_balanced, until
from tests.support.delivery import bodies, notices, ok, status, status_text, stopped, until_kinds
from tests.support.frames import Opcode, Peer, close, frame, peers
from tests.support.process import KEY, command, forwarder, look
from tests.support.streams import numbered


def config_in(folder: Path, receiver: Receiver, *streams: str, extra: str = "") -> Path:
    path = folder / "config.yaml"
    beside = folder / "config.new"
    named = "".join(f"  - {{{stream}, api_key: {KEY}, use_fast_x: true}}\n" for stream in streams)
    beside.write_text(
        f"streams:\n{named}outbox: {{url: 'sqlite:outbox.db'}}\n"
        f"destinations:\n  bot: {{url: '{receiver.url}'}}\nroutes: [{{to: bot}}]\n{extra}",
        encoding="utf-8",
    )
    beside.replace(path)
    return path


async def heard(emulator: Emulator, receiver: Receiver) -> None:
    """Have an event go all the way."""
    await emulator.wait_connected()
    (frame,) = await Load(emulator, rate=1).send(1)
    frame = frame.replace(b'"payload":{', b'"payload":{"number":%d,' % len(receiver.requests), 1)
    await emulator.send(frame)
    await receiver.wait_until(lambda receiver: frame in bodies(receiver))


def gaps(folder: Path) -> list[tuple[str, bool, bool, str]]:
    """Return of each gap its stream, whether it has ended, whether it was covered, and why it came."""
    rows = look(folder / "outbox.db", "SELECT stream, ended_ms, is_covered, reason FROM gaps ORDER BY id")
    return [(stream, ended is not None, bool(covered), reason) for stream, ended, covered, reason in rows]


async def test_a_cut_a_stop_and_a_kill_are_gaps_and_a_reconnect_is_none(tmp_path: Path) -> None:
    async with Emulator(api_key=KEY) as emulator, Receiver() as receiver:
        config = config_in(tmp_path, receiver, f"name: main, url: '{emulator.ws_url}'")
        async with forwarder(config) as daemon:
            await heard(emulator, receiver)
            await emulator.drop()
            await daemon.wait_for("stream.gap", is_covered=False)
            assert "reconnecting" in await ok(config, "reconnect", "main")
            await daemon.wait_for("stream.connected", count=3)
            await emulator.wait_until(lambda emulator: len(emulator.connections) == 1)
            code, _, err = await command("reconnect", "other", "-c", str(config))
            assert (code, err) == (2, 'no stream is called "other"; there are: main\n')
            await stopped(daemon)
        cut = ("main", True, False, "the connection ended without a close code")
        assert gaps(tmp_path) == [cut, ("main", False, False, "forwarder was stopped")]
        async with forwarder(config) as daemon:
            await daemon.wait_for("stream.gap", reason="forwarder was stopped")
            await heard(emulator, receiver)
            await until(lambda: all(ended for _, ended, _, _ in gaps(tmp_path)), limit_s=90, what="the end on disk")
            daemon.send(signal.SIGKILL)
            await daemon.ended()
        async with forwarder(config) as daemon:
            await daemon.wait_for("stream.gap", reason="forwarder was not running")
            await stopped(daemon)
        reasons = [reason for _, _, _, reason in gaps(tmp_path)]
        assert reasons[1:] == ["forwarder was stopped", "forwarder was not running", "forwarder was stopped"]


async def test_one_of_two_streams_away_loses_nothing_and_is_a_gap_that_the_other_covers(tmp_path: Path) -> None:
    async with Emulator(api_key=KEY) as one, Emulator(api_key=KEY) as two, Receiver() as receiver:
        config = config_in(tmp_path, receiver, f"name: one, url: '{one.ws_url}'", f"name: two, url: '{two.ws_url}'")
        async with forwarder(config) as daemon:
            await daemon.wait_for("stream.connected", stream="two")
            await heard(one, receiver)
            await one.drop()
            await daemon.wait_for("stream.gap", stream="one", is_covered=True)
            await stopped(daemon)
    assert gaps(tmp_path)[0] == ("one", True, True, "the connection ended without a close code")


async def test_reloads_of_stream_settings_under_load_lose_and_duplicate_nothing(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        emulator = await stack.enter_async_context(Emulator(api_key=KEY))
        receiver = await stack.enter_async_context(Receiver())
        url = f"name: main, url: '{emulator.ws_url}'"
        config = config_in(tmp_path, receiver, url)
        daemon = await stack.enter_async_context(forwarder(config))
        await daemon.wait_for("daemon.ready")
        async with Load(emulator, rate=300).flowing():
            for number in range(1, 6):
                config_in(tmp_path, receiver, f"{url}, max_frame: {number}MiB, max_connection_age: {number}h")
                await daemon.wait_for("reload.done", count=number)
                await daemon.wait_for("stream.connected", count=number + 1)
                await emulator.wait_until(lambda emulator: len(emulator.connections) == 1)
        sent = {each.frame for each in emulator.sent}
        assert len(emulator.handshakes) == 6
        assert emulator.stats.skipped == 0
        await receiver.wait_until(lambda receiver: len(bodies(receiver)) >= len(sent))
        assert sorted(bodies(receiver)) == sorted(sent)
        assert (await status(config))["since_start"]["doubles"] > 0
        await assert_balanced(config)
        await stopped(daemon)
    assert [reason for _, _, _, reason in gaps(tmp_path)] == ["forwarder was stopped"]


async def test_a_stream_with_a_new_key_that_is_refused_goes_on_with_the_old_one(tmp_path: Path) -> None:
    async with Emulator(api_key=KEY) as emulator, Receiver() as receiver:
        config = config_in(tmp_path, receiver, f"name: main, url: '{emulator.ws_url}'")
        async with forwarder(config) as daemon:
            await daemon.wait_for("daemon.ready")
            good = config.read_text()
            config.write_text(good.replace(f"api_key: {KEY}", "api_key: mistaken"))
            await daemon.wait_for("stream.unavailable", kind="key_refused")
            frame = next(iter(await Load(emulator, rate=1).send(1)))
            await receiver.wait_until(lambda receiver: bodies(receiver) == [frame])
            config.write_text(good)
            await daemon.wait_for("reload.done", count=2)
            await emulator.wait_connected(2)
            await emulator.wait_until(lambda emulator: len(emulator.connections) == 1)
            await stopped(daemon)


async def test_a_stopped_process_that_goes_on_connects_again_at_once(tmp_path: Path) -> None:
    async with Emulator(api_key=KEY) as emulator, Receiver() as receiver:
        config = config_in(tmp_path, receiver, f"name: main, url: '{emulator.ws_url}'")
        async with forwarder(config) as daemon:
            await daemon.wait_for("daemon.ready")
            daemon.send(signal.SIGSTOP)
            await asyncio.sleep(12)  # time has to pass: that is what is reported
            daemon.send(signal.SIGCONT)
            await daemon.wait_for("stream.renewing")
            await emulator.wait_until(lambda emulator: len(emulator.handshakes) == 2)
            await emulator.wait_until(lambda emulator: len(emulator.connections) == 1)
            await stopped(daemon)
    assert [reason for _, _, _, reason in gaps(tmp_path)] == ["forwarder was stopped"]  # the connection had lived on


async def test_an_event_stream_delivers_byte_for_byte_and_over_the_end_of_its_token(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        emulator = await stack.enter_async_context(Emulator(EmulatorSettings(token_ttl_s=2), api_key=KEY))
        receiver = await stack.enter_async_context(Receiver())
        config = config_in(tmp_path, receiver, f"transport: sse, url: '{emulator.url}/stream'")
        daemon = await stack.enter_async_context(forwarder(config))
        await daemon.wait_for("daemon.ready")
        async with Load(emulator, rate=100).flowing():
            await daemon.wait_for("stream.renewing")
            await emulator.wait_until(lambda emulator: len(emulator.handshakes) == 2)
            await emulator.wait_until(lambda emulator: len(emulator.connections) == 1)
        sent = {each.frame for each in emulator.sent}
        assert (emulator.stats.skipped, emulator.stats.tokens) == (0, 2)
        await receiver.wait_until(lambda receiver: len(bodies(receiver)) >= len(sent))
        assert sorted(bodies(receiver)) == sorted(sent)
        await assert_balanced(config)
        await stopped(daemon)
        tokens = [shake.query["token"] for shake in emulator.handshakes]
        said = json.dumps(daemon.lines)
        assert not any(token in said for token in tokens)
    assert [reason for _, _, _, reason in gaps(tmp_path)] == ["forwarder was stopped"]


async def test_a_stream_that_brings_nothing_is_renewed_and_a_receiver_is_notified_and_again_when_it_is_heard(
    tmp_path: Path,
) -> None:
    async with Emulator(api_key=KEY) as emulator, Receiver() as receiver, Receiver() as ops:
        stream = f"name: main, url: '{emulator.ws_url}', expect_event_within: 10s, on_failure: {{to: ops, after: 1s}}"
        config = config_in(tmp_path, receiver, stream)
        config.write_text(
            config.read_text().replace("destinations:\n", f"destinations:\n  ops: {{url: '{ops.url}'}}\n")
        )
        async with forwarder(config) as daemon:
            await daemon.wait_for("stream.silent", stream="main")
            await emulator.wait_until(lambda emulator: len(emulator.handshakes) == 2)
            await until_kinds(ops, "silent")
            await heard(emulator, receiver)
            await until_kinds(ops, "silent", "heard_again")
            emulator.refuse(401)
            await emulator.drop()
            await until_kinds(ops, "silent", "heard_again", "stream_away")
            assert "the API key was refused (HTTP 401)" in notices(ops)[-1]["text"]
            emulator.clear()
            await ok(config, "reconnect")
            await until_kinds(ops, "silent", "heard_again", "stream_away", "stream_back")
            await stopped(daemon)


async def test_status_shows_who_is_first_who_misses_what_and_when_no_stream_is_open(tmp_path: Path) -> None:
    async with Emulator(api_key=KEY) as one, Emulator(api_key=KEY) as two, Receiver() as receiver:
        config = config_in(tmp_path, receiver, f"name: one, url: '{one.ws_url}'", f"name: two, url: '{two.ws_url}'")
        async with forwarder(config) as daemon:
            await daemon.wait_for("stream.connected", stream="one")
            await daemon.wait_for("stream.connected", stream="two")
            frames = [frame.encode() for frame in numbered(10)]
            for frame in frames:
                await one.send(frame)
            await receiver.wait_until(lambda receiver: len(bodies(receiver)) == 10)
            for frame in frames[:6]:
                await two.send(frame)
            while (now := await status(config))["streams"]["two"]["events"] < 6:  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.05)
            assert (now["streams"]["one"]["wins"], now["streams"]["one"]["share"]) == (10, 1.0)
            assert (now["streams"]["two"]["wins"], now["streams"]["two"]["copies"]) == (0, 6)
            two.refuse(503)
            await two.drop()
            await daemon.wait_for("stream.unavailable", stream="two")
            said = await status_text(config)
            assert "streams: two away, but others are open, so no event need be missed" in said
            assert "100.0 %" in said
            one.refuse(401)
            await one.drop()
            await daemon.wait_for("stream.unavailable", stream="one", kind="key_refused")
            said = await status_text(config)
            assert "NO STREAM IS OPEN since" in said
            assert "the API key was refused (HTTP 401)" in said
            await stopped(daemon)
        assert sorted(request.body for request in receiver.requests) == sorted(frames)  # 16 at a time, in no order


async def test_a_server_that_ends_each_connection_at_its_time_limit_costs_no_event(tmp_path: Path) -> None:
    events = [event.encode() for event in numbered(6)]
    left = list(events)

    async def behave(peer: Peer) -> None:
        await peer.open()
        if left:
            await peer.say(frame(left.pop(0)) + close(1001, b"connection time limit reached"))
        await peer.until_gone()

    async with peers(behave) as url, Receiver() as receiver:
        async with forwarder(config_in(tmp_path, receiver, f"name: main, url: '{url}'")) as daemon:
            await receiver.wait_until(lambda receiver: sorted(bodies(receiver)) == sorted(events))
            await daemon.wait_for("stream.connected", count=7)
            await stopped(daemon)


async def test_a_stream_that_another_connection_replaced_is_an_error_in_status_and_waits_for_a_known_time(
    tmp_path: Path,
) -> None:
    async with Emulator(api_key=KEY) as emulator, Receiver() as receiver:
        config = config_in(tmp_path, receiver, f"name: main, url: '{emulator.ws_url}'")
        async with forwarder(config) as daemon:
            await heard(emulator, receiver)
            await emulator.drop("close", 4409)
            await daemon.wait_for("stream.unavailable", kind="replaced", level="error")
            code, said, _ = await command("status", "-c", str(config))
            assert code == 1
            assert "REPLACED for" in said
            assert "forwarder reconnect main tries it now" in said
            code, said, _ = await command("status", "--json", "-c", str(config))
            assert code == 1
            main = json.loads(said)["streams"]["main"]
            assert (main["condition"], main["fault"]) == ("waiting", "replaced")
            assert main["next_try_at"] is not None
            await ok(config, "reconnect", "main")
            await emulator.wait_connected()
            await daemon.wait_for("stream.connected", count=2)
            assert (await status(config))["streams"]["main"]["fault"] is None
            await stopped(daemon)


async def test_a_text_frame_that_is_not_utf_8_is_counted_and_costs_neither_the_connection_nor_the_next_event(
    tmp_path: Path,
) -> None:
    (before, after), connections = [event.encode() for event in numbered(2)], 0
    broken = before.replace(b"text 1", b"text \xff").replace(b'"mid":"1"', b'"mid":"3"')
    snowman = "☃".encode()
    in_two = after.replace(b"text 2", b"text " + snowman)
    cut = in_two.index(snowman) + 1  # in the middle of a character, which is no fault

    async def behave(peer: Peer) -> None:
        nonlocal connections
        connections += 1
        await peer.open()
        await peer.say(frame(before) + frame(broken) + frame(b"\xff\xfe") + frame(b"\xed\xa0\x80"))
        await peer.say(frame(broken[:50], is_last=False) + frame(broken[50:], Opcode.CONTINUATION))
        await peer.say(frame(in_two[:cut], is_last=False) + frame(in_two[cut:], Opcode.CONTINUATION))
        await peer.until_gone()

    async with peers(behave) as url, Receiver() as receiver:
        config = config_in(tmp_path, receiver, f"name: main, url: '{url}'")
        async with forwarder(config) as daemon:
            await receiver.wait_until(lambda receiver: sorted(bodies(receiver)) == sorted([before, in_two]))
            line = await daemon.wait_for("stream.odd_frame", kind="invalid_json")
            assert line["detail"] == "not valid UTF-8"
            assert (await status(config))["since_start"]["odd_frames"] == {"invalid_json": 4}
            await stopped(daemon)
    assert connections == 1
