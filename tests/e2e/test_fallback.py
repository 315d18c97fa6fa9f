"""`fallback` through the real daemon: what waits too long reaches another destination, once, also over a restart."""

import json
from pathlib import Path

from forwarder.cli import exit_codes
from forwarder.emulator.receiver import Receiver
from forwarder.emulator.server import Emulator
from tests.support.paths import EVENTS
from tests.support.process import KEY, command, forwarder

NAMES = ("x-plain", "x-quote")
DELAYS = ", ".join(["1s"] * 50)


def write(folder: Path, stream: str, bot: str, spare: str) -> Path:
    path = folder / "config.yaml"
    path.write_text(
        f"""
streams: [{{url: {stream}, api_key: {KEY}}}]
outbox: {{url: "sqlite:outbox.db"}}
destinations:
  bot: {{url: {bot}, fallback: {{to: spare, after: 2s}}, retry: {{delays: [{DELAYS}]}}}}
  spare: {{url: {spare}}}
routes: [{{to: bot}}]
""",
        encoding="utf-8",
    )
    return path


async def test_what_waits_too_long_reaches_the_fallback_once_and_the_destination_when_it_is_back(
    tmp_path: Path,
) -> None:
    async with Emulator(api_key=KEY) as emulator, Receiver(status=503) as bot, Receiver(status=503) as spare:
        config = write(tmp_path, emulator.ws_url, bot.url, spare.url)
        async with forwarder(config) as daemon:
            await emulator.wait_connected()
            await emulator.send((EVENTS / f"{NAMES[0]}.json").read_bytes())
            fell = await daemon.wait_for("deliveries.fell_back")
            assert (fell["destination"], fell["to"], fell["events"]) == ("bot", "spare", 1)
            await daemon.wait_for("delivery.retry_scheduled", destination="spare")
        # After a kill the fallback goes on, and nothing is added a second time.
        spare.status = 200
        async with forwarder(config) as daemon:
            await emulator.wait_connected()
            await emulator.send((EVENTS / f"{NAMES[1]}.json").read_bytes())
            await daemon.wait_for("deliveries.fell_back", events=1)
            await spare.wait_for(2)
            bot.status = 200
            await bot.wait_for(2)
            code, audit, _ = await command("audit", "-c", str(config), "--json")
    assert code == exit_codes.OK, audit
    said = json.loads(audit)
    assert (said["deliveries"]["planned"], said["deliveries"]["fallback"]) == (2, 2)
    accepted = [each for each in spare.requests if each.accepted]
    assert sorted(each.body for each in accepted) == sorted((EVENTS / f"{name}.json").read_bytes() for name in NAMES)
    assert {each.headers["x-forwarder-trigger"] for each in spare.requests} == {"fallback"}
    assert not {each.headers["webhook-id"] for each in spare.requests} & {
        each.headers["webhook-id"] for each in bot.requests
    }
