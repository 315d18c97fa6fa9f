"""What waits for a destination goes out by the priority of its routes, also after a crash."""

import json
import signal
from pathlib import Path

import pytest

from forwarder.emulator.receiver import Receiver
from forwarder.emulator.server import Emulator
from tests.support.delivery import assert_balanced, bodies, ok, until_counted
from tests.support.process import KEY, forwarder


def configure(folder: Path, emulator: Emulator, bot: Receiver, settings: str = "") -> Path:
    path = folder / "config.yaml"
    path.write_text(
        f"streams: [{{url: '{emulator.ws_url}', api_key: {KEY}}}]\n"
        f"outbox: {{url: 'sqlite:outbox.db'}}\ndestinations: {{bot: {{url: '{bot.url}', concurrency: 1{settings}}}}}\n"
        "routes:\n  - {name: everything, to: bot}\n  - {name: urgent, to: bot, match: {text: {word: urgent}}, priority: high}\n",
        encoding="utf-8",
    )
    return path


def frame(mid: int, text: str, sid: str = "7") -> str:
    payload = {"text": text, "author": {"id": sid, "name": "a", "screen_name": "a"}}
    return json.dumps({"mid": str(mid), "sid": sid, "source": "x", "timestamp": 1, "payload": payload})


def mids(receiver: Receiver) -> list[int]:
    return [int(json.loads(body)["mid"]) for body in bodies(receiver)]


@pytest.mark.parametrize("settings", ["", ", order: sid"])
async def test_after_a_pause_and_a_kill_what_is_urgent_goes_first_and_every_21st_is_normal(
    tmp_path: Path, settings: str
) -> None:
    async with Emulator(api_key=KEY) as emulator, Receiver() as bot:
        config = configure(tmp_path, emulator, bot, settings)
        async with forwarder(config) as daemon:
            await emulator.wait_connected()
            await ok(config, "pause", "bot")
            for mid in range(30):
                await emulator.send(frame(mid, "as usual", sid=f"u{mid}"))
            for mid in range(30, 60):
                await emulator.send(frame(mid, "urgent", sid=f"u{mid}"))
            await until_counted(config, 60)
            daemon.send(signal.SIGKILL)
            await daemon.ended()
        listed = json.loads((await ok(config, "deliveries", "--json", "--status", "pending")).splitlines()[0])
        assert listed["priority"] in {"high", "normal"}
        async with forwarder(config):
            await emulator.wait_connected()
            await ok(config, "resume", "bot")
            await bot.wait_for(60, timeout=90)
            order = mids(bot)
            urgent = [mid for mid in order if mid >= 30]
            places = [order.index(mid) for mid in urgent]
            assert places == [*range(20), *range(21, 31)]
            assert sorted(order) == list(range(60))
            await assert_balanced(config)


async def test_an_edit_gives_a_route_its_priority_without_a_restart(tmp_path: Path) -> None:
    async with Emulator(api_key=KEY) as emulator, Receiver() as bot:
        config = configure(tmp_path, emulator, bot)
        text = config.read_text(encoding="utf-8")
        config.write_text(text.replace(", priority: high", ""), encoding="utf-8")
        async with forwarder(config) as daemon:
            await emulator.wait_connected()
            config.write_text(text, encoding="utf-8")
            daemon.send(signal.SIGHUP)
            await daemon.wait_for("reload.done")
            await ok(config, "pause", "bot")
            for mid in range(6):
                await emulator.send(frame(mid, "urgent" if mid > 3 else "as usual"))
            await until_counted(config, 6)
            await ok(config, "resume", "bot")
            await bot.wait_for(6, timeout=90)
            assert mids(bot) == [4, 5, 0, 1, 2, 3]
