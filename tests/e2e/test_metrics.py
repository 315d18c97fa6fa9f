"""`forwarder status --prometheus` beside the real daemon, read by the official parser."""

from pathlib import Path
from time import time

import pytest
from prometheus_client.parser import text_string_to_metric_families

from forwarder.cli import exit_codes
from forwarder.emulator.receiver import Receiver
from forwarder.emulator.server import Emulator
from tests.support.crash import until
from tests.support.delivery import configure, ok, status_text, stopped, until_counted
from tests.support.lanes import event
from tests.support.process import KEY, LOG_ALL, command, forwarder, look


async def metrics(config: Path) -> dict[tuple[str, ...], float]:
    """Return the values by the name of the sample and its labels."""
    families = text_string_to_metric_families(await ok(config, "status", "--prometheus"))
    return {(sample.name, *sample.labels.values()): sample.value for family in families for sample in family.samples}


async def test_the_numbers_of_a_running_daemon(tmp_path: Path) -> None:
    async with (
        Emulator(api_key=KEY) as emulator,
        Receiver() as bot,
        Receiver() as down,
        Receiver(status=400) as refuses,
    ):
        destinations = {
            "bot": (bot, "canary: {every: 1h}"),
            "down": (down, ""),
            "refuses": (refuses, ""),
            "paused": (bot, ""),
            "off": (bot, "enabled: false"),
        }
        config = configure(tmp_path, emulator, destinations, to=tuple(destinations))
        await down.stop_listening()
        async with forwarder(config, *LOG_ALL) as daemon:
            await emulator.wait_connected()
            await ok(config, "pause", "paused")
            frames = [event(number).body for number in range(6)]
            for frame in [*frames, frames[0], b"no event"]:
                await emulator.send(frame)
            await bot.wait_for(7)  # with the canary
            await daemon.wait_for("destination.down", destination="down")
            await daemon.wait_for("delivery.dead", count=6)
            await daemon.wait_for("delivery.delivered", count=7)
            waiting = "SELECT count(*) FROM deliveries WHERE status IN ('pending', 'in_flight')"
            await until(lambda: look(tmp_path / "outbox.db", waiting) == [(12,)], limit_s=90, what="all of it on disk")
            await until_counted(config, 7)
            found = await metrics(config)
            await stopped(daemon)
        code, out, err = await command("status", "--prometheus", "-c", str(config))
        assert code == exit_codes.NO_DAEMON
        assert out.endswith("\nforwarder_up 0.0\n")
        assert "no forwarder answers" in err
    expected = {
        ("forwarder_up",): 1,
        ("forwarder_events_seen_total",): 7,
        ("forwarder_events_routed_total", "matched"): 6,
        ("forwarder_events_routed_total", "double"): 1,
        ("forwarder_deliveries_total", "delivered"): 7,
        ("forwarder_deliveries_total", "dead"): 6,
        ("forwarder_deliveries_total", "expired"): 0,
        ("forwarder_deliveries_total", "skipped"): 6,
        ("forwarder_destination_waiting", "bot"): 0,
        ("forwarder_destination_waiting", "down"): 6,
        ("forwarder_destination_waiting", "paused"): 6,
        ("forwarder_destination_dead_letters", "refuses"): 6,
        ("forwarder_destination_breaker_state", "bot", "closed"): 1,
        ("forwarder_destination_breaker_state", "down", "closed"): 0,
        ("forwarder_destination_paused", "paused"): 1,
        ("forwarder_destination_paused", "bot"): 0,
        ("forwarder_destination_canary_missed", "bot"): 0,
        ("forwarder_commit_lag_seconds_count",): 7,
        ("forwarder_health", "DEGRADED"): 1,
        ("forwarder_stream_events_total", "x", "main"): 7,
        ("forwarder_route_matches_total", "route 1"): 6,
        ("forwarder_destination_deliveries_total", "bot", "delivered"): 7,
        ("forwarder_destination_deliveries_total", "refuses", "dead"): 6,
        ("forwarder_destination_deliveries_total", "off", "skipped"): 6,
        ("forwarder_destination_attempts_total", "refuses", "failed"): 6,
        ("forwarder_delivery_latency_seconds_count", "bot"): 6,
        ("forwarder_attempt_duration_seconds_count", "bot"): 7,
        ("forwarder_attempt_duration_seconds_count", "refuses"): 6,
        ("forwarder_config_reloads_total", "refused"): 0,
        ("forwarder_gaps_unrepaired",): 0,
        ("forwarder_outbox_healthy",): 1,
    }
    assert {key: found.get(key) for key in expected} == expected
    states = ("closed", "open", "half_open")
    assert sum(found["forwarder_destination_breaker_state", "down", state] for state in states) == 1
    assert sum(value for key, value in found.items() if key[0] == "forwarder_odd_frames_total") == 1
    assert 0 < found["forwarder_destination_canary_seconds", "bot"] < 1
    assert found["forwarder_commit_lag_seconds_sum",] > 0
    assert found["forwarder_destination_oldest_waiting_timestamp_seconds", "down"] == pytest.approx(time(), abs=300)
    assert found["forwarder_outbox_file_bytes",] >= 4096
    assert found["process_resident_memory_bytes",] > 1 << 20
    assert ("forwarder_destination_failing_since_timestamp_seconds", "down") in found
    assert ("forwarder_destination_paused", "off") not in found


async def test_whatever_a_source_is_called_status_and_metrics_can_be_read_and_nothing_reaches_the_terminal(
    tmp_path: Path,
) -> None:
    async with Emulator(api_key=KEY) as emulator, Receiver() as bot:
        config = configure(tmp_path, emulator, {"bot": (bot, "")})
        async with forwarder(config) as daemon:
            await emulator.wait_connected()
            names = (r"\ud800", r"\u001b[2J", "s" * 100_000, "x")
            for name in names:
                frame = f'{{"source":"{name}","mid":"1","sid":"1","timestamp":{time() * 1000:.0f},"payload":{{}}}}'
                await emulator.send(frame)
            await bot.wait_for(len(names))
            found = await metrics(config)
            said = await status_text(config)
            await stopped(daemon)
    assert found["forwarder_event_lag_seconds_count", "other"] == 3
    assert found["forwarder_event_lag_seconds_count", "x"] == 1
    assert "other " in said
    assert all(line.isprintable() and len(line) < 1000 for line in said.splitlines())
