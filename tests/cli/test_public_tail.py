"""`forwarder tail --public`, as a process, against the emulator."""

import asyncio
import json
import signal
import sys
from itertools import islice

from forwarder.emulator.server import Emulator
from tests.support.process import command
from tests.support.streams import numbered


async def test_it_shows_each_public_event_and_comes_back_after_a_cut() -> None:
    async with Emulator() as emulator:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "forwarder", "tail", "--public", "--json", "--url", f"{emulator.url}/stream"),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        assert process.stdout is not None
        async with asyncio.timeout(90):
            await emulator.wait_connected()
            frames = numbered(5, source="fast-x")
            for frame in islice(frames, 2):
                await emulator.send(frame)
            await emulator.send(next(numbered(1)))  # an x event is not shown there
            first = [json.loads(await process.stdout.readline()) for _ in range(2)]
            await emulator.drop("close")
            await emulator.wait_until(lambda emulator: len(emulator.handshakes) == 2, 20)
            await emulator.wait_connected()
            await emulator.send(next(frames))
            third = json.loads(await process.stdout.readline())
            process.send_signal(signal.SIGINT)
            _, err = await process.communicate()
    assert process.returncode == 0
    assert [each["source"] for each in (*first, third)] == ["fast-x"] * 3
    assert all(each["payload"].startswith('{"id":') for each in first)
    assert b"the server ended the stream" in err
    assert "x-api-key" not in emulator.handshakes[0].headers


async def test_options_that_do_not_go_together_say_so() -> None:
    code, _, err = await command("tail", "--url", "http://127.0.0.1:9/stream")
    assert code == 2
    assert "argument --url: --url goes with --public" in err
    code, _, err = await command("tail", "--public", "--failed")
    assert code == 2
    assert "argument --failed: --public shows the stream itself, without a daemon" in err
    code, _, err = await command("tail", "--public", "--url", "wss://scrape.st/ws")
    assert code == 2
    assert "argument --url: expected https://" in err
