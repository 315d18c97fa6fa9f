"""Health checks and metrics of a real daemon over HTTP."""

from pathlib import Path

import aiohttp
from prometheus_client.parser import text_string_to_metric_families
from yarl import URL

from forwarder.emulator.receiver import Receiver
from forwarder.emulator.server import Emulator
from tests.support.delivery import configure, ok, status, stopped
from tests.support.lanes import event
from tests.support.ports import free_port
from tests.support.process import KEY, command, forwarder


async def fetched(url: str) -> tuple[int, str]:
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        return answer.status, await answer.text()


async def test_health_readiness_and_metrics_follow_the_daemon(tmp_path: Path) -> None:
    async with Emulator(api_key=KEY) as emulator, Receiver() as bot:
        port = free_port()
        config = configure(tmp_path, emulator, {"bot": (bot, "")}, extra=f"admin: {{listen: '127.0.0.1:{port}'}}\n")
        url = f"http://127.0.0.1:{port}"
        async with forwarder(config) as daemon:
            await daemon.wait_for("admin.listening", address=f"127.0.0.1:{port}")
            await emulator.wait_connected()
            await emulator.send(event(1).body)
            await bot.wait_for(1)
            assert await fetched(f"{url}/healthz") == (200, "OK\n")
            assert await fetched(f"{url}/readyz") == (200, "OK\n")
            code, text = await fetched(f"{url}/metrics")
            assert code == 200
            metrics = {
                (sample.name, *sample.labels.values()): sample.value
                for family in text_string_to_metric_families(text)
                for sample in family.samples
            }
            assert metrics["forwarder_events_seen_total",] == 1
            assert metrics["forwarder_destination_waiting", "bot"] in {0, 1}
            assert KEY not in text
            assert str(bot.url) not in text

            await emulator.drop("close", 4409)
            await daemon.wait_for("stream.unavailable", kind="replaced")
            code, text = await fetched(f"{url}/readyz")
            assert (code, text.startswith("DEGRADED: no stream has been open for ")) == (503, True)
            assert (await fetched(f"{url}/healthz"))[0] == 200
            await ok(config, "check")
            await stopped(daemon)


async def test_a_daemon_that_is_stopping_is_not_well(tmp_path: Path) -> None:
    async with Emulator(api_key=KEY) as emulator, Receiver(delay_s=3600) as bot:
        port = free_port()
        config = configure(tmp_path, emulator, {"bot": (bot, "")}, extra=f"admin: {{listen: '127.0.0.1:{port}'}}\n")
        async with forwarder(config) as daemon:
            await daemon.wait_for("admin.listening")
            await emulator.wait_connected()
            await emulator.send(event(1).body)
            await bot.wait_until(lambda receiver: len(receiver.requests) == 1)
            daemon.process.terminate()
            await daemon.wait_for("daemon.stopping")
            code, out, _ = await command("status", "-c", str(config))
            assert (code, out.splitlines()[0]) == (1, "DEGRADED: forwarder is stopping: nothing is read any more")
            metrics = (await fetched(f"http://127.0.0.1:{port}/metrics"))[1]
            assert 'forwarder_health{level="OK"} 0.0' in metrics
            assert 'forwarder_health{level="DEGRADED"} 1.0' in metrics
            daemon.process.terminate()  # a second time: at once
            assert await daemon.ended() == 0


async def test_a_change_of_the_address_is_active_after_a_restart_or_an_upgrade(tmp_path: Path) -> None:
    async with Emulator(api_key=KEY) as emulator, Receiver() as bot:
        first, second = free_port(), free_port()
        config = configure(tmp_path, emulator, {"bot": (bot, "")}, extra=f"admin: {{listen: '127.0.0.1:{first}'}}\n")
        async with forwarder(config) as daemon:
            await daemon.wait_for("admin.listening")
            await emulator.wait_connected()
            text = config.read_text(encoding="utf-8")
            config.write_text(text.replace(str(first), str(second)), encoding="utf-8")
            await daemon.wait_for("reload.done")
            assert (await status(config))["config"]["needs_restart"] == ["admin.listen"]
            assert (await fetched(f"http://127.0.0.1:{first}/healthz"))[0] == 200
            await stopped(daemon)
        async with forwarder(config) as daemon:
            await daemon.wait_for("admin.listening", address=f"127.0.0.1:{second}")
            await stopped(daemon)


async def test_a_port_in_use_holds_up_nothing(tmp_path: Path) -> None:
    async with Emulator(api_key=KEY) as emulator, Receiver() as bot:
        used = f"127.0.0.1:{URL(bot.url).port}"
        config = configure(tmp_path, emulator, {"bot": (bot, "")}, extra=f"admin: {{listen: '{used}'}}\n")
        async with forwarder(config) as daemon:
            await emulator.wait_connected()
            await emulator.send(event(1).body)
            await bot.wait_for(1)
            line = await daemon.wait_for("admin.not_listening", level="error")
            assert "in use" in str(line["reason"])
            await stopped(daemon)


async def test_an_address_that_others_can_reach_is_refused(tmp_path: Path) -> None:
    async with Emulator(api_key=KEY) as emulator, Receiver() as bot:
        config = configure(tmp_path, emulator, {"bot": (bot, "")}, extra="admin: {listen: '0.0.0.0:8787'}\n")
        code, out, err = await command("check", "-c", str(config))
    assert code == 1
    assert (
        "0.0.0.0 is not an address of the loopback interface, so other machines reach it, and a token is missing"
        in out + err
    )
