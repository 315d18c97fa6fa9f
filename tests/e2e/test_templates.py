"""Templates through the real daemon: events that cost too much, methods, and headers."""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

import pytest

from forwarder.cli import exit_codes
from forwarder.emulator.receiver import Answer, Received, Receiver
from forwarder.emulator.server import Emulator
from tests.destinations.hostile import CONTAINS, LARGE, NESTED
from tests.support.process import KEY, Forwarder, command, forwarder

SMALL = {"source": "x", "mid": "small", "sid": "1", "timestamp": 1, "payload": {"text": "Über\nalles", "rows": []}}


def config_text(stream: str, url: str, destinations: str) -> str:
    return f"""
streams: [{{url: {stream}, api_key: {KEY}, use_fast_x: true}}]
outbox: {{url: "sqlite:outbox.db"}}
destinations:
{destinations.replace("URL", url)}
routes: [{{to: [one, two]}}]
"""


def children(process: int) -> list[int]:
    """Return the processes that render for a daemon."""
    found = (Path("/proc") / str(process) / "task").glob("*/children")
    pids = [int(pid) for file in found for pid in file.read_text().split()]
    return [pid for pid in pids if b"render_process" in Path(f"/proc/{pid}/cmdline").read_bytes()]


def by_path(receiver: Receiver) -> dict[str, list[Received]]:
    found: dict[str, list[Received]] = {}
    for request in receiver.requests:
        found.setdefault(request.path, []).append(request)
    return found


async def ended(process: int) -> None:
    """Wait until a process has ended."""
    try:
        descriptor = os.pidfd_open(process)
    except ProcessLookupError:
        return
    loop, end = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(descriptor, end.set)
    try:
        async with asyncio.timeout(90):
            await end.wait()
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)


@pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")
@pytest.mark.parametrize("body", [CONTAINS, NESTED])
async def test_an_event_that_costs_too_much_is_dead_with_the_line_and_holds_up_nothing(
    tmp_path: Path, body: str
) -> None:
    config = tmp_path / "config.yaml"
    async with Emulator(api_key=KEY) as emulator, Receiver() as receiver:
        destinations = (
            f"  one:\n    url: URL/one\n    format:\n      type: template\n      content_type: text/plain\n"
            f"      body: |\n        ok\n        {body}\n"
            "  two: {url: 'URL/two/{{ mid }}'}\n"
        )
        config.write_text(config_text(emulator.ws_url, receiver.url.removesuffix("/hook"), destinations))
        async with forwarder(config) as daemon:
            await emulator.wait_connected()
            await emulator.send(LARGE)
            dead = await daemon.wait_for("delivery.dead", destination="one")
            assert "format.body, line 2: " in dead["reason"]
            assert "too much" in dead["reason"] or "50 ms of CPU time" in dead["reason"]
            await emulator.send(json.dumps(SMALL).encode())
            await receiver.wait_for(3)
            (worker,) = children(daemon.process.pid)
            daemon.send(signal.SIGTERM)
            assert await daemon.ended() == 0
            await ended(worker)
        found = by_path(receiver)
        assert found["/one"][0].body == b"ok\nok"
        assert found["/two/large"][0].body == LARGE
        assert len(found["/two/small"]) == 1
        code, out, _ = await command("dead", "list", "-c", str(config), "--json", cwd=tmp_path)
        assert code == exit_codes.OK
        assert "format.body, line 2: " in out


@pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")
async def test_the_process_that_renders_ends_with_a_daemon_that_is_killed(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    async with Emulator(api_key=KEY) as emulator, Receiver() as receiver:
        destinations = "  one: {url: 'URL/one/{{ mid }}'}\n  two: {url: URL/two}\n"
        config.write_text(config_text(emulator.ws_url, receiver.url.removesuffix("/hook"), destinations))
        async with forwarder(config) as daemon:
            await emulator.wait_connected()
            await emulator.send(LARGE)
            await receiver.wait_for(2)
            (worker,) = children(daemon.process.pid)
            os.kill(worker, signal.SIGKILL)
            await emulator.send(LARGE.replace(b'"large"', b'"again"'))
            await receiver.wait_for(4)
            (again,) = children(daemon.process.pid)
            assert again != worker
            daemon.send(signal.SIGKILL)
            await daemon.ended()
            await ended(again)


async def test_an_edit_with_a_template_that_computes_forever_is_refused_and_nothing_stops(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    async with Emulator(api_key=KEY) as emulator, Receiver() as receiver:
        destinations = "  one: {url: URL/one, format: {type: template, body: '1'}}\n  two: {url: URL/two}\n"
        text = config_text(emulator.ws_url, receiver.url.removesuffix("/hook"), destinations)
        config.write_text(text)
        async with forwarder(config) as daemon:
            await emulator.wait_connected()
            for count, body in enumerate(("{{ 1 | round(10**8,'ceil') }}", "{{ 'x' * 10**9 }}"), start=1):
                config.write_text(text.replace("body: '1'", f'body: "{body}"'))
                await daemon.wait_for("reload.refused", count=count)
            await emulator.send(json.dumps(SMALL).encode())
            await receiver.wait_for(2)
            daemon.send(signal.SIGTERM)
            assert await daemon.ended() == 0


async def test_methods_and_headers_are_those_of_each_event_over_retries_and_replays(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    answers = [500, 200, 400]

    def respond(request: Received) -> Answer:
        return Answer(status=answers.pop(0) if request.path == "/one" and answers else 200)

    async with Emulator(api_key=KEY) as emulator, Receiver(respond=respond) as receiver:
        destinations = """
  one:
    url: URL/one
    method: PUT
    headers: {Title: "{{ post.text.split() | join(' ') }}", user-agent: "{{ source }}", Fixed: "a"}
    signing: {secret: whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw}
    retry: {delays: [100ms]}
  two:
    url: URL/two
    method: PATCH
    headers: {Title: "{{ payload.title }}"}
"""
        config.write_text(config_text(emulator.ws_url, receiver.url.removesuffix("/hook"), destinations))
        async with forwarder(config) as daemon:
            await emulator.wait_connected()
            await emulator.send(json.dumps(SMALL).encode())
            await receiver.wait_for(2)
            await emulator.send(
                json.dumps({**SMALL, "mid": "b", "payload": {"text": "b", "title": "one\ntwo"}}).encode()
            )
            dead = await daemon.wait_for("delivery.dead", destination="two")
            assert "headers.Title: the value has a line break, which no header can have" in dead["reason"]
            await daemon.wait_for("delivery.dead", destination="one")
            code, _, err = await command("dead", "replay", "--destination", "one", "-c", str(config))
            assert (code, err) == (0, "")
            await receiver.wait_for(3)
            await stop(daemon)
        found = by_path(receiver)
        assert {request.method for request in found["/one"]} == {"PUT"}
        assert [request.method for request in found["/two"]] == ["PATCH"]
        first, again, refused, replayed = found["/one"]
        for request in (first, again):
            assert request.headers["Title"].encode("utf-8", "surrogateescape").decode() == "Über alles"
            assert request.headers.getall("User-Agent") == ["x"]
            assert request.headers["Fixed"] == "a"
            assert request.headers["webhook-id"] == first.headers["webhook-id"]
            assert "webhook-signature" in request.headers
        assert (refused.headers["Title"], replayed.headers["Title"]) == ("b", "b")


async def stop(daemon: Forwarder) -> None:
    daemon.send(signal.SIGTERM)
    assert await daemon.ended() == 0
