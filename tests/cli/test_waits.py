"""`deliveries` and `events` say what a delivery waits for, and not only that it is in flight."""

import asyncio
import json
import re
from pathlib import Path
from typing import Any

from forwarder.emulator.receiver import Answer, Receiver
from forwarder.emulator.server import Emulator
from tests.support.delivery import configure, lane, ok, stopped
from tests.support.lanes import event
from tests.support.process import KEY, forwarder

DOWN = "breaker: {failures_in_a_row: 1}, retry: {delays: [1h, 1h]}, on_failure: {to: other, after: 1h}"


async def listed(config: Path) -> list[dict[str, Any]]:
    lines = (await ok(config, "deliveries", "--json", "--destination", "bot")).splitlines()
    return [json.loads(line) for line in lines][::-1]


async def until_down(config: Path) -> None:
    async with asyncio.timeout(60):
        while (await lane(config))["breaker"] == "closed":  # noqa: ASYNC110 - the daemon is another process
            await asyncio.sleep(0.05)


async def test_what_waits_for_a_destination_that_is_down_says_so_in_lists_details_and_json(tmp_path: Path) -> None:
    async with Emulator(api_key=KEY) as emulator, Receiver(status=503) as bot, Receiver() as other:
        config = configure(tmp_path, emulator, {"bot": (bot, DOWN), "other": (other, "")})
        async with forwarder(config) as daemon:
            await emulator.wait_connected()
            await emulator.send(event(1).body)
            await until_down(config)
            for number in (2, 3):
                await emulator.send(event(number).body)
            async with asyncio.timeout(60):
                while len(await listed(config)) < 3:  # noqa: ASYNC110 - the daemon is another process
                    await asyncio.sleep(0.05)
            for delivery in await listed(config):
                assert delivery["status"] in {"pending", "in_flight"}  # as the outbox has it
                assert delivery["waits_for"].startswith("waits for a probe")
            shown = await ok(config, "deliveries", "--wide")
            assert shown.count("waiting") == 3
            assert "in_flight" not in shown
            assert "waits for a probe" in shown
            details = await ok(config, "deliveries", "show", event(3).id)
            assert "waiting, 0 attempts so far: waits for a probe" in details
            assert "due " not in details
            narrow = (await ok(config, "deliveries")).splitlines()
            assert all(re.search(r"waiting  waits for a probe(, [0-9]+ s)?(;|$)", line) for line in narrow[1:])
            waiting = await ok(config, "deliveries", "--status", "waiting")
            assert len(waiting.splitlines()) == len(narrow) == 4
            assert len((await ok(config, "events")).splitlines()) == 4
            assert "1 waiting" in await ok(config, "events")
            (found,) = json.loads(await ok(config, "events", "show", event(2).id, "--json"))["deliveries"]
            assert found["waits_for"].startswith("waits for a probe")
            await ok(config, "pause", "bot")
            assert {each["waits_for"] for each in await listed(config)} == {"the destination is paused"}
            await stopped(daemon)
        assert {each["waits_for"] for each in await listed(config)} == {"the destination is paused"}  # the file says it
        await ok(config, "resume", "bot")
        assert {each["waits_for"] for each in await listed(config)} == {"no forwarder answers at the control socket"}


async def test_what_waits_for_its_turn_and_what_waits_for_nothing(tmp_path: Path) -> None:
    async with Emulator(api_key=KEY) as emulator, Receiver() as bot:
        bot.respond = lambda _request: Answer(delay_s=600)
        settings = "order: strict, timeout: 60s"
        config = configure(tmp_path, emulator, {"bot": (bot, settings)})
        async with forwarder(config) as daemon:
            await emulator.wait_connected()
            for number in (1, 2):
                await emulator.send(event(number).body)
            await bot.wait_until(lambda it: it.received == 1)
            async with asyncio.timeout(60):
                while len(found := await listed(config)) < 2:  # noqa: ASYNC110 - as above
                    await asyncio.sleep(0.05)
            first, second = found
            assert first["waits_for"] is None  # it is being sent
            assert second["waits_for"].startswith("waits for its turn")
            bot.respond = None
            daemon.process.terminate()
            daemon.process.terminate()
            await daemon.ended()


async def test_what_was_delivered_waits_for_nothing_and_nobody_is_asked(tmp_path: Path) -> None:
    async with Emulator(api_key=KEY) as emulator, Receiver() as bot:
        config = configure(tmp_path, emulator, {"bot": (bot, "")})
        async with forwarder(config) as daemon:
            await emulator.wait_connected()
            await emulator.send(event(1).body)
            await bot.wait_for(1)
            await stopped(daemon)
        (delivery,) = await listed(config)
        assert (delivery["status"], delivery["waits_for"]) == ("delivered", None)
