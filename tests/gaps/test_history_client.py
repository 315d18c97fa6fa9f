"""The history's client against the emulator and against servers that behave badly."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from time import monotonic

import pytest
import trustme

from forwarder.core.config import load_config
from forwarder.core.config.model.transport import parse_proxy
from forwarder.core.destinations.transport import Tls
from forwarder.core.gaps.history_api import Account, TimeSpan
from forwarder.emulator.server import Emulator
from forwarder.emulator.settings import EmulatorSettings
from forwarder.gaps.history_client import Histories, HistoryClient, HistorySource, histories_of
from forwarder.streams.build import streams_of
from forwarder.streams.faults import FaultKind, StreamFaultError
from forwarder.streams.transport import StreamTransport
from forwarder.streams.websocket import WebSocketStream
from forwarder.tls.contexts import context_of
from tests.support.http_proxy import SmallProxy
from tests.support.raw import raw_server, says, serving
from tests.support.tls import tls_before

KEY = "test-key"
NOON = datetime(2026, 4, 20, 16, tzinfo=UTC)
HOUR = TimeSpan(NOON, NOON + timedelta(hours=1))
SECRET = "secret-key-1234"


@asynccontextmanager
async def history_at(url: str, *, key: str = KEY, histories: Histories | None = None) -> AsyncIterator[HistoryClient]:
    async with (histories or Histories()).open(HistorySource(stream="main", url=url, api_key=key)) as history:
        yield history


def post(mid: int, at: datetime) -> str:
    ms = at.timestamp() * 1000
    return f'{{"mid":"{mid}","sid":"12","source":"x","timestamp":{ms:.0f},"payload":{{"id":"{mid}","text":"t"}}}}'


async def mids(history: HistoryClient, account: Account, span: TimeSpan) -> list[str]:
    found: list[str] = []
    cursor: str | None = None
    while True:
        page = await history.page(account, span, cursor)
        assert page is not None
        found += [post.mid for post in page.posts]
        if page.cursor is None:
            return found
        cursor = page.cursor


async def test_all_pages_of_a_span_are_asked_for_oldest_first() -> None:
    async with Emulator() as emulator, history_at(emulator.ws_url + "?useFastX=true") as history:
        assert (await history.tracked()).known == []
        for number in range(260):
            await emulator.send(post(number, NOON + timedelta(seconds=number - 10)))
        (account,) = (await history.tracked()).known
        assert account == Account(id="cl12", sid="12", name="user_12")
        assert await mids(history, account, HOUR) == [str(number) for number in range(10, 260)]
        assert emulator.history.stats.asked == 3
        assert await history.page(Account(id="no", sid="1", name="no"), HOUR, None) is None


async def test_the_path_of_the_streams_url_stays_as_written() -> None:
    lines: list[bytes] = []

    async def note(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        lines.append((await reader.readuntil(b"\r\n\r\n")).partition(b" HTTP/1.1")[0])
        writer.write(b"HTTP/1.1 404 X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

    async with serving(note) as port, history_at(f"ws://127.0.0.1:{port}/%3As%2F/ws?sig=%2F") as history:
        assert await history.page(Account(id="a", sid="1", name="a"), HOUR, None) is None
    assert lines[0].startswith(b"GET /%3As%2F/account/history/a?")


async def fault_of(url: str, *, key: str = KEY) -> StreamFaultError:
    async with history_at(url, key=key) as history:
        with pytest.raises(StreamFaultError) as raised:
            await history.tracked()
    assert key not in repr(raised.value) + str(raised.value)
    return raised.value


async def test_a_refused_key_says_so() -> None:
    async with Emulator() as emulator:
        assert (await fault_of(emulator.ws_url, key=SECRET)).kind is FaultKind.KEY_REFUSED


async def test_more_requests_than_allowed_wait_for_their_turn_over_all_openings() -> None:
    histories = Histories(requests=2, per_s=1)
    # The server counts from when a request arrives, which may be late: so its span is much shorter.
    async with Emulator(EmulatorSettings(history_limit=2, history_per_s=0.3)) as emulator:
        began = monotonic()
        for _ in range(5):
            async with history_at(emulator.ws_url, histories=histories) as history:
                assert await history.page(Account(id="no", sid="1", name="no"), HOUR, None) is None
        assert 2 <= monotonic() - began < 30
        assert emulator.history.stats.limited == 0


async def test_429_reports_how_long_to_wait_in_its_body_or_a_header_within_bounds() -> None:
    for headers, body, wait_s in [
        (b"", b'{"status":"error","error":"Too many requests.","retry_after":60}', 60),
        (b"Retry-After: 20\r\n", b"{}", 20),
        (b"Retry-After: 99999999\r\n", b"{}", 900),
        (b"Retry-After: -5\r\n", b'{"retry_after":-60}', 10),
        (b"", b"no JSON", 10),
    ]:
        answer = b"HTTP/1.1 429 Too Many Requests\r\n%bContent-Length: %d\r\n\r\n%b" % (headers, len(body), body)
        async with raw_server(says(answer)) as url:
            fault = await fault_of(f"{url}ws")
            assert (fault.kind, fault.minimum_wait) == (FaultKind.BUSY, timedelta(seconds=wait_s))
            assert fault.sentence == "the rate limit of the history is reached (HTTP 429)"


async def test_nothing_is_asked_while_the_server_wants_to_be_left_alone() -> None:
    answer = b'HTTP/1.1 429 X\r\nContent-Length: 18\r\n\r\n{"retry_after":60}'
    async with raw_server(says(answer)) as url, history_at(f"{url}ws") as history:
        with pytest.raises(StreamFaultError):
            await history.tracked()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(history.tracked(), 0.3)


async def test_a_redirect_is_not_followed_and_the_key_goes_nowhere_else() -> None:
    heard: list[bytes] = []

    async def note(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.readline())

    async with serving(note) as elsewhere:
        to = f"http://127.0.0.1:{elsewhere}/track/x".encode()
        async with raw_server(says(b"HTTP/1.1 302 Found\r\nLocation: %b\r\nContent-Length: 0\r\n\r\n" % to)) as url:
            assert (await fault_of(f"{url}ws", key=SECRET)).kind is FaultKind.REDIRECTED
    assert heard == []


def ok(body: bytes, headers: bytes = b"") -> bytes:
    return b"HTTP/1.1 200 OK\r\n%bContent-Length: %d\r\n\r\n%b" % (headers, len(body), body)


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (ok(b"<html>"), FaultKind.ODD_ANSWER),
        (ok(b'{"status":"error"}'), FaultKind.ODD_ANSWER),
        (ok(b"\x1f\x8b\x08\x00", b"Content-Encoding: gzip\r\n"), FaultKind.ODD_ANSWER),
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\n{}", FaultKind.ODD_ANSWER),
        (b"HTTP/1.1 422 X\r\nContent-Length: 2\r\n\r\n{}", FaultKind.ODD_ANSWER),
        (b"HTTP/1.1 403 X\r\nContent-Length: 2\r\n\r\n{}", FaultKind.KEY_REFUSED),
        (b"HTTP/1.1 403 X\r\nContent-Type: text/html\r\nContent-Length: 6\r\n\r\n<html>", FaultKind.BLOCKED),
        (b"HTTP/1.1 502 X\r\nContent-Length: 2\r\n\r\n{}", FaultKind.BUSY),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 90\r\n\r\n{}", FaultKind.NETWORK),
        (b"garbage\r\n\r\n", FaultKind.NETWORK),
        (b"", FaultKind.NETWORK),
    ],
)
async def test_other_answers_are_faults_with_their_kind(answer: bytes, kind: FaultKind) -> None:
    async with raw_server(says(answer)) as url:
        assert (await fault_of(f"{url}ws", key=SECRET)).kind is kind


async def test_an_answer_without_end_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("forwarder.gaps.history_client.MAX_ANSWER_BYTES", 1 << 20)

    async def flood(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n[")
        while True:
            writer.write(b"0," * (1 << 15))
            await writer.drain()

    async with raw_server(flood) as url:
        fault = await fault_of(f"{url}ws")
    assert (fault.kind, "more than 1,048,576 bytes" in fault.sentence) == (FaultKind.ODD_ANSWER, True)


async def test_a_server_that_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("forwarder.gaps.history_client._TIMEOUT_S", 0.2)
    async with raw_server(says(b"HTTP/1.1 200 OK\r\n"), stays_open=True) as url:
        assert (await fault_of(f"{url}ws")).kind is FaultKind.TIMEOUT


async def test_nobody_listens_there() -> None:
    async with raw_server(says(b"")) as url:
        pass
    assert (await fault_of(f"{url}ws")).kind is FaultKind.REFUSED


@pytest.mark.parametrize(
    ("path", "asked"),
    [("ws", ["/track/x", "/account/history/a"]), ("proxy/st/ws", ["/proxy/st/track/x", "/proxy/st/account/history/a"])],
)
async def test_the_history_is_beside_the_stream(path: str, asked: Sequence[str]) -> None:
    heard: list[str] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        heard.append(head.split()[1].partition("?")[0])
        assert f"x-api-key: {KEY}" in head
        writer.write(ok(json.dumps({"data": []}).encode(), b"Connection: close\r\n"))
        await writer.drain()

    async with serving(answer) as port, history_at(f"ws://127.0.0.1:{port}/{path}") as history:
        assert (await history.tracked()).known == []
        assert await history.page(Account(id="a", sid="1", name="a"), HOUR, None) is not None
    assert heard == asked


CA = trustme.CA()
CLIENT = CA.issue_cert("client@example.com")


def pem(*blobs: trustme.Blob) -> str:
    return "".join(blob.bytes().decode() for blob in blobs)


def server_context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    CA.issue_cert("localhost").configure_cert(context)
    CA.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED
    return context


async def test_the_history_is_asked_over_the_tls_and_the_proxy_of_its_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    tls = Tls(ca=pem(CA.cert_pem), cert=pem(*CLIENT.cert_chain_pems), key=pem(CLIENT.private_key_pem))
    proxy, of_environment = SmallProxy(wants="Basic dXNlcjpjYW5hcnk="), SmallProxy()
    async with (
        Emulator() as emulator,
        tls_before(int(emulator.url.rpartition(":")[2]), server_context()) as port,
        serving(proxy.serve) as proxy_port,
        serving(of_environment.serve) as other_port,
    ):
        await emulator.send(post(1, NOON))
        for name in ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{other_port}")
        for through in (f"http://user:canary@127.0.0.1:{proxy_port}", None):
            transport = StreamTransport(
                tls=tls, proxy=None if through is None else parse_proxy(through), context=context_of(tls)
            )
            source = HistorySource(stream="main", url=f"wss://localhost:{port}/ws", api_key=KEY, transport=transport)
            async with Histories().open(source) as history:
                assert [account.sid for account in (await history.tracked()).known] == ["12"]
    (head,) = proxy.heads
    assert head.startswith(f"CONNECT localhost:{port} HTTP/1.1\r\n")
    assert of_environment.heads == []


async def test_a_proxy_that_refuses_is_named() -> None:
    async with serving(SmallProxy(wants="Basic dXNlcjpjYW5hcnk=").serve) as port:
        transport = StreamTransport(proxy=parse_proxy(f"http://127.0.0.1:{port}"))
        source = HistorySource(stream="main", url="wss://localhost:9/ws", api_key=SECRET, transport=transport)
        async with Histories().open(source) as history:
            with pytest.raises(StreamFaultError) as caught:
                await history.tracked()
    assert caught.value.kind is FaultKind.PROXY
    assert caught.value.sentence == "the proxy: it requires a user name and a password: write them into its URL"


def test_each_history_has_the_transport_of_its_stream() -> None:
    text = b"""
streams:
  - {api_key: key, gap_repair: true, proxy: "http://proxy.example:3128", tls: {server_name: scrape.internal}}
destinations: {bot: {url: "http://b/"}}
routes: [{to: bot}]
"""
    config = load_config(text, name="config.yaml", env={}, read_file=lambda _: "")
    transport = histories_of(config)["main"].transport
    assert (transport.proxy, transport.tls.server_name) == (parse_proxy("http://proxy.example:3128"), "scrape.internal")
    (stream,) = streams_of(config)
    assert isinstance(stream, WebSocketStream)
    assert stream.transport == transport
    assert stream.transport.context is transport.context
