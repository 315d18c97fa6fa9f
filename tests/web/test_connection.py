"""Limits of a connection: a client must send its request in time, and there are only so many."""

import asyncio
import json
import sys
from pathlib import Path

import pytest

from forwarder.daemon import rule_runs
from forwarder.web import connection
from forwarder.web.connection import HEADERS, refusal
from tests.support.crash import until
from tests.support.web import Served


async def opened(served: Served) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", served.port)


async def test_a_client_that_does_not_finish_its_request_is_closed(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "_HEAD_WITHIN_S", 0.1)
    reader, writer = await opened(served)
    writer.write(f"GET /api/v1/status HTTP/1.1\r\nHost: 127.0.0.1:{served.port}\r\nX-Slow: ".encode())
    assert await reader.read() == b""
    writer.close()
    assert (await served.get("/status"))["status"]["state"] == "running"


async def test_of_too_many_connections_those_that_are_idle_for_longest_are_closed(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    await served.session.close()  # its connections count, too
    monkeypatch.setattr(connection, "MOST_CONNECTIONS", 3)
    opened_ones = [await opened(served) for _ in range(8)]
    for reader, _ in opened_ones[:5]:
        assert await reader.read() == b""
    reader, writer = await opened(served)
    writer.write(f"GET /api/v1/status HTTP/1.1\r\nHost: 127.0.0.1:{served.port}\r\n\r\n".encode())
    assert (await reader.readline()).split()[1] == b"200"
    assert await opened_ones[5][0].read() == b""
    for _, each in [*opened_ones, (reader, writer)]:
        each.close()


async def test_a_connection_with_a_request_is_closed_after_those_without(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    await served.session.close()
    monkeypatch.setattr(connection, "MOST_CONNECTIONS", 2)
    reader, writer = await opened(served)
    writer.write(f"GET /api/v1/live HTTP/1.1\r\nHost: 127.0.0.1:{served.port}\r\n\r\n".encode())
    assert (await reader.readline()).split()[1] == b"200"
    idle, idle_writer = await opened(served)
    _, last_writer = await opened(served)
    assert await idle.read() == b""
    assert not reader.at_eof()
    for each in (writer, idle_writer, last_writer):
        each.close()


async def test_a_client_that_does_not_take_its_answer_is_closed(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "_TAKEN_WITHIN_S", 0.1)
    reader, writer = await opened(served)
    request = f"GET /api/v1/openapi.json HTTP/1.1\r\nHost: 127.0.0.1:{served.port}\r\n\r\n".encode()
    reader._transport.pause_reading()  # type: ignore[attr-defined] # so that nothing is taken
    writer.write(request * 100)
    await asyncio.sleep(0)
    async with asyncio.timeout(60):
        while not writer.is_closing():
            try:
                writer.write(request)
                await asyncio.wait_for(writer.drain(), 0.5)
            except (TimeoutError, ConnectionError):
                reader._transport.resume_reading()  # type: ignore[attr-defined] # what is left of the connection
                try:
                    await reader.read()
                except ConnectionError:
                    break
    writer.close()


async def test_what_is_no_http_gets_a_short_answer_that_repeats_nothing(served: Served) -> None:
    reader, writer = await opened(served)
    writer.write(b"<script>alert(1)</script>\r\n\r\n")
    head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    assert head.split()[1] == b"400"
    assert b"script" not in body
    assert json.loads(body) == {"error": "this is not a request of HTTP that forwarder reads"}
    assert b"Content-Security-Policy: default-src 'none'" in head
    writer.close()


def test_a_refusal_is_json() -> None:
    answer = refusal(429, "no", **{"Retry-After": "1"})
    assert (answer.status, answer.text, answer.headers["Retry-After"]) == (429, '{"error":"no"}\n', "1")
    assert "unsafe" not in HEADERS["Content-Security-Policy"]


@pytest.mark.parametrize("path", ["/rules/try", "/rules/backtest"])
async def test_the_process_that_tries_rules_ends_when_its_client_goes_away(
    served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    begun = tmp_path / "pid"
    program = f"import os, pathlib, time; pathlib.Path({str(begun)!r}).write_text(f'{{os.getpid()}}.'); time.sleep(600)"
    monkeypatch.setattr(rule_runs, "COMMAND", (sys.executable, "-c", program))
    body = json.dumps({"event": "{}"} if path == "/rules/try" else {}).encode()
    _, writer = await opened(served)
    writer.write(
        f"POST /api/v1{path} HTTP/1.1\r\nHost: 127.0.0.1:{served.port}\r\nX-Forwarder: 1\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        + body
    )
    await until(lambda: begun.exists() and begun.read_text().endswith("."), limit_s=60, what="the process")
    process = Path(f"/proc/{begun.read_text().rstrip('.')}")
    assert process.exists()
    writer.close()
    await until(lambda: not process.exists(), limit_s=60, what="the end of the process")
    assert (await served.get("/status"))["status"]["state"] == "running"
