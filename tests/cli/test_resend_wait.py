"""Waiting for what is sent again: it says why nothing arrives, and ends with the outcomes."""

import asyncio
import json
import sys
from asyncio.subprocess import PIPE
from pathlib import Path

from forwarder.cli import exit_codes
from forwarder.emulator.receiver import Receiver
from forwarder.emulator.server import Emulator
from tests.support.crash import until
from tests.support.delivery import configure
from tests.support.process import KEY, command, forwarder, look

FRAME = json.dumps({"source": "x", "mid": "1", "sid": "7", "timestamp": 1767225600000, "payload": {"text": "gm"}})


async def test_it_says_why_it_waits_and_ends_when_it_is_delivered(tmp_path: Path) -> None:
    async with Emulator(api_key=KEY) as emulator, Receiver() as bot:
        config = configure(tmp_path, emulator, {"bot": (bot, "retry: {delays: [1h]}")})
        async with forwarder(config):
            await emulator.wait_connected()
            await emulator.send(FRAME)
            done = "SELECT count(*) FROM deliveries WHERE status = 'delivered'"
            await until(lambda: look(tmp_path / "outbox.db", done) == [(1,)], limit_s=90, what="it is delivered")
            assert (await command("pause", "bot", "-c", str(config)))[0] == exit_codes.OK
            bot.status = 404
            words = ("resend", "1", "--wait", "--json", "-c", str(config))
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "forwarder", *words, stdout=PIPE, stderr=PIPE
            )
            assert process.stderr is not None
            async with asyncio.timeout(90):
                assert b"waiting for bot: PAUSED by hand" in await process.stderr.readline()
                assert (await command("resume", "bot", "-c", str(config)))[0] == exit_codes.OK
                while b"bot: HTTP 404; waiting, due " not in (line := await process.stderr.readline()):
                    assert line, "it has ended"
                bot.status = 200
                out, _ = await process.communicate()
    assert process.returncode == exit_codes.OK
    assert json.loads(out)["status"] == "delivered"
