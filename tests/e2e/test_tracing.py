"""Traces of the real daemon: one for each event, which the receiver is told of, also over a restart; and what their absence costs."""

import asyncio
import json
import os
import sys
from pathlib import Path

from forwarder.cli import exit_codes
from forwarder.emulator.receiver import Answer, Receiver
from forwarder.emulator.server import Emulator
from tests.support.collector import Collector
from tests.support.crash import until
from tests.support.delivery import configure, stopped
from tests.support.lanes import event
from tests.support.ports import free_port
from tests.support.process import KEY, command, forwarder, look

RETRIED = "breaker: {enabled: false}, retry: {delays: [100ms, 100ms, 1s, 1s, 1s, 1s, 1s, 1s]}"


async def test_one_trace_for_each_event_with_all_attempts_and_its_id_is_that_of_the_event(tmp_path: Path) -> None:
    async with Emulator(api_key=KEY) as emulator, Receiver() as bot, Collector() as collector:
        bot.respond = lambda _request: Answer(status=503 if bot.received == 1 else 200)
        extra = f"tracing: {{endpoint: '{collector.endpoint}', headers: {{x-key: magpie}}}}\n"
        config = configure(tmp_path, emulator, {"bot": (bot, RETRIED)}, extra=extra)
        async with forwarder(config) as daemon:
            await emulator.wait_connected()
            await emulator.send(event(1).body)
            await bot.wait_for(1)
            (delivery,) = await collector.until("deliver bot")
            await collector.until("commit")
            await stopped(daemon)
        assert {span.trace_id for span in collector.spans} == {event(1).id}
        (root,) = collector.named("receive")
        assert root.parent_id == ""
        assert delivery.parent_id == root.span_id
        assert [span.parent_id for name in ("route", "commit") for span in collector.named(name)] == [root.span_id] * 2
        attempts = collector.named("attempt bot")
        assert [span.parent_id for span in attempts] == [delivery.span_id] * 2
        assert [span.attributes["http.response.status_code"] for span in attempts] == [503, 200]
        assert [bool(span.error) for span in attempts] == [True, False]
        told = [request.headers["traceparent"] for request in bot.requests]
        assert told == [f"00-{event(1).id}-{span.span_id}-01" for span in attempts]
        assert (delivery.attributes["forwarder.outcome"], delivery.attributes["forwarder.attempts"]) == ("delivered", 2)
        assert collector.requests[0].headers["x-key"] == "magpie"
        assert "magpie" not in json.dumps(daemon.lines)


async def test_a_retry_after_a_restart_belongs_to_the_same_trace(tmp_path: Path) -> None:
    async with Emulator(api_key=KEY) as emulator, Receiver(status=503) as bot, Collector() as collector:
        extra = f"tracing: {{endpoint: '{collector.endpoint}'}}\n"
        config = configure(tmp_path, emulator, {"bot": (bot, RETRIED)}, extra=extra)
        async with forwarder(config) as daemon:
            await emulator.wait_connected()
            await emulator.send(event(1).body)
            await collector.until("attempt bot")
            on_disk = "SELECT count(*) FROM deliveries"
            await until(lambda: look(tmp_path / "outbox.db", on_disk) == [(1,)], limit_s=60, what="it on disk")
            await stopped(daemon)
        before, bot.status = len(bot.requests), 200
        async with forwarder(config) as daemon:
            (delivery,) = await collector.until("deliver bot")
            await stopped(daemon)
        assert {request.headers["traceparent"].split("-")[1] for request in bot.requests} == {event(1).id}
        assert len(bot.requests) > before
        assert {span.parent_id for span in collector.named("attempt bot")} == {delivery.span_id}
        assert len({span.span_id for span in collector.named("attempt bot")}) == len(bot.requests)


async def test_a_collector_that_is_not_there_costs_spans_and_no_delivery(tmp_path: Path) -> None:
    async with Emulator(api_key=KEY) as emulator, Receiver() as bot:
        extra = f"tracing: {{endpoint: 'http://127.0.0.1:{free_port()}/magpie', timeout: 1s}}\n"
        config = configure(tmp_path, emulator, {"bot": (bot, "")}, extra=extra)
        async with forwarder(config) as daemon:
            await emulator.wait_connected()
            for number in range(20):
                await emulator.send(event(number).body)
            await bot.wait_for(20)
            line = await daemon.wait_for("tracing.failed", level="warning")
            assert line["reason"].startswith("the collector cannot be reached")
            await stopped(daemon)
        await daemon.wait_for("tracing.spans_lost")
        assert "magpie" not in json.dumps(daemon.lines)


async def test_without_it_no_request_has_the_header_and_nothing_is_loaded(tmp_path: Path) -> None:
    async with Emulator(api_key=KEY) as emulator, Receiver() as bot:
        config = configure(tmp_path, emulator, {"bot": (bot, "")})
        program = (
            sys.executable,
            "-c",
            "import sys; from forwarder.cli import main; code = main(); "  # noqa: ISC004 - one program
            "print([name for name in sys.modules if name.split('.')[0] in {'opentelemetry', 'google', 'requests'} "
            "or name.startswith(('forwarder.monitoring.tracer', 'forwarder.monitoring.span'))], file=sys.stderr); sys.exit(code)",
        )
        with (tmp_path / "modules").open("wb") as errors:
            async with forwarder(config, program=program, stderr=errors) as daemon:
                await emulator.wait_connected()
                await emulator.send(event(1).body)
                await bot.wait_for(1)
                await stopped(daemon)
        assert "traceparent" not in bot.requests[0].headers
        assert (tmp_path / "modules").read_text().splitlines()[-1] == "[]"


async def test_without_its_libraries_the_config_says_what_to_install(tmp_path: Path) -> None:
    async with Emulator(api_key=KEY) as emulator, Receiver() as bot:
        extra = "tracing: {endpoint: 'http://127.0.0.1:4318/v1/traces'}\n"
        config = configure(tmp_path, emulator, {"bot": (bot, "")}, extra=extra)
        code, out, err = await command("check", "-c", str(config))
        assert code == exit_codes.OK, out + err
        hidden = tmp_path / "hidden"
        (hidden / "opentelemetry").mkdir(parents=True)
        (hidden / "opentelemetry" / "__init__.py").touch()
        code, out, err = await command_without(hidden, "check", "-c", str(config))
        assert code != exit_codes.OK
        assert "tracing: its libraries are not installed" in out + err
        assert "-m pip install 'opentelemetry-sdk>=1.29,<2'" in out + err


async def command_without(hidden: Path, *arguments: str) -> tuple[int, str, str]:
    """Run a command in a process for which OpenTelemetry is an empty package."""
    path = os.pathsep.join((str(hidden), os.environ.get("PYTHONPATH", "")))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "forwarder", *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": path},
    )
    out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()
