"""Waiting for what is delivered again: it ends once nothing waits, and says meanwhile for which destination, and why."""

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


def frame(mid: int) -> str:
    event = {"source": "x", "mid": str(mid), "sid": "7", "timestamp": 1767225600000, "payload": {"text": "gm"}}
    return json.dumps(event)


async def test_dead_letters_of_two_destinations_are_waited_for(tmp_path: Path) -> None:
    async with Emulator(api_key=KEY) as emulator, Receiver() as bot, Receiver() as desk:
        config = configure(tmp_path, emulator, {"bot": (bot, ""), "desk": (desk, "")}, to=("bot", "desk"))
        bot.status = desk.status = 400
        async with forwarder(config):
            await emulator.wait_connected()
            for mid in (1, 2):
                await emulator.send(frame(mid))
            dead = "SELECT count(*) FROM deliveries WHERE status = 'dead'"
            await until(lambda: look(tmp_path / "outbox.db", dead) == [(4,)], limit_s=90, what="four are dead")
            bot.status = desk.status = 200
            assert (await command("pause", "desk", "-c", str(config)))[0] == exit_codes.OK
            words = ("dead", "replay", "--all", "--wait", "-c", str(config))
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "forwarder", *words, stdout=PIPE, stderr=PIPE
            )
            assert process.stderr is not None
            async with asyncio.timeout(90):
                while b"2 deliveries wait for desk: PAUSED by hand" not in (line := await process.stderr.readline()):
                    assert line, "it has ended"
                assert (await command("resume", "desk", "-c", str(config)))[0] == exit_codes.OK
                out, _ = await process.communicate()
            assert (process.returncode, out) == (exit_codes.OK, b"4 queued for delivery.\n")
            delivered = "SELECT count(*) FROM deliveries WHERE status = 'delivered'"
            await until(lambda: look(tmp_path / "outbox.db", delivered) == [(4,)], limit_s=90, what="four arrived")


async def test_what_dies_again_is_reported_with_its_reason(tmp_path: Path) -> None:
    async with Emulator(api_key=KEY) as emulator, Receiver() as bot:
        config = configure(tmp_path, emulator, {"bot": (bot, "")})
        bot.status = 400
        async with forwarder(config):
            await emulator.wait_connected()
            for mid in (1, 2):
                await emulator.send(frame(mid))
            dead = "SELECT count(*) FROM deliveries WHERE status = 'dead'"
            await until(lambda: look(tmp_path / "outbox.db", dead) == [(2,)], limit_s=90, what="two are dead")
            for words in (("dead", "replay", "--all"), ("replay", "--to", "bot", "--since", "1h")):
                code, out, _ = await command(*words, "--wait", "-c", str(config))
                assert code == exit_codes.FAILURE
                assert "2 deliveries died again:\n  2 to bot: HTTP 400" in out
            bot.status = 200
            code, out, _ = await command("dead", "replay", "--all", "--wait", "--json", "-c", str(config))
            assert (code, out) == (exit_codes.OK, '{"changed": 2}\n{"died_again": 0}\n')
