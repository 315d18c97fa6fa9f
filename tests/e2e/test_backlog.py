"""A backlog through the real daemon: the destination of `on_failure` gets a message, and one when it is over."""

import json
from pathlib import Path

from forwarder.emulator.receiver import Receiver
from forwarder.emulator.server import Emulator
from tests.support.paths import EVENTS
from tests.support.process import KEY, forwarder


async def test_a_backlog_is_reported_and_its_end(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    async with Emulator(api_key=KEY) as emulator, Receiver(status=503) as bot, Receiver() as alerts:
        config.write_text(
            f"""
streams: [{{url: {emulator.ws_url}, api_key: {KEY}}}]
outbox: {{url: "sqlite:outbox.db"}}
destinations:
  bot: {{url: {bot.url}, on_failure: {{to: alerts, after: 1h, backlog: {{count: 1}}}}, retry: {{delays: [1s, 1s, 1s, 1s, 10m, 10m]}}}}
  alerts: {{url: {alerts.url}}}
routes: [{{to: bot}}]
""",
            encoding="utf-8",
        )
        async with forwarder(config):
            await emulator.wait_connected()
            for name in ("x-plain", "x-quote", "telegram-text"):
                await emulator.send((EVENTS / f"{name}.json").read_bytes())
            await alerts.wait_for(1)
            bot.status = 200
            await bot.wait_for(3)
            await alerts.wait_for(2)
    kinds = [json.loads(each.body)["payload"]["kind"] for each in alerts.requests]
    assert kinds == ["backlog", "backlog_over"]
    assert json.loads(alerts.requests[0].body)["payload"]["text"].startswith("More than 1 event waits for bot. ")
