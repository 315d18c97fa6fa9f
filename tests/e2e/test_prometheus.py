"""Debian's Prometheus scrapes a running daemon, and answers what the dashboard of the docs asks."""

import json
from pathlib import Path
from time import time

import pytest

from forwarder.emulator.receiver import Receiver
from forwarder.emulator.server import Emulator
from tests.support.delivery import configure, stopped
from tests.support.grafana import ALERTS, dashboard, filled_in, queries, rules
from tests.support.ports import free_port
from tests.support.process import KEY, command, forwarder
from tests.support.prometheus import prometheus, promtool, why_no_prometheus

QUIET = {"Restarts", "Age of the oldest that waits", "Ends of connections by reason"}
"""Panels that have nothing to show of a daemon that is well."""


def post(number: int) -> bytes:
    """Return an event of this moment: the source lag counts no old ones."""
    frame = {"mid": str(number), "sid": "7", "source": "x", "timestamp": time() * 1000, "payload": {"text": "t"}}
    return json.dumps(frame).encode()


@pytest.mark.skipif(why_no_prometheus() is not None, reason=why_no_prometheus() or "has Prometheus")
async def test_prometheus_scrapes_a_daemon_and_answers_every_query_of_the_dashboard(tmp_path: Path) -> None:
    async with Emulator(api_key=KEY) as emulator, Receiver() as bot, Receiver(status=400) as refuses:
        address = f"127.0.0.1:{free_port()}"
        destinations = {"bot": (bot, "canary: {every: 1h}"), "refuses": (refuses, ""), "off": (bot, "enabled: false")}
        config = configure(
            tmp_path, emulator, destinations, to=tuple(destinations), extra=f"admin: {{listen: '{address}'}}\n"
        )
        async with forwarder(config) as daemon:
            await daemon.wait_for("admin.listening")
            await emulator.wait_connected()
            async with prometheus(tmp_path, target=address, rules=ALERTS) as server:
                await server.until("forwarder_up == 1")
                for number in range(20):
                    await emulator.send(post(number))
                await bot.wait_for(21)  # with the canary
                delivered = 'forwarder_destination_deliveries_total{destination="bot", result="delivered"} == 21'
                (series,) = await server.until(delivered)
                assert series["metric"]["job"] == "forwarder"
                await server.until("rate(forwarder_delivery_latency_seconds_count[1m]) > 0")
                await server.until('increase(forwarder_destination_deliveries_total{result="dead"}[1m]) > 0')
                for number in range(20, 40):  # what had no series before has a rate now
                    await emulator.send(post(number))
                for title, expression in queries(dashboard()):
                    if title in QUIET:
                        await server.query(filled_in(expression))
                    else:
                        await server.until(filled_in(expression))
                groups = (await server.ask("rules"))["groups"]
                assert {rule["name"] for rule in groups[0]["rules"]} == {rule["alert"] for rule in rules()}
                await server.until('ALERTS{alertname="ForwarderDeadLetters", destination="refuses"}')
                (target,) = (await server.ask("targets"))["activeTargets"]
                assert (target["health"], target["lastError"]) == ("up", "")
            code, text, _ = await command("status", "--prometheus", "-c", str(config))
            assert code == 0
            assert promtool("check", "metrics", stdin=text.encode()) == (0, "")
            await stopped(daemon)
