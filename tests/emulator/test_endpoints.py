"""What clients of the emulator see is what the real service was observed to do."""

import json
import re

import aiohttp
import pytest

from forwarder.emulator.server import Emulator
from tests.support.packaged import first_of

FAST, FULL, TELEGRAM = map(first_of, ("fast-x", "x", "telegram"))


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


async def test_the_public_stream_repeats_its_last_five_events_on_each_connection() -> None:
    async with Emulator() as emulator, aiohttp.ClientSession() as session:
        for number in range(7):
            await emulator.send(TELEGRAM.replace(b'"timestamp":', b'"timestamp":%d' % (number + 1), 1))
        for _ in range(2):
            async with session.get(f"{emulator.url}/stream") as cut:
                lines = [json.loads((await cut.content.readuntil(b"\n\n")).removeprefix(b"data: ")) for _ in range(5)]
            assert [int(str(line["timestamp"])[0]) for line in lines] == [3, 4, 5, 6, 7]


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
