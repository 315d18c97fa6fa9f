"""The local scrape.st keeps to what is known of the real one."""

import asyncio
import json
import re
import socket
from urllib.parse import urlsplit

import aiohttp
import pytest

from forwarder.core.event import decode_event
from forwarder.emulator.receiver import Receiver
from forwarder.emulator.script import nth_pass, packaged_events, play, replay
from forwarder.emulator.server import Emulator

FAST, FULL, TELEGRAM = (
    next(frame for frame in packaged_events() if decode_event(frame).source == source)
    for source in ("fast-x", "x", "telegram")
)


async def test_a_missing_key_and_a_wrong_key_are_401() -> None:
    async with Emulator() as emulator, aiohttp.ClientSession() as session:
        async with session.get(f"{emulator.url}/ws") as response:
            assert (response.status, await response.text()) == (401, "")
        async with session.get(f"{emulator.url}/ws", headers={"x-api-key": "no"}) as response:
            assert (response.status, await response.json()) == (401, {"status": "error", "error": "Invalid API key"})
        assert emulator.stats.refused == 2


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", [FULL, TELEGRAM]),
        ("?useFastX=true", [FAST, FULL, TELEGRAM]),
        ("?useFastX=True", [FULL, TELEGRAM]),
        ("?useFastX=true&ignoreFullPayload=true", [FAST, TELEGRAM]),
        ("?ignoreFullPayload=1", [FULL, TELEGRAM]),
    ],
)
async def test_only_the_text_true_turns_an_option_on(query: str, expected: list[bytes]) -> None:
    async with Emulator() as emulator, aiohttp.ClientSession() as session:
        async with session.ws_connect(emulator.ws_url + query, headers={"x-api-key": "test-key"}) as socket:
            await emulator.wait_connected()
            for frame in (FAST, FULL, TELEGRAM):
                await emulator.send(frame)
            await emulator.send("end")
            seen = []
            while (text := await socket.receive_str()) != "end":
                seen.append(text.encode())
    assert seen == expected


async def test_the_text_ping_is_answered_with_a_pong_frame() -> None:
    async with Emulator() as emulator, aiohttp.ClientSession() as session:
        async with session.ws_connect(emulator.ws_url, headers={"x-api-key": "test-key"}, autoping=False) as socket:
            await socket.send_str("ping")
            assert (await socket.receive()).type is aiohttp.WSMsgType.PONG


async def test_a_token_opens_the_private_stream_and_without_it_the_public_one_is_cut() -> None:
    async with Emulator() as emulator, aiohttp.ClientSession() as session:
        headers = {"x-api-key": "test-key"}
        async with session.post(f"{emulator.url}/stream/token") as response:
            assert response.status == 401
        tokens = []
        for _ in range(2):
            async with session.post(f"{emulator.url}/stream/token", headers=headers) as response:
                answer = await response.json()
                tokens.append(answer["token"])
                assert 0 < answer["expiresIn"] <= 86400
        assert tokens[0] == tokens[1]
        assert re.fullmatch("[0-9a-f]{64}", tokens[0])
        async with session.get(f"{emulator.url}/stream?token=dead") as response:
            assert response.status == 401
            assert "Invalid or expired stream token" in await response.text()
        private = session.get(f"{emulator.url}/stream?token={tokens[0]}")
        public = session.get(f"{emulator.url}/stream?useFastX=true")
        async with private as full, public as cut:
            assert full.headers["Content-Type"].startswith("text/event-stream")
            await emulator.wait_connected(2)
            await emulator.send(TELEGRAM)
            assert await full.content.readuntil(b"\n\n") == b"data: " + TELEGRAM + b"\n\n"
            line = json.loads((await cut.content.readuntil(b"\n\n")).removeprefix(b"data: "))
        assert set(line) == {"source", "timestamp", "payload"}
        assert len(line["payload"]) == 103


async def test_faults_and_frames_can_be_asked_for_over_http() -> None:
    async with Emulator() as emulator, aiohttp.ClientSession() as session:

        async def fault(**asked: object) -> int:
            async with session.post(f"{emulator.url}/emulator/fault", json=asked) as response:
                return response.status

        async with session.ws_connect(emulator.ws_url, headers={"x-api-key": "test-key"}) as socket:
            async with session.post(f"{emulator.url}/emulator/send", data=TELEGRAM) as response:
                assert response.status == 200
            assert (await socket.receive_str()).encode() == TELEGRAM
            assert await fault(fault="drop") == 200
            assert (await socket.receive()).type in {aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR}
        assert await fault(fault="refuse", status=429, handshakes=1) == 200
        async with session.get(f"{emulator.url}/ws", headers={"x-api-key": "test-key"}) as response:
            assert response.status == 429
            assert (await response.json())["retry_after"] == 60
        assert await fault(fault="nonsense") == 400
        async with session.get(f"{emulator.url}/emulator/stats") as response:
            assert (await response.json())["sent"] == 1


def test_the_first_pass_is_the_file_and_later_ones_are_new_events_with_the_same_doubles() -> None:
    frames = packaged_events()
    assert list(nth_pass(frames, 0)) == frames
    ids = [{decode_event(frame).id for frame in nth_pass(frames, number)} for number in range(5)]
    assert [len(found) for found in ids] == [204] * 5
    assert len(set.union(*ids)) == 5 * 204


def test_a_pair_of_one_post_keeps_one_mid_on_every_pass() -> None:
    def mids(frames: list[bytes], source: str) -> set[str]:
        return {event.mid for event in map(decode_event, frames) if event.source == source}

    later = list(nth_pass(packaged_events(), 3))
    assert mids(later, "fast-x") == mids(later, "x")


async def test_a_replay_is_due_at_its_rate_and_a_burst_at_once() -> None:
    assert [due for due, _ in replay(rate=4, count=3)] == [0, 0.25, 0.5]
    assert {due for due, _ in replay(count=500)} == {0.0}
    seen: list[bytes] = []

    async def take(frame: bytes) -> None:
        seen.append(frame)

    assert await play(replay(count=300), take) == 300
    assert seen[:208] == packaged_events()


async def test_a_receiver_that_is_down_refuses_connections_and_keeps_its_port() -> None:
    async with Receiver() as receiver, aiohttp.ClientSession() as session:
        address = ("127.0.0.1", urlsplit(receiver.url).port)
        await receiver.stop_listening()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(*address)
        with socket.socket() as other, pytest.raises(OSError, match="in use"):
            other.bind(address)
        await receiver.start_listening()
        async with session.post(receiver.url) as response:
            assert response.status == 200
